package inspect

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// slowly is a policy whose one rule matches one file, when it is let.
func slowly(asked *atomic.Int64, release <-chan struct{}) *policy.Policy {
	return &policy.Policy{Digest: "sha256:slow", Documents: []policy.Document{{FileRules: []policy.FileRule{{
		Info: policy.Info{ID: "slow"},
		Match: func(file string) bool {
			asked.Add(1)
			<-release
			return strings.HasSuffix(file, "/f3")
		},
	}}}}}
}

func layerOf(t *testing.T, store *cache.Store, key string, files int) {
	t.Helper()
	w, err := store.Begin(key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if err := w.Add(cache.Name{Path: fmt.Sprintf("/srv/f%d", i), Kind: rootfs.Regular}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(cache.Facts{}); err != nil {
		t.Fatal(err)
	}
}

func newFiles(t *testing.T) *Files {
	t.Helper()
	store, err := cache.Temporary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &Files{Store: store}
}

// An answer does not wait long for names to be matched, says so, and the next
// finds it done; names are matched once however many ask.
func TestMatchingGoesOn(t *testing.T) {
	f, release := newFiles(t), make(chan struct{})
	f.Wait = 20 * time.Millisecond
	layerOf(t, f.Store, "k", 10)
	var asked atomic.Int64
	p, subject := slowly(&asked, release), &policy.Subject{Sees: policy.FactFiles, Layers: []string{"k"}}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r := f.Inspect(t.Context(), subject, p)
			if len(r.Skipped) != 1 || r.Skipped[0].Kind != policy.Undecided || !strings.Contains(r.Skipped[0].Reason, "still being matched") {
				t.Errorf("got %d skipped, want one that says what is being done", len(r.Skipped))
			}
		})
	}
	wg.Wait()
	close(release)
	var r policy.Report
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if r = f.Inspect(t.Context(), subject, p); len(r.Skipped) == 0 {
			break
		}
	}
	if len(r.Findings) != 1 || len(r.Skipped) != 0 || asked.Load() != 10 {
		t.Errorf("%d findings, %d skipped, rules asked %d times; want 1, none, 10", len(r.Findings), len(r.Skipped), asked.Load())
	}
	layerOf(t, f.Store, "other", 1)
	if err := f.Store.Drop("other"); err != nil {
		t.Fatal(err)
	}
	f.Inspect(t.Context(), subject, p)
	if n := asked.Load(); n != 10 {
		t.Errorf("rules were asked %d times after another layer went, want 10 as before", n)
	}
	layerOf(t, f.Store, "k", 5) // scanned again
	f.Wait = 0
	f.Inspect(t.Context(), subject, p)
	if n := asked.Load(); n != 15 {
		t.Errorf("rules were asked %d times after the layer was scanned again, want 15", n)
	}
}

func TestWarm(t *testing.T) {
	f, release := newFiles(t), make(chan struct{})
	close(release)
	layerOf(t, f.Store, "a", 10)
	layerOf(t, f.Store, "b", 5)
	var asked atomic.Int64
	p := slowly(&asked, release)
	for range 2 {
		if err := f.Warm(t.Context(), p, []string{"a", "unknown", "b"}); err != nil {
			t.Fatal(err)
		}
	}
	r := f.Inspect(t.Context(), &policy.Subject{Sees: policy.FactFiles, Layers: []string{"a", "b"}}, p)
	if asked.Load() != 15 || len(r.Findings) != 2 || len(r.Skipped) != 0 {
		t.Errorf("rules asked %d times, %d findings, %d skipped; want 15, 2 (one of them replaced), none", asked.Load(), len(r.Findings), len(r.Skipped))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	layerOf(t, f.Store, "large", 2*pollNames)
	if err := f.Warm(ctx, p, []string{"large"}); err == nil {
		t.Error("an ended context does not end it")
	}
	if err := f.Warm(t.Context(), &policy.Policy{Digest: "sha256:none"}, []string{"large"}); err != nil {
		t.Errorf("a policy without file rules: %v", err)
	}
}

// A rule that crashes leaves the image undecided, now and later.
func TestMatchingCrashes(t *testing.T) {
	f := newFiles(t)
	layerOf(t, f.Store, "k", 1)
	p := &policy.Policy{Digest: "sha256:bad", Documents: []policy.Document{{FileRules: []policy.FileRule{{
		Info: policy.Info{ID: "bad"}, Match: func(string) bool { panic("/srv/123-45-6789") },
	}}}}}
	for range 2 {
		r := f.Inspect(t.Context(), &policy.Subject{Sees: policy.FactFiles, Layers: []string{"k"}}, p)
		if len(r.Skipped) != 1 || r.Skipped[0].Kind != policy.Undecided || strings.Contains(r.Skipped[0].Reason, "6789") {
			t.Errorf("got %d skipped, want one Undecided without the panic's text", len(r.Skipped))
		}
	}
}
