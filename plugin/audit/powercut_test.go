package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// errPower is what every call of a disk without power answers.
var errPower = errors.New("no power")

// simDisk is a disk in memory that loses power after some calls. What was not
// synced by then is dropped, torn by sectors, or there, each write for itself,
// whatever its order; of the changes to names some of the first are there.
type simDisk struct {
	mu    sync.Mutex
	rand  *rand.Rand
	steps int                 // calls until the power goes
	live  map[string]*simFile // as they are seen
	safe  map[string]*simFile // names that are durable
	ops   []func(map[string]*simFile)
}

type simFile struct {
	d       *simDisk
	data    []byte // as it is read
	safe    []byte // as it is on the disk
	pending []func([]byte) []byte
}

func newSimDisk(seed uint64, steps int, files map[string][]byte) *simDisk {
	d := &simDisk{rand: rand.New(rand.NewPCG(seed, 1)), steps: steps, live: map[string]*simFile{}}
	for name, data := range files {
		d.live[name] = &simFile{d: d, data: append([]byte(nil), data...), safe: append([]byte(nil), data...)}
	}
	d.safe = maps.Clone(d.live)
	return d
}

// call counts one call, with the lock held until done is called.
func (d *simDisk) call() (done func(), err error) {
	d.mu.Lock()
	if d.steps--; d.steps < 0 {
		d.mu.Unlock()
		return nil, errPower
	}
	return d.mu.Unlock, nil
}

func (d *simDisk) change(op func(map[string]*simFile)) {
	op(d.live)
	d.ops = append(d.ops, op)
}

func (d *simDisk) open(name string) (file, error) {
	done, err := d.call()
	if err != nil {
		return nil, err
	}
	defer done()
	if f := d.live[name]; f != nil {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (d *simDisk) create(name string) (file, error) {
	done, err := d.call()
	if err != nil {
		return nil, err
	}
	defer done()
	if d.live[name] != nil {
		return nil, fs.ErrExist
	}
	f := &simFile{d: d}
	d.change(func(names map[string]*simFile) { names[name] = f })
	return f, nil
}

func (d *simDisk) rename(from, to string) error {
	done, err := d.call()
	if err != nil {
		return err
	}
	defer done()
	f := d.live[from]
	if f == nil {
		return fs.ErrNotExist
	}
	d.change(func(names map[string]*simFile) { delete(names, from); names[to] = f })
	return nil
}

func (d *simDisk) remove(name string) error {
	done, err := d.call()
	if err != nil {
		return err
	}
	defer done()
	if d.live[name] == nil {
		return fs.ErrNotExist
	}
	d.change(func(names map[string]*simFile) { delete(names, name) })
	return nil
}

func (d *simDisk) names() ([]string, error) {
	done, err := d.call()
	if err != nil {
		return nil, err
	}
	defer done()
	var out []string
	for name := range d.live {
		out = append(out, name)
	}
	return out, nil
}

func (d *simDisk) sync() error {
	done, err := d.call()
	if err != nil {
		return err
	}
	defer done()
	d.safe, d.ops = maps.Clone(d.live), nil
	return nil
}

func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

const simSector = 512

func (f *simFile) WriteAt(p []byte, off int64) (int, error) {
	done, err := f.d.call()
	if err != nil {
		return 0, err
	}
	defer done()
	p = append([]byte(nil), p...)
	f.data = overwrite(f.data, p, off)
	for at := 0; at < len(p); { // each sector is a write of its own
		n := min(len(p)-at, simSector-int((off+int64(at))%simSector))
		part, place := p[at:at+n], off+int64(at)
		f.pending = append(f.pending, func(b []byte) []byte { return overwrite(b, part, place) })
		at += n
	}
	return len(p), nil
}

func overwrite(b, p []byte, off int64) []byte {
	if need := off + int64(len(p)); need > int64(len(b)) {
		b = append(b, make([]byte, need-int64(len(b)))...)
	}
	copy(b[off:], p)
	return b
}

func (f *simFile) Truncate(size int64) error {
	done, err := f.d.call()
	if err != nil {
		return err
	}
	defer done()
	cut := func(b []byte) []byte {
		if size < int64(len(b)) {
			return b[:size:size]
		}
		return overwrite(b, nil, size)
	}
	f.data = cut(f.data)
	f.pending = append(f.pending, cut)
	return nil
}

func (f *simFile) Sync() error {
	done, err := f.d.call()
	if err != nil {
		return err
	}
	defer done()
	f.safe, f.pending = append([]byte(nil), f.data...), nil
	return nil
}

func (f *simFile) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.data)), nil
}

