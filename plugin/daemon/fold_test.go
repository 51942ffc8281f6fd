package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
)

// book is a log in memory.
type book struct {
	records []policy.Decision
	err     error
}

func (b *book) Record(_ context.Context, d *policy.Decision) (uint64, error) {
	if b.err != nil {
		return 0, b.err
	}
	d.Seq = uint64(len(b.records) + 1)
	b.records = append(b.records, *d)
	return d.Seq, nil
}

// count is how many records there are of a kind, and how often they say that
// refusals came again.
func (b *book) count(kind string) (n, times int) {
	for _, d := range b.records {
		if d.Kind == kind {
			n++
			times += d.Times
		}
	}
	return n, times
}

func newTestFold(clock *time.Time) (*fold, *book) {
	b := &book{}
	f := newFold(b.Record, slog.New(slog.DiscardHandler))
	f.now = func() time.Time { return *clock }
	return f, b
}

func refused(namespace, uid, container, reason string) *policy.Decision {
	return &policy.Decision{Kind: "verdict", Verdict: policy.Block, Namespace: namespace, PodUID: uid, Target: namespace + "/app", Container: container,
		Findings: []policy.Record{{Rule: "phi-table", Message: reason}}, Skipped: []policy.SkipEntry{}}
}

// A pod that is refused and tried again for ever is one record and its counts,
// each with the number to look up.
func TestRetryLoopIsOneRecord(t *testing.T) {
	clock := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f, b := newTestFold(&clock)
	for i := range 1000 {
		d := refused("clinic", "uid", fmt.Sprint("c", i), fmt.Sprintf("scan in progress, %d %%", i%100))
		seq, err := f.Record(t.Context(), d)
		if err != nil || seq != 1 || d.Seq != 1 {
			t.Fatalf("refusal %d has number %d, %v", i, seq, err)
		}
		clock = clock.Add(time.Second)
	}
	f.flush(t.Context())
	if n, times := b.count("repeated"); len(b.records) != 2 || n != 1 || times != 999 {
		t.Errorf("%d records, %d of repetitions that count %d; want 2, 1 and 999", len(b.records), n, times)
	}
	clock = clock.Add(2 * foldFor)
	if seq, _ := f.Record(t.Context(), refused("clinic", "uid", "later", "scan in progress, 1 %")); seq != 3 {
		t.Errorf("after an hour it has number %d, want a record of its own", seq)
	}
}

func TestWhatDiffersIsRecorded(t *testing.T) {
	clock := time.Now()
	f, b := newTestFold(&clock)
	allowed := refused("clinic", "uid", "c", "x")
	allowed.Verdict = policy.Allow
	again := *allowed
	for _, d := range []*policy.Decision{
		refused("clinic", "uid", "c", "x"), refused("clinic", "uid", "c", "y"), refused("clinic", "other", "c", "x"),
		refused("lab", "uid", "c", "x"), refused("", "", "one", "x"), refused("", "", "two", "x"), allowed, &again,
	} {
		if _, err := f.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.records) != 8 {
		t.Errorf("%d records, want 8", len(b.records))
	}
}

// Whoever makes each refusal another fills their own namespace's budget and not
// the disk; other namespaces and what is admitted are not touched.
func TestBudgetOfANamespace(t *testing.T) {
	clock := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f, b := newTestFold(&clock)
	const tries = 30_000
	var last uint64
	for i := range tries {
		seq, err := f.Record(t.Context(), refused("evil", fmt.Sprint(i), "c", "x"))
		if err != nil || seq == 0 {
			t.Fatalf("refusal %d: number %d, %v", i, seq, err)
		}
		last = seq
	}
	if n := len(b.records); n > budgetBytes/1000 {
		t.Errorf("%d records of one namespace", n)
	}
	if d := b.records[last-1]; d.Kind != "folded" {
		t.Errorf("the last refusal's number is of a record of kind %q", d.Kind)
	}
	written := len(b.records) - 1
	f.flush(t.Context())
	if _, times := b.count("repeated"); written+times != tries {
		t.Errorf("%d written and %d counted, want %d in all", written, times, tries)
	}
}

// Whoever creates and deletes pods without end has a record of each admission, for
// it is evidence, of no more than some KB each once the namespace's part is spent,
// whatever is found in them; refusals, and other namespaces, are not touched.
func TestBudgetOfAdmissions(t *testing.T) {
	clock := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f, b := newTestFold(&clock)
	admitted := func(namespace string) *policy.Decision {
		d := refused(namespace, "uid", "c", "x")
		d.Verdict, d.Findings = policy.Allow, nil
		for i := range policy.MaxRecorded {
			d.Findings = append(d.Findings, policy.Record{Rule: []string{"phi-text", "secret-in-env"}[i%2], Message: fmt.Sprint(i)})
			d.Skipped = append(d.Skipped, policy.SkipEntry{Rule: "phi-text", Where: fmt.Sprint(i)})
		}
		return d
	}
	const tries = 5000
	bytes := 0
	for i := range tries {
		d := admitted("evil")
		if seq, err := f.Record(t.Context(), d); err != nil || seq != uint64(i+1) {
			t.Fatalf("admission %d has number %d, %v", i, seq, err)
		}
		bytes += sizeOf(d)
	}
	if most := admittedTimes*budgetBytes + tries*sizeOf(&policy.Decision{Findings: make([]policy.Record, 2), Skipped: make([]policy.SkipEntry, 1)}); bytes > most || len(b.records) != tries {
		t.Errorf("%d records of %d bytes; want %d of at most %d", len(b.records), bytes, tries, most)
	}
	last := b.records[tries-1]
	if len(last.Findings) != 2 || last.FindingsTotal != policy.MaxRecorded || last.Findings[1].Rule != "secret-in-env" || len(last.Skipped) != 1 || last.SkippedTotal != policy.MaxRecorded {
		t.Errorf("the last one has %d findings of %d, %d of %d not looked at", len(last.Findings), last.FindingsTotal, len(last.Skipped), last.SkippedTotal)
	}
	for _, d := range []*policy.Decision{admitted("clinic"), refused("evil", "uid", "c", "x")} {
		n := len(d.Findings)
		if _, err := f.Record(t.Context(), d); err != nil || len(d.Findings) != n || d.Kind != "verdict" {
			t.Errorf("a decision in %s has %d findings of %d, %v", d.Namespace, len(d.Findings), n, err)
		}
	}
}

// A log that fails refuses, and counts are kept until it is back.
func TestFoldOnAFailedLog(t *testing.T) {
	clock := time.Now()
	f, b := newTestFold(&clock)
	broken := errors.New("broken")
	b.err = broken
	if _, err := f.Record(t.Context(), refused("clinic", "uid", "c", "x")); !errors.Is(err, broken) {
		t.Errorf("Record = %v", err)
	}
	b.err = nil
	if seq, err := f.Record(t.Context(), refused("clinic", "uid", "c", "x")); err != nil || seq != 1 {
		t.Errorf("the next one has number %d, %v; want a record of its own", seq, err)
	}
}
