package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxFile bounds each file that is read, in bytes. Configurations are small.
const maxFile = 4 << 20

// Tree is the node's file tree: "/" on the node itself, another folder in a
// test or an image. Paths are the node's own, absolute; none leads out of the
// tree, whatever links lie in it.
type Tree struct {
	name string
	root *os.Root
	// instead replaces what lies at paths: what a plan would leave. It is for looking alone.
	instead map[string]entry
}

// after is the tree as the changes would leave it, to look at.
func (t *Tree) after(changes []Change) *Tree {
	then := &Tree{name: t.name, root: t.root, instead: map[string]entry{}}
	for _, c := range changes {
		then.instead[path.Clean(c.Path)] = c.after
	}
	return then
}

// OpenTree opens the tree whose top is the folder.
func OpenTree(folder string) (*Tree, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the node's tree: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("opening the node's tree: %w", err)
	}
	return &Tree{name: abs, root: root}, nil
}

// Close lets go of the tree.
func (t *Tree) Close() error { return t.root.Close() }

// Live says whether the tree is that of the running machine.
func (t *Tree) Live() bool { return t.name == "/" }

// in is the name below the root of a path of the node.
func in(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}

// entry is what lies at a path: nothing, a file, a folder or a link.
type entry struct {
	exists bool
	mode   fs.FileMode
	uid    int
	gid    int
	data   []byte // of a file
	link   string // of a link
}

func (e entry) regular() bool { return e.exists && e.mode.IsRegular() }

// same says whether both are alike in content and mode.
func (e entry) same(o entry) bool {
	return e.exists == o.exists && e.mode == o.mode && e.link == o.link && bytes.Equal(e.data, o.data)
}

// look reads what lies at the path, and does not follow a link there.
func (t *Tree) look(name string) (entry, error) {
	if e, ok := t.instead[path.Clean(name)]; ok {
		return e, nil
	}
	info, err := t.root.Lstat(in(name))
	if errors.Is(err, fs.ErrNotExist) {
		return entry{}, nil
	}
	if err != nil {
		return entry{}, fmt.Errorf("looking at %s: %w", name, cause(err))
	}
	stat := info.Sys().(*syscall.Stat_t)
	e := entry{exists: true, mode: info.Mode(), uid: int(stat.Uid), gid: int(stat.Gid)}
	switch {
	case e.mode.IsRegular():
		e.data, err = t.Read(name)
	case e.mode.Type() == fs.ModeSymlink:
		e.link, err = t.root.Readlink(in(name))
	}
	return e, err
}

// Read reads a regular file of at most 4 MiB. A link at its end is refused, and
// so is one that leads out of the tree.
func (t *Tree) Read(name string) ([]byte, error) {
	if e, ok := t.instead[path.Clean(name)]; ok {
		if !e.regular() {
			return nil, fmt.Errorf("reading %s: %w", name, fs.ErrNotExist)
		}
		return e.data, nil
	}
	f, err := t.root.OpenFile(in(name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, cause(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading %s: it is no regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, cause(err))
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("reading %s: it has more than %d bytes, which no configuration has", name, maxFile)
	}
	return data, nil
}

// Exists says whether anything lies at the path.
func (t *Tree) Exists(name string) bool {
	if e, ok := t.instead[path.Clean(name)]; ok {
		return e.exists
	}
	_, err := t.root.Lstat(in(name))
	return err == nil
}

// IsDir says whether a folder lies at the path, links followed within the tree.
func (t *Tree) IsDir(name string) bool {
	info, err := t.root.Stat(in(name))
	return err == nil && info.IsDir()
}

// Trusted says what is wrong with the owner and mode of a file that is
// about to be changed or believed, and of the folders above it: who may write
// there could undo the gate. Nothing is wrong with what does not exist.
func (t *Tree) Trusted(name string) error {
	for at := path.Clean(name); ; at = path.Dir(at) {
		info, err := t.root.Lstat(in(at))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("looking at %s: %w", at, cause(err))
		case info.Mode().Type() == fs.ModeSymlink && at == path.Clean(name):
			return fmt.Errorf("%s is a symbolic link: put the file itself there, or name the real one's folder", at)
		default:
			if err := owned(at, info); err != nil {
				return err
			}
		}
		if at == "/" {
			return nil
		}
	}
}

func owned(at string, info fs.FileInfo) error {
	if info.Mode().Type() == fs.ModeSymlink {
		return nil // the folder that it leads to is judged by the kernel's own rules
	}
	stat := info.Sys().(*syscall.Stat_t)
	uid := int(stat.Uid)
	if uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, not to root: give it to root (chown root:root %s)", at, uid, at)
	}
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	foreign := fs.FileMode(0o022)
	if stat.Gid == 0 {
		foreign = 0o002 // root's own group
	}
	if perm := info.Mode().Perm(); perm&foreign != 0 && !sticky {
		return fmt.Errorf("%s may be written by others than root (mode %04o): take that away (chmod go-w %s)", at, perm, at)
	}
	return nil
}

// glob lists what a pattern with * in its last part matches, in order.
func (t *Tree) glob(pattern string) ([]string, error) {
	names, err := fs.Glob(t.root.FS(), in(pattern))
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", pattern, err)
	}
	var out []string
	for _, name := range names {
		if name = "/" + name; t.Exists(name) {
			out = append(out, name)
		}
	}
	for name := range t.instead {
		if ok, _ := path.Match(pattern, name); ok && t.Exists(name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// cause is an error without the path below the tree, which says nothing to a person.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if errors.Is(err, unix.ELOOP) {
		return errors.New("it is a symbolic link, which is not followed")
	}
	if strings.Contains(err.Error(), "escapes") {
		return errors.New("a symbolic link on the way leads out of the tree")
	}
	return err
}

// List names the files of a folder whose names end so, in order.
func (t *Tree) List(folder, suffix string) []string {
	found, err := t.glob(path.Join(folder, "*"+suffix))
	if err != nil {
		return nil // a folder whose name is no pattern
	}
	return found
}

// Mode is that of what lies at the path, links followed within the tree.
func (t *Tree) Mode(name string) (fs.FileMode, bool) {
	info, err := t.root.Stat(in(t.Follow(name)))
	if err != nil {
		return 0, false
	}
	return info.Mode(), true
}
