package audit

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"
)

// victim is a log of n records that was closed, in memory, and what an auditor
// has of it.
type victim struct {
	files  fstest.MapFS
	data   []byte // of the one segment
	k0     FirstKey
	stolen Key // the key of the next batch
	epoch  uint64
	kept   VerifyOptions
}

func newVictim(t *testing.T, n int) *victim {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	l, err := Open(dir, Options{Checkpoint: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		record(t, l, 1)
	}
	v := &victim{files: fstest.MapFS{}, stolen: l.key, epoch: l.epoch, kept: VerifyOptions{Verifier: l.verifier, Workers: 1}}
	l.Close()
	if err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var data []byte
			data, err = os.ReadFile(filepath.Join(dir, name))
			v.files[name] = &fstest.MapFile{Data: data, Mode: 0o600}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	v.data = v.files[segmentName(1)].Data
	if v.k0, err = parseFirstKey(v.files[ownKeyName].Data); err != nil {
		t.Fatal(err)
	}
	v.kept.Checkpoints = []NamedNote{{From: "kept", Note: v.files[checkpointName].Data}}
	return v
}

// with is the log with another segment, and without head or checkpoint where the
// attacker would have made them anew.
func (v *victim) with(data []byte, without ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for name, f := range v.files {
		if !slices.Contains(without, name) {
			files[name] = f
		}
	}
	files[segmentName(1)] = &fstest.MapFile{Data: data, Mode: 0o600}
	return files
}

// found says whether Verify names a problem.
func found(t *testing.T, files fs.FS, options VerifyOptions) bool {
	v, err := verify(context.Background(), files, "log", options)
	if err != nil {
		t.Errorf("Verify: %v", err)
		return false
	}
	return !v.OK()
}

// spans of the frames of a segment.
func (v *victim) frames() [][]byte {
	var out [][]byte
	for rest := v.data[blockSize:]; len(rest) > 0; {
		size := frameSize(rest)
		out = append(out, rest[:size])
		rest = rest[size:]
	}
	return out
}

func TestUntouchedLogIsWhole(t *testing.T) {
	v := newVictim(t, 20)
	v.kept.Keys = []FirstKey{v.k0}
	got, err := verify(t.Context(), v.files, "log", v.kept)
	if err != nil || !got.OK() || got.Records != 20 || got.Macs != 20 || got.Proven != 20 {
		t.Fatalf("got %+v, %v; want 20 records with their macs, proven", got, err)
	}
}

// Whole records deleted, doubled, swapped, put in, cut off: with everything made
// anew under the stolen key, the numbers too.
func TestWholeRecordsMovedAbout(t *testing.T) {
	n := 20
	if soak() {
		n = 100
	}
	v := newVictim(t, n)
	frames := v.frames()
	byCheckpoint, byKey := v.kept, VerifyOptions{Verifier: v.kept.Verifier, Keys: []FirstKey{v.k0}, Workers: 1}
	p, moved := newProgress(t, "records moved about", n*(n-1)/2+3*n), 0
	try := func(name string, changed [][]byte) {
		t.Helper()
		p.done.Add(1)
		moved++
		plain := slices.Concat(append([][]byte{v.data[:blockSize]}, changed...)...)
		forged := slices.Concat(v.data[:blockSize], v.renumbered(changed))
		for _, files := range []fstest.MapFS{v.with(plain, headName, checkpointName), v.with(forged, headName, checkpointName)} {
			if !found(t, files, byCheckpoint) {
				t.Errorf("%s passes the checkpoint", name)
			}
		}
		if len(changed) == len(frames) && !found(t, v.with(forged, headName, checkpointName), byKey) {
			t.Errorf("%s passes K0", name)
		}
		if !found(t, v.with(plain), VerifyOptions{}) {
			t.Errorf("%s passes the log's own head", name)
		}
	}
	for i := range frames {
		try(fmt.Sprintf("delete %d", i+1), slices.Delete(slices.Clone(frames), i, i+1))
		try(fmt.Sprintf("cut off at %d", i+1), frames[:i])
		try(fmt.Sprintf("double %d", i+1), slices.Insert(slices.Clone(frames), i, frames[i]))
		for j := i + 1; j < len(frames); j++ {
			swapped := slices.Clone(frames)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			try(fmt.Sprintf("swap %d and %d", i+1, j+1), swapped)
		}
	}
	tried(t, "%d deletions, doublings, swaps and cuts of whole records", moved)
}

// renumbered makes frames anew, as a log of their own, with the stolen key.
func (v *victim) renumbered(frames [][]byte) []byte {
	var out []byte
	for i, f := range frames {
		payload := []byte(fmt.Sprintf(`{"seq":%d,`, i+1))
		rest := frame(f).payload()
		payload = append(payload, rest[slices.Index(rest, ',')+1:]...)
		out = appendFrame(out, uint64(i+1), uint64(i)|lastOfBatch, newMaccer(v.stolen), payload)
	}
	return out
}

// A log that went back to an earlier state, and went on otherwise from there, is
// all new and whole in itself.
func TestRollbackAndForkAreFound(t *testing.T) {
	for _, records := range []int{5, 10, 15} {
		v := newVictim(t, 10)
		forked := slices.Concat(v.data[:blockSize], v.renumbered(slices.Concat(v.frames()[:5], v.frames()[:records-5])))
		id := identity{}
		skey := string(v.files[signerName].Data)
		var err error
		if id.signer, err = note.NewSigner(skey[:len(skey)-1]); err != nil {
			t.Fatal(err)
		}
		id.origin = id.signer.Name()
		var tr tree
		for rest := forked[blockSize:]; len(rest) > 0; rest = rest[frameSize(rest):] {
			tr.add(frame(rest[:frameSize(rest)]).leaf(), nil)
		}
		c, err := id.sign(tr, v.now())
		if err != nil {
			t.Fatal(err)
		}
		files := v.with(forked, headName)
		files[checkpointName] = &fstest.MapFile{Data: c.Note, Mode: 0o600}
		if found(t, files, VerifyOptions{Workers: 1}) {
			t.Errorf("%d records: the fork is not whole in itself: the attack is no test", records)
		}
		if !found(t, files, v.kept) {
			t.Errorf("%d records: the fork passes the checkpoint that was kept", records)
		}
	}
}
