// Package bundle reads what an OCI runtime is handed: its command line, the
// bundle's config.json, and the root filesystem, held as a place and not by its
// name, so that what is judged is what was found here. What the wrapper and the
// hook share is in it.
package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// MaxConfig bounds config.json, in bytes. One is a few tens of kilobytes.
const MaxConfig = 16 << 20

// Bundle is a bundle that is held open.
type Bundle struct {
	Dir    string   // where it really lies, links resolved
	Config []byte   // of config.json, as written
	Root   *os.File // the root filesystem, a mere place (O_PATH)
	Path   string   // where Root really lies
	Mount  string   // Root's line of /proc/self/mountinfo; empty where Root is no mount point
}

// Open reads the bundle in the folder; empty means the working folder.
func Open(dir string) (_ *Bundle, err error) {
	if dir == "" {
		dir = "."
	}
	at, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the bundle %s: %w", dir, err)
	}
	defer at.Close()
	b := &Bundle{}
	if b.Dir, err = place(at); err != nil {
		return nil, fmt.Errorf("finding the bundle %s: %w", dir, err)
	}
	if b.Config, err = readConfig(at); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(b.Dir, "config.json"), err)
	}
	if b.Root, err = openRoot(at, b.Config); err != nil {
		return nil, fmt.Errorf("opening the root filesystem of %s: %w", b.Dir, err)
	}
	if b.Path, err = place(b.Root); err == nil {
		b.Mount, err = mountOf(b.Root)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("finding the root filesystem of %s: %w", b.Dir, err)
	}
	b.detach()
	return b, nil
}

// detach replaces Root by a mount of its own that hangs nowhere
// (open_tree(2), Linux 5.2). A descriptor in the client's mount keeps that busy: with
// phigated hanging, which holds it, the client could not unmount what it was
// refused. Where no such mount can be had Root stays as it is.
func (b *Bundle) detach() {
	fd, err := unix.OpenTree(int(b.Root.Fd()), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return
	}
	_ = b.Root.Close() // opened as a mere place: nothing can be lost
	b.Root = os.NewFile(uintptr(fd), b.Path)
}

// Close lets go of the root filesystem.
func (b *Bundle) Close() error { return b.Root.Close() }

func openFolder(at int, name string, resolve uint64) (*os.File, error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := unix.Openat2(at, name, &unix.OpenHow{Flags: flags, Resolve: resolve})
	if err == unix.ENOSYS { // Linux before 5.6
		extra := 0
		if resolve != 0 {
			if filepath.Base(name) != name {
				return nil, errors.New("the path has several parts, which this kernel cannot look up safely")
			}
			extra = unix.O_NOFOLLOW
		}
		fd, err = unix.Openat(at, name, flags|extra, 0)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// place is the path of what is open.
func place(f *os.File) (string, error) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	if err == nil && !filepath.IsAbs(path) {
		err = errors.New("it lies out of sight")
	}
	return path, err
}

func readConfig(at *os.File) ([]byte, error) {
	// O_NONBLOCK: a FIFO must not hold us up.
	fd, err := unix.Openat(int(at.Fd()), "config.json", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the bundle has no config.json")
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "config.json")
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > MaxConfig:
		return nil, fmt.Errorf("it has %d bytes, more than %d", info.Size(), MaxConfig)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxConfig+1))
	if err == nil && len(data) > MaxConfig {
		err = fmt.Errorf("it has more than %d bytes", MaxConfig)
	}
	return data, err
}

// openRoot opens what root.path names, below the bundle where it is relative.
// Clients that keep root filesystems elsewhere (Docker, CRI-O) write an absolute path; a
// relative one that a link leads out of the bundle is none of theirs.
func openRoot(at *os.File, config []byte) (*os.File, error) {
	var spec struct {
		Root *struct {
			Path string `json:"path"`
		} `json:"root"`
	}
	if err := json.Unmarshal(config, &spec); err != nil {
		return nil, errors.New("config.json is not JSON of its kind")
	}
	if spec.Root == nil || spec.Root.Path == "" {
		return nil, errors.New("config.json has no root.path")
	}
	if filepath.IsAbs(spec.Root.Path) {
		return openFolder(unix.AT_FDCWD, spec.Root.Path, 0)
	}
	root, err := openFolder(int(at.Fd()), spec.Root.Path, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS)
	if err == unix.EXDEV || err == unix.ELOOP {
		return nil, fmt.Errorf("root.path %q leads out of the bundle", spec.Root.Path)
	}
	return root, err
}
