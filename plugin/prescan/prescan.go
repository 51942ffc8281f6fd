// Package prescan gathers the facts of image layers before a container needs
// them: in the background, with low priority, from the moment that a layer is
// committed while its image is still being pulled, and for all images at start.
// Creating a container is then a look-up.
//
// One worker scans one layer at a time. A create that meets a layer without
// facts is not made to wait; it is told how far the scan is, and the layer is
// taken next ([Scanner.Layers]).
package prescan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/inspect"
)

// Scanner scans the layers of one containerd. Safe for concurrent use.
type Scanner struct {
	Client *containerd.Client
	Store  *cache.Store
	Files  *inspect.Scanner
	Uppers *Uppers // whose facts are kept when those of vanished layers are dropped
	Mounts string  // a folder for read-only mounts of snapshots that are not layered
	Log    *slog.Logger
	// Folders keeps what it still needs; nil: there is none.
	Folders *Folders
	// Warm is called in the background with the keys of layers whose facts are
	// there, after a scan and after Rewarm: what it computes from them answers
	// need not wait for. Nil: nothing is computed.
	Warm func(ctx context.Context, keys []string) error

	mu       sync.Mutex
	queue    []task
	wake     chan struct{}
	diffs    map[string]string    // chain ID -> diff ID, as image configs say
	progress map[string]*progress // by layer key: waiting, running or failed
	doubted  bool                 // facts with something unreadable have been doubted; the worker's own
	synced   bool                 // the images of the node have been seen since the last connection
	soon     bool                 // all images will be read again in a while
	busy     bool                 // a task is being worked on
	trouble  string               // why containerd cannot be asked, or ""
}

// task is a chain of snapshots to gather the facts of.
type task struct {
	snapshotter, name string
	urgent            bool
	warm              bool // no snapshot: call Warm with all layers
}

// New makes a scanner; Run does its work.
func New(c *containerd.Client, store *cache.Store, files *inspect.Scanner, uppers *Uppers, mounts string, log *slog.Logger) *Scanner {
	return &Scanner{
		Client: c, Store: store, Files: files, Uppers: uppers, Mounts: mounts, Log: log,
		wake: make(chan struct{}, 1), diffs: map[string]string{}, progress: map[string]*progress{},
	}
}

// Run gives back what a scanner that was killed has left in containerd, once
// that is there, then watches it and scans until ctx ends.
func (s *Scanner) Run(ctx context.Context) {
	s.tidy(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.watch(ctx) })
	wg.Go(func() { s.work(ctx) })
	wg.Wait()
}

// add queues a task; one that waits already is not queued again.
func (s *Scanner) add(t task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range s.queue {
		if q.snapshotter == t.snapshotter && q.name == t.name && q.warm == t.warm {
			if t.urgent && !q.urgent {
				s.queue = append(s.queue[:i], s.queue[i+1:]...)
				s.queue = append([]task{t}, s.queue...)
			}
			return
		}
	}
	if t.urgent || t.name == "" && !t.warm {
		s.queue = append([]task{t}, s.queue...)
	} else {
		s.queue = append(s.queue, t)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Scanner) next() (task, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return task{}, false
	}
	t := s.queue[0]
	s.queue = s.queue[1:]
	s.busy = true
	return t, true
}

func (s *Scanner) rest() {
	s.mu.Lock()
	s.busy = false
	s.mu.Unlock()
}

// work takes one task after the other, on a thread of low priority.
func (s *Scanner) work(ctx context.Context) {
	lower := lowPriority()
	if err := lower(false); err != nil {
		s.Log.Warn("scanning runs with ordinary priority", "error", err)
	}
	for {
		t, ok := s.next()
		if !ok {
			select {
			case <-s.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		_ = lower(t.urgent)
		if err := s.do(ctx, t); err != nil && ctx.Err() == nil {
			s.Log.Error("scanning", "snapshot", cmp.Or(t.name, "all images"), "error", err)
			if t.name == "" { // of a layer alone the container that needs it asks again
				s.addLater(ctx, againAfter)
			}
		}
		s.rest()
		if ctx.Err() != nil {
			return
		}
	}
}

func (s *Scanner) do(ctx context.Context, t task) error {
	switch {
	case t.warm:
		return s.rewarm(ctx)
	case t.name == "":
		return s.sync(ctx)
	default:
		return s.scan(ctx, t)
	}
}

// Rewarm has Warm called with all layers, after those that wait to be scanned.
func (s *Scanner) Rewarm() { s.add(task{warm: true}) }

// rewarm gives way to a layer that a container waits for, and goes on later;
// what was computed by then is found again.
func (s *Scanner) rewarm(ctx context.Context) error {
	keys, err := s.Store.Keys()
	if err != nil || s.Warm == nil {
		return err
	}
	stale, err := s.Store.StaleKeys()
	if err != nil {
		return err
	}
	for _, key := range append(keys, stale...) {
		if s.urgent() {
			s.Rewarm()
			return nil
		}
		if err := s.Warm(ctx, []string{key}); err != nil {
			return fmt.Errorf("computing from the facts of %s: %w", key, err)
		}
	}
	return nil
}

// urgent says whether a layer waits that a container waits for.
func (s *Scanner) urgent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) > 0 && s.queue[0].urgent
}

