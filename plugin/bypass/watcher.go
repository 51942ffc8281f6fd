// Package bypass watches for containers that run although no gate has judged
// them: those of clients that never reach NRI (ctr, nerdctl, Docker) where the
// runc wrapper is not in their way, and those that a runtime let pass while
// phigated was away. It stands in nobody's way: it sees a container when its
// process has started, records it, and kills it where the operator asks for
// that.
//
// What was judged is told by the decision log, of this life of phigated or an
// earlier one. A decision counts for a container of the same namespace of
// containerd's and the same ID when it is from after the container was made: an
// ID can be used again.
//
// What it cannot see: a container that ran and ended while containerd could not
// be asked; containers that are none of containerd's (Podman, runc by hand).
package bypass

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// Runtime tells what runs; package containerd.
type Runtime interface {
	WatchContainers(ctx context.Context, ready func(), handle func(containerd.Stage)) error
	Running(ctx context.Context) ([]containerd.Stage, error)
	Origin(ctx context.Context, namespace, id string) (*containerd.Origin, error)
	CRIHas(ctx context.Context, id string) (bool, error)
	Kill(ctx context.Context, namespace, id string) error
}

// Log is the decision log.
type Log interface {
	// Read calls fn with each record from number from on that is there now.
	Read(ctx context.Context, from uint64, fn func(*policy.Decision) error) error
	// Seq is the last record's number.
	Seq() uint64
	Record(ctx context.Context, d *policy.Decision) (seq uint64, err error)
}

// Watcher watches one containerd. Its exported fields are set before Run.
type Watcher struct {
	Runtime Runtime
	Log     Log
	Policy  func() *policy.Policy // in force
	Kill    bool                  // end what no gate has judged
	Slog    *slog.Logger

	stages chan containerd.Stage
	sweeps chan struct{}
	missed atomic.Bool // stages that found no room

	// Of the worker alone.
	ledger  *ledger
	known   map[key]*container
	waiting []*container // of which nothing can be said yet

	mu    sync.Mutex
	state State
}

// State is what the watcher says of itself, since phigated started.
type State struct {
	Watching bool
	Error    string // why it is not watching
	Unjudged int    // containers that no gate has judged
	Killed   int    // of those
	Pods     int    // sandboxes of pods, whose containers the gates judge
	Builds   int    // steps of BuildKit's builds
	Recent   []Found
}

// Found is a container that no gate has judged.
type Found struct {
	Namespace string // containerd's
	ID, Image string
	Client    string // which client it seems to be of
	Time      time.Time
	Seq       uint64 // its record; 0 where none could be made
	Killed    bool
}

const (
	maxRecent  = 5
	maxStages  = 4096
	maxKnown   = 20_000
	retryEvery = 250 * time.Millisecond
	// askFor bounds each question to containerd.
	askFor = 5 * time.Second
)

// key names a container: IDs are unique in a namespace of containerd's only.
type key struct{ namespace, id string }

// container is what the worker remembers of one, until its record is removed.
type container struct {
	key
	image   string
	origin  *containerd.Origin // nil: not read
	since   time.Time          // when it was made, or started before; zero: not known
	started time.Time          // when its last start was seen
	pid     uint32             // of that
	swept   bool               // that was found running, and not heard of
}

// Run watches until ctx ends. containerd may be absent, and may go away.
func (w *Watcher) Run(ctx context.Context) {
	w.stages, w.sweeps = make(chan containerd.Stage, maxStages), make(chan struct{}, 1)
	w.ledger = newLedger(w.Log)
	w.known = map[key]*container{}
	var wg sync.WaitGroup
	wg.Go(func() { w.work(ctx) })
	defer wg.Wait()
	for ctx.Err() == nil {
		err := w.Runtime.WatchContainers(ctx, w.ready, w.hear)
		if ctx.Err() == nil {
			w.lost(err)
			sleep(ctx, retryEvery)
		}
	}
}

// ready is called once stages can no longer be missed: what was before is swept.
func (w *Watcher) ready() {
	w.mu.Lock()
	w.state.Watching, w.state.Error = true, ""
	w.mu.Unlock()
	w.sweepSoon()
}

func (w *Watcher) sweepSoon() {
	select {
	case w.sweeps <- struct{}{}:
	default:
	}
}

// hear takes note of a stage. The worker may be busy with a long log; what finds
// no room then is found by a sweep.
func (w *Watcher) hear(s containerd.Stage) {
	select {
	case w.stages <- s:
	default:
		w.missed.Store(true)
	}
}

