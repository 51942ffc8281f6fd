package rootfs

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// keepOpen is how many folders of the way down stay open. Deeper ones are
// closed on descent and found again by "..", which is checked to be the same.
const keepOpen = 128

// direntsSize is how much of a folder is asked for at one time, in bytes: some
// 200 names. A larger buffer costs the walk of a container's writable folder, at
// each gate, more than all the rest of it.
const direntsSize = 8 << 10

var (
	errTooDeep  = fmt.Errorf("more than %d folders deep", MaxDepth)
	errTooLong  = fmt.Errorf("path longer than %d bytes", MaxPath)
	errRedirect = errors.New("the folder's content lies elsewhere in lower layers (overlayfs redirect)")
)

// folderTree is a directory or, with attrs, an overlayfs layer whose extended
// attributes have that prefix.
type folderTree struct {
	path  string
	attrs string
}

// Walk implements [Tree].
func (t *folderTree) Walk(ctx context.Context, visit func(Entry) error, unreadable func(string, error)) error {
	fd, err := unix.Open(t.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", t.path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return fmt.Errorf("reading %s: %w", t.path, err)
	}
	w := &walker{folderTree: t, ctx: ctx, visit: visit, unreadable: unreadable, dirents: make([]byte, direntsSize), budget: namesBudget}
	root := &folder{fd: fd, dev: st.Dev, ino: st.Ino}
	w.dev = st.Dev
	w.mark(root)
	err = w.walk(root, 1)
	root.close()
	if err != nil {
		return err
	}
	var now unix.Stat_t
	if err := unix.Stat(t.path, &now); err != nil || now.Ino != st.Ino || now.Dev != st.Dev {
		return fmt.Errorf("reading %s: %w", t.path, ErrVanished)
	}
	return nil
}

// walker is one walk under way.
type walker struct {
	*folderTree
	ctx        context.Context
	visit      func(Entry) error
	unreadable func(string, error)
	dev        uint64 // of the root
	path       []byte // of the folder that is being walked, without a slash at its end
	dirents    []byte
	budget     int // bytes left for names
}

// folder is one open folder of the way down.
type folder struct {
	fd        int // -1: closed
	dev, ino  uint64
	opaque    bool
	redirect  bool
	whiteouts bool // may hold whiteouts that are extended attributes
}

func (f *folder) close() {
	if f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
	}
}

// reopen finds a closed folder again from one of its children.
func (f *folder) reopen(child *folder) error {
	if child.fd < 0 {
		return errChanged
	}
	fd, err := openatPlain(child.fd, "..", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Dev != f.dev || st.Ino != f.ino {
		unix.Close(fd)
		return errChanged
	}
	f.fd = fd
	return nil
}

// walk visits what is below an open folder. It may leave the folder closed
// when that could not be found again; only an error that ends the walk is
// returned.
func (w *walker) walk(f *folder, depth int) error {
	var names listing
	share := max(namesFloor, w.budget/2)
	for {
		if err := names.fill(f.fd, share, w.dirents); err != nil {
			w.unreadable(w.here(), err)
			return nil
		}
		cost := names.cost()
		w.budget -= cost
		err := w.names(f, &names, depth)
		w.budget += cost
		if err != nil || !names.more || f.fd < 0 {
			return err
		}
	}
}

func (w *walker) names(f *folder, names *listing, depth int) error {
	for name := names.name(); name != nil; name = names.name() {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		mark := len(w.path)
		w.path = append(append(w.path, '/'), name...)
		err := w.entry(f, string(name), depth)
		w.path = w.path[:mark]
		if err != nil {
			return err
		}
		if f.fd < 0 {
			w.unreadable(w.here(), errChanged)
			return nil
		}
	}
	return nil
}

func (w *walker) here() string {
	if len(w.path) == 0 {
		return "/"
	}
	return string(w.path)
}

// entry visits one name, and what is below it.
func (w *walker) entry(f *folder, name string, depth int) error {
	if len(w.path) > MaxPath {
		w.unreadable(string(w.path), errTooLong)
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		w.unreadable(string(w.path), err)
		return nil
	}
	e := Entry{Path: string(w.path), Mode: st.Mode & 0o7777, Inode: Inode{Dev: st.Dev, Ino: st.Ino, Links: uint32(st.Nlink)}}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		e.Kind = Directory
		return w.descend(f, e, name, depth)
	case unix.S_IFLNK:
		e.Kind = Symlink
		link, err := readLink(f.fd, name)
		if err != nil {
			w.unreadable(e.Path, err)
		}
		e.Link = link
	case unix.S_IFREG:
		if f.whiteouts && st.Size == 0 && w.xattrWhiteout(f.fd, name) {
			e.Kind = Whiteout
			break
		}
		e.Kind, e.Size = Regular, st.Size
		e.Capabilities = e.Mode&0o111 != 0 && fileAttr(f.fd, name, capabilityAttr)
		fd := f.fd
		e.Open = func() (File, error) { return openRegular(fd, name, &st, w.attrs) }
	case unix.S_IFCHR:
		e.Kind = Special
		if w.attrs != "" && st.Rdev == 0 {
			e.Kind = Whiteout
		}
	default:
		e.Kind = Special
	}
	return w.visit(e)
}

