package prescan

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/rootfs"
)

func newScanner(t *testing.T) *Scanner {
	t.Helper()
	store, err := cache.Temporary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	files := noDetectors(t)
	return New(nil, store, files, &Uppers{Store: store, Files: files}, t.TempDir(), slog.New(slog.DiscardHandler))
}

// known puts a layer without names into the store.
func known(t *testing.T, store *cache.Store, key string) {
	t.Helper()
	w, err := store.Begin(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(cache.Facts{}); err != nil {
		t.Fatal(err)
	}
}

// Where the images cannot be read, they are read again: no event may come that asks for it.
func TestImagesAreReadAgain(t *testing.T) {
	s := newScanner(t)
	var err error
	if s.Client, err = containerd.Open(filepath.Join(t.TempDir(), "nobody.sock")); err != nil {
		t.Fatal(err)
	}
	defer s.Client.Close()
	ctx, stop := context.WithCancel(t.Context())
	s.add(task{})
	worked := make(chan struct{})
	go func() { s.work(ctx); close(worked) }()
	again := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.soon }
	for end := time.Now().Add(time.Minute); !again() && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if !again() {
		t.Error("nothing has them read again")
	}
	stop()
	<-worked
}

func TestQueue(t *testing.T) {
	a, b, c := task{snapshotter: "overlayfs", name: "a"}, task{snapshotter: "overlayfs", name: "b"}, task{snapshotter: "overlayfs", name: "c"}
	urgent := func(t task) task { t.urgent = true; return t }
	other := task{snapshotter: "native", name: "a"}
	all := task{}
	tests := []struct {
		name string
		add  []task
		want []task
	}{
		{"in_order", []task{a, b, c}, []task{a, b, c}},
		{"no_duplicates", []task{a, b, a, b}, []task{a, b}},
		{"urgent_first", []task{a, b, urgent(c)}, []task{urgent(c), a, b}},
		{"waiting_becomes_urgent", []task{a, b, c, urgent(b)}, []task{urgent(b), a, c}},
		{"urgent_stays_urgent", []task{urgent(a), b, a}, []task{urgent(a), b}},
		{"urgent_twice", []task{urgent(a), urgent(b), urgent(a)}, []task{urgent(b), urgent(a)}},
		{"another_snapshotter_is_another_task", []task{a, other}, []task{a, other}},
		{"warming_takes_its_turn", []task{{warm: true}, a, {warm: true}, all, urgent(b)}, []task{urgent(b), all, {warm: true}, a}},
		{"images_are_read_before_layers", []task{a, all, all}, []task{all, a}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScanner(t)
			for _, one := range tt.add {
				s.add(one)
			}
			var got []task
			for one, ok := s.next(); ok; one, ok = s.next() {
				got = append(got, one)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(task{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCold(t *testing.T) {
	tests := []struct {
		name     string
		progress map[string]*progress
		want     string
	}{
		{"not_begun", nil, "scan in progress, 0 %"},
		{"size_unknown", map[string]*progress{"a": {done: 5}}, "scan in progress, 0 %"},
		{"half", map[string]*progress{"a": {total: 100, done: 50}}, "scan in progress, 50 %"},
		{"two_layers", map[string]*progress{"a": {total: 100, done: 100}, "b": {total: 300, done: 0}}, "scan in progress, 25 %"},
		{"never_all_before_it_is_over", map[string]*progress{"a": {total: 100, done: 1000}}, "scan in progress, 99 %"},
		{"of_layers_that_were_not_asked_for", map[string]*progress{"c": {total: 100, done: 50}}, "scan in progress, 0 %"},
		{"begun_before_the_diff_id_was_known", map[string]*progress{"overlayfs@chain-a": {total: 100, done: 50}}, "scan in progress, 50 %"},
		{"failed", map[string]*progress{"a": {failed: "layer 1 of 2: no such file"}}, "the image could not be scanned: layer 1 of 2: no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScanner(t)
			s.progress = tt.progress
			s.learn([]*containerd.Image{{Chain: []string{"chain-a"}, DiffIDs: []string{"a"}}})
			if got := s.Cold([]string{"a", "b"}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A layer of many small files gets on by its files, one of few large ones by its bytes.
func TestAdvance(t *testing.T) {
	s := newScanner(t)
	for _, tt := range []struct{ files, bytes, want int64 }{{10, 0, 10 * block}, {1, 1 << 20, 1 << 20}} {
		s.progress["a"] = &progress{total: 1 << 30}
		s.advance("a", tt.files, tt.bytes)
		if got := s.progress["a"].done; got != tt.want {
			t.Errorf("%d files of %d bytes are %d done, want %d", tt.files, tt.bytes, got, tt.want)
		}
	}
	s.advance("unknown", 1, 1)
}

func TestIdle(t *testing.T) {
	s := newScanner(t)
	idle := func(want bool, when string) {
		t.Helper()
		if got, _ := s.Idle(); got != want {
			t.Errorf("idle %s: %v, want %v", when, got, want)
		}
	}
	idle(false, "before the images were seen")
	s.synced = true
	idle(true, "with nothing to do")
	s.add(task{name: "a"})
	idle(false, "with something queued")
	s.next()
	idle(false, "while a task is worked on")
	s.rest()
	idle(true, "after it")
	s.progress["a"] = &progress{failed: "broken"}
	idle(true, "with a failed layer, which is not waited for")
	s.lost(t.Context(), errors.New("gone"))
	idle(false, "while containerd is away")
	if s.Trouble() != "gone" {
		t.Errorf("trouble %q, want the reason", s.Trouble())
	}
	s.reached()
	idle(false, "before the images were seen again")
	if s.Trouble() != "" {
		t.Errorf("trouble %q after containerd came back", s.Trouble())
	}
}

func TestLayers(t *testing.T) {
	root := &containerd.Root{Snapshotter: "overlayfs", Chain: []string{"chain-a", "chain-b"}}
	t.Run("cold_is_scanned_next", func(t *testing.T) {
		s := newScanner(t)
		s.add(task{snapshotter: "overlayfs", name: "other"})
		keys, warm := s.Layers(root)
		if next, _ := s.next(); warm || len(keys) != 2 || next != (task{snapshotter: "overlayfs", name: "chain-b", urgent: true}) {
			t.Errorf("warm %v, %d keys, next %+v; want false, 2 and the top of the chain", warm, len(keys), next)
		}
	})
	t.Run("by_diff_id", func(t *testing.T) {
		s := newScanner(t)
		s.learn([]*containerd.Image{{Chain: root.Chain, DiffIDs: []string{"a", "b"}}})
		known(t, s.Store, "a")
		known(t, s.Store, "overlayfs@chain-b") // scanned before the diff ID was known
		keys, warm := s.Layers(root)
		if diff := cmp.Diff([]string{"a", "overlayfs@chain-b"}, keys); diff != "" || !warm {
			t.Errorf("warm %v, -want +got:\n%s", warm, diff)
		}
	})
	t.Run("other_snapshotters_have_one_key_for_the_whole", func(t *testing.T) {
		s := newScanner(t)
		s.learn([]*containerd.Image{{Chain: root.Chain, DiffIDs: []string{"a", "b"}}})
		keys, _ := s.Layers(&containerd.Root{Snapshotter: "native", Chain: root.Chain})
		if diff := cmp.Diff([]string{"native@chain-b"}, keys); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("no_layers", func(t *testing.T) {
		if keys, warm := newScanner(t).Layers(&containerd.Root{Snapshotter: "overlayfs"}); len(keys) != 0 || !warm {
			t.Errorf("%d keys, warm %v; want none, which no inspector takes for compliant", len(keys), warm)
		}
	})
	t.Run("a_failure_is_not_repeated_at_once", func(t *testing.T) {
		s := newScanner(t)
		s.progress["overlayfs@chain-a"] = &progress{failed: "broken", tried: time.Now()}
		s.Layers(root)
		if _, ok := s.next(); ok {
			t.Error("it was queued again at once")
		}
		s.progress["overlayfs@chain-a"].tried = time.Now().Add(-2 * retryAfter)
		s.Layers(root)
		if _, ok := s.next(); !ok {
			t.Error("it was not queued again after a while")
		}
	})
}

// walk is a tree of so many names, and errors on the way.
type walk struct {
	names  int
	errors []error
}

func (w walk) Walk(_ context.Context, visit func(rootfs.Entry) error, unreadable func(string, error)) error {
	for range w.names {
		if err := visit(rootfs.Entry{}); err != nil {
			return err
		}
	}
	for _, err := range w.errors {
		unreadable("/x", err)
	}
	return nil
}

func TestCounted(t *testing.T) {
	tests := []struct {
		name string
		tree walk
		want counted
	}{
		{"all_there", walk{names: 3}, counted{names: 3}},
		{"gone_on_the_way", walk{2, []error{&os.PathError{Err: os.ErrNotExist}}}, counted{names: 2, vanished: true, unreadable: true}},
		{"damaged", walk{2, []error{errors.New("input/output error")}}, counted{names: 2, unreadable: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &counted{Tree: tt.tree}
			if err := c.Walk(t.Context(), func(rootfs.Entry) error { return nil }, func(string, error) {}); err != nil {
				t.Fatal(err)
			}
			if c.names != tt.want.names || c.vanished != tt.want.vanished || c.unreadable != tt.want.unreadable {
				t.Errorf("%d names, vanished %v, unreadable %v", c.names, c.vanished, c.unreadable)
			}
		})
	}
}

// What is computed from all layers gives way to a layer that a container waits for.
func TestRewarm(t *testing.T) {
	s := newScanner(t)
	var warmed []string
	s.Warm = func(_ context.Context, keys []string) error {
		warmed = append(warmed, keys...)
		return nil
	}
	known(t, s.Store, "a")
	known(t, s.Store, "b")
	s.Rewarm()
	s.Rewarm()
	next, _ := s.next()
	s.add(task{snapshotter: "overlayfs", name: "c", urgent: true})
	if err := s.do(t.Context(), next); err != nil || len(warmed) != 0 {
		t.Errorf("%d layers were warmed (error %v) while another was urgent", len(warmed), err)
	}
	if next, _ := s.next(); !next.urgent {
		t.Error("the urgent layer is not next")
	}
	next, ok := s.next()
	if !ok || !next.warm {
		t.Fatal("warming was forgotten")
	}
	if err := s.do(t.Context(), next); err != nil || len(warmed) != 2 {
		t.Errorf("%d layers were warmed (error %v), want 2", len(warmed), err)
	}
}

// Layers that an older version scanned answer, and are scanned again in the
// background; once all are, what the older version found is removed.
func TestStaleLayers(t *testing.T) {
	root := &containerd.Root{Snapshotter: "overlayfs", Chain: []string{"chain-a", "chain-b"}}
	path := filepath.Join(t.TempDir(), "facts.db")
	open := func(set string) *cache.Store {
		store, err := cache.Open(path, set, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		return store
	}
	old := open("1-key")
	known(t, old, "a")
	known(t, old, "overlayfs@chain-b")
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	s := newScanner(t)
	s.Store = open("2-key")
	s.learn([]*containerd.Image{{Chain: root.Chain, DiffIDs: []string{"a", "b"}}})
	keys, warm := s.Layers(root)
	next, _ := s.next()
	if diff := cmp.Diff([]string{"a", "overlayfs@chain-b"}, keys); diff != "" || !warm || next != (task{snapshotter: "overlayfs", name: "chain-b"}) {
		t.Errorf("warm %v, next %+v, want the top of the chain in the background; keys (-want +got):\n%s", warm, next, diff)
	}
	if err := s.name("overlayfs", root.Chain); err != nil {
		t.Errorf("naming layers: %v", err)
	}
	keep := map[string]bool{"a": true, "b": true, "overlayfs@chain-a": true, "overlayfs@chain-b": true}
	known(t, s.Store, "a")
	if err := s.renew(keep); err != nil {
		t.Fatal(err)
	}
	if version, _ := s.Store.Stale(); version != "1" {
		t.Error("older facts were removed while one layer needs them")
	}
	known(t, s.Store, "b")
	keys, _ = s.Layers(root)
	if _, more := s.next(); more || !slices.Equal(keys, []string{"a", "b"}) {
		t.Errorf("keys %q, queued %v; want fresh facts before older ones", keys, more)
	}
	known(t, s.Store, "overlayfs@chain-b")
	if err := s.renew(keep); err != nil {
		t.Fatal(err)
	}
	if version, _ := s.Store.Stale(); version != "" {
		t.Error("older facts that nobody needs are still there")
	}
}
