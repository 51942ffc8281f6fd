// Package nri is the door for containers that the kubelet starts: an NRI
// plugin. It translates NRI's events into subjects, and verdicts into NRI's
// errors; it decides nothing itself.
//
// What it relies on, measured on containerd 2.4.2 and read in 1.7 to 2.4: an
// error blocks on every version; silence, on most, admits. So it answers
// before 80 % of the runtime's request timeout and, without a verdict, with an
// error. NRI calls hold one lock for the whole node, so nothing is scanned and
// nothing is waited for here: facts are looked up.
package nri

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// Evaluator judges and records; package engine.
type Evaluator interface {
	Evaluate(ctx context.Context, s *policy.Subject) (*policy.Decision, error)
	// EvaluateIf does so while holds finds out whether the subject is what was
	// assumed; where it is not, there is no decision, and none is recorded.
	EvaluateIf(ctx context.Context, s *policy.Subject, holds func() bool) (d *policy.Decision, held bool, err error)
	// Unjudged records that a subject was refused without a verdict. It does
	// not wait for the record.
	Unjudged(s *policy.Subject, why error)
}

// Runtime reads what containerd knows; package containerd.
type Runtime interface {
	Root(ctx context.Context, key string) (*containerd.Root, error)
	Sandbox(ctx context.Context, id string) (*containerd.Sandbox, error)
	Container(ctx context.Context, id string) (*containerd.Record, error)
	Foreseen(id string) *containerd.Foreseen
	Same(ctx context.Context, f *containerd.Foreseen) bool
	ImageOf(ctx context.Context, ref, config string, chain []string) (*containerd.Image, error)
}

// Layers names the facts of a root filesystem; package prescan.
type Layers interface {
	Layers(root *containerd.Root) (keys []string, warm bool)
}

// Upper judges the writable folder of a container; package prescan.
type Upper interface {
	// Scan gathers the facts of what is in the folder and returns the key they
	// are kept under, or "" for a folder that holds nothing.
	Scan(ctx context.Context, container, folder string) (key string, err error)
	// Same returns the key that Scan gave for the container, if the folder
	// holds nothing else by now.
	Same(ctx context.Context, container, folder string) (key string, err error)
	// Forget drops what is kept of the container.
	Forget(container string)
}

// Door is the NRI plugin. Its exported methods are called by the NRI stub; Run
// is for the daemon.
type Door struct {
	Engine  Evaluator
	Runtime Runtime
	Layers  Layers
	Upper   Upper
	Log     *slog.Logger

	SocketPath  string
	Name, Index string

	mu      sync.Mutex
	budget  time.Duration // for one answer
	state   State
	judged  map[string]bool // IDs of containers that were judged at their start or in a catch-up
	catchUp chan []running
}

