package inspect

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/policy"
)

// TestStaleFacts: what an older version found is reported with a word about it,
// which the policy judges, until the layers have been scanned again.
func TestStaleFacts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "facts.db")
	open := func(set string) *cache.Store {
		s, err := cache.Open(file, set, slog.New(slog.DiscardHandler))
		must(t, err)
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := open("1-key")
	keys, _ := image(t, s, []string{"a", "b"}, []string{"c"})
	must(t, s.Close())

	s = open("2-key")
	f := &Files{Store: s}
	for _, c := range []struct {
		again []string // layers that are scanned again before
		stale int
	}{{nil, 2}, {keys[:1], 1}, {keys[1:], 0}} {
		for _, key := range c.again {
			w, err := s.Begin(key)
			must(t, err)
			must(t, w.Commit(cache.Facts{}))
		}
		r := f.Inspect(t.Context(), subject(keys...), &policy.Policy{Digest: "sha256:p"})
		var kinds []policy.SkipKind
		for _, k := range r.Skipped {
			kinds = append(kinds, k.Kind)
		}
		var want []policy.SkipKind
		if c.stale > 0 {
			want = []policy.SkipKind{policy.Stale}
		}
		if r.Coverage.Stale != c.stale || !slices.Equal(kinds, want) {
			t.Errorf("%d stale layers, skipped %v; want %d", r.Coverage.Stale, r.Skipped, c.stale)
		}
		if c.stale == 2 {
			if diff := cmp.Diff([]string{"0 /a", "0 /b", "1 /c"}, places(r, "mark")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		}
	}
}
