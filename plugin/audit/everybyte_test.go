package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// change is one byte of a log's segment with another value, and what else of the
// record, or of the first line, was made anew over it.
type change struct {
	at    int
	xor   byte
	mend  string // "", "checksum" or "stolen key"
	known string // what it is held against: "checkpoint" or "first key"
}

func (c change) String() string {
	return fmt.Sprintf("byte %d xor %#x, made anew: %q, against the %s", c.at, c.xor, c.mend, c.known)
}

// kinds are the changes that are tried for each byte and each value.
var kinds = []change{
	{mend: "", known: "checkpoint"},
	{mend: "checksum", known: "checkpoint"},
	{mend: "checksum", known: "first key"},
	{mend: "stolen key", known: "checkpoint"},
	{mend: "stolen key", known: "first key"},
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
	x := newExaminer(t, n)
	p := newProgress(t, "every byte", len(x.data))
	var changes, whole, missed atomic.Int64
	var wg sync.WaitGroup
	work := make(chan int)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for at := range work {
				p.done.Add(1)
				for _, xor := range values {
					for _, c := range kinds {
						c.at, c.xor = at, xor
						if x.isNone(c) {
							continue
						}
						changes.Add(1)
						found, alone := x.found(c)
						if !alone {
							whole.Add(1)
						}
						if !found {
							missed.Add(1)
							t.Errorf("%v: not found", c)
						}
					}
				}
			}
		})
	}
	for at := 0; at < len(x.data); at += step {
		if at < 300 || at >= blockSize-8 || soak() { // the first line is spaces mostly
			work <- at
		}
	}
	close(work)
	wg.Wait()
	tried(t, "%d changes of %d bytes, %d of them by verifying the whole log, %d not found", changes.Load(), len(x.data), whole.Load(), missed.Load())
}

// What the examiner says of a record alone is what Verify says of the whole log.
func TestExaminerIsVerify(t *testing.T) {
	n, samples := 20, 3000
	if soak() {
		n, samples = 100, 100_000
	}
	x := newExaminer(t, n)
	random := rand.New(rand.NewPCG(uint64(n), 6))
	p, alones := newProgress(t, "samples against Verify", samples), 0
	for range samples {
		p.done.Add(1)
		c := kinds[random.IntN(len(kinds))]
		c.at, c.xor = random.IntN(len(x.data)), byte(1+random.IntN(255))
		if random.IntN(2) == 0 { // most of a frame's fields are in its first bytes
			c.at = x.starts[random.IntN(n)] + random.IntN(payloadAt+16)
		}
		if x.isNone(c) {
			continue
		}
		got, alone := x.found(c)
		if alone {
			alones++
		}
		if want := x.verify(c); got != want {
			t.Errorf("%v: found %v, and Verify %v", c, got, want)
		}
	}
	if alones < samples/2 {
		t.Errorf("%d of %d changes were judged by the record alone: the test is of nothing", alones, samples)
	}
	tried(t, "%d samples of it against Verify", samples)
	for k := range n { // and what is as it was passes
		for _, c := range kinds {
			if c.mend != "stolen key" && x.foundIn(c, k, x.made(change{at: x.starts[k]}, k)) {
				t.Errorf("record %d is called changed", k+1)
			}
		}
	}
}

// examiner judges a change of one record by that record, with the functions that
// Verify judges it by: the check of its chunk goes by the position before it, and
// the root by its leaf and those of the others. What these do not settle, it
// verifies the whole log for; so it never calls a log whole on its own.
type examiner struct {
	*victim
	starts  []int // of the frames
	before  []position
	paths   []tlog.RecordProof
	kept    Checkpoint
	options map[string]VerifyOptions
}

func newExaminer(t *testing.T, n int) *examiner {
	t.Helper()
	x := &examiner{victim: newVictim(t, n)}
	x.options = map[string]VerifyOptions{
		"checkpoint": x.victim.kept,
		"first key":  {Verifier: x.victim.kept.Verifier, Keys: []FirstKey{x.k0}, Workers: 1},
	}
	verifier, err := note.NewVerifier(x.victim.kept.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	if x.kept, _, err = OpenCheckpoint(x.victim.kept.Checkpoints[0].Note, verifier); err != nil || x.kept.Size != uint64(n) {
		t.Fatalf("the checkpoint that was kept covers %d records, %v; want %d", x.kept.Size, err, n)
	}
	at := position{key: x.k0.Key}
	var stored storedHashes
	for start := blockSize; start < len(x.data); {
		fr := frame(x.data[start : start+frameSize(x.data[start:])])
		x.starts, x.before = append(x.starts, start), append(x.before, at)
		at.tree.add(fr.leaf(), func(h tlog.Hash) { stored = append(stored, h) })
		at.tree.edge = slices.Clone(at.tree.edge)
		if !fr.last() || fr.epoch() != at.epoch {
			t.Fatalf("record %d is no batch of its own", fr.seq())
		}
		at.epoch, at.key = at.epoch+1, at.key.next()
		start += len(fr)
	}
	for k := range n {
		path, err := tlog.ProveRecord(int64(n), int64(k), stored)
		if err != nil {
			t.Fatal(err)
		}
		x.paths = append(x.paths, path)
	}
	return x
}

// storedHashes are a tree's, in the order of [tlog.StoredHashIndex].
type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, s[i])
	}
	return out, nil
}

