package journal_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/journald"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// node is a log, its exporter and a journald.
type node struct {
	*journald.Journal
	log      *audit.Log
	exporter *journal.Exporter
	cursor   string
	stop     func()
}

// source reads a log as the daemon does.
type source struct{ *audit.Log }

func (s source) Entries(ctx context.Context, from uint64, fn func(report.Entry) error) error {
	return s.Log.Entries(ctx, from, func(e audit.Entry) error {
		return fn(report.Entry{LogID: e.Log, Seq: e.Seq, Leaf: fmt.Sprintf("%x", e.Leaf[:]), Decision: e.Decision})
	})
}

// journal is the node's, read back where the test's journald writes.
func (n *node) journal() journal.Journal {
	return journal.Journal{Socket: n.Socket, Read: n.ReadAll()}
}

func newNode(t *testing.T, j *journald.Journal) *node {
	t.Helper()
	dir := t.TempDir()
	log, err := audit.Open(filepath.Join(dir, "decisions"), audit.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	n := &node{Journal: j, log: log, cursor: filepath.Join(dir, "journal.cursor")}
	n.export(t)
	return n
}

// export runs the exporter until stop is called.
func (n *node) export(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	n.exporter = &journal.Exporter{Journal: n.journal(), Source: source{n.log}, Cursor: n.cursor, Log: quiet()}
	go func(x *journal.Exporter) { done <- x.Run(ctx) }(n.exporter)
	stopped := false
	n.stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			t.Errorf("Export = %v", err)
		}
	}
	stop := n.stop
	t.Cleanup(func() { stop() })
}

// recordAtOnce writes count decisions, from many callers at a time.
func (n *node) recordAtOnce(t *testing.T, count int) {
	t.Helper()
	var wg sync.WaitGroup
	todo := make(chan int)
	for range 64 {
		wg.Go(func() {
			for range todo {
				d := &policy.Decision{Kind: "verdict", Target: "clinic/app", Verdict: policy.Allow, Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}
				if _, err := n.log.Record(t.Context(), d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range count {
		todo <- i
	}
	close(todo)
	wg.Wait()
}

// record writes count decisions and returns the slowest.
func (n *node) record(t *testing.T, count int) (slowest time.Duration) {
	t.Helper()
	for range count {
		began := time.Now()
		d := &policy.Decision{Kind: "verdict", Target: "clinic/app", Verdict: policy.Allow,
			Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}
		if _, err := n.log.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	return slowest
}

// expect waits for records 1 to last, each once and in order.
func (n *node) expect(t *testing.T, last int) {
	t.Helper()
	entries := n.Await(t, last, "SYSLOG_IDENTIFIER=phigate")
	var got []int
	for _, e := range entries {
		seq, _ := strconv.Atoi(fmt.Sprint(e["PHIGATE_SEQ"]))
		got = append(got, seq)
	}
	if len(got) != last || !slices.IsSorted(got) || len(slices.Compact(got)) != last {
		t.Errorf("%d entries for %d records, sorted %v", len(got), last, slices.IsSorted(got))
	}
}

// hang is longer than any disk that others use too takes for a record, and
// shorter than a journald that answers nobody.
const hang = 10 * time.Second

func TestExportWaitsForJournald(t *testing.T) {
	n := newNode(t, journald.New(t))
	if slowest := n.record(t, 200); slowest > hang {
		t.Errorf("a record took %v while journald was absent", slowest)
	}
	n.Run(t)
	n.expect(t, 200)
}

func TestExportSurvivesAHungJournald(t *testing.T) {
	n := newNode(t, journald.Start(t))
	n.record(t, 20)
	n.expect(t, 20)
	n.Pause(t)
	slowest := n.record(t, 300)
	n.Continue(t)
	if slowest > hang {
		t.Errorf("a record took %v while journald hung", slowest)
	}
	n.expect(t, 320)
}

func TestExportSurvivesARestartedJournald(t *testing.T) {
	n := newNode(t, journald.Start(t))
	n.record(t, 20)
	n.expect(t, 20)
	n.Kill(t)
	n.record(t, 100)
	n.Run(t)
	n.expect(t, 120)
}

func TestExportGoesOnFromItsCursor(t *testing.T) {
	n := newNode(t, journald.Start(t))
	n.record(t, 50)
	n.stop() // sends what is left
	data, err := os.ReadFile(n.cursor)
	if err != nil || string(data) != "50\n" {
		t.Fatalf("cursor = %q, %v; want 50", data, err)
	}
	n.record(t, 50)
	n.export(t)
	n.expect(t, 100)
}

func TestExportSavesItsCursorWhenQuiet(t *testing.T) {
	n := newNode(t, journald.Start(t))
	n.record(t, 10)
	for range 100 {
		if data, _ := os.ReadFile(n.cursor); string(data) == "10\n" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the cursor was not saved within 5 s")
}

func TestExportDistrustsABadCursor(t *testing.T) {
	for name, content := range map[string]string{"ahead": "99\n", "empty": "", "no_number": "x\n"} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, journald.Start(t))
			n.stop()
			n.record(t, 5)
			if err := os.WriteFile(n.cursor, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			n.export(t)
			n.expect(t, 5)
		})
	}
}

func TestExportEndsWhenJournaldIsAbsent(t *testing.T) {
	n := newNode(t, journald.New(t))
	n.record(t, 3)
	began := time.Now()
	n.stop()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Export took %v to end", took)
	}
	if _, err := os.Stat(n.cursor); err == nil {
		t.Error("a cursor was saved though nothing was sent")
	}
}

func TestExportGoesOnWithoutItsCursor(t *testing.T) {
	n := newNode(t, journald.Start(t))
	n.stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- (&journal.Exporter{Journal: n.journal(), Source: source{n.log}, Cursor: filepath.Join(t.TempDir(), "missing", "cursor"), Log: quiet()}).Run(ctx)
	}()
	n.record(t, 20)
	n.expect(t, 20)
	n.record(t, 20)
	n.expect(t, 40)
	cancel()
	if err := <-done; err == nil {
		t.Error("Export ended without saying that its cursor was not written")
	}
}