// sync reads all images: their diff IDs, and which layers have no facts yet.
// Facts of layers that are gone are dropped.
func (s *Scanner) sync(ctx context.Context) error {
	images, err := s.Client.Images(ctx, func(name string, err error) {
		s.Log.Debug("an image cannot be read and is not scanned before it is used", "image", name, "error", err)
	})
	if err != nil {
		return err
	}
	s.learn(images)
	names, err := s.Client.Snapshotters(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, key := range s.Uppers.Keys() {
		keep[key] = true
	}
	for _, snapshotter := range names {
		if err := s.syncSnapshotter(ctx, snapshotter, images, keep); err != nil {
			return err
		}
	}
	first := !s.doubted
	if err := s.doubt(keep); err != nil {
		return err
	}
	if n, err := s.Store.RetainFunc(func(key string) bool { return keep[key] || s.Folders != nil && s.Folders.keeps(key) }); err != nil {
		return err
	} else if n > 0 {
		s.Log.Info("dropped the facts of layers that are gone or were not read whole", "layers", n)
		if first { // those that are not gone are to be scanned again
			s.add(task{})
		}
	}
	s.forgetFailures(keep)
	if err := s.renew(keep); err != nil {
		return err
	}
	s.mu.Lock()
	s.synced = s.trouble == ""
	s.mu.Unlock()
	return nil
}

func (s *Scanner) syncSnapshotter(ctx context.Context, snapshotter string, images []*containerd.Image, keep map[string]bool) error {
	committed, err := s.Client.Committed(ctx, snapshotter)
	if err != nil {
		return err
	}
	here := map[string]bool{}
	for _, name := range committed {
		here[name] = true
		for _, key := range s.keysOf(snapshotter, name) {
			keep[key] = true
		}
	}
	for _, image := range images {
		if top := image.Top(); here[top] {
			if err := s.name(snapshotter, image.Chain); err != nil {
				return err
			}
			root := &containerd.Root{Snapshotter: snapshotter, Chain: image.Chain}
			if _, cold, stale := s.keys(root); len(cold)+len(stale) > 0 {
				s.add(task{snapshotter: snapshotter, name: top})
			}
		}
	}
	return nil
}

// name lets facts that were gathered before the image's config was there answer
// to the layers' diff IDs too.
func (s *Scanner) name(snapshotter string, chain []string) error {
	for _, link := range chain {
		keys := s.keysOf(snapshotter, link)
		if found, layer := s.find(snapshotter, link); layer != nil && layer.Stale() == "" && found != keys[0] {
			if err := s.Store.Alias(keys[0], found); err != nil {
				return err
			}
		}
	}
	return nil
}

// learn takes the diff IDs from image configs. A chain ID is the digest of the
// diff IDs below it, so that a config can only say what is true of it.
func (s *Scanner) learn(images []*containerd.Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, image := range images {
		for i, chainID := range image.Chain {
			s.diffs[chainID] = image.DiffIDs[i]
		}
	}
}

// Layers returns the keys under which the facts of a root filesystem's layers
// are kept, lowest first. Layers without facts are scanned next; those whose facts
// are of an older version answer with these, and are scanned in the background.
func (s *Scanner) Layers(root *containerd.Root) (keys []string, warm bool) {
	keys, cold, stale := s.keys(root)
	if len(cold) == 0 {
		if len(stale) > 0 && !s.justFailed(stale) {
			s.add(task{snapshotter: root.Snapshotter, name: root.Chain[len(root.Chain)-1]})
		}
		return keys, true
	}
	if !s.justFailed(cold) {
		s.add(task{snapshotter: root.Snapshotter, name: root.Chain[len(root.Chain)-1], urgent: true})
	}
	return keys, false
}

// Facts are the keys of an image's layers in the first snapshotter in which all of them have facts; none
// where there is no such.
func (s *Scanner) Facts(ctx context.Context, image *containerd.Image) []string {
	names, err := s.Client.Snapshotters(ctx)
	if err != nil || len(image.Chain) == 0 {
		return nil
	}
	for _, name := range names {
		if keys, cold, _ := s.keys(&containerd.Root{Snapshotter: name, Chain: image.Chain}); len(cold) == 0 {
			return keys
		}
	}
	return nil
}

// keys names the layers' facts, those of them that are not there, and those that
// an older version gathered.
func (s *Scanner) keys(root *containerd.Root) (keys, cold, stale []string) {
	chain := root.Chain
	if !root.Layered() && len(chain) > 0 {
		chain = chain[len(chain)-1:]
	}
	for _, name := range chain {
		key, layer := s.find(root.Snapshotter, name)
		keys = append(keys, key)
		switch {
		case layer == nil:
			cold = append(cold, key)
		case layer.Stale() != "":
			stale = append(stale, key)
		}
	}
	return keys, cold, stale
}

// Known are the keys under which facts of a committed snapshot may be, best first.
func (s *Scanner) Known(snapshotter, name string) []string { return s.keysOf(snapshotter, name) }

// find looks for facts of a layer under each of its keys; those of this version's
// detectors go before older ones. Without any the layer is nil.
func (s *Scanner) find(snapshotter, name string) (key string, layer *cache.Layer) {
	candidates := s.keysOf(snapshotter, name)
	key = candidates[0]
	for _, candidate := range candidates {
		l, ok, err := s.Store.Get(candidate)
		if err != nil || !ok {
			continue
		}
		if l.Stale() == "" {
			return candidate, l
		}
		if layer == nil {
			key, layer = candidate, l
		}
	}
	return key, layer
}

// keysOf: a layer's content is the same below any parents, so that the diff ID
// is the better key; where it is not known, snapshotter and chain ID are.
func (s *Scanner) keysOf(snapshotter, name string) []string {
	own := snapshotter + "@" + name
	if !(&containerd.Root{Snapshotter: snapshotter}).Layered() {
		return []string{own}
	}
	s.mu.Lock()
	diff, ok := s.diffs[name]
	s.mu.Unlock()
	if !ok {
		return []string{own}
	}
	return []string{diff, own}
}

// errVanished is given where a layer went away while it was read.
var errVanished = errors.New("the layer went away while it was scanned")
