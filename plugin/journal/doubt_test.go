package journal

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/journald"
)

// quick is a pace at which a test does not wait for minutes.
var quick = pace{20 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}

// source reads a log as the daemon does.
type source struct{ *audit.Log }

func (s source) Entries(ctx context.Context, from uint64, fn func(report.Entry) error) error {
	return s.Log.Entries(ctx, from, func(e audit.Entry) error {
		return fn(report.Entry{LogID: e.Log, Seq: e.Seq, Leaf: fmt.Sprintf("%x", e.Leaf[:]), Decision: e.Decision})
	})
}

// doubtful is a log whose exporter reads the journal with a command.
type doubtful struct {
	*Exporter
	log *audit.Log
}

func newDoubtful(t *testing.T, socket string, read []string) *doubtful {
	t.Helper()
	dir := t.TempDir()
	log, err := audit.Open(filepath.Join(dir, "decisions"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	x := &Exporter{Journal: Journal{Socket: socket, Read: read}, Source: source{log}, Cursor: filepath.Join(dir, "cursor"), Log: slog.New(slog.NewTextHandler(t.Output(), nil)), pace: quick}
	return &doubtful{x, log}
}

// run exports until the test, or stop, ends it.
func (d *doubtful) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				t.Errorf("Run = %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func (d *doubtful) record(t *testing.T, count int) {
	t.Helper()
	for range count {
		if _, err := d.log.Record(t.Context(), &policy.Decision{Kind: "start", Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}); err != nil {
			t.Fatal(err)
		}
	}
}

// await returns when the state is as wanted.
func (d *doubtful) await(t *testing.T, what string, is func(State) bool) {
	t.Helper()
	for range 600 {
		if is(d.State()) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not come; it is at %+v", what, d.State())
}

func inDoubt(sent uint64) func(State) bool {
	return func(s State) bool { return s.Error != "" && s.Sent == sent && s.Confirmed == 0 && !s.Since.IsZero() }
}

func settled(at uint64) func(State) bool {
	return func(s State) bool { return s == State{Sent: at, Confirmed: at, ReadBack: true} }
}

// A journal that cannot be read back gets every record all the same, and what it
// lost meanwhile once it can: here all, as it was stopped with them in its queue.
func TestBlindExporterMakesUpForWhatWasLost(t *testing.T) {
	j := journald.Start(t)
	sight := filepath.Join(t.TempDir(), "sight")
	d := newDoubtful(t, j.Socket, append([]string{"sh", "-c", `test -e "$0" || exit 1; exec "$@"`, sight}, j.ReadAll()...))
	j.Pause(t)
	stop := d.run(t)
	d.record(t, 6)
	d.await(t, "the doubt", inDoubt(6))
	j.Kill(t)
	j.Run(t)
	d.record(t, 600) // not kept back, and more than are made up for at a time
	d.await(t, "that it goes on", func(s State) bool { return s.Sent == 606 && s.Confirmed == 0 })
	stop() // and begins again where it was
	if at, err := loadCursor(d.Cursor); err != nil || at != (position{0, 606}) {
		t.Fatalf("the cursor is %+v (error %v)", at, err)
	}
	d.run(t)
	d.await(t, "the doubt after the start", inDoubt(606))
	if err := os.WriteFile(sight, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.await(t, "the end of the doubt", settled(606))
	found, err := d.Journal.newest(t.Context(), 10000)
	if err != nil || len(found) != 606 {
		t.Errorf("the journal has %d of 606 records (error %v)", len(found), err)
	}
}

// A journal that stores nothing is tried again, too.
func TestJournalThatKeepsNothing(t *testing.T) {
	j := journald.New(t)
	j.Settings = "MaxLevelStore=emerg"
	j.Run(t)
	d := newDoubtful(t, j.Socket, j.ReadAll())
	d.run(t)
	d.record(t, 5)
	d.await(t, "the doubt", inDoubt(5))
	if d.State().Error != errKeepsNothing.Error() {
		t.Errorf("it says %q", d.State().Error)
	}
	j.Kill(t)
	j.Settings = ""
	j.Run(t)
	d.record(t, 1)
	d.await(t, "the end of the doubt", settled(6))
}

func TestNoJournalctl(t *testing.T) {
	j := journald.Start(t)
	d := newDoubtful(t, j.Socket, []string{"journalctl-that-is-not-here"})
	d.run(t)
	d.record(t, 3)
	d.await(t, "the doubt", inDoubt(3))
	if got := j.Await(t, 3, "SYSLOG_IDENTIFIER=phigate"); len(got) < 3 {
		t.Errorf("%d entries", len(got))
	}
}

// pruned is a log whose records were taken off the node.
type pruned struct {
	source
	gone atomic.Bool
	read atomic.Int64 // how often it was read
}

func (p *pruned) Entries(ctx context.Context, from uint64, fn func(report.Entry) error) error {
	p.read.Add(1)
	if p.gone.Load() {
		return nil
	}
	return p.source.Entries(ctx, from, fn)
}

// Where the log has nothing any more of what the journal may lack, the exporter
// waits for the next record, and does not look all the time.
func TestNothingLeftToMakeUpFor(t *testing.T) {
	d := newDoubtful(t, journald.Start(t).Socket, []string{"journalctl-that-is-not-here"})
	p := &pruned{source: source{d.log}}
	d.Source = p
	d.run(t)
	d.record(t, 3)
	d.await(t, "the doubt", inDoubt(3))
	p.gone.Store(true)
	d.await(t, "the end of the doubt", settled(3))
	before := p.read.Load()
	time.Sleep(4 * quick.longestDoubt)
	if more := p.read.Load() - before; more > 8 {
		t.Errorf("the log was read %d times while nothing came", more)
	}
}

func TestCursor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cursor")
	for _, want := range []position{{7, 7}, {7, 9}, {0, 3}} {
		if err := saveCursor(path, want, true); err != nil {
			t.Fatal(err)
		}
		if got, err := loadCursor(path); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	for _, text := range []string{"", "x", "7 x", "9 7", "7 8 9", "-1"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := loadCursor(path); err == nil || got != (position{}) {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