func (w *Watcher) lost(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Watching = false
	if err != nil && w.state.Error != err.Error() {
		w.state.Error = err.Error()
		w.Slog.Warn("containers that no gate judges are not watched for; trying again", "error", err)
	}
}

// State tells what was seen.
func (w *Watcher) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state
	s.Recent = append([]Found(nil), s.Recent...)
	return s
}

// work takes one thing after the other, in containerd's order.
func (w *Watcher) work(ctx context.Context) {
	var again <-chan time.Time
	for ctx.Err() == nil {
		if again == nil && len(w.waiting) > 0 {
			again = time.After(retryEvery)
		}
		select {
		case s := <-w.stages:
			w.take(ctx, s)
		case <-w.sweeps:
			if err := w.sweep(ctx); err != nil && ctx.Err() == nil {
				w.Slog.Warn("looking for containers that run unjudged; trying again", "error", err)
				sleep(ctx, retryEvery)
				w.sweepSoon()
			}
		case <-again:
			again = nil
			w.retry(ctx)
		case <-ctx.Done():
		}
		if len(w.stages) == 0 && w.missed.Swap(false) {
			w.sweepSoon()
		}
	}
}

func (w *Watcher) take(ctx context.Context, s containerd.Stage) {
	k := key{s.Namespace, s.ID}
	switch s.Moment {
	case containerd.MadeRecord:
		w.made(ctx, k, s)
	case containerd.StartedTask:
		if c := w.begun(ctx, s, false); c != nil {
			w.judge(ctx, c)
		}
	case containerd.RemovedRecord:
		delete(w.known, k)
	}
}

// made remembers a container whose record was just written. It may be gone by
// the time that its start is heard of, so the record is read now, but for what a
// gate has judged already.
func (w *Watcher) made(ctx context.Context, k key, s containerd.Stage) {
	c := &container{key: k, image: s.Image, since: s.Time}
	w.remember(c)
	if s.Namespace == containerd.Namespace && w.ledger.refresh(ctx) == nil && w.ledger.of(k).announced(s.Time) {
		return
	}
	w.read(ctx, c)
}

func (w *Watcher) remember(c *container) {
	if len(w.known) >= maxKnown {
		clear(w.known)
	}
	w.known[c.key] = c
}

func (w *Watcher) read(ctx context.Context, c *container) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	origin, err := w.Runtime.Origin(ctx, c.namespace, c.id)
	if err != nil { // it is gone, or containerd is: what is not known stays so
		return
	}
	c.origin, c.image = origin, origin.Image
	c.since = origin.Created
}

// begun is the container of a start, nil for a start that was seen already.
func (w *Watcher) begun(ctx context.Context, s containerd.Stage, swept bool) *container {
	c := w.known[key{s.Namespace, s.ID}]
	if c == nil {
		c = &container{key: key{s.Namespace, s.ID}}
		w.read(ctx, c)
		w.remember(c)
	} else if c.pid != 0 && c.pid == s.PID {
		return nil
	}
	if !c.started.IsZero() { // its second start needs a verdict of its own
		c.since = c.started.Add(1)
	}
	c.pid, c.swept, c.started = s.PID, swept, s.Time
	if s.Time.IsZero() {
		c.started = time.Now()
	}
	return c
}

// judge sees to containers that have started. Where the log cannot be read
// nothing can be said of them, and they wait.
func (w *Watcher) judge(ctx context.Context, started ...*container) {
	if err := w.ledger.know(ctx, started); err != nil {
		if ctx.Err() == nil {
			w.Slog.Warn("reading what was decided on containers that run; trying again", "error", err)
		}
		w.waiting = append(w.waiting, started...)
		return
	}
	for _, c := range started {
		if !w.ledger.of(c.key).covers(c) {
			w.unjudged(ctx, c)
		}
	}
}

// retry sees again to those that wait.
func (w *Watcher) retry(ctx context.Context) {
	waiting := w.waiting
	w.waiting = nil
	w.judge(ctx, waiting...)
}

// sweep judges all that runs.
func (w *Watcher) sweep(ctx context.Context) error {
	asked, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	running, err := w.Runtime.Running(asked)
	if err != nil {
		return err
	}
	var started []*container
	for _, s := range running {
		if c := w.begun(ctx, s, true); c != nil {
			started = append(started, c)
		}
	}
	w.judge(ctx, started...)
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
