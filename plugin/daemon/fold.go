package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/phigate/phigate/policy"
)

// What one namespace may take of the log. A container that is refused is tried
// again for ever, and whoever may create pods may create as many as they like:
// refusals beyond are counted and not written down one by one. Each admission is a
// record whatever comes, since it is the evidence that a container ran; beyond the
// budget it has one finding of each rule, so that what can fill the disk is the
// number of containers that really start, at some 4 KB for each gate that judges them.
const (
	// foldFor is how long identical refusals are one record. Then comes another.
	foldFor = time.Hour
	// foldEvery is how often the counts are written down.
	foldEvery = 10 * time.Minute
	// budgetBytes is what a namespace's refusals may write at once, and budgetRefill
	// what they get anew in a second: 16 MiB, and 24 MiB a day.
	budgetBytes  = 16 << 20
	budgetRefill = 300
	// admittedTimes is how much more its admissions have: 64 MiB, and 99 MiB a day.
	admittedTimes = 4
	// maxFolds bounds the refusals that are remembered, and maxBudgets the
	// namespaces; those beyond share one.
	maxFolds   = 4096
	maxBudgets = 2048
)

// fold stands before the log and writes identical refusals down once.
type fold struct {
	record func(ctx context.Context, d *policy.Decision) (uint64, error)
	now    func() time.Time
	log    *slog.Logger
	// progress is what a refusal for a scan under way says of it.
	progress *regexp.Regexp

	mu      sync.Mutex
	folds   map[[sha256.Size]byte]*folded
	budgets map[string]*budget
}

// folded is one refusal and how often it came again.
type folded struct {
	first policy.Decision // without what was found
	began time.Time
	last  time.Time
	again int // not written down yet
}

// budget is what a namespace may still write, in bytes.
type budget struct {
	left  float64
	when  time.Time
	spent *folded // what stands for the refusals beyond it
}

func newFold(record func(context.Context, *policy.Decision) (uint64, error), log *slog.Logger) *fold {
	return &fold{record: record, now: time.Now, log: log, progress: regexp.MustCompile(`in progress, \d+ %`), folds: map[[sha256.Size]byte]*folded{}, budgets: map[string]*budget{}}
}

// Record is the log's, but for a refusal that is the same as an earlier one, or
// whose namespace has spent its budget: that is counted, and has the number of the
// record that stands for it, which the refused client can look up.
func (f *fold) Record(ctx context.Context, d *policy.Decision) (uint64, error) {
	if !isRefusal(d) {
		if d.Kind == "verdict" {
			f.admitted(d)
		}
		return f.record(ctx, d)
	}
	key := f.sameness(d)
	if seq := f.again(key, d); seq > 0 {
		d.Seq = seq
		return seq, nil
	}
	if seq, err := f.beyond(ctx, d); seq > 0 || err != nil {
		d.Seq = seq
		return seq, err
	}
	seq, err := f.record(ctx, d)
	if err == nil {
		f.remember(key, d)
	}
	return seq, err
}

// isRefusal says whether a decision is one that its client tries again.
func isRefusal(d *policy.Decision) bool {
	return d.Verdict == policy.Block && (d.Kind == "verdict" || d.Kind == "unjudged")
}

// sameness is equal for refusals that differ in when they came, how long they
// took, how far a scan was, and, in a pod, which container of a retry it was.
func (f *fold) sameness(d *policy.Decision) [sha256.Size]byte {
	c := *d
	c.Seq, c.Time, c.DurationMs, c.DurationUs = 0, time.Time{}, 0, 0
	c.Coverage = policy.Coverage{}
	if c.PodUID != "" {
		c.Container = ""
	}
	text, err := json.Marshal(c)
	if err != nil { // which writing it down will say
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(f.progress.ReplaceAll(text, []byte("in progress")))
}

// again counts a refusal that is the same as an earlier one, and returns its number.
func (f *fold) again(key [sha256.Size]byte, d *policy.Decision) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.folds[key]
	if x == nil || f.now().Sub(x.began) > foldFor {
		return 0
	}
	x.again, x.last = x.again+1, f.now()
	d.Time = x.last.UTC()
	return x.first.Seq
}

// beyond takes the record's size from its namespace's budget. When that is spent
// one record says so and stands for all that follow.
func (f *fold) beyond(ctx context.Context, d *policy.Decision) (uint64, error) {
	f.mu.Lock()
	b, now := f.budgetOf("refused", d, 1), f.now()
	if size := float64(sizeOf(d)); b.left >= size && len(f.folds) < maxFolds {
		b.left -= size
		b.spent = nil
		f.mu.Unlock()
		return 0, nil
	}
	if x := b.spent; x != nil && now.Sub(x.began) <= foldFor {
		x.again, x.last = x.again+1, now
		f.mu.Unlock()
		return x.first.Seq, nil
	}
	f.mu.Unlock()
	return f.spend(ctx, b, d)
}

