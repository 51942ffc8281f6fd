package expand

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is the most memory that a decoder of xz, lzma or zstd gets, and
// usualWindow what it gets within another of these, and what "xz -6" and "zstd
// -19" need (RFC 8878 asks for 8 MiB). A dictionary of xz is a claim: what
// is shorter than the window, or refers no farther back, is read all the same.
const (
	maxWindow   = 32 << 20
	usualWindow = 8 << 20
)

const largeWindow = reason("compressed with a window of more than 32 MiB")

// trailing is the name of what stands behind the end of a stream or archive.
const trailing = "(after the end)"

// single visits what a compressed file holds.
func (x *expansion) single(f Kind, path string, in *counted, decoder io.Reader) error {
	s := &stage{x: x, path: path, name: x.formats.of(f).name, r: decoder, in: in}
	if err := x.content(path, s); err != nil && s.fault == nil {
		return err
	}
	if s.fault != nil {
		return s.fault
	}
	return x.check()
}

// content visits what came out of a decoder. A tar or cpio archive has the
// compressed file's own path and depth: the two are one.
func (x *expansion) content(path string, r io.Reader) error {
	if err := x.entry(path); err != nil {
		return err
	}
	f := x.peek(r)
	defer x.unpeek(f)
	if f.nothing() {
		return f.err
	}
	name := inside(path, unpacked(path))
	kind := x.formats.kindOf(name, f.head)
	switch kind {
	case None:
		return x.hand(name, -1, f)
	case Tar, Cpio:
		x.depth--
		err := x.open(kind, path, input{Reader: f, Size: -1})
		x.depth++
		return err
	}
	return x.openStream(kind, name, f, -1)
}

// unpacked is the name of a compressed file without what compression added.
func unpacked(name string) string {
	name = path.Base(name[strings.LastIndexByte(name, '!')+1:])
	ext := path.Ext(name)
	switch strings.ToLower(ext) {
	case ".gz", ".xz", ".zst", ".bz2", ".lzma", ".sz", ".lz4", ".z":
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// tail visits what stands behind the end. Padding with zeros is nothing.
func (x *expansion) tail(path string, r *bufio.Reader) error {
	for {
		if err := x.check(); err != nil {
			return err
		}
		block, err := r.Peek(512)
		rest := bytes.TrimLeft(block, "\x00")
		r.Discard(len(block) - len(rest))
		if len(rest) > 0 {
			return x.file(inside(path, trailing), -1, r)
		}
		if err != nil {
			return endless(err)
		}
	}
}

// endless is err unless it is that of the end.
func endless(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func openGzip(x *expansion, path string, in input) error {
	from := &counted{r: in}
	buf := x.tools.buffer(from)
	defer x.tools.unbuffer(buf)
	m := &members{z: x.tools.gzips.get(func() *gzip.Reader { return new(gzip.Reader) }), r: buf}
	defer x.tools.gzips.put(m.z)
	if err := m.next(); err != nil {
		return err
	}
	if err := x.single(Gzip, path, from, m); err != nil || !m.ended {
		return err
	}
	return x.tail(path, buf)
}

// members is the content of all members of a gzip file (RFC 1952, 2.2).
type members struct {
	z     *gzip.Reader
	r     *bufio.Reader
	ended bool
}

func (m *members) next() error {
	err := m.z.Reset(m.r)
	m.z.Multistream(false)
	return err
}

func (m *members) Read(p []byte) (int, error) {
	for !m.ended {
		n, err := m.z.Read(p)
		if err != io.EOF {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if magic, err := m.r.Peek(2); string(magic) != "\x1f\x8b" {
			m.ended = true
			if err := endless(err); err != nil {
				return 0, err
			}
			break
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

func openZstd(x *expansion, path string, in input) error {
	from := &counted{r: in}
	z, err := x.tools.zstd(from)
	if err != nil {
		return err
	}
	defer x.tools.unzstd(z)
	return x.single(Zstd, path, from, zstdReader{z})
}

// zstdReader says in our words that a window is too large.
type zstdReader struct{ z *zstd.Decoder }

func (r zstdReader) Read(p []byte) (int, error) {
	n, err := r.z.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = largeWindow
	}
	return n, err
}

func openBzip2(x *expansion, path string, in input) error {
	from := &counted{r: in}
	buf := x.tools.buffer(from)
	defer x.tools.unbuffer(buf)
	return x.single(Bzip2, path, from, bzip2.NewReader(buf))
}

func openSnappy(x *expansion, path string, in input) error {
	from := &counted{r: in}
	return x.single(Snappy, path, from, s2.NewReader(from, s2.ReaderAllocBlock(64<<10)))
}
