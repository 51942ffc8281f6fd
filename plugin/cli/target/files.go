package target

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"syscall"
)

// folder is the files below a folder; no name and no link leads out of it.
type folder struct{ root *os.Root }

func openFolder(name string) (files, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, input("opening the folder: %w", plain(err))
	}
	return folder{root}, nil
}

func (f folder) open(name string) (io.ReadCloser, int64, error) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hang us
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, errAbsent
	}
	if err != nil {
		return nil, 0, inputError{fmt.Errorf("cannot be opened: %w", plain(err))}
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a file")
	}
	if err != nil {
		file.Close()
		return nil, 0, inputError{err}
	}
	return file, info.Size(), nil
}

func (f folder) close() error { return f.root.Close() }

// Bounds of an archive's own list of files.
const (
	maxEntries = 200_000
	maxHops    = 10 // links to links; old versions of docker save link equal layers
)

// tarred is the files of a tar, found by one pass over its headers.
type tarred struct {
	file  *os.File
	parts map[string]part
}

type part struct {
	off, size int64
	link      string // a path of the archive
}

func indexTar(f *os.File) (*tarred, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	t := &tarred{file: f, parts: map[string]part{}}
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if err == io.EOF {
			return t, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, fmt.Errorf("it is damaged, incomplete or no tar: %w", err)
		}
		if len(t.parts) == maxEntries {
			return nil, fmt.Errorf("it holds more than %d files", maxEntries)
		}
		// The reader takes whole blocks: here the entry's bytes begin.
		off, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		name := path.Clean("/" + h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			t.parts[name] = part{off: off, size: h.Size}
		case tar.TypeSymlink:
			t.parts[name] = part{link: path.Join(path.Dir(name), h.Linkname)}
		case tar.TypeLink:
			t.parts[name] = part{link: path.Clean("/" + h.Linkname)}
		}
	}
}

func (t *tarred) open(name string) (io.ReadCloser, int64, error) {
	name = path.Clean("/" + name)
	for range maxHops {
		p, ok := t.parts[name]
		if !ok {
			return nil, 0, errAbsent
		}
		if p.link == "" {
			return io.NopCloser(io.NewSectionReader(t.file, p.off, p.size)), p.size, nil
		}
		name = p.link
	}
	return nil, 0, inputError{errors.New("is a link that leads nowhere")}
}

func (t *tarred) close() error { return t.file.Close() }
