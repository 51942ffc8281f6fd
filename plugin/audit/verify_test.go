package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func (v *victim) now() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

// What is wrong is named: the first record and the kind.
func TestVerifyNames(t *testing.T) {
	v := newVictim(t, 9)
	f := v.frames()
	join := func(parts ...[]byte) []byte {
		return bytes.Join(append([][]byte{v.data[:blockSize]}, parts...), nil)
	}
	flipped := bytes.Clone(v.data)
	flipped[endOf(v.data, 4)+payloadAt+50] ^= 1
	rechecked := bytes.Clone(flipped)
	fr := frameOver(rechecked, endOf(v.data, 4)+payloadAt)
	binary.BigEndian.PutUint32(fr[4:], checksum(fr[frameHead:]))
	tests := map[string]struct {
		files fstest.MapFS
		seq   uint64
		kind  string
	}{
		"a_flipped_bit":        {v.with(flipped), 5, Damaged},
		"its_checksum_too":     {v.with(rechecked), 5, Altered},
		"a_record_is_gone":     {v.with(join(f[0], f[1], f[3], f[4], f[5], f[6], f[7], f[8])), 3, Missing},
		"a_record_comes_twice": {v.with(join(f[0], f[1], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8])), 3, Disorder},
		"the_end_is_cut_off":   {v.with(join(f[:6]...)), 7, Truncated},
		"the_end_is_torn":      {v.with(v.data[:len(v.data)-3]), 9, Damaged},
		"nothing_is_left":      {v.with(nil), 1, Damaged},
		"of_another_log":       {v.with(newVictim(t, 9).data), 1, Foreign},
	}
	v.kept.Keys = []FirstKey{v.k0}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := verify(t.Context(), tt.files, "log", v.kept)
			if err != nil {
				t.Fatal(err)
			}
			if got.OK() || got.Problems[0].Seq != tt.seq || got.Problems[0].Kind != tt.kind {
				t.Errorf("got %+v; want record %d, %s", got.Problems, tt.seq, tt.kind)
			}
		})
	}
}

// A log that rotated, whose daemon was killed, that was set aside and that began
// another line of keys: each is whole, or says exactly what is not.
func TestVerifyOverSegments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := hookLog(t, dir, func(file) error { return nil })
	l.segmentSize = blockSize + 3000
	record(t, l, 40)
	l.Close()
	check := func(want uint64) {
		t.Helper()
		keys := ownKeys(t, dir)
		got, err := Verify(t.Context(), dir, VerifyOptions{Keys: keys, Workers: 2})
		if err != nil || !got.OK() || got.Last != want || got.Macs != want {
			t.Fatalf("got %+v, %v; want %d whole records with macs", got, err, want)
		}
	}
	check(40)
	remove(t, dir, headName)
	remove(t, dir, ownKeyName)
	l = newLog(t, dir) // with another line of keys
	record(t, l, 3)
	l.Close()
	got, err := Verify(t.Context(), dir, VerifyOptions{Keys: ownKeys(t, dir)})
	if err != nil || !got.OK() || got.Last != 44 || got.Macs != 4 {
		t.Fatalf("got %+v, %v; want 44 records, the macs of the last 4", got, err)
	}
	flip(t, filepath.Join(dir, segmentName(1)), blockSize+200)
	got, err = Verify(t.Context(), dir, VerifyOptions{})
	if err != nil || got.OK() || got.Problems[0].Seq != 1 || got.Last != 44 {
		t.Fatalf("got %+v, %v; want record 1 damaged, and the rest read", got, err)
	}
}

func ownKeys(t *testing.T, dir string) (keys []FirstKey) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, ownKeyName))
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseFirstKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return append(keys, k)
}

