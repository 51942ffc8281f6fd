package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// maxSparse bounds the bytes that the sparse files of one archive may claim
// together: a header of some hundred bytes can claim 8 EiB.
const maxSparse = 8 << 30

// The names of the OCI image layer specification, "Whiteouts".
const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

var (
	errSparse   = errors.New("sparse files of the archive claim too many bytes")
	errTarType  = errors.New("entry of a type that is not known")
	errTarLink  = fmt.Errorf("link target longer than %d bytes", MaxLink)
	errBackward = errors.New("archive read backwards")
)

// Tar is an uncompressed layer archive. Names are normalised to lie within the
// root: "../x", "/x" and "x" are the same file. open is called once for every
// Walk.
func Tar(open func() (io.ReadCloser, error)) Tree { return &archive{open: open} }

type archive struct {
	open func() (io.ReadCloser, error)
}

// Walk implements [Tree]. A damaged or truncated archive is an error.
func (a *archive) Walk(ctx context.Context, visit func(Entry) error, unreadable func(string, error)) error {
	src, err := a.open()
	if err != nil {
		return fmt.Errorf("opening archive: %w", err)
	}
	defer src.Close()
	w := &tarWalk{in: tar.NewReader(src), visit: visit, unreadable: unreadable, sparse: maxSparse}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := w.in.Next()
		if err == io.EOF {
			return nil
		}
		// Names that leave the root are normalised, never followed.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("reading archive: %w", err)
		}
		if err := w.entry(h); err != nil {
			return err
		}
	}
}

type tarWalk struct {
	in         *tar.Reader
	visit      func(Entry) error
	unreadable func(string, error)
	sparse     int64 // bytes that sparse files may still claim
}

func (w *tarWalk) entry(h *tar.Header) error {
	name := within(h.Name)
	e := Entry{Path: name, Mode: uint32(h.Mode) & 0o7777}
	switch {
	case len(name) > MaxPath:
		w.unreadable(name[:MaxPath], errTooLong)
		return nil
	case strings.Count(name, "/") > MaxDepth:
		w.unreadable(name, errTooDeep)
		return nil
	case len(h.Linkname) > MaxLink:
		w.unreadable(name, errTarLink)
		return nil
	case h.Size < 0:
		return fmt.Errorf("reading archive: negative size of an entry")
	}
	if done, err := w.whiteout(name, h); done || err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		return w.regular(e, h)
	case tar.TypeLink:
		e.Kind, e.Link = Regular, within(h.Linkname)
	case tar.TypeSymlink:
		e.Kind, e.Link = Symlink, h.Linkname
	case tar.TypeDir:
		e.Kind = Directory
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		e.Kind = Special
	case tar.TypeXGlobalHeader:
		return nil
	default:
		w.unreadable(name, errTarType)
		return nil
	}
	if name == "/" {
		return nil
	}
	return w.visit(e)
}

// whiteout visits what a marker stands for. A marker that carries bytes is
// visited as the file that it is, too: they are in the image.
func (w *tarWalk) whiteout(name string, h *tar.Header) (done bool, err error) {
	dir, base := path.Split(name)
	switch {
	case base == whiteoutOpaque:
		err = w.visit(Entry{Path: within(dir), Kind: Directory, Mode: 0o755, Opaque: true})
	case strings.HasPrefix(base, whiteoutMeta):
		return false, nil
	case strings.HasPrefix(base, whiteoutPrefix) && len(base) > len(whiteoutPrefix):
		hidden := strings.TrimPrefix(base, whiteoutPrefix)
		if hidden == "." || hidden == ".." { // would hide the folders above
			return false, nil
		}
		err = w.visit(Entry{Path: within(dir + hidden), Kind: Whiteout})
	default:
		return false, nil
	}
	return h.Size == 0, err
}

func (w *tarWalk) regular(e Entry, h *tar.Header) error {
	if e.Path == "/" {
		w.unreadable(e.Path, errTarType)
		return nil
	}
	e.Size = h.Size
	_, e.Capabilities = h.PAXRecords["SCHILY.xattr."+capabilityAttr]
	e.Capabilities = e.Capabilities && e.Mode&0o111 != 0
	f := &tarFile{in: w.in, size: h.Size}
	defer f.Close()
	e.Open = func() (File, error) { return f, nil }
	if isSparse(h) {
		if h.Size > w.sparse {
			e.Open = func() (File, error) { return nil, errSparse }
		} else {
			w.sparse -= h.Size
		}
	}
	return w.visit(e)
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// within is the path that a name of an archive has within the root.
func within(name string) string { return path.Clean("/" + name) }

// tarFile reads the archive's current entry, forward only.
type tarFile struct {
	in     *tar.Reader
	pos    int64
	size   int64
	closed bool
}

func (f *tarFile) Read(p []byte) (int, error) {
	if f.closed {
		return 0, fs.ErrClosed
	}
	n, err := f.in.Read(p)
	f.pos += int64(n)
	return n, err
}

func (f *tarFile) ReadAt(p []byte, off int64) (int, error) {
	if off < f.pos {
		return 0, errBackward
	}
	if _, err := io.CopyN(io.Discard, f, off-f.pos); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(f, p)
	if err == io.ErrUnexpectedEOF && f.pos == f.size {
		err = io.EOF
	}
	return n, err
}

func (f *tarFile) NextData(off int64) (int64, int64, error) {
	if off >= f.size {
		return f.size, f.size, io.EOF
	}
	return off, f.size, nil
}

func (f *tarFile) Forward() bool { return true }

func (f *tarFile) Close() error {
	f.closed = true
	return nil
}
