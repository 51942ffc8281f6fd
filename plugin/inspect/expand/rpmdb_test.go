package expand

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const berkeleyPage = 512

// berkeleyFile makes a hash with a value in its page and one that has pages of
// its own.
func berkeleyFile(order binary.ByteOrder, short, long string) []byte {
	page := func(number uint32, kind byte) []byte {
		p := make([]byte, berkeleyPage)
		order.PutUint32(p[8:], number)
		p[25] = kind
		return p
	}
	const room = berkeleyPage - berkeleyHeader
	pieces := slices.Collect(slices.Chunk([]byte(long), room))
	meta, hash := page(0, 8), page(1, hashSorted)
	order.PutUint32(meta[12:], 0x061561)
	order.PutUint32(meta[20:], berkeleyPage)
	order.PutUint32(meta[32:], uint32(1+len(pieces)))
	away := make([]byte, 12)
	away[0] = offPage
	order.PutUint32(away[4:], 2)
	order.PutUint32(away[8:], uint32(len(long)))
	end := berkeleyPage
	items := [][]byte{{keyData, 1, 0, 0, 0}, append([]byte{keyData}, short...), {keyData, 2, 0, 0, 0}, away}
	for i, item := range items {
		end -= len(item)
		copy(hash[end:], item)
		order.PutUint16(hash[berkeleyHeader+2*i:], uint16(end))
	}
	order.PutUint16(hash[20:], uint16(len(items)))
	file := append(meta, hash...)
	for i, piece := range pieces {
		p := page(uint32(2+i), overflow)
		order.PutUint16(p[22:], uint16(len(piece)))
		if i+1 < len(pieces) {
			order.PutUint32(p[16:], uint32(3+i))
		}
		copy(p[berkeleyHeader:], piece)
		file = append(file, p...)
	}
	return file
}

// ndbFile makes a database of ndb with a free slot before the others.
func ndbFile(blobs ...string) []byte {
	file := make([]byte, ndbPage)
	copy(file, ndbMagic)
	binary.LittleEndian.PutUint32(file[12:], 1)
	for at := ndbFirst; at < ndbPage; at += ndbSlot {
		copy(file[at:], slotMagic)
	}
	for i, blob := range blobs {
		slot := file[ndbFirst+ndbSlot*(i+1):]
		binary.LittleEndian.PutUint32(slot[4:], uint32(i+1))
		binary.LittleEndian.PutUint32(slot[8:], uint32(len(file)/ndbSlot))
		head := make([]byte, 16)
		copy(head, blobMagic)
		binary.LittleEndian.PutUint32(head[4:], uint32(i+1))
		binary.LittleEndian.PutUint32(head[12:], uint32(len(blob)))
		file = append(append(file, head...), blob...)
		file = append(file, make([]byte, -len(file)&(ndbSlot-1))...)
	}
	return file
}

func TestRPMDatabases(t *testing.T) {
	long := strings.Repeat("a header of many bytes ", 60)
	for name, c := range map[string]struct {
		path string
		data []byte
	}{
		"berkeley":     {"/var/lib/rpm/Packages", berkeleyFile(binary.LittleEndian, "short", long)},
		"berkeley_big": {"/var/lib/rpm/Packages", berkeleyFile(binary.BigEndian, "short", long)},
		"ndb":          {"/usr/lib/sysimage/rpm/Packages.db", ndbFile("short", long)},
	} {
		t.Run(name, func(t *testing.T) {
			f := look(t, c.path, c.data, 0)
			want := map[string][]string{c.path + "!Packages": {"short", long}}
			if diff := cmp.Diff(want, f.tables); diff != "" || len(f.skips) > 0 {
				t.Errorf("%d skipped, tables (-want +got):\n%s", len(f.skips), diff)
			}
			cutAndSpoilt(t, c.path, c.data)
		})
	}
	if f := look(t, "/srv/other.db", berkeleyFile(binary.LittleEndian, "short", long), 0); len(f.tables) > 0 {
		t.Error("another database of Berkeley DB is taken for rpm's")
	}
}

// TestHostileRPMDatabases: lists that lead in circles and sizes that nothing has
// are told, in bounded time and memory.
func TestHostileRPMDatabases(t *testing.T) {
	const path = "/var/lib/rpm/Packages"
	order := binary.LittleEndian
	circle := berkeleyFile(order, "short", strings.Repeat("a", 5000))
	order.PutUint32(circle[3*berkeleyPage+16:], 2)
	huge := berkeleyFile(order, "short", strings.Repeat("a", 5000))
	away := bytes.Index(huge[berkeleyPage:], []byte{offPage, 0, 0, 0, 2}) + berkeleyPage
	order.PutUint32(huge[away+8:], 1<<31)
	encrypted := berkeleyFile(order, "short", "long")
	encrypted[24] = 1
	manySlots := ndbFile("short")
	order.PutUint32(manySlots[12:], 1<<30)
	twice := ndbFile(strings.Repeat("a", 5000))
	copy(twice[ndbFirst+2*ndbSlot:], twice[ndbFirst+ndbSlot:ndbFirst+2*ndbSlot])
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"circle":     {circle, ""}, // a value ends where its size says
		"huge":       {huge, "more than 16 MiB"},
		"encrypted":  {encrypted, "encrypted rpm database"},
		"many_slots": {manySlots, "damaged"},
		"twice":      {twice, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			f := look(t, path, c.data, 0)
			if c.want == "" && len(f.skips) == 0 {
				return
			}
			if len(f.skips) != 1 || !strings.Contains(f.skips[0], c.want) {
				t.Errorf("skipped %q, want %q", f.skips, c.want)
			}
		})
	}
}
