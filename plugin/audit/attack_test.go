package audit

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"
)

// soak says whether everything is tried, as make soak-audit does, or a sample.
func soak() bool { return os.Getenv("PHIGATE_SOAK") != "" }

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

// Every byte of the log and every value of it, with nothing else changed, with
// the checksums made anew, and with everything made anew under the key that is
// found on the node: none passes. Once with the checkpoint that somebody kept,
// once with K0 alone.
func TestEveryByteEveryValue(t *testing.T) {
	n, step, values := 12, 5, []byte{1, 0x80}
	if soak() {
		n, step, values = 100, 1, nil
		for i := 1; i < 256; i++ {
			values = append(values, byte(i))
		}
	}
	v := newVictim(t, n)
	byCheckpoint, byKey := v.kept, VerifyOptions{Verifier: v.kept.Verifier, Keys: []FirstKey{v.k0}, Workers: 1}
	var tried, missed atomic.Int64
	try := func(at int, value byte) {
		bad := slices.Clone(v.data)
		bad[at] ^= value
		attacks := map[string]struct {
			data    []byte
			options VerifyOptions
		}{
			"as_it_is":                  {bad, byCheckpoint},
			"checksums_and_checkpoint":  {rechecked(bad, at), byCheckpoint},
			"checksums_and_first_key":   {rechecked(bad, at), byKey},
			"stolen_key_and_checkpoint": {v.resealed(bad, at), byCheckpoint},
			"stolen_key_and_first_key":  {v.resealed(bad, at), byKey},
		}
		for name, a := range attacks {
			if slices.Equal(a.data, v.data) { // the change was to the checksum, which was made anew
				continue
			}
			if a.options.Checkpoints == nil && v.isLength(at) {
				continue // what it cuts off is a truncation, which K0 alone does not show
			}
			tried.Add(1)
			if !found(t, v.with(a.data, headName, checkpointName), a.options) {
				missed.Add(1)
				t.Errorf("%s: byte %d xor %#x was not found", name, at, value)
			}
		}
	}
	var wg sync.WaitGroup
	work := make(chan int)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for at := range work {
				for _, value := range values {
					try(at, value)
				}
			}
		})
	}
	for at := 0; at < len(v.data); at += step {
		if at < 300 || at >= blockSize-8 || soak() && at%16 == 0 { // the first line is spaces mostly
			work <- at
		}
	}
	close(work)
	wg.Wait()
	t.Logf("%d changes tried, %d not found", tried.Load(), missed.Load())
}

// isLength says whether a byte is in the length of a frame.
func (v *victim) isLength(at int) bool {
	start := blockSize
	for start+frameSize(v.data[start:]) <= at {
		start += frameSize(v.data[start:])
	}
	return at >= start && at < start+4
}

// rechecked makes the checksum over a byte anew, where it is in a frame, or that
// of the first line.
func rechecked(data []byte, at int) []byte {
	data = slices.Clone(data)
	if at < blockSize {
		sum := checksum(data[crcDigits:blockSize])
		copy(data, fmt.Sprintf("%08x", sum))
		return data
	}
	if f := frameOver(data, at); f != nil {
		binary.BigEndian.PutUint32(f[4:], checksum(f[frameHead:]))
	}
	return data
}

// resealed makes the mac and the checksum over a byte anew with the key that
// whoever took the node over finds there.
func (v *victim) resealed(data []byte, at int) []byte {
	data = slices.Clone(data)
	if f := frameOver(data, at); f != nil {
		copy(f[macAt:], newMaccer(v.stolen).sum(nil, f.seq(), binary.BigEndian.Uint64(f[epochAt:]), f.payload()))
		binary.BigEndian.PutUint32(f[4:], checksum(f[frameHead:]))
		return data
	}
	return rechecked(data, at)
}

// frameOver is the frame that holds a byte, as far as lengths still tell.
func frameOver(data []byte, at int) frame {
	for start := blockSize; start+frameHead <= len(data); {
		size := frameSize(data[start:])
		if size == 0 || start+size > len(data) {
			return nil
		}
		if at < start+size && at >= start {
			return frame(data[start : start+size])
		}
		start += size
	}
	return nil
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
	try := func(name string, changed [][]byte) {
		t.Helper()
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
