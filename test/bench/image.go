package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/phigate/phigate/test/images"
)

// layerCount is how many layers the image has, beside busybox.
const layerCount = 4

// sources are files to make images of: those of the Go toolchain, real programs
// and real text, in layers of about equal size.
type sources struct {
	size, left int64 // bytes wanted, and how many of them are still to be read
	layers     [][]file
}

type file struct {
	path string // in the layer
	body []byte
}

func (s *sources) files() (n int) {
	for _, layer := range s.layers {
		n += len(layer)
	}
	return n
}

// readSources reads files of the toolchain, size bytes in all, into memory.
func readSources(ctx context.Context, size int64) (*sources, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("asking for the Go toolchain's folder: %w", err)
	}
	s := &sources{left: size, size: size, layers: make([][]file, layerCount)}
	for round := 1; s.left > 0; round++ {
		before := s.left
		if err := s.take(strings.TrimSpace(string(out)), fmt.Sprintf("opt/go-%d", round)); err != nil {
			return nil, fmt.Errorf("reading the Go toolchain: %w", err)
		}
		if s.left == before {
			return nil, errors.New("reading the Go toolchain: it has no files")
		}
	}
	return s, nil
}

// take adds the files below root, until there are enough.
func (s *sources) take(root, below string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case s.left == 0:
			return fs.SkipAll
		case e.IsDir() && unfit(e.Name()):
			return fs.SkipDir
		case !e.Type().IsRegular():
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		body = body[:min(int64(len(body)), s.left)]
		i := (s.size - s.left) * layerCount / s.size
		s.layers[i] = append(s.layers[i], file{below + strings.TrimPrefix(path, root), body})
		s.left -= int64(len(body))
		return nil
	})
}

// unfit folders hold private keys for tests, which phigate refuses.
func unfit(folder string) bool {
	return folder == "testdata" || folder == "testcert" || folder == "test"
}

// image makes an image whose layers no other seed has.
func (s *sources) image(seed uint64) (v1.Image, error) {
	img, err := images.Base()
	if err != nil {
		return nil, err
	}
	for i, files := range s.layers {
		layer, err := pack(files, fmt.Sprintf("image %d, layer %d\n", seed, i))
		if err != nil {
			return nil, fmt.Errorf("packing a layer: %w", err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	return img, nil
}

// pack makes a gzipped layer of the files and one that makes it unique.
func pack(files []file, unique string) (v1.Layer, error) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(zip)
	for _, f := range append([]file{{"unique", []byte(unique)}}, files...) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: 0o644, Size: int64(len(f.body))}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	})
}