// State is what the door says of itself.
type State struct {
	Connected bool      `json:"connected"`
	Runtime   string    `json:"runtime,omitempty"` // "containerd v2.4.2"
	Gate      string    `json:"gate,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Error     string    `json:"error,omitempty"` // why it is not connected
}

// defaultTimeout is NRI's request timeout where the runtime says none.
const defaultTimeout = stub.DefaultRequestTimeout

// budgetOf is how long one answer may take: 80 % of the request timeout.
func budgetOf(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return timeout * 8 / 10
}

// State tells whether the door stands in the runtime's way.
func (d *Door) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Configure is called by the runtime once, after registration.
func (d *Door) Configure(_ context.Context, _, runtime, version string) (api.EventMask, error) {
	gate, events, err := subscription(runtime, version)
	if err != nil {
		d.Log.Error("this runtime cannot be guarded", "runtime", runtime, "version", version, "error", err)
		return 0, err
	}
	d.mu.Lock()
	d.state = State{Runtime: runtime + " " + version, Gate: string(gate)}
	d.mu.Unlock()
	return events, nil
}

// Synchronize is called once after Configure with all that runs already. It
// shares NRI's time limit and cannot veto, so it only takes note. The runtime
// asks the plugin from the moment on that it has this answer.
func (d *Door) Synchronize(_ context.Context, pods []*api.PodSandbox, ctrs []*api.Container) ([]*api.ContainerUpdate, error) {
	d.takeNote(pods, ctrs)
	d.mu.Lock()
	d.state.Connected, d.state.Since, d.state.Error = true, time.Now().UTC(), ""
	state := d.state
	d.mu.Unlock()
	d.Log.Info("in the runtime's way", "runtime", state.Runtime, "gate", state.Gate)
	return nil, nil
}

// ValidateContainerAdjustment is the first gate from containerd 2.2 on. The
// snapshot exists by then, the container's record does not. It sees the
// pristine container and the sum of what all plugins want changed. A runtime
// refuses the container on an error, on a hang and on a crash.
func (d *Door) ValidateContainerAdjustment(ctx context.Context, req *api.ValidateContainerAdjustmentRequest) error {
	return d.answer(ctx, policy.GateValidate, req.GetPod(), req.GetContainer(), req.GetAdjust())
}

// CreateContainer is the first gate below containerd 2.2, which knows no
// validation. What plugins with a higher index adjust is not seen here; the
// full spec is judged at the start.
func (d *Door) CreateContainer(ctx context.Context, pod *api.PodSandbox, ctr *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	return nil, nil, d.answer(ctx, policy.GateCreate, pod, ctr, nil)
}

// StartContainer is the second gate: the record with the full spec is there,
// and user code has not run. An error stops the start; a timeout would not.
func (d *Door) StartContainer(ctx context.Context, pod *api.PodSandbox, ctr *api.Container) error {
	return d.answer(ctx, policy.GateStart, pod, ctr, nil)
}

// RemoveContainer lets go of what is remembered of the container.
func (d *Door) RemoveContainer(_ context.Context, _ *api.PodSandbox, ctr *api.Container) error {
	d.Upper.Forget(ctr.GetId())
	d.mu.Lock()
	delete(d.judged, ctr.GetId())
	d.mu.Unlock()
	return nil
}

// answer judges at one gate. Whatever goes wrong on the way is an error, and
// an error refuses the container.
func (d *Door) answer(ctx context.Context, gate policy.Gate, pod *api.PodSandbox, ctr *api.Container, adjust *api.ContainerAdjustment) (err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, d.answerWithin(ctx), errLate)
	defer cancel()
	name := policy.Printable(pod.GetNamespace() + "/" + ctr.GetName())
	defer func() {
		if recover() != nil { // its text could hold what was being judged
			err = errors.New("the gate crashed")
		}
		if err != nil {
			err = refusal(name, err)
			d.Log.Warn("refused", "gate", string(gate), "container", ctr.GetId(), "answer", err, "took", time.Since(began).Round(time.Microsecond))
		}
	}()
	decision, err := d.judge(ctx, gate, pod, ctr, adjust)
	if err == nil && decision.Verdict != policy.Allow {
		err = blocked{decision.Line()}
	}
	switch {
	case gate != policy.GateStart && err != nil:
		d.Upper.Forget(ctr.GetId()) // nobody tells of a container that never was
	case gate == policy.GateStart && decision != nil:
		d.remember(ctr.GetId())
	}
	return err
}

// judge gathers what the gate can see and has it evaluated. At the start it goes
// by the record that was foreseen as long as that holds.
func (d *Door) judge(ctx context.Context, gate policy.Gate, pod *api.PodSandbox, ctr *api.Container, adjust *api.ContainerAdjustment) (*policy.Decision, error) {
	if gate == policy.GateStart {
		if foreseen := d.Runtime.Foreseen(ctr.GetId()); foreseen != nil {
			if decision, held, err := d.assume(ctx, foreseen, pod, ctr); held {
				return decision, err
			}
		}
	}
	subject, err := within(ctx, func() (*policy.Subject, error) { return d.subject(ctx, gate, pod, ctr, adjust) })
	if err != nil {
		d.Engine.Unjudged(identity(gate, pod, ctr), err)
		return nil, err
	}
	return d.Engine.Evaluate(ctx, subject)
}

// assume judges the start of a container as if its record were the one that
// was foreseen, while the runtime is asked whether it is. All else that a start
// depends on is read now: nothing but the decoded record is from before. Where
// the record is another by now, or cannot be had, nothing held, and nothing was
// decided.
func (d *Door) assume(ctx context.Context, foreseen *containerd.Foreseen, pod *api.PodSandbox, ctr *api.Container) (decision *policy.Decision, held bool, err error) {
	asked := begin(func() (bool, error) { return d.Runtime.Same(ctx, foreseen), nil })
	subject, err := within(ctx, func() (*policy.Subject, error) {
		return d.fullSubject(ctx, policy.GateStart, pod, ctr, foreseen.Record)
	})
	if err != nil {
		return nil, false, nil // what is wrong is said of the record as it is
	}
	return d.Engine.EvaluateIf(ctx, subject, func() bool {
		same, err := await(ctx, asked)
		return same && err == nil
	})
}

// errLate is why an answer ends without a verdict when time is up.
var errLate = errors.New("no verdict in time")

// blocked is a verdict's one line, which is complete as it stands.
type blocked struct{ line string }

func (b blocked) Error() string { return b.line }

// refusal words an error without a verdict for the person who reads it.
func refusal(name string, err error) error {
	var b blocked
	if errors.As(err, &b) {
		return b
	}
	return fmt.Errorf("phigate: refused %s: no verdict: %w; see: journalctl -u phigated", name, err)
}

// answerWithin is the time for one answer: what the runtime announced, and no
// more than it gives this request.
func (d *Door) answerWithin(ctx context.Context) time.Duration {
	d.mu.Lock()
	budget := d.budget
	d.mu.Unlock()
	if budget <= 0 {
		budget = budgetOf(0)
	}
	if end, ok := ctx.Deadline(); ok {
		budget = min(budget, max(budgetOf(time.Until(end)), time.Nanosecond))
	}
	return budget
}

// within returns fn's result, or ctx's end where fn hangs.
func within[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	return await(ctx, begin(fn))
}

// result is what became of something begun.
type result[T any] struct {
	value T
	err   error
}

// begin has fn run beside the caller. A panic in it is an error.
func begin[T any](fn func() (T, error)) <-chan result[T] {
	done := make(chan result[T], 1)
	go func() {
		defer func() {
			if recover() != nil {
				done <- result[T]{err: errors.New("the gate crashed")}
			}
		}()
		v, err := fn()
		done <- result[T]{v, err}
	}()
	return done
}

func await[T any](ctx context.Context, done <-chan result[T]) (value T, err error) {
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}