func (f *simFile) Reserve(int64) error { return nil }
func (f *simFile) Close() error        { return nil }

// afterwards is what the disk holds when the power is back.
func (d *simDisk) afterwards() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = 0
	names := maps.Clone(d.safe)
	for _, op := range d.ops[:d.rand.IntN(len(d.ops)+1)] {
		op(names)
	}
	out := map[string][]byte{}
	for name, f := range names {
		data := append([]byte(nil), f.safe...)
		chance := d.rand.IntN(5) // from nothing of it to all of it
		order := d.rand.Perm(len(f.pending))
		if chance >= 2 { // most disks keep the order
			for i := range order {
				order[i] = i
			}
		}
		for _, i := range order {
			if d.rand.IntN(4) < chance {
				data = f.pending[i](data)
			}
		}
		out[name] = data
	}
	return out
}

// The power goes at any call, while records are written and while the log is
// being recovered: no acknowledged record is lost, and nothing is called damaged.
func TestPowerCuts(t *testing.T) {
	rounds := 40
	if soak() {
		rounds = 2000
	}
	p := newProgress(t, "power cuts", rounds)
	for round := range rounds {
		powerCut(t, uint64(round))
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		p.done.Add(1)
	}
	tried(t, "%d power cuts", rounds)
}

func powerCut(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 2))
	acknowledged := map[uint64]string{}
	files := map[string][]byte{}
	for life := range 2 + random.IntN(4) {
		d := newSimDisk(seed<<8+uint64(life), 1+random.IntN(300), files)
		live(t, d, acknowledged, life, random)
		files = d.afterwards()
	}
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checkSurvivor(t, dir, acknowledged)
}

// live runs a log on the disk until the power goes.
func live(t *testing.T, d *simDisk, acknowledged map[uint64]string, life int, random *rand.Rand) {
	l, err := open(filepath.Join(t.TempDir(), "log"), Options{Checkpoint: time.Millisecond}, time.Now, d)
	if err != nil {
		if !errors.Is(err, errPower) {
			t.Errorf("opening: %v", err)
		}
		return
	}
	defer l.Close()
	l.segmentSize = blockSize + 4000
	var mu sync.Mutex
	var wg sync.WaitGroup
	for writer := range 1 + random.IntN(3) {
		wg.Go(func() {
			for i := range 100 {
				target := fmt.Sprintf("life %d writer %d record %d", life, writer, i)
				seq, err := l.Record(context.Background(), verdict(target))
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged[seq] = target
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func checkSurvivor(t *testing.T, dir string, acknowledged map[uint64]string) {
	t.Helper()
	l, err := Open(dir, Options{})
	if err != nil {
		t.Error(err)
		return
	}
	l.Close()
	left := maps.Clone(acknowledged)
	err = Entries(t.Context(), dir, 1, func(e Entry) error {
		if e.Decision.Kind != "verdict" {
			t.Errorf("record %d is a false alarm: %s %s", e.Seq, e.Decision.Kind, e.Decision.Message)
		}
		if want, ok := left[e.Seq]; ok && want == e.Decision.Target {
			delete(left, e.Seq)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for seq, target := range left {
		t.Errorf("record %d (%s) was acknowledged and is lost", seq, target)
	}
	keys := ownKeys(t, dir)
	v, err := Verify(t.Context(), dir, VerifyOptions{Keys: keys})
	if err != nil || !v.OK() || v.Macs != v.Records {
		t.Errorf("verify: %+v, %v", v, err)
	}
}
