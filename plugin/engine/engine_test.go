package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
)

type inspectorFunc func(context.Context, *policy.Subject, *policy.Policy) policy.Report

func (f inspectorFunc) Inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) policy.Report {
	return f(ctx, s, p)
}

type memory struct {
	err  error
	last time.Time
	got  []*policy.Decision
}

func (m *memory) Record(_ context.Context, d *policy.Decision) (uint64, error) {
	if m.err != nil {
		return 0, m.err
	}
	m.got = append(m.got, d)
	return uint64(len(m.got)), nil
}

func (m *memory) Last() time.Time { return m.last }

func clean(context.Context, *policy.Subject, *policy.Policy) policy.Report { return policy.Report{} }

func TestEvaluate(t *testing.T) {
	finding := func(context.Context, *policy.Subject, *policy.Policy) policy.Report {
		return policy.Report{Findings: []policy.Finding{{Rule: "r", Message: "m"}}}
	}
	crash := func(context.Context, *policy.Subject, *policy.Policy) policy.Report { panic("123-45-6789") }
	known := &policy.Policy{Digest: "sha256:1", Catalogue: map[string]policy.Info{"r": {ID: "r", Default: policy.Warn}}}
	tests := []struct {
		name    string
		inspect inspectorFunc
		policy  *policy.Policy
		want    policy.Action
	}{
		{"clean_is_allowed", clean, known, policy.Allow},
		{"warning_is_allowed", finding, known, policy.Allow},
		{"an_unknown_rule_blocks", finding, &policy.Policy{Digest: "sha256:2"}, policy.Block},
		{"a_crash_blocks", crash, known, policy.Block},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := &memory{}
			e := New(log, tt.inspect)
			e.SetPolicy(tt.policy)
			d, err := e.Evaluate(t.Context(), &policy.Subject{ID: "c1"})
			if err != nil {
				t.Fatal(err)
			}
			if d.Verdict != tt.want || d.Seq != 1 || len(log.got) != 1 {
				t.Errorf("verdict %v, seq %d, %d records; want %v, 1, 1", d.Verdict, d.Seq, len(log.got), tt.want)
			}
			if strings.Contains(d.Line(), "6789") {
				t.Error("the panic's text reached the answer")
			}
		})
	}
}

func TestEvaluateHasNoVerdict(t *testing.T) {
	hang := func(context.Context, *policy.Subject, *policy.Policy) policy.Report { select {} }
	disk := errors.New("disk gone")
	tests := []struct {
		name    string
		inspect inspectorFunc
		log     *memory
		want    error
	}{
		{"an_inspector_hangs", hang, &memory{}, context.DeadlineExceeded},
		{"the_log_fails", clean, &memory{err: disk}, disk},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			e := New(tt.log, tt.inspect)
			e.SetPolicy(&policy.Policy{Digest: "sha256:1"})
			d, err := e.Evaluate(ctx, &policy.Subject{ID: "c1"})
			if d != nil || !errors.Is(err, tt.want) {
				t.Errorf("got decision %v, error %v; want none and %v", d != nil, err, tt.want)
			}
		})
	}
}

// A subject that is not what was assumed has no verdict and leaves no record;
// one that is has both, and was inspected in the meantime.
func TestEvaluateIf(t *testing.T) {
	for _, holds := range []bool{true, false} {
		t.Run(fmt.Sprintf("holds_%v", holds), func(t *testing.T) {
			log, inspected := &memory{}, make(chan struct{})
			e := New(log, inspectorFunc(func(context.Context, *policy.Subject, *policy.Policy) policy.Report {
				close(inspected)
				return policy.Report{}
			}))
			e.SetPolicy(&policy.Policy{Digest: "sha256:1"})
			d, held, err := e.EvaluateIf(t.Context(), &policy.Subject{ID: "c1"}, func() bool { <-inspected; return holds })
			if err != nil || held != holds || (d != nil) != holds || (len(log.got) == 1) != holds {
				t.Errorf("held %v, decision %v, %d records, error %v; want %v, the same, as many, none", held, d != nil, len(log.got), err, holds)
			}
		})
	}
}

// The assumption is not even asked about where there is no verdict, and the
// refusal is final.
func TestEvaluateIfWithoutVerdict(t *testing.T) {
	hang := func(context.Context, *policy.Subject, *policy.Policy) policy.Report { select {} }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	e := New(make(channel, 1), inspectorFunc(hang))
	e.SetPolicy(&policy.Policy{Digest: "sha256:1"})
	d, held, err := e.EvaluateIf(ctx, &policy.Subject{ID: "c1"}, func() bool { t.Error("it was asked about"); return false })
	if d != nil || !held || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("decision %v, held %v, error %v; want none, true and the deadline", d != nil, held, err)
	}
}

func TestTimeNeverRunsBack(t *testing.T) {
	future := time.Now().Add(time.Hour)
	e := New(&memory{last: future}, inspectorFunc(clean))
	e.SetPolicy(&policy.Policy{Digest: "sha256:1"})
	d, err := e.Evaluate(t.Context(), &policy.Subject{})
	if err != nil || !d.Time.Equal(future) {
		t.Errorf("time is not that of the newest record (error %v)", err)
	}
}

// What is refused without a verdict is recorded all the same.
func TestWithoutAPolicyNothingIsDecided(t *testing.T) {
	log := make(channel, 1)
	d, err := New(log, inspectorFunc(clean)).Evaluate(t.Context(), &policy.Subject{ID: "c1"})
	if d != nil || !errors.Is(err, errNoPolicy) {
		t.Errorf("got decision %v, error %v; want none and %v", d != nil, err, errNoPolicy)
	}
	select {
	case got := <-log:
		if got.Kind != "unjudged" || got.Container != "c1" || got.Verdict != policy.Block || got.Message == "" {
			t.Errorf("recorded kind %q, container %q, verdict %v", got.Kind, got.Container, got.Verdict)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was recorded")
	}
}

// channel is a log that hands its records on.
type channel chan *policy.Decision

func (c channel) Record(_ context.Context, d *policy.Decision) (uint64, error) {
	c <- d
	return 1, nil
}

func (c channel) Last() time.Time { return time.Time{} }
