package prescan

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
)

func newFolders(t *testing.T) *Folders {
	t.Helper()
	store, err := cache.Temporary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return NewFolders(store, noDetectors(t), slog.New(slog.NewTextHandler(io.Discard, nil)), 2)
}

func layerOf(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFoldersLayer(t *testing.T) {
	f := newFolders(t)
	folder := layerOf(t, "a", "b")
	var keys [8]string
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := f.Layer(t.Context(), folder, "sha256:unknown")
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	layer, ok, err := f.Store.Get(keys[0])
	if err != nil || !ok || layer.Names() != 2 {
		t.Fatalf("the facts of %s: there %v, error %v", keys[0], ok, err)
	}
	for _, key := range keys {
		if key != keys[0] {
			t.Errorf("got keys %s and %s of one folder", keys[0], key)
		}
	}
	if !f.keeps(keys[0]) {
		t.Error("facts of a folder that is there are not kept")
	}
	// What is known by a better key is not read again.
	if err := f.Store.Alias("sha256:known", keys[0]); err != nil {
		t.Fatal(err)
	}
	if key, err := f.Layer(t.Context(), layerOf(t, "c"), "sha256:none", "sha256:known"); err != nil || key != "sha256:known" {
		t.Errorf("got key %s, error %v", key, err)
	}
	// Another content is another layer.
	time.Sleep(10 * time.Millisecond)
	if err := os.WriteFile(filepath.Join(folder, "c"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := f.Layer(t.Context(), folder); err != nil || key == keys[0] {
		t.Errorf("a folder that was changed has key %s, error %v", key, err)
	}
	if f.keeps(keys[0]) {
		t.Error("facts of a folder that is another by now are kept")
	}
	if _, err := f.Layer(t.Context(), filepath.Join(folder, "a")); err == nil {
		t.Error("a file was taken for a layer")
	}
	if _, err := f.Layer(t.Context(), filepath.Join(folder, "nothing")); err == nil {
		t.Error("nothing was taken for a layer")
	}
}

// slow is a tree that waits.
type slow struct{ until chan struct{} }

func (s slow) Walk(context.Context, func(rootfs.Entry) error, func(string, error)) error {
	<-s.until
	return nil
}

// crash is a tree that makes the scan crash.
type crash struct{}

func (crash) Walk(context.Context, func(rootfs.Entry) error, func(string, error)) error {
	panic("123-45-6789")
}

func TestFoldersOnce(t *testing.T) {
	f := newFolders(t)
	key, forget, err := f.Once(t.Context(), "c1", rootfs.Dir(layerOf(t, "a")))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := f.Store.Get(key); !ok || err != nil || !f.keeps(key) {
		t.Errorf("its facts are there: %v, error %v, kept: %v", ok, err, f.keeps(key))
	}
	forget()
	if _, ok, _ := f.Store.Get(key); ok || f.keeps(key) {
		t.Error("its facts outlive the answer")
	}
	if _, _, err := f.Once(t.Context(), "c1", crash{}); err == nil || strings.Contains(err.Error(), "6789") {
		t.Errorf("a crash gave %v", err)
	}
}

// The one who waits leaves in time; who comes next finds what went on.
func TestFoldersLate(t *testing.T) {
	f := newFolders(t)
	until := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 { // all turns are taken
		wg.Go(func() { _ = f.scan(context.Background(), slow{until}, "only@slow") })
	}
	for len(f.turns) < 2 {
		time.Sleep(time.Millisecond)
	}
	folder := layerOf(t, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Layer(ctx, folder); err == nil || !strings.Contains(err.Error(), "still being scanned") {
		t.Errorf("got %v", err)
	}
	close(until)
	if _, err := f.Layer(t.Context(), folder); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