// descend visits a folder and walks it.
func (w *walker) descend(f *folder, e Entry, name string, depth int) error {
	child, err := w.open(f, name, e.Inode)
	if err != nil {
		if verr := w.visit(e); verr != nil {
			return verr
		}
		w.unreadable(e.Path, err)
		return nil
	}
	defer child.close()
	e.Opaque = child.opaque
	if err := w.visit(e); err != nil {
		return err
	}
	if child.redirect {
		w.unreadable(e.Path, errRedirect)
	}
	if depth >= MaxDepth {
		w.unreadable(e.Path, errTooDeep)
		return nil
	}
	if depth <= keepOpen {
		return w.walk(child, depth+1)
	}
	f.close()
	if err := w.walk(child, depth+1); err != nil {
		return err
	}
	// A folder that cannot be found again stays closed, which names reports.
	_ = f.reopen(child)
	return nil
}

// open opens the folder that was seen as seen, unless a file system is mounted there.
func (w *walker) open(f *folder, name string, seen Inode) (*folder, error) {
	fd, err := openFolder(f.fd, name)
	if errors.Is(err, errMounted) {
		return nil, w.mounted()
	}
	if err != nil {
		return nil, err
	}
	child := &folder{fd: fd}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		child.close()
		return nil, err
	}
	child.dev, child.ino = st.Dev, st.Ino
	switch {
	case st.Dev != w.dev:
		err = w.mounted()
	case st.Ino != seen.Ino || st.Dev != seen.Dev:
		err = errChanged
	}
	if err != nil {
		child.close()
		return nil, err
	}
	w.mark(child)
	return child, nil
}

// mounted: in a layer nothing may be mounted, so its content is unreadable.
func (w *walker) mounted() error {
	if w.attrs != "" {
		return errMounted
	}
	return ErrMount
}

// mark reads what overlayfs noted on a folder: opaque is "y", or "x" where the
// folder may hold whiteouts that are extended attributes of empty files
// (Documentation/filesystems/overlayfs.rst, "Whiteouts and opaque directories").
func (w *walker) mark(f *folder) {
	if w.attrs == "" {
		return
	}
	var value [2]byte
	n, err := unix.Fgetxattr(f.fd, w.attrs+"opaque", value[:])
	f.opaque = err == nil && n == 1 && value[0] == 'y'
	f.whiteouts = err == nil && n == 1 && value[0] == 'x'
	f.redirect = hasAttr(f.fd, w.attrs+"redirect")
}

// xattrWhiteout asks for an attribute without opening the file. A name that
// cannot be asked counts as the empty file that it is, which hides just as much.
func (w *walker) xattrWhiteout(dir int, name string) bool {
	return fileAttr(dir, name, w.attrs+"whiteout")
}

// capabilityAttr is where Linux keeps the capabilities of a file.
const capabilityAttr = "security.capability"

// fileAttr says whether a file has an attribute, without opening it.
func fileAttr(dir int, name, attr string) bool {
	_, err := unix.Lgetxattr("/proc/self/fd/"+strconv.Itoa(dir)+"/"+name, attr, nil)
	return err == nil
}

func readLink(dir int, name string) (string, error) {
	buf := make([]byte, MaxLink+1)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
