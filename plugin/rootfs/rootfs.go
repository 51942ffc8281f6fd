// Package rootfs walks root filesystems: directories at rest, the layer
// directories of overlayfs and layer archives. It never follows a symbolic
// link, never opens what is not a regular file, and holds a bounded amount of
// memory and file descriptors whatever an image's author put there.
package rootfs

import (
	"context"
	"errors"
	"io"
)

// Kind is what a name in a tree stands for.
type Kind uint8

// The kinds.
const (
	Regular Kind = iota
	Directory
	Symlink
	Special  // a device, a FIFO or a socket; never opened
	Whiteout // hides the same name in lower layers
)

// Bounds of every tree. What lies beyond is reported as unreadable.
const (
	MaxDepth = 2048     // folders within folders
	MaxPath  = 16 << 10 // bytes of a path; the kernel resolves 4,096 at once
	MaxLink  = 4096     // bytes of a link's target (PATH_MAX)
)

var (
	// ErrMount marks a folder of a directory at rest on which another file
	// system is mounted: like find -xdev, a walk stays on the one it began on.
	ErrMount = errors.New("another file system is mounted here: scan it by itself")
	// ErrVanished is returned by Walk when the tree's own folder was removed or
	// renamed during the walk: what was seen is not the whole.
	ErrVanished = errors.New("the folder was removed while it was read")
)

// Entry is one name in a tree.
type Entry struct {
	Path   string // absolute within the tree, raw bytes: "/etc/passwd"
	Kind   Kind
	Mode   uint32 // permission bits with setuid, setgid and sticky
	Size   int64  // bytes, of regular files
	Link   string // the target of a symbolic link; of a hard link in an archive, the path that it repeats
	Opaque bool   // a folder that hides what lower layers have below it
	Inode  Inode  // zero in archives
	// Capabilities says that an executable file has file capabilities
	// (security.capability, capabilities(7)).
	Capabilities bool
	// Open reads a regular file. It must be called, if at all, before the visit
	// returns. Nil for all other kinds, and for hard links in archives.
	Open func() (File, error)
}

// Inode identifies a file that may have several names.
type Inode struct {
	Dev, Ino uint64
	Links    uint32 // number of names, in or outside of the tree
}

// File is the content of a regular file. One of an archive is read forward
// only: ReadAt of an offset that was passed is an error.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	// NextData returns the next range [start, end) at or after off that is not
	// a hole of a sparse file, all that follows where holes are not known, and
	// io.EOF when nothing but a hole follows.
	NextData(off int64) (start, end int64, err error)
	// Forward says that ReadAt of an offset that was passed is an error.
	Forward() bool
}

// Tree is something with files.
type Tree interface {
	// Walk calls visit for every name but the root's own, and unreadable for
	// what it could not look at. An error of visit ends the walk and is
	// returned; ctx is asked between names.
	//
	// Directories and layers are walked depth first, siblings in the order of
	// their bytes, so that paths come sorted with '/' as the lowest byte.
	// Archives are walked in their own order.
	Walk(ctx context.Context, visit func(Entry) error, unreadable func(path string, err error)) error
}

// Dir is a plain directory; a character device 0:0 means nothing special in it.
func Dir(path string) Tree { return &folderTree{path: path} }

// Layer is the directory of one overlayfs layer: character devices 0:0 are
// whiteouts and trusted.overlay.opaque marks opaque folders. The user.overlay
// attributes are not honoured: the kernel ignores them unless mounted with
// userxattr, which rootless containerd alone does, and an image's author could
// set them to make a visible file look deleted.
func Layer(path string) Tree { return &folderTree{path: path, attrs: "trusted.overlay."} }