// Without its first segments, which were archived, a log still verifies and
// proves what is left.
func TestPrunedLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, err := open(dir, Options{Checkpoint: 1 << 40}, time.Now, hooked{folder(dir), func(file) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	l.segmentSize = blockSize + 3000
	record(t, l, 70)
	verifier := l.verifier
	l.Close()
	firsts, err := listSegments(os.DirFS(dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range firsts[:len(firsts)/2] {
		remove(t, dir, segmentName(first))
	}
	first := firsts[len(firsts)/2]
	got, err := Verify(t.Context(), dir, VerifyOptions{Verifier: verifier})
	if err != nil || !got.OK() || got.First != first || got.Proven != 70 {
		t.Fatalf("got %+v, %v; want records %d to 70 proven", got, err, first)
	}
	got, err = Verify(t.Context(), dir, VerifyOptions{Verifier: verifier, Whole: true})
	if err != nil || got.OK() || got.Problems[0].Seq != 1 || got.Problems[0].UpTo != first-1 || got.Problems[0].Kind != Missing {
		t.Fatalf("got %+v, %v; want records 1 to %d missing", got, err, first-1)
	}
	for seq := first; seq <= 70; seq++ {
		proof, err := Prove(t.Context(), dir, seq, nil, "")
		if err != nil {
			t.Fatalf("Prove(%d): %v", seq, err)
		}
		checkProof(t, proof, dir, seq, verifier)
	}
	if _, err := Prove(t.Context(), dir, first-1, nil, ""); err == nil {
		t.Error("a record that is not here was proven")
	}
	if _, err := Prove(t.Context(), dir, 71, nil, ""); !errors.Is(err, ErrUncovered) {
		t.Errorf("Prove(71) = %v", err)
	}
}

// checkProof checks a proof with the Go team's packages alone.
func checkProof(t *testing.T, proof []byte, dir string, seq uint64, verifier string) {
	t.Helper()
	head, signed, ok := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprint("index ", seq-1) {
		t.Fatalf("%d bytes that are no proof of record %d", len(proof), seq)
	}
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			t.Fatal(err)
		}
		path = append(path, h)
	}
	v, err := note.NewVerifier(verifier)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(text[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tlog.ParseHash(text[2])
	if err != nil {
		t.Fatal(err)
	}
	leaf := tlog.RecordHash(leafData(t, dir, seq))
	if err := tlog.CheckRecord(path, size, root, int64(seq-1), leaf); err != nil {
		t.Errorf("record %d: %v", seq, err)
	}
	leaf[0] ^= 1
	if tlog.CheckRecord(path, size, root, int64(seq-1), leaf) == nil {
		t.Errorf("record %d: another leaf has the same proof", seq)
	}
}

// leafData is what the leaf hash of a record is made of, read without our code's help.
func leafData(t *testing.T, dir string, seq uint64) (data []byte) {
	t.Helper()
	r := reader{fsys: os.DirFS(dir), dir: dir, from: seq}
	stop := errors.New("stop")
	if err := r.read(t.Context(), func(_, _ string, fr frame) error {
		data = bytes.Clone(fr[frameHead+1:])
		return stop
	}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return data
}

// Our tree is tlog's.
func TestTreeIsTlogs(t *testing.T) {
	var ours tree
	var stored, done []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i := range int64(300) {
		data := []byte(fmt.Sprint("record ", i))
		hashes, err := tlog.StoredHashes(i, data, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		ours.add(tlog.RecordHash(data), func(h tlog.Hash) { done = append(done, h) })
		want, err := tlog.TreeHash(i+1, reader)
		if err != nil || ours.root() != want || !ours.whole() {
			t.Fatalf("the root of %d leaves is another (%v)", i+1, err)
		}
	}
	if len(done) != len(stored) {
		t.Fatalf("%d hashes, want %d", len(done), len(stored))
	}
	for i := range done {
		if done[i] != stored[i] {
			t.Fatalf("stored hash %d is another", i)
		}
	}
	if (&tree{}).root() != must(tlog.TreeHash(0, reader)) {
		t.Error("the root of the empty tree is another")
	}
}

func must(h tlog.Hash, err error) tlog.Hash {
	if err != nil {
		panic(err)
	}
	return h
}

func FuzzVerify(f *testing.F) {
	line, err := makeBlock(header{Format: segmentFormat, First: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(appendFrame(line, 1, lastOfBatch, newMaccer(Key{}), []byte(`{"seq":1,"time":"2026-03-01T00:00:00Z","kind":"start"}`+"\n")), []byte("a\n1\n"))
	f.Fuzz(func(t *testing.T, data, checkpoint []byte) {
		files := fstest.MapFS{segmentName(1): &fstest.MapFile{Data: data}, checkpointName: &fstest.MapFile{Data: checkpoint}, headName: &fstest.MapFile{Data: checkpoint}}
		v, err := verify(t.Context(), files, "log", VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if v.OK() && v.Records > 0 && v.Last == 0 {
			t.Error("records without numbers")
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add("phigate.dev/log/x\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, origin, err := ParseCheckpoint(text)
		if err == nil && !strings.HasPrefix(text, fmt.Sprintf("%s\n%d\n%s\n", origin, c.Size, c.Root)) {
			t.Error("it reads as another checkpoint")
		}
	})
}

// The macs are those of crypto/hmac, whatever came before in the same maccer.
func TestMaccerIsHMAC(t *testing.T) {
	m := newMaccer(Key{})
	for i := range 200 {
		k, payload := Key(sha256.Sum256([]byte{byte(i)})), bytes.Repeat([]byte{byte(i)}, i)
		m.use(k)
		h := hmac.New(sha256.New, k[:])
		h.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(i)), lastOfBatch))
		h.Write(payload)
		for range 2 {
			if got, want := m.sum(nil, uint64(i), lastOfBatch, payload), h.Sum(nil); !bytes.Equal(got, want) {
				t.Fatalf("mac %d = %x, want %x", i, got, want)
			}
		}
	}
}
