// Package engine judges a subject: inspect, decide, record. It knows no
// runtime, no file system and no log; inspectors and the recorder are handed
// in, and a door hands it subjects.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/phigate/phigate/policy"
)

// Inspector turns a subject into findings. It must return when ctx ends; what
// it has not looked at by then it reports as skipped.
type Inspector interface {
	Inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) policy.Report
}

// Recorder makes a decision durable.
type Recorder interface {
	// Record returns the decision's place in the log once it is on disk. When
	// ctx ends first it returns an error, and the recorder sees to it that a
	// "withdrawn" record follows.
	Record(ctx context.Context, d *policy.Decision) (seq uint64, err error)
	// Last is the time of the newest record; zero when there is none.
	Last() time.Time
}

// Redactor takes out of texts and decisions what identifies a person: names are
// not ours, and may be a patient's.
type Redactor interface {
	Decision(d *policy.Decision)
	Text(s string) string
}

// Engine evaluates subjects under the policy in force. Safe for concurrent use.
type Engine struct {
	inspectors []Inspector
	recorder   Recorder
	redactor   Redactor
	policy     atomic.Pointer[policy.Policy]
	now        func() time.Time
}

// errNoPolicy is the answer to everything until a policy is in force.
var errNoPolicy = errors.New("no policy is in force; see: phigate status")

// New makes an engine that has no verdict on anything until it is given a policy.
func New(recorder Recorder, inspectors ...Inspector) *Engine {
	e := &Engine{inspectors: inspectors, recorder: recorder, now: time.Now}
	e.policy.Store(&policy.Policy{})
	return e
}

// Redact has each decision redacted before it is recorded or returned, and names
// in errors. Call it before the first evaluation.
func (e *Engine) Redact(r Redactor) { e.redactor = r }

// Named is the subject's name for messages, redacted.
func (e *Engine) Named(s *policy.Subject) string {
	if e.redactor == nil {
		return s.Display()
	}
	return e.redactor.Text(s.Display())
}

func (e *Engine) redact(d *policy.Decision) {
	if e.redactor != nil {
		e.redactor.Decision(d)
	}
}

// SetPolicy puts p in force for all evaluations that begin from now on.
func (e *Engine) SetPolicy(p *policy.Policy) { e.policy.Store(p) }

// Policy returns the policy in force.
func (e *Engine) Policy() *policy.Policy { return e.policy.Load() }

// Evaluate judges the subject and records the verdict before it returns. An
// error means that there is no verdict, and a door must refuse: nothing was
// decided, or the decision could not be recorded.
//
// It returns by the end of ctx even when an inspector hangs.
func (e *Engine) Evaluate(ctx context.Context, s *policy.Subject) (*policy.Decision, error) {
	d, _, err := e.EvaluateIf(ctx, s, func() bool { return true })
	return d, err
}

// EvaluateIf is Evaluate for a subject that was assumed and not read: it
// inspects while the caller finds out whether the assumption holds, and asks
// that before it decides. Where it does not hold, nothing is decided and nothing
// recorded: there is no decision and no error, and the caller must evaluate the
// subject as it is.
//
// holds must return by the end of ctx.
func (e *Engine) EvaluateIf(ctx context.Context, s *policy.Subject, holds func() bool) (d *policy.Decision, held bool, err error) {
	began := e.now()
	p := e.Policy()
	if p.Digest == "" {
		e.Unjudged(s, errNoPolicy)
		return nil, true, errNoPolicy
	}
	report, err := e.inspect(ctx, s, p)
	if err != nil {
		e.Unjudged(s, err)
		return nil, true, fmt.Errorf("judging %s: %w", e.Named(s), err)
	}
	if !holds() {
		return nil, false, nil
	}
	report.Now = e.latest(began)
	d = policy.NewDecision(s, policy.Decide(p, s, report), report.Now, e.now().Sub(began))
	e.redact(d)
	seq, err := e.recorder.Record(ctx, d)
	if err != nil {
		return nil, true, fmt.Errorf("recording the decision on %s: %w", e.Named(s), err)
	}
	d.Seq = seq
	return d, true, nil
}

// Inspect asks the inspectors as Evaluate does and returns what Evaluate would
// decide upon. It decides nothing and records nothing.
func (e *Engine) Inspect(ctx context.Context, s *policy.Subject) (policy.Report, error) {
	began := e.now()
	report, err := e.inspect(ctx, s, e.Policy())
	if err != nil {
		return report, fmt.Errorf("judging %s: %w", e.Named(s), err)
	}
	report.Now = e.latest(began)
	return report, nil
}

// latest is a moment, or that of the newest record where the clock was set back.
func (e *Engine) latest(moment time.Time) time.Time {
	if last := e.recorder.Last(); last.After(moment) {
		return last
	}
	return moment
}

// unjudgedWithin bounds the wait for the record of a refusal without a verdict.
const unjudgedWithin = 10 * time.Second

// Unjudged records that a subject was refused because there was no verdict. The
// refusal does not wait for the record, which is evidence and not its ground.
func (e *Engine) Unjudged(s *policy.Subject, why error) {
	p := e.Policy()
	d := policy.NewDecision(s, policy.Verdict{Policy: p.Digest, PolicyVersion: p.Version}, e.now(), 0)
	d.Kind, d.Message = "unjudged", policy.Printable(why.Error())
	e.redact(d)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), unjudgedWithin)
		defer cancel()
		_, _ = e.recorder.Record(ctx, d) // the log says itself when it fails
	}()
}

// inspect asks all inspectors at once and sums what they found, in their order.
func (e *Engine) inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) (policy.Report, error) {
	var answers []<-chan policy.Report
	for _, in := range e.inspectors {
		answers = append(answers, start(ctx, in, s, p))
	}
	var report policy.Report
	for _, answer := range answers {
		select {
		case found := <-answer:
			report.Add(found)
		case <-ctx.Done():
			return policy.Report{}, fmt.Errorf("no answer in time: %w", context.Cause(ctx))
		}
	}
	return report, nil
}

// start runs one inspector in a goroutine of its own, so that one that hangs
// (a mount source on a dead server) costs a goroutine and never the deadline. A
// panic becomes something skipped; its text could hold what was read.
func start(ctx context.Context, in Inspector, s *policy.Subject, p *policy.Policy) <-chan policy.Report {
	done := make(chan policy.Report, 1)
	mine := *s // an inspector that outlives the deadline must not share the door's copy
	go func() {
		defer func() {
			if recover() != nil {
				done <- policy.Report{Skipped: []policy.Skipped{{
					Where: "subject", Rule: "inspector", Reason: "an inspector crashed", Kind: policy.Undecided}}}
			}
		}()
		done <- in.Inspect(ctx, &mine, p)
	}()
	return done
}
