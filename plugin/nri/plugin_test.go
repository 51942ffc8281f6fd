package nri

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/nri/pkg/api"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// engine answers as its function does and notes what it was asked.
type engine struct {
	answer func(context.Context, *policy.Subject) (*policy.Decision, error)

	mu       sync.Mutex
	asked    []*policy.Subject
	unjudged []error
}

func (e *engine) Evaluate(ctx context.Context, s *policy.Subject) (*policy.Decision, error) {
	e.mu.Lock()
	e.asked = append(e.asked, s)
	e.mu.Unlock()
	return e.answer(ctx, s)
}

func (e *engine) EvaluateIf(ctx context.Context, s *policy.Subject, holds func() bool) (*policy.Decision, bool, error) {
	if !holds() {
		return nil, false, nil
	}
	d, err := e.Evaluate(ctx, s)
	return d, true, err
}

func (e *engine) Unjudged(_ *policy.Subject, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unjudged = append(e.unjudged, why)
}

func (e *engine) subjects() []*policy.Subject {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

func decides(a policy.Action) func(context.Context, *policy.Subject) (*policy.Decision, error) {
	return func(_ context.Context, s *policy.Subject) (*policy.Decision, error) {
		return &policy.Decision{Kind: "verdict", Seq: 7, Verdict: a, Target: s.Display(), Policy: "sha256:p"}, nil
	}
}

// runtime is a containerd of one root filesystem; volumes have others.
type runtime struct {
	root    *containerd.Root
	volumes map[string]*containerd.Root
	sandbox *containerd.Sandbox
	record  *containerd.Record
	image   *containerd.Image
	// foreseen is what was read ahead, and same what is said of it at the start.
	foreseen *containerd.Foreseen
	same     func(context.Context) bool
	read     int // how often the record was read and decoded
	fails    error
	hangs    bool
	panics   bool
}

func (r *runtime) trouble(ctx context.Context) error {
	if r.panics {
		panic("123-45-6789")
	}
	if r.hangs {
		select {} // a call that does not even heed its context
	}
	return r.fails
}

func (r *runtime) Root(ctx context.Context, key string) (*containerd.Root, error) {
	if root := r.volumes[key]; root != nil {
		return root, nil
	}
	return r.root, r.trouble(ctx)
}

func (r *runtime) Sandbox(context.Context, string) (*containerd.Sandbox, error) {
	return r.sandbox, nil
}

func (r *runtime) Container(context.Context, string) (*containerd.Record, error) {
	r.read++
	if r.record == nil {
		return nil, containerd.ErrNotFound
	}
	return r.record, nil
}

func (r *runtime) Foreseen(string) *containerd.Foreseen { return r.foreseen }

func (r *runtime) Same(ctx context.Context, _ *containerd.Foreseen) bool { return r.same(ctx) }

func (r *runtime) ImageOf(context.Context, string, string, []string) (*containerd.Image, error) {
	if r.image == nil {
		return nil, errors.New("image config is damaged")
	}
	return r.image, nil
}

type layers struct{}

func (layers) Layers(root *containerd.Root) ([]string, bool) { return root.Chain, true }

// upper has the same answer for both questions.
type upper struct {
	key       string
	err       error
	forgotten []string
}

func (u *upper) Scan(context.Context, string, string) (string, error) { return u.key, u.err }
func (u *upper) Same(context.Context, string, string) (string, error) { return u.key, u.err }
func (u *upper) Forget(container string)                              { u.forgotten = append(u.forgotten, container) }

// newDoor is a door whose parts all work and allow.
func newDoor() (*Door, *engine, *runtime) {
	e := &engine{answer: decides(policy.Allow)}
	r := &runtime{
		root:    &containerd.Root{Snapshotter: "overlayfs", Chain: []string{"l1", "l2"}},
		sandbox: &containerd.Sandbox{}, image: &containerd.Image{},
		record: &containerd.Record{ID: "c1", SnapshotKey: "c1", Spec: &specs.Spec{}},
	}
	d := &Door{
		Engine: e, Runtime: r, Layers: layers{}, Upper: &upper{}, Log: slog.New(slog.DiscardHandler),
		judged: map[string]bool{}, catchUp: make(chan []running, 1),
	}
	return d, e, r
}

func pod() *api.PodSandbox { return &api.PodSandbox{Id: "p1", Namespace: "clinic-a", Name: "portal"} }

func ctr() *api.Container {
	return &api.Container{
		Id: "c1", PodSandboxId: "p1", Name: "app", Args: []string{"/bin/app"}, Env: []string{"A=1"},
		User: &api.User{Uid: 1000}, Linux: &api.LinuxContainer{Namespaces: []*api.LinuxNamespace{{Type: "pid"}, {Type: "mount"}}},
		Image: &api.Image{Name: "localhost/app:1", ConfigDigest: "sha256:c"},
	}
}

func TestAnswer(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Door, *engine, *runtime)
		says string // empty: it is admitted
	}{
		{"allowed", func(*Door, *engine, *runtime) {}, ""},
		{"blocked", func(_ *Door, e *engine, _ *runtime) { e.answer = decides(policy.Block) }, "phigate: blocked clinic-a/app"},
		{"warned_verdicts_are_none", func(_ *Door, e *engine, _ *runtime) { e.answer = decides(policy.Warn) }, "phigate: "},
		{"the_runtime_fails", func(_ *Door, _ *engine, r *runtime) { r.fails = errors.New("store is broken") },
			"phigate: refused clinic-a/app: no verdict: finding the root filesystem: store is broken; see:"},
		{"the_runtime_hangs", func(_ *Door, _ *engine, r *runtime) { r.hangs = true }, "no verdict in time"},
		{"the_runtime_crashes", func(_ *Door, _ *engine, r *runtime) { r.panics = true }, "the gate crashed"},
		{"the_image_is_damaged", func(_ *Door, _ *engine, r *runtime) { r.image = nil }, "reading the image's ports: image config is damaged"},
		{"the_upper_folder_fails", func(d *Door, _ *engine, r *runtime) {
			r.root.Upper, d.Upper = "/u", &upper{err: errors.New("more than 10000 files")}
		}, "judging the container's writable folder: more than 10000 files"},
		{"the_engine_fails", func(_ *Door, e *engine, _ *runtime) {
			e.answer = func(context.Context, *policy.Subject) (*policy.Decision, error) {
				return nil, errors.New("disk is full")
			}
		}, "no verdict: disk is full"},
		{"the_engine_crashes", func(_ *Door, e *engine, _ *runtime) {
			e.answer = func(context.Context, *policy.Subject) (*policy.Decision, error) { panic("123-45-6789") }
		}, "the gate crashed"},
		{"the_engine_takes_its_time", func(_ *Door, e *engine, _ *runtime) {
			e.answer = func(ctx context.Context, _ *policy.Subject) (*policy.Decision, error) {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
		}, "no verdict in time"},
	}
	for _, tt := range tests {
		for _, gate := range []policy.Gate{policy.GateCreate, policy.GateValidate, policy.GateStart} {
			t.Run(tt.name+"/"+string(gate), func(t *testing.T) {
				d, e, r := newDoor()
				d.budget = 50 * time.Millisecond
				tt.edit(d, e, r)
				began := time.Now()
				err := ask(t.Context(), d, gate)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %s, much more than the budget", took)
				}
				switch {
				case tt.says == "" && err != nil:
					t.Errorf("refused: %v", err)
				case tt.says != "" && err == nil:
					t.Error("admitted")
				case tt.says != "" && !strings.Contains(err.Error(), tt.says):
					t.Errorf("the answer does not say %q: %v", tt.says, err)
				case err != nil && strings.Contains(err.Error(), "6789"):
					t.Error("a panic's text reached the answer")
				}
				judged := tt.says == "" || strings.HasPrefix(tt.says, "phigate: blocked") || tt.says == "phigate: "
				if want := judged && gate == policy.GateStart; d.known("c1") != want {
					t.Errorf("known to have been judged at its start: %v, want %v", !want, want)
				}
			})
		}
	}
}

