package bypass

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// world is a containerd and a log.
type world struct {
	mu      sync.Mutex
	hear    func(containerd.Stage)
	broken  chan error // ends the watch
	running []containerd.Stage
	origins map[key]*containerd.Origin
	cri     map[string]bool
	silent  error // CRI's and the log's answer
	killed  []string
	killing error
	log     []*policy.Decision
	reads   int // from the beginning of the log
	mute    error
}

func newWorld() *world {
	return &world{broken: make(chan error), origins: map[key]*containerd.Origin{}, cri: map[string]bool{}}
}

func (w *world) WatchContainers(ctx context.Context, ready func(), handle func(containerd.Stage)) error {
	w.mu.Lock()
	w.hear = handle
	w.mu.Unlock()
	ready()
	select {
	case err := <-w.broken:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *world) Running(context.Context) ([]containerd.Stage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.running), nil
}

func (w *world) Origin(_ context.Context, namespace, id string) (*containerd.Origin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.origins[key{namespace, id}]; o != nil {
		return o, nil
	}
	return nil, containerd.ErrNotFound
}

func (w *world) CRIHas(_ context.Context, id string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cri[id], w.silent
}

func (w *world) Kill(_ context.Context, namespace, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killed = append(w.killed, namespace+"/"+id)
	return w.killing
}

func (w *world) Read(_ context.Context, from uint64, fn func(*policy.Decision) error) error {
	w.mu.Lock()
	if from == 1 {
		w.reads++
	}
	log, mute := slices.Clone(w.log), w.mute
	w.mu.Unlock()
	if mute != nil {
		return mute
	}
	for _, d := range log[min(int(from)-1, len(log)):] {
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Seq() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.log))
}

func (w *world) Record(_ context.Context, d *policy.Decision) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mute != nil {
		return 0, w.mute
	}
	d.Seq, d.Time = uint64(len(w.log)+1), time.Now()
	w.log = append(w.log, d)
	return d.Seq, nil
}

// decide records a verdict.
func (w *world) decide(namespace, id string, gate policy.Gate, verdict policy.Action) {
	_, _ = w.Record(context.Background(), &policy.Decision{Kind: "verdict", Container: id, RuntimeNamespace: namespace, Gate: gate, Verdict: verdict})
}

// make writes a container's record, and start has it run; both are heard of.
func (w *world) make(namespace, id string, o containerd.Origin) {
	o.Created = time.Now()
	w.mu.Lock()
	w.origins[key{namespace, id}] = &o
	w.mu.Unlock()
	time.Sleep(time.Millisecond)
	w.hear(containerd.Stage{Moment: containerd.MadeRecord, Namespace: namespace, ID: id, Image: o.Image, Time: time.Now()})
	time.Sleep(time.Millisecond)
}

func (w *world) start(namespace, id string, pid uint32) {
	s := containerd.Stage{Moment: containerd.StartedTask, Namespace: namespace, ID: id, PID: pid}
	w.mu.Lock()
	w.running = append(w.running, s)
	w.mu.Unlock()
	s.Time = time.Now()
	w.hear(s)
	time.Sleep(time.Millisecond)
}

func (w *world) end(namespace, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = slices.DeleteFunc(w.running, func(s containerd.Stage) bool { return s.Namespace == namespace && s.ID == id })
	delete(w.origins, key{namespace, id})
}

// found lists what was recorded as unjudged.
func (w *world) found() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.log {
		if d.Kind == Kind {
			out = append(out, fmt.Sprintf("%s %s %s", d.Target, d.Runtime, d.Verdict))
		}
	}
	return out
}

// watch runs a watcher until the end of the test's bubble.
func (w *world) watch(t *testing.T, kill bool) (watcher *Watcher, stop func()) {
	t.Helper()
	watcher = &Watcher{Runtime: w, Log: w, Policy: func() *policy.Policy { return &policy.Policy{Digest: "sha256:p", Version: "clinic 1.2.0"} }, Kill: kill, Slog: slog.New(slog.NewTextHandler(io.Discard, nil))}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); watcher.Run(ctx) }()
	synctest.Wait()
	return watcher, func() { cancel(); <-done }
}
