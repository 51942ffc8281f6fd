package cache

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// openSet opens a store at a time of the wall clock.
func openSet(t *testing.T, path, set string, now time.Time) *Store {
	t.Helper()
	s, err := openAt(path, set, slog.New(slog.DiscardHandler), func() time.Time { return now })
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// isStale fails unless the layer answers with facts of the version: "" for the
// current one, "-" where none answer.
func isStale(t *testing.T, s *Store, key, want string) {
	t.Helper()
	l, ok, err := s.Get(key)
	must(t, err)
	got := "-"
	if ok {
		got = l.Stale()
	}
	if got != want {
		t.Errorf("layer %s is of version %q, want %q", key, got, want)
	}
}

var someFacts = Facts{Findings: []policy.Finding{{Rule: "phi-table", Where: policy.Where{Path: "/a"}}}}

// TestStaleUntilScannedAgain: an upgrade makes no layer cold; each answers anew
// once it was scanned again.
func TestStaleUntilScannedAgain(t *testing.T) {
	path, began := filepath.Join(t.TempDir(), "facts.db"), time.Now()
	s := openSet(t, path, "1-key", began)
	put(t, s, "sha256:a", someFacts, Name{Path: "/a", Kind: rootfs.Regular, Size: 7})
	put(t, s, "sha256:b", someFacts)
	must(t, s.Close())

	s = openSet(t, path, "2-key", began)
	if version, until := s.Stale(); version != "1" || time.Until(until) > Grace || time.Until(until) < Grace-time.Minute {
		t.Errorf("facts of version %q answer for %v", version, time.Until(until))
	}
	isStale(t, s, "sha256:a", "1")
	isStale(t, s, "sha256:c", "-")
	l := get(t, s, "sha256:a")
	if n, ok, err := l.Lookup("/a"); err != nil || !ok || n.Size != 7 {
		t.Errorf("a name of a stale layer: %v, %v", ok, err)
	}
	if keys, err := s.Keys(); err != nil || len(keys) > 0 {
		t.Errorf("%d keys of this set, %v", len(keys), err)
	}
	if keys, err := s.StaleKeys(); err != nil || len(keys) != 2 {
		t.Errorf("%d keys of the set before, %v", len(keys), err)
	}
	generation := s.Generation()
	put(t, s, "sha256:a", Facts{})
	if s.Generation() == generation {
		t.Error("fresh facts did not change the generation")
	}
	isStale(t, s, "sha256:a", "")
	isStale(t, s, "sha256:b", "1")
	must(t, s.Close())

	s = openSet(t, path, "2-key", began.Add(time.Hour)) // a restart goes on
	isStale(t, s, "sha256:a", "")
	isStale(t, s, "sha256:b", "1")
	if _, until := s.Stale(); time.Until(until) > Grace-time.Hour {
		t.Errorf("a restart prolongs the grace to %v", time.Until(until))
	}
	generation = s.Generation()
	must(t, s.DropStale())
	if s.Generation() == generation {
		t.Error("dropping old facts did not change the generation")
	}
	isStale(t, s, "sha256:b", "-")
	must(t, s.DropStale())
}

// TestStaleEnds: after the grace, with another key, in another form or with a
// clock that was set back old facts answer nothing.
func TestStaleEnds(t *testing.T) {
	began := time.Now()
	another := func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("set:1-key")).Put(keyFormat, []byte{0, 0, 0, 0, 0, 0, 0, 2})
	}
	for name, c := range map[string]struct {
		change func(*bbolt.Tx) error
		opened []string      // sets, one after the other
		last   time.Duration // after which the last is opened
		want   string
	}{
		"in_time":        {nil, []string{"2-key", "2-key"}, Grace - time.Minute, "1"},
		"too_late":       {nil, []string{"2-key", "2-key"}, Grace, "-"},
		"clock_set_back": {nil, []string{"2-key", "2-key"}, -time.Hour, "-"},
		"another_key":    {nil, []string{"2-other"}, 0, "-"},
		"another_form":   {another, []string{"2-key"}, 0, "-"},
		"two_versions":   {nil, []string{"2-key", "3-key"}, 0, "-"}, // that before has no facts of it
		"back_again":     {nil, []string{"2-key", "1-key"}, time.Hour, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "facts.db")
			s := openSet(t, path, "1-key", began.Add(-time.Hour))
			put(t, s, "sha256:a", someFacts)
			if c.change != nil {
				must(t, s.file.db.Update(c.change))
			}
			must(t, s.Close())
			for i, set := range c.opened {
				at := began
				if i == len(c.opened)-1 {
					at = began.Add(c.last)
				}
				s = openSet(t, path, set, at)
				if i == len(c.opened)-1 {
					isStale(t, s, "sha256:a", c.want)
				}
				must(t, s.Close())
			}
		})
	}
}

// TestStaleExpires: facts end to answer while the store is open, and what was
// computed from them ends with them.
func TestStaleExpires(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	s := openSet(t, path, "1-key", time.Now())
	put(t, s, "sha256:a", someFacts)
	must(t, s.Close())
	s = openSet(t, path, "2-key", time.Now())
	isStale(t, s, "sha256:a", "1")
	generation := s.Generation()
	s.old.Load().until = time.Now()
	if s.Generation() == generation {
		t.Error("the end of the grace did not change the generation")
	}
	isStale(t, s, "sha256:a", "-")
}

// TestStaleDamage: a damaged value of the set before is damage of the file.
func TestStaleDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	s := openSet(t, path, "1-key", time.Now())
	put(t, s, "sha256:a", someFacts)
	must(t, s.file.db.Update(func(tx *bbolt.Tx) error {
		data := tx.Bucket(s.set).Bucket(bucketData)
		id, _ := data.Cursor().First()
		return data.Bucket(bytes.Clone(id)).Put(keyFacts, []byte("nothing of the kind"))
	}))
	must(t, s.Close())
	s, log := open(t, path, "2-key")
	isStale(t, s, "sha256:a", "-")
	if !strings.Contains(log.String(), "set aside") {
		t.Error("damage was not logged")
	}
}
