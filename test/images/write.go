package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Write writes the image as `docker save` does, under the name ref, such as "localhost/app:1".
func Write(w io.Writer, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("naming the image: %w", err)
	}
	if err := tarball.Write(tag, img, w); err != nil {
		return fmt.Errorf("writing the archive of %s: %w", ref, err)
	}
	return nil
}

// Archive writes the file that `docker save` would.
func Archive(path, ref string, img v1.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("creating the archive: %w", err)
	}
	err = Write(f, ref, img)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Layout writes a folder in the OCI image layout that holds the image under ref.
func Layout(folder, ref string, img v1.Image) error {
	path, err := layout.Write(folder, empty.Index)
	if err == nil {
		err = path.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": ref}))
	}
	if err != nil {
		return fmt.Errorf("writing the layout of %s: %w", ref, err)
	}
	return nil
}

// LayoutArchive writes the image layout as one tar file.
func LayoutArchive(path, ref string, img v1.Image) error {
	folder, err := os.MkdirTemp(filepath.Dir(path), "layout-")
	if err != nil {
		return fmt.Errorf("creating the layout: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := Layout(folder, ref, img); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("creating the archive: %w", err)
	}
	w := tar.NewWriter(f)
	err = w.AddFS(os.DirFS(folder))
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Raw packs entries as they are given into the bytes of a tar, for layers that Files cannot say: names that are not
// clean, entries twice, whiteouts in odd places. A header's Size is set from its body.
func Raw(entries ...Entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.Body))
		if err := w.WriteHeader(&h); err != nil {
			return nil, fmt.Errorf("writing an entry: %w", err)
		}
		if _, err := w.Write(e.Body); err != nil {
			return nil, fmt.Errorf("writing an entry: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("ending the archive: %w", err)
	}
	return b.Bytes(), nil
}

// Entry is one entry of Raw.
type Entry struct {
	Header tar.Header
	Body   []byte
}