// ask calls the door as the runtime does at a gate.
func ask(ctx context.Context, d *Door, gate policy.Gate) error {
	switch gate {
	case policy.GateCreate:
		adjust, updates, err := d.CreateContainer(ctx, pod(), ctr())
		if adjust != nil || updates != nil {
			return errors.New("the door wants to change the container")
		}
		return err
	case policy.GateValidate:
		return d.ValidateContainerAdjustment(ctx, &api.ValidateContainerAdjustmentRequest{Pod: pod(), Container: ctr()})
	default:
		return d.StartContainer(ctx, pod(), ctr())
	}
}

// What never became a subject is noted all the same.
func TestRefusalsWithoutVerdictAreNoted(t *testing.T) {
	d, e, r := newDoor()
	r.fails = errors.New("store is broken")
	if err := ask(t.Context(), d, policy.GateValidate); err == nil {
		t.Error("admitted")
	}
	if len(e.unjudged) != 1 || len(e.asked) != 0 {
		t.Errorf("%d refusals noted and %d subjects judged, want 1 and none", len(e.unjudged), len(e.asked))
	}
}

func TestRemoveForgets(t *testing.T) {
	d, _, _ := newDoor()
	u := d.Upper.(*upper)
	if err := ask(t.Context(), d, policy.GateStart); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveContainer(t.Context(), pod(), ctr()); err != nil || d.known("c1") || len(u.forgotten) != 1 {
		t.Errorf("error %v, still known %v, %d forgotten; want none, false, 1", err, d.known("c1"), len(u.forgotten))
	}
}

