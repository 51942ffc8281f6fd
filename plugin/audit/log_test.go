package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func verdict(target string) *policy.Decision {
	return &policy.Decision{Kind: "verdict", Target: target, Verdict: policy.Allow,
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}
}

func newLog(t *testing.T, path string) *Log {
	t.Helper()
	l, err := Open(path, Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// row is what tests compare of a record.
type row struct {
	Seq       uint64
	Kind      string
	Target    string
	Withdraws uint64
}

func rows(t *testing.T, path string) []row {
	t.Helper()
	var out []row
	err := Entries(t.Context(), path, 0, func(e Entry) error {
		out = append(out, row{e.Seq, e.Decision.Kind, e.Decision.Target, e.Decision.Withdraws})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func verdicts(n int) []row {
	var out []row
	for i := range n {
		out = append(out, row{Seq: uint64(i + 1), Kind: "verdict", Target: fmt.Sprint("t", i+1)})
	}
	return out
}

func record(t *testing.T, l *Log, n int) {
	t.Helper()
	for range n {
		if _, err := l.Record(t.Context(), verdict(fmt.Sprint("t", l.Seq()+1))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordNumbersAndKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "decisions")
	l := newLog(t, path)
	record(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = newLog(t, path)
	record(t, l, 2)
	if diff := cmp.Diff(verdicts(5), rows(t, path)); diff != "" {
		t.Error(diff)
	}
	modes := map[string]os.FileMode{path: 0o700 | os.ModeDir}
	for _, name := range []string{segmentName(1), headName, signerName, ownKeyName} {
		modes[filepath.Join(path, name)] = 0o600
	}
	for name, want := range modes {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("mode of %s = %v, %v; want %v", filepath.Base(name), info.Mode(), err, want)
		}
	}
	if _, err := Open(path, Options{}); err == nil {
		t.Error("a log was opened twice")
	}
}

func TestRecordAfterCloseIsRefused(t *testing.T) {
	l := newLog(t, filepath.Join(t.TempDir(), "log"))
	l.Close()
	if _, err := l.Record(t.Context(), verdict("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("Record = %v, want ErrClosed", err)
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	clock := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	l, err := open(path, Options{}, func() time.Time { return clock }, folder(path))
	if err != nil {
		t.Fatal(err)
	}
	record(t, l, 1)
	high := clock
	clock = clock.AddDate(-1, 0, 0)
	record(t, l, 1)
	l.Close()
	l, err = open(path, Options{}, func() time.Time { return clock }, folder(path))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !l.Last().Equal(high) {
		t.Errorf("Last after reopening = %v, want %v", l.Last(), high)
	}
	d := verdict("x")
	if _, err := l.Record(t.Context(), d); err != nil || !d.Time.Equal(high) {
		t.Errorf("Time = %v, %v; want %v", d.Time, err, high)
	}
}

func TestConcurrentRecordsShareSyncs(t *testing.T) {
	var syncs atomic.Int64
	path := filepath.Join(t.TempDir(), "log")
	l := hookLog(t, path, func(f file) error {
		syncs.Add(1)
		time.Sleep(time.Millisecond)
		return f.Sync()
	})
	const writers, each = 16, 25
	seen := make([]atomic.Bool, writers*each+1)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				seq, err := l.Record(t.Context(), verdict("x"))
				if err != nil || seen[seq].Swap(true) {
					t.Errorf("Record = %d, %v; a number given twice or an error", seq, err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(rows(t, path)); got != writers*each {
		t.Errorf("%d records in the log, want %d", got, writers*each)
	}
	if n := syncs.Load(); n > writers*each/4 {
		t.Errorf("%d syncs for %d records of %d writers: no group commit", n, writers*each, writers)
	}
}

func TestIdleLogSyncsOncePerRecord(t *testing.T) {
	var syncs atomic.Int64
	l := hookLog(t, filepath.Join(t.TempDir(), "log"), func(file) error {
		syncs.Add(1)
		return nil
	})
	syncs.Store(0)
	record(t, l, 10)
	if n := syncs.Load(); n != 10 {
		t.Errorf("%d syncs for 10 records one after another", n)
	}
}

// A disk that hangs is a sync that does not return.
func TestHungDiskIsWithdrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var hang atomic.Bool
	release := make(chan struct{})
	l := hookLog(t, path, func(f file) error {
		if hang.Load() {
			<-release
		}
		return f.Sync()
	})
	record(t, l, 1)
	hang.Store(true)
	for _, target := range []string{"t2", "t3"} { // one in the sync, one behind it
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		began, d := time.Now(), verdict(target)
		_, err := l.Record(ctx, d)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || d.Seq != 0 {
			t.Fatalf("Record on a hung disk = %v, Seq %d", err, d.Seq)
		}
		if took := time.Since(began); took > time.Second {
			t.Fatalf("Record on a hung disk took %v", took)
		}
	}
	if l.Seq() != 1 {
		t.Errorf("Seq = %d while the disk hangs, want 1", l.Seq())
	}
	hang.Store(false)
	close(release)
	patience, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := l.Wait(patience, 4); err != nil {
		t.Fatal(err)
	}
	want := append(verdicts(3), row{4, "withdrawn", "t2", 2}, row{5, "withdrawn", "t3", 3})
	if diff := cmp.Diff(want, rows(t, path)); diff != "" {
		t.Error(diff)
	}
}

// A disk that hangs at Close keeps the lock until it answers, and no longer.
func TestCloseOnAHungDiskLetsGoLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	release := make(chan struct{})
	var hang atomic.Bool
	l := hookLog(t, path, func(file) error {
		if hang.Load() {
			<-release
		}
		return nil
	})
	hang.Store(true)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Record(gone, verdict("t1")); !errors.Is(err, context.Canceled) {
		t.Fatalf("Record = %v", err)
	}
	l.patience = 10 * time.Millisecond
	if err := l.Close(); err == nil {
		t.Error("Close on a hung disk said nothing")
	}
	if _, err := Open(path, Options{}); err == nil {
		t.Error("the log was opened while its writer hangs")
	}
	close(release)
	var err error
	for range 500 {
		if l, err = Open(path, Options{}); err == nil {
			l.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the log cannot be opened though the disk is back: %v", err)
}

func TestHungDiskBoundsTheQueue(t *testing.T) {
	release := make(chan struct{})
	var hang atomic.Bool
	l := hookLog(t, filepath.Join(t.TempDir(), "log"), func(file) error {
		if hang.Load() {
			<-release
		}
		return nil
	})
	hang.Store(true)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	full := 0
	for range 2*maxBatch + maxQueued {
		if _, err := l.Record(gone, verdict("x")); errors.Is(err, ErrFull) {
			full++
		}
	}
	if full == 0 {
		t.Error("the queue took everything")
	}
	close(release)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestFailedSyncEndsTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var broken atomic.Bool
	var after atomic.Int64
	l := hookLog(t, path, func(f file) error {
		if broken.Load() {
			after.Add(1)
			return unix.EIO
		}
		return f.Sync()
	})
	record(t, l, 2)
	broken.Store(true)
	for range 3 {
		d := verdict("x")
		if seq, err := l.Record(t.Context(), d); !errors.Is(err, unix.EIO) || seq != 0 || d.Seq != 0 {
			t.Errorf("Record on a failed disk = %d, %v", seq, err)
		}
	}
	if n := after.Load(); n != 1 {
		t.Errorf("the failed file was synced %d times, want once", n)
	}
	if !errors.Is(l.Err(), unix.EIO) {
		t.Errorf("Err = %v, want EIO", l.Err())
	}
	l.Close()
	l = newLog(t, path)
	record(t, l, 1)
	want := append(verdicts(2), row{Seq: 3, Kind: "log-damaged"}, row{Seq: 4, Kind: "verdict", Target: "t4"})
	if diff := cmp.Diff(want, rows(t, path)); diff != "" {
		t.Errorf("after reopening: %s", diff)
	}
	if _, err := os.Stat(filepath.Join(path, segmentName(3))); err != nil {
		t.Errorf("the failed segment was gone on with: %v", err)
	}
}

func TestFullDiskIsSurvived(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mounting a small file system (root is needed): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	path, filler := filepath.Join(dir, "log"), filepath.Join(dir, "filler")
	l := newLog(t, path)
	l.keepReserve() // as its keeper does, some time
	record(t, l, 2)
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the file system: %v", err)
	}
	refused, recorded := 0, map[uint64]string{} // the log's own records come between
	for i := range 40 {                         // its last page has room for a few
		d := verdict(fmt.Sprint("filled", i))
		seq, err := l.Record(t.Context(), d)
		switch {
		case err == nil:
			recorded[seq] = d.Target
		case errors.Is(err, unix.ENOSPC):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	record(t, l, 1)
	l.Close()
	var outages []string
	err := Entries(t.Context(), path, 1, func(e Entry) error {
		if e.Decision.Kind == "log-outage" {
			outages = append(outages, e.Decision.Message)
		}
		if target, ok := recorded[e.Seq]; ok && e.Decision.Target == target {
			delete(recorded, e.Seq)
		}
		return nil
	})
	if len(recorded) > 0 {
		t.Errorf("records that were acknowledged are not there, or are others: %v", recorded)
	}
	want := []string{fullRecord().Message, fmt.Sprintf("%d decisions were refused and could not be recorded", refused)}
	if diff := cmp.Diff(want, outages); diff != "" || err != nil {
		t.Errorf("%v, outages %s", err, diff)
	}
}

func TestWaitAndReadFromTheMiddle(t *testing.T) {
	l := hookLog(t, filepath.Join(t.TempDir(), "log"), func(file) error { return nil }) // many records
	record(t, l, 3*stride)
	for _, from := range []uint64{0, 1, stride, stride + 1, 2*stride + 7, 3 * stride, 3*stride + 1} {
		next := max(from, 1)
		err := l.Read(t.Context(), from, func(d *policy.Decision) error {
			if d.Seq != next {
				return fmt.Errorf("got record %d, want %d", d.Seq, next)
			}
			next++
			return nil
		})
		if err != nil || next != 3*stride+1 {
			t.Errorf("Read from %d ended before %d: %v", from, next, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := l.Wait(ctx, 3*stride); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait for what is not there = %v", err)
	}
}

func BenchmarkRecord(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "log"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if _, err := l.Record(b.Context(), verdict("x")); err != nil {
			b.Fatal(err)
		}
	}
}