// isNone says that a change is undone by what is made anew, or that it cuts the
// log off, which K0 alone does not show.
func (x *examiner) isNone(c change) bool {
	if c.at < blockSize { // which has no mac, and is judged the same whatever is known
		return c.mend == "stolen key" || c.known == "first key" || c.mend != "" && c.at < crcDigits
	}
	in := c.at - x.starts[x.over(c.at)]
	return c.mend == "checksum" && in >= 4 && in < frameHead || c.known == "first key" && in < 4
}

// over is the index of the frame that a byte is in.
func (x *examiner) over(at int) int {
	k, exact := slices.BinarySearch(x.starts, at)
	if exact {
		return k
	}
	return k - 1
}

// found says whether a change is found, and whether its record, or the first
// line, was enough to say so.
func (x *examiner) found(c change) (found, alone bool) {
	if c.at < blockSize {
		line := bytes.Clone(x.data[:blockSize])
		line[c.at] ^= c.xor
		_, err := readHeader(bytes.NewReader(mend(line, c)), segmentName(1))
		found = err != nil
	} else if k := x.over(c.at); c.at-x.starts[k] >= 4 {
		found = x.foundIn(c, k, x.made(c, k))
	} else {
		found = x.endsAt(c, k)
	}
	if found {
		return true, true
	}
	return x.verify(c), false
}

// made is the changed frame.
func (x *examiner) made(c change, k int) frame {
	start := x.starts[k]
	fr := frame(bytes.Clone(x.data[start : start+frameSize(x.data[start:])]))
	fr[c.at-start] ^= c.xor
	x.remake(fr, c)
	return fr
}

// foundIn is what Verify finds at a frame, or at the checkpoint because of it.
func (x *examiner) foundIn(c change, k int, fr frame) bool {
	options := x.options[c.known]
	one := &chunk{data: fr, offset: int64(x.starts[k]), at: x.before[k], keyed: options.Keys != nil, turns: make([]turn, 1), done: make(chan struct{})}
	one.check("log")
	if one.bad != nil || one.forged != nil {
		return true
	}
	return options.Checkpoints != nil && tlog.CheckRecord(x.paths[k], int64(x.kept.Size), x.kept.Root, int64(k), one.leaves[0]) != nil
}

// endsAt says whether the log ends at a frame whose length was changed, which is
// before the last record that the checkpoint covers.
func (x *examiner) endsAt(c change, k int) bool {
	rest := bytes.Clone(x.data[x.starts[k]:])
	rest[c.at-x.starts[k]] ^= c.xor
	size := frameSize(rest)
	if size == 0 || size > len(rest) {
		return true
	}
	x.remake(frame(rest[:size]), c)
	one := &chunk{data: rest[:size], at: x.before[k], turns: make([]turn, 1), done: make(chan struct{})}
	one.check("log")
	return one.bad != nil
}

// verify says whether Verify finds a change in the whole log.
func (x *examiner) verify(c change) bool {
	data := bytes.Clone(x.data)
	data[c.at] ^= c.xor
	if c.at < blockSize {
		mend(data[:blockSize], c)
	} else if fr := frameOver(data, c.at); fr != nil {
		x.remake(fr, c)
	}
	v, err := verify(context.Background(), x.with(data, headName, checkpointName), "log", x.options[c.known])
	if err != nil {
		panic(err) // of files in memory
	}
	return !v.OK()
}

// mend makes the checksum of a first line anew.
func mend(line []byte, c change) []byte {
	if c.mend != "" {
		copy(line, fmt.Sprintf("%08x", checksum(line[crcDigits:])))
	}
	return line
}

// remake makes a frame's checksum anew, and its mac with the key that whoever
// took the node over finds there.
func (x *examiner) remake(fr frame, c change) {
	if c.mend == "stolen key" {
		copy(fr[macAt:], newMaccer(x.stolen).sum(nil, fr.seq(), binary.BigEndian.Uint64(fr[epochAt:]), fr.payload()))
	}
	if c.mend != "" {
		binary.BigEndian.PutUint32(fr[4:], checksum(fr[frameHead:]))
	}
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
