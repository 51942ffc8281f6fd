// Package handover is the door for containers that a runtime's wrapper or hook hands
// over: the complete spec and the root filesystem, mounted, of whatever client starts
// them. It translates them into subjects, and decisions into answers; it
// decides nothing itself.
//
// Nobody's lock is held meanwhile, and these clients do not ask twice. So an
// image without facts is scanned while they wait, until their deadline.
//
// Every container is judged anew, also one that another gate has admitted: what
// changed since (devices injected after Validate, a writable folder written to) is
// seen, and with the facts at hand it costs milliseconds. The log joins the decisions
// by the container's ID.
package handover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// Evaluator judges and records; package engine.
type Evaluator interface {
	Evaluate(ctx context.Context, s *policy.Subject) (*policy.Decision, error)
	Unjudged(s *policy.Subject, why error)
	Policy() *policy.Policy
	// Named is a subject's name for messages, redacted.
	Named(s *policy.Subject) string
}

// Runtime reads what containerd knows; package containerd.
type Runtime interface {
	Task(ctx context.Context, namespace, id string) (*containerd.Task, error)
	Layers(ctx context.Context, t *containerd.Task) ([]containerd.Committed, error)
	ImageBelow(ctx context.Context, t *containerd.Task) (*containerd.Image, error)
	Sandbox(ctx context.Context, id string) (*containerd.Sandbox, error)
	Root(ctx context.Context, key string) (*containerd.Root, error)
}

// Scanner names the facts of the kubelet's images, which are scanned in the
// background; package prescan.
type Scanner interface {
	Layers(root *containerd.Root) (keys []string, warm bool)
	Known(snapshotter, name string) []string
	Cold(keys []string) string
}

// Folders gathers the facts of all other layers; package prescan.
type Folders interface {
	Layer(ctx context.Context, folder string, known ...string) (key string, err error)
	Once(ctx context.Context, name string, tree rootfs.Tree) (key string, forget func(), err error)
}

// Door answers for containers that are handed over. Safe for concurrent use.
type Door struct {
	Engine  Evaluator
	Runtime Runtime
	Scanner Scanner
	Folders Folders
	// Warm computes what an answer needs of the layers with these keys, and waits for it.
	Warm func(ctx context.Context, keys []string) error
	// Record makes a decision durable that is no verdict.
	Record func(ctx context.Context, d *policy.Decision) (seq uint64, err error)
	Log    *slog.Logger
}

// recordWithin bounds the record of a container that runs in spite of its
// verdict: its client has waited as long as it would.
const recordWithin = 2 * time.Second

// Judge answers one question and closes root.
func (d *Door) Judge(ctx context.Context, q judge.Question, config []byte, root *os.File) (a judge.Answer) {
	began := time.Now()
	c, err := read(q, config, root)
	if err != nil {
		root.Close()
		c = &container{Question: q, subject: &policy.Subject{ID: q.ID, Gate: gateOf(q.Door), Requester: policy.LoginRequester(q.Login)}}
		d.Engine.Unjudged(c.subject, err)
		a = judge.Answer{Line: refusal(d.Engine.Named(c.subject), err)}
	} else {
		a = d.answer(ctx, c)
	}
	if !a.Allow {
		d.Log.Warn("refused", "gate", string(c.subject.Gate), "container", q.ID, "answer", a.Line, "took", time.Since(began).Round(time.Microsecond))
	}
	if !a.Allow && q.BreakGlass != nil {
		d.override(c, &a)
	}
	return a
}

// answer judges what was read. Whatever goes wrong on the way refuses.
func (d *Door) answer(ctx context.Context, c *container) judge.Answer {
	identity := *c.subject // the goroutine below may outlive us
	s, err := within(ctx, func() (*policy.Subject, error) {
		defer c.root.Close()
		if err := d.complete(ctx, c); err != nil {
			return nil, err
		}
		return c.subject, nil
	})
	defer c.forget()
	if err != nil {
		d.Engine.Unjudged(&identity, err)
		return judge.Answer{Line: refusal(d.Engine.Named(&identity), err)}
	}
	decision, err := d.Engine.Evaluate(ctx, s)
	switch {
	case err != nil:
		return judge.Answer{Line: refusal(d.Engine.Named(s), err)}
	case decision.Verdict != policy.Allow:
		return judge.Answer{Line: decision.Line(), Seq: decision.Seq}
	}
	return judge.Answer{Allow: true, Seq: decision.Seq}
}

// override records that a container runs although it was refused.
func (d *Door) override(c *container, a *judge.Answer) {
	ctx, cancel := context.WithTimeout(context.Background(), recordWithin)
	defer cancel()
	seq, err := d.Record(ctx, Override(d.Engine.Policy(), c.subject, *c.BreakGlass, a.Line))
	if err != nil {
		d.Log.Error("recording the use of break-glass", "container", c.ID, "error", err)
		return
	}
	a.Seq, a.Noted = seq, true
}

// Override is the decision that lets a container run which was refused for a
// reason.
func Override(p *policy.Policy, s *policy.Subject, b judge.BreakGlass, refused string) *policy.Decision {
	o := policy.NewDecision(s, policy.Verdict{Action: policy.Allow, Policy: p.Digest, PolicyVersion: p.Version}, time.Now(), 0)
	o.Kind = "override"
	why := fmt.Sprintf("break-glass (%s, until %s: %s)", b.File, b.Until.UTC().Format(time.RFC3339), b.Reason)
	if b.File == "" {
		why = "by the door's configuration (" + b.Reason + ")"
	}
	o.Message = policy.Printable(why + ": runs although: " + refused)
	return o
}

// refusal words an error without a verdict for the person who reads it.
func refusal(name string, err error) string {
	return fmt.Sprintf("phigate: refused %s: no verdict: %s; see: journalctl -u phigated", name, policy.Printable(err.Error()))
}

func gateOf(door string) policy.Gate {
	if door == "hook" {
		return policy.GateHook
	}
	return policy.GateWrapper
}

// errCrash stands for a panic, whose text could hold what was being judged.
var errCrash = errors.New("the gate crashed")

// lastWords is how long is waited for why something did not end in time.
const lastWords = 10 * time.Millisecond

// within returns fn's result, or ctx's end where fn hangs.
func within[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if recover() != nil {
				r = result{err: errCrash}
			}
			done <- r
		}()
		r.value, r.err = fn()
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	select { // who heard of it says how far it was
	case r := <-done:
		return r.value, r.err
	case <-time.After(lastWords):
		var zero T
		return zero, fmt.Errorf("no verdict in time: %w", context.Cause(ctx))
	}
}
