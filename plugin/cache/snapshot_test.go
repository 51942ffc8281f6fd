package cache

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
)

// A copy can be read while the store is open and goes on, and holds what was
// there when it was made.
func TestSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	store, err := Open(path, "v9-key", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	commit(t, store, "one")
	dir := t.TempDir()
	copied, err := Snapshot(path, "v9-", dir)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, store, "two")
	if _, ok, err := copied.Get("one"); !ok || err != nil {
		t.Errorf("the copy lacks what was there: %v %v", ok, err)
	}
	if _, ok, err := copied.Get("two"); ok || err != nil {
		t.Errorf("the copy holds what came later: %v %v", ok, err)
	}
	if err := copied.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the copy was left behind: %v %v", left, err)
	}
}

// Copies taken while layers are committed are whole, or are refused as busy.
func TestSnapshotWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	store, err := Open(path, "v9-key", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	commit(t, store, "first")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				commit(t, store, strings.Repeat("k", 1+i%20))
			}
		}
	}()
	read := 0
	for range 50 {
		copied, err := Snapshot(path, "v9-", t.TempDir())
		if errors.Is(err, ErrBusy) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		keys, err := copied.Keys()
		for _, key := range keys {
			if _, ok, err := copied.Get(key); !ok || err != nil {
				t.Errorf("layer %s of a copy: %v %v", key, ok, err)
			}
		}
		if err != nil || len(keys) == 0 {
			t.Errorf("keys of a copy: %d, %v", len(keys), err)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
		read++
	}
	close(stop)
	<-done
	t.Logf("%d of 50 copies were read", read)
}

func TestSnapshotRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "facts.db")
	if _, err := Snapshot(path, "v9-", t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that there are no facts", err)
	}
	store, err := Open(path, "v8-key", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := Snapshot(path, "v9-", t.TempDir()); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("got %v, want that they are another version's", err)
	}
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("x", 20000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Snapshot(garbage, "v9-", t.TempDir()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want that the file is damaged", err)
	}
}

func commit(t *testing.T, s *Store, key string) {
	w, err := s.Begin(key)
	if err == nil {
		defer w.Abort()
		if err = w.Add(Name{Path: "/a"}); err == nil {
			err = w.Commit(Facts{Findings: []policy.Finding{{Rule: "r", Where: policy.Where{Path: "/a"}}}})
		}
	}
	if err != nil {
		t.Error(err)
	}
}