// A container that was refused at its creation never is, so nobody tells of its removal;
// one that was refused at its start is still there.
func TestRefusedCreationIsForgotten(t *testing.T) {
	for gate, want := range map[policy.Gate]int{policy.GateCreate: 1, policy.GateValidate: 1, policy.GateStart: 0} {
		d, e, _ := newDoor()
		e.answer = decides(policy.Block)
		if err := ask(t.Context(), d, gate); err == nil {
			t.Fatal("admitted")
		}
		if got := len(d.Upper.(*upper).forgotten); got != want {
			t.Errorf("%s: %d forgotten, want %d", gate, got, want)
		}
	}
}

// A runtime that has registered the plugin and does not ask it is trouble, until it does.
func TestLate(t *testing.T) {
	d, _, _ := newDoor()
	if _, err := d.Configure(t.Context(), "", "containerd", "2.4.2"); err != nil {
		t.Fatal(err)
	}
	d.late()
	if s := d.State(); s.Connected || s.Runtime == "" || s.Error != errWaiting.Error() {
		t.Errorf("late, it says %+v", s)
	}
	if _, err := d.Synchronize(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	d.late()
	if s := d.State(); !s.Connected || s.Error != "" {
		t.Errorf("asked, it says %+v", s)
	}
}

func TestBudget(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{2 * time.Second: 1600 * time.Millisecond, 0: 1600 * time.Millisecond, -1: 1600 * time.Millisecond, 10 * time.Second: 8 * time.Second} {
		if got := budgetOf(timeout); got != want {
			t.Errorf("for a request timeout of %s the budget is %s, want %s", timeout, got, want)
		}
	}
}

func TestCatchUp(t *testing.T) {
	d, e, _ := newDoor()
	e.answer = decides(policy.Block)
	d.remember("c2")
	updates, err := d.Synchronize(t.Context(), []*api.PodSandbox{pod()}, []*api.Container{ctr(), {Id: "c2"}, {Id: "c3", PodSandboxId: "gone"},
		{Id: "c4", State: api.ContainerState_CONTAINER_CREATED}})
	if err != nil || len(updates) != 0 {
		t.Fatalf("%d updates, error %v; want neither: nothing is changed or stopped", len(updates), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.catchUpLoop(ctx); close(done) }()
	for end := time.Now().Add(5 * time.Second); !d.known("c3") && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	var got []string
	for _, s := range e.subjects() {
		if s.Gate != policy.GateCatchUp {
			t.Errorf("%s was judged at gate %s", s.ID, s.Gate)
		}
		got = append(got, s.ID)
	}
	if strings.Join(got, " ") != "c1 c3" || e.asked[0].Pod.Namespace != "clinic-a" {
		t.Errorf("judged %v, want c1 of clinic-a and c3; c2 is known, and c4 does not run", got)
	}
}

// The newest list of what runs replaces one that still waits.
func TestSynchronizeNeverWaits(t *testing.T) {
	d, _, _ := newDoor()
	for _, id := range []string{"c1", "c2", "c3"} {
		if _, err := d.Synchronize(t.Context(), nil, []*api.Container{{Id: id}}); err != nil {
			t.Fatal(err)
		}
	}
	if list := <-d.catchUp; len(list) != 1 || list[0].ctr.Id != "c3" {
		t.Errorf("%d containers wait, want the newest list's", len(list))
	}
}
