package prescan

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/policy/detect"
)

// noDetectors reads files and finds nothing in them.
func noDetectors(t *testing.T) *inspect.Scanner {
	t.Helper()
	none, err := detect.NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &inspect.Scanner{Detectors: none, Keyed: func([]byte) [16]byte { return [16]byte{} }}
}

func newUppers(t *testing.T) *Uppers {
	t.Helper()
	store, err := cache.Temporary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &Uppers{Store: store, Files: noDetectors(t)}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the runtime itself makes before a container runs is no content.
func TestUpperWithoutContent(t *testing.T) {
	u, folder := newUppers(t), t.TempDir()
	write(t, filepath.Join(folder, "etc/hosts"), "") // to mount on
	if err := os.Symlink("/proc/mounts", filepath.Join(folder, "etc/mtab")); err != nil {
		t.Fatal(err)
	}
	if key, err := u.Scan(t.Context(), "c1", folder); key != "" || err != nil {
		t.Errorf("key %q, error %v; want neither", key, err)
	}
	write(t, filepath.Join(folder, "etc/hostname"), "")
	if key, err := u.Same(t.Context(), "c1", folder); key != "" || err != nil {
		t.Errorf("key %q, error %v; want neither", key, err)
	}
}

func TestUpper(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, file string)
		same   bool
	}{
		{"unchanged", func(*testing.T, string) {}, true},
		{"empty_file_added", func(t *testing.T, file string) { write(t, file+"-mountpoint", "") }, true},
		{"file_added", func(t *testing.T, file string) { write(t, file+"-2", "x") }, false},
		{"file_removed", func(t *testing.T, file string) {
			write(t, file+"-2", "x")
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"grown", func(t *testing.T, file string) { write(t, file, "restored and more") }, false},
		{"rewritten", func(t *testing.T, file string) {
			write(t, file, "RESTORED")
			if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"renamed", func(t *testing.T, file string) {
			if err := os.Rename(file, file+"-2"); err != nil {
				t.Fatal(err)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, folder := newUppers(t), t.TempDir()
			file := filepath.Join(folder, "var/lib/data")
			write(t, file, "restored")
			key, err := u.Scan(t.Context(), "c1", folder)
			if err != nil || key == "" {
				t.Fatalf("key %q, error %v; want a key", key, err)
			}
			if l, ok, err := u.Store.Get(key); err != nil || !ok || l.Facts().Coverage.Files != 1 {
				t.Fatalf("known %v, error %v; want the facts of one file", ok, err)
			}
			tt.change(t, file)
			again, err := u.Same(t.Context(), "c1", folder)
			if tt.same && (err != nil || again != key) || !tt.same && err == nil {
				t.Errorf("key %q, error %v; the same: %v", again, err, tt.same)
			}
			if _, err := u.Same(t.Context(), "c2", folder); err == nil {
				t.Error("another container's folder is taken for one that was seen")
			}
		})
	}
}

func TestUpperForget(t *testing.T) {
	u, folder := newUppers(t), t.TempDir()
	write(t, filepath.Join(folder, "data"), "restored")
	key, err := u.Scan(t.Context(), "c1", folder)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Keys(); len(got) != 1 || got[0] != key {
		t.Errorf("%d keys are in use, want the one", len(got))
	}
	u.Forget("c1")
	u.Forget("never seen")
	if _, ok, _ := u.Store.Get(key); ok || len(u.Keys()) != 0 {
		t.Errorf("facts are there: %v, %d keys in use; want neither", ok, len(u.Keys()))
	}
	if _, err := u.Same(t.Context(), "c1", folder); err == nil {
		t.Error("a forgotten folder is taken for one that was seen")
	}
}

func TestUpperRefuses(t *testing.T) {
	u := newUppers(t)
	if _, err := u.Scan(t.Context(), "c1", filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("a folder that is not there was scanned")
	}
	many := t.TempDir()
	for i := range maxUpper + 1 {
		if err := os.WriteFile(filepath.Join(many, fmt.Sprint(i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := u.Scan(t.Context(), "c1", many); err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxUpper)) {
		t.Errorf("error %v for too many files, want one that names the bound", err)
	}
	if len(u.Keys()) != 0 {
		t.Errorf("%d keys are in use, want none", len(u.Keys()))
	}
}