// budgetOf is what a namespace has left now for decisions of a kind.
func (f *fold) budgetOf(kind string, d *policy.Decision, times float64) *budget {
	now, space := f.now(), kind+" "+d.RuntimeNamespace+"/"+d.Namespace
	if f.budgets[space] == nil && len(f.budgets) >= maxBudgets {
		space = kind
	}
	b := f.budgets[space]
	if b == nil {
		b = &budget{left: times * budgetBytes, when: now}
		f.budgets[space] = b
	}
	b.left = min(times*budgetBytes, b.left+times*budgetRefill*max(now.Sub(b.when).Seconds(), 0))
	b.when = now
	return b
}

// admitted takes an admission's size from its namespace's budget, and shortens it
// to the first, which is the gravest, of each rule where that is spent. The totals
// say how many there were.
func (f *fold) admitted(d *policy.Decision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.budgetOf("admitted", d, admittedTimes)
	if size := float64(sizeOf(d)); b.left >= size {
		b.left -= size
		return
	}
	if n := len(d.Findings); n > 0 {
		d.Findings = firstOf(d.Findings, func(r policy.Record) string { return r.Rule })
		d.FindingsTotal = max(d.FindingsTotal, n)
	}
	if n := len(d.Skipped); n > 0 {
		d.Skipped = firstOf(d.Skipped, func(s policy.SkipEntry) string { return s.Rule })
		d.SkippedTotal = max(d.SkippedTotal, n)
	}
	d.Notes = append(slices.Clip(d.Notes), spentNote)
	b.left = max(b.left-float64(sizeOf(d)), 0)
}

const spentNote = "the namespace has written its part of the log: this record has one finding of each rule"

// firstOf are the first elements that have their key.
func firstOf[T any](all []T, key func(T) string) []T {
	out, seen := []T{}, map[string]bool{}
	for _, x := range all {
		if !seen[key(x)] {
			seen[key(x)] = true
			out = append(out, x)
		}
	}
	return out
}

func (f *fold) spend(ctx context.Context, b *budget, d *policy.Decision) (uint64, error) {
	note := &policy.Decision{
		Kind: "folded", Target: d.Namespace, Namespace: d.Namespace, RuntimeNamespace: d.RuntimeNamespace, Verdict: policy.Block, Policy: d.Policy,
		Message:  "the refusals in this namespace are more than its part of the log: from here on they are counted and not written down one by one",
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	}
	seq, err := f.record(ctx, note)
	if err != nil {
		return 0, err
	}
	note.Seq = seq
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	x := &folded{first: *note, began: now, last: now, again: 1}
	b.spent = x
	f.folds[sha256.Sum256(fmt.Appendf(nil, "budget %d", seq))] = x
	return seq, nil
}

// sizeOf is about what a decision takes in the log, in bytes.
func sizeOf(d *policy.Decision) int { return 1000 + 700*len(d.Findings) + 300*len(d.Skipped) }

func (f *fold) remember(key [sha256.Size]byte, d *policy.Decision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := *d
	first.Findings, first.Skipped, first.Deferred, first.Notes = []policy.Record{}, []policy.SkipEntry{}, nil, nil
	f.folds[key] = &folded{first: first, began: f.now(), last: f.now()}
}

// run writes the counts down now and then, and at the end.
func (f *fold) run(ctx context.Context) {
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			f.flush(last)
			return
		case <-tick.C:
			f.flush(ctx)
		}
	}
}

// flush records what was counted, and forgets what is over.
func (f *fold) flush(ctx context.Context) {
	for x, d := range f.counts() {
		if _, err := f.record(ctx, d); err != nil {
			f.log.Error("recording how often refusals came again", "of", d.Repeats, "times", d.Times, "error", err)
			f.mu.Lock()
			x.again += d.Times // for the next time, if it is not forgotten by then
			f.mu.Unlock()
		}
	}
}

func (f *fold) counts() map[*folded]*policy.Decision {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, out := f.now(), map[*folded]*policy.Decision{}
	for key, x := range f.folds {
		if now.Sub(x.began) > foldFor && x.again == 0 {
			delete(f.folds, key)
		}
		if x.again > 0 {
			d := x.first
			d.Kind, d.Repeats, d.Times, d.Seq = "repeated", x.first.Seq, x.again, 0
			d.Message = fmt.Sprintf("the refusal of record %d came %d times more, the last at %s", x.first.Seq, x.again, x.last.UTC().Format(time.RFC3339))
			out[x] = &d
			x.again = 0
		}
	}
	return out
}
