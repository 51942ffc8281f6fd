package expand

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
)

// Compression methods: 4.4.5.
const (
	zipStore   = 0
	zipDeflate = 8
	zipBzip2   = 12
	zipLzma    = 14
	zipZstdOld = 20
	zipZstd    = 93
	zipXz      = 95
	zipAES     = 99
)

var errChecksum = errors.New("wrong checksum or size")

// zipContent is the content of one entry, checked against its sum and size.
type zipContent struct {
	e    *zipEntry
	r    io.Reader // decoder
	free func()    // gives the decoder back
	sum  uint32
	size int64
}

// zipEntry visits one entry, whose compressed bytes are in buf, which reads in.
// Trouble with it is told; an error is why the expansion has ended. The content
// is nil when it was not opened; else the caller reads on or frees it.
func (x *expansion) zipEntry(path string, e *zipEntry, in *counted, buf *bufio.Reader) (*zipContent, *stage) {
	if e.flags&(zipEncrypted|zipMasked) != 0 || e.method == zipAES {
		x.skip(path, "encrypted archive entry")
		return nil, nil
	}
	c := &zipContent{e: e, free: func() {}}
	begun := in.n - int64(buf.Buffered())
	if err := c.open(&x.tools, buf); err != nil {
		x.trouble(zipPart, path, err)
		return nil, nil
	}
	s := &stage{x: x, path: path, name: zipPart, r: c, in: in, begun: begun}
	err := x.zipFile(path, e, s)
	if s.fault != nil {
		err = s.fault
	}
	x.trouble(zipPart, path, err)
	return c, s
}

// zipMethod is the content of an entry whose compressed bytes are in buf; done
// gives the decoder back. Errors are in the words of a library.
func (x *expansion) zipMethod(e *zipEntry, buf *bufio.Reader) (content io.Reader, done func(), err error) {
	c := &zipContent{e: e, free: func() {}}
	err = c.open(&x.tools, buf)
	return c, c.free, err
}

// zipFile hands an entry's content on, unless it is a folder or a Java class: of
// code, a program has thousands of files.
func (x *expansion) zipFile(path string, e *zipEntry, s *stage) error {
	switch {
	case strings.HasSuffix(e.name, "/") && e.size == 0 && !e.later:
		return x.entry(path)
	case !strings.HasSuffix(e.name, ".class"):
		return x.file(path, e.claimed(), s)
	}
	var head [4]byte
	n, err := io.ReadFull(s, head[:])
	if string(head[:n]) == javaClass {
		return x.entry(path)
	}
	if faultOf(err) != nil {
		return err
	}
	return x.file(path, e.claimed(), io.MultiReader(bytes.NewReader(head[:n]), s))
}

const javaClass = "\xca\xfe\xba\xbe"

// claimed is the size of the content, -1 when it is said after the content only.
func (e *zipEntry) claimed() int64 {
	if e.later || e.size < 0 {
		return -1
	}
	return e.size
}

// open makes the decoder.
func (c *zipContent) open(t *tools, buf *bufio.Reader) error {
	switch c.e.method {
	case zipStore:
		c.r = buf
	case zipDeflate:
		d := t.inflater(buf)
		c.r, c.free = d, func() { t.flates.put(d) }
	case zipBzip2:
		c.r = bzip2.NewReader(buf)
	case zipZstd, zipZstdOld:
		return c.zstd(t, buf)
	case zipXz:
		z := newXz(buf, t)
		c.r, c.free = z, z.close
		return z.stream()
	case zipLzma:
		return c.lzma(t, buf)
	default:
		return reason("archive entry of a compression method that is not known")
	}
	return nil
}

func (c *zipContent) zstd(t *tools, buf *bufio.Reader) error {
	z, err := t.zstd(buf)
	if err != nil {
		return err
	}
	c.r, c.free = zstdReader{z}, func() { t.unzstd(z) }
	return nil
}

// lzma reads the header of 5.8.8 and gives the library the one of .lzma files.
func (c *zipContent) lzma(t *tools, buf *bufio.Reader) error {
	var head [9]byte
	if _, err := io.ReadFull(buf, head[:]); err != nil {
		return cut(err)
	}
	if binary.LittleEndian.Uint16(head[2:]) != 5 {
		return errZip
	}
	size := uint64(c.e.size)
	if c.e.flags&2 != 0 { // the end is marked: 4.4.4
		size = 1<<64 - 1
	}
	alone := binary.LittleEndian.AppendUint64(bytes.Clone(head[4:]), size)
	r, free, err := newLzma(bufio.NewReader(io.MultiReader(bytes.NewReader(alone), buf)), t)
	if err == nil {
		c.r, c.free = r, free
	}
	return err
}

func (c *zipContent) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum = crc32.Update(c.sum, crc32.IEEETable, p[:n])
	c.size += int64(n)
	if err == io.EOF && !c.e.later && (c.sum != c.e.crc || c.size != c.e.size) {
		err = errChecksum
	}
	return n, err
}
