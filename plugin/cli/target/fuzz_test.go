package target

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/test/images"
)

// Whatever a file holds: it is walked to its end, or it is the file's fault.
func FuzzArchive(f *testing.F) {
	img, err := images.With(empty.Image, images.Platform("linux", "amd64"), images.Files{"/etc/motd": images.Text("hello")})
	if err != nil {
		f.Fatal(err)
	}
	for name, write := range map[string]func(path string) error{
		"save":   func(path string) error { return images.Archive(path, "localhost/app:1", img) },
		"layout": func(path string) error { return images.LayoutArchive(path, "localhost/app:1", img) },
	} {
		path := filepath.Join(f.TempDir(), name)
		if err := write(path); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		target, err := Open(t.Context(), "docker-archive:"+path, Options{})
		if err != nil {
			if !errors.Is(err, ErrInput) {
				t.Errorf("opening: an error that is not the input's: %v", err)
			}
			return
		}
		defer target.Close()
		for _, l := range target.Layers {
			err := l.Tree.Walk(t.Context(), func(rootfs.Entry) error { return nil }, func(string, error) {})
			if err != nil && !errors.Is(err, ErrInput) {
				t.Errorf("walking: an error that is not the input's: %v", err)
			}
		}
	})
}
