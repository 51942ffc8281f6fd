package attacks

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dchest/siphash"
)

// What of a journal file's layout is needed to change it
// (https://systemd.io/JOURNAL_FILE_FORMAT/). Numbers are little-endian.
const (
	compactFlag = 1 << 4 // of the header's incompatible flags
	dataObject  = 1
	entryObject = 3

	objectHeader = 16
	hashAt       = 16 // in a data object
	itemsAt      = 64 // in an entry
)

// journalFile is a journal file's bytes and where its objects are.
type journalFile struct {
	data    []byte
	payload int            // where it begins in a data object
	objects map[int][]span // by type
}

// span is an object's place.
type span struct{ at, size int }

func readJournal(data []byte) *journalFile {
	j := &journalFile{data: data, payload: 64, objects: map[int][]span{}}
	if binary.LittleEndian.Uint32(data[12:])&compactFlag != 0 {
		j.payload = 72
	}
	last := int(j.word(136))
	for at := int(j.word(88)); at <= last; {
		s := span{at, int(j.word(at + 8))}
		kind := int(data[at])
		j.objects[kind] = append(j.objects[kind], s)
		at += (s.size + 7) &^ 7
	}
	return j
}

func (j *journalFile) word(at int) uint64 { return binary.LittleEndian.Uint64(j.data[at:]) }

// find is a record's message and the entry that holds it.
func (j *journalFile) find(raw []byte) (data, entry span, ok bool) {
	message := append([]byte("MESSAGE="), raw...)
	i := slices.IndexFunc(j.objects[dataObject], func(s span) bool {
		return bytes.Equal(j.data[s.at+j.payload:s.at+s.size], message)
	})
	if i < 0 {
		return data, entry, false
	}
	data = j.objects[dataObject][i]
	first := int(j.word(data.at + 40)) // the one entry that has it
	i = slices.IndexFunc(j.objects[entryObject], func(s span) bool { return s.at == first })
	return data, j.objects[entryObject][i], true
}

// change puts a record of the same length in a message's place, and makes the
// hash over it anew: one that stays in its place of the hash table, for which
// digits of the container's ID are tried.
func (j *journalFile) change(data span, raw []byte, resum bool) {
	payload := j.data[data.at+j.payload : data.at+data.size]
	copy(payload, append([]byte("MESSAGE="), raw...))
	if !resum {
		return
	}
	buckets := j.word(112) / 16
	want := j.word(data.at+hashAt) % buckets
	digits := bytes.Index(payload, []byte(`"container":"`)) + len(`"container":"`)
	k0, k1 := j.word(24), j.word(32) // the file's ID
	for n := 0; ; n++ {
		copy(payload[digits:], fmt.Sprintf("%08x", n))
		if hash := siphash.Hash(k0, k1, payload); hash%buckets == want {
			binary.LittleEndian.PutUint64(j.data[data.at+hashAt:], hash)
			return
		}
	}
}

// with is the file with entries where others were; what lies between them stays.
func (j *journalFile) with(entries, moved []span) []byte {
	if len(entries) == 0 {
		return j.data
	}
	out := bytes.Clone(j.data[:entries[0].at])
	for i := range max(len(entries), len(moved)) {
		if i < len(moved) {
			out = append(out, j.data[moved[i].at:moved[i].at+moved[i].size]...)
		}
		if i < len(entries) {
			end := len(j.data)
			if i+1 < len(entries) {
				end = entries[i+1].at
			}
			out = append(out, j.data[entries[i].at+entries[i].size:end]...)
		}
	}
	return out
}
