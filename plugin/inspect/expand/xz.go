package expand

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// The container of xz (tukaani.org/xz/xz-file-format.txt, 1.2.1) is read here and
// not by the library, which gives each block as much memory as it asks for.

const (
	xzMagic   = "\xfd7zXZ\x00"
	xzFilters = reason("xz stream with a filter that is not known")
)

var errXz = errors.New("xz format")

func openXz(x *expansion, path string, in input) error {
	from := &counted{r: in}
	buf := x.tools.buffer(from)
	defer x.tools.unbuffer(buf)
	z := newXz(buf, &x.tools)
	defer z.close()
	if err := z.stream(); err != nil {
		return err
	}
	if err := x.single(Xz, path, from, z); err != nil || !z.ended {
		return err
	}
	return x.tail(path, buf)
}

// xzReader is the content of all blocks of all streams.
type xzReader struct {
	in    *counted // over buf: offsets in the stream
	buf   *bufio.Reader
	check int // bytes of a block's check
	kind  byte
	sum   xzSum
	block io.Reader // nil between blocks
	begun int64     // of in, where the block begins
	ended bool
	tools *tools
	free  func() // gives the block's window back
	short bool   // the window is shorter than the block's dictionary
}

func newXz(r *bufio.Reader, t *tools) *xzReader {
	return &xzReader{in: &counted{r: r}, buf: r, tools: t, free: func() {}}
}

// close gives back what is open.
func (z *xzReader) close() {
	z.free()
	z.free = func() {}
}

func (z *xzReader) Read(p []byte) (int, error) {
	for !z.ended {
		if z.block == nil {
			if err := z.next(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := z.block.Read(p)
		z.sum.write(p[:n])
		switch {
		case err == io.EOF:
			err = z.blockEnd()
		case err != nil && z.short && err != io.ErrUnexpectedEOF:
			err = largeWindow
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// full reads len(p) bytes; the end before them is a cut.
func (z *xzReader) full(p []byte) error {
	_, err := io.ReadFull(z.in, p)
	return cut(err)
}

// cut is err, where the end of the input is none of the format.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// stream reads a stream's header: 2.1.1.
func (z *xzReader) stream() error {
	var head [12]byte
	if err := z.full(head[:]); err != nil {
		return err
	}
	if string(head[:6]) != xzMagic || head[6] != 0 || head[7] > 15 || !summed(head[6:8], head[8:]) {
		return errXz
	}
	z.kind = head[7]
	z.check = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[z.kind]
	return nil
}

func summed(data, sum []byte) bool {
	return crc32.ChecksumIEEE(data) == binary.LittleEndian.Uint32(sum)
}

// next opens the next block, or reads the index at a stream's end.
func (z *xzReader) next() error {
	z.begun = z.in.n
	var size [1]byte
	if err := z.full(size[:]); err != nil {
		return err
	}
	if size[0] == 0 {
		return z.streamEnd()
	}
	head := make([]byte, 4*(int(size[0])+1))
	head[0] = size[0]
	if err := z.full(head[1:]); err != nil {
		return err
	}
	body := head[:len(head)-4]
	if !summed(body, head[len(body):]) {
		return errXz
	}
	dict, err := xzDictionary(body)
	if err != nil {
		return err
	}
	z.sum = newXzSum(z.kind)
	z.close()
	window, free := z.tools.window(dict)
	z.free, z.short = free, int64(window) < dict
	z.block, err = lzma.Reader2Config{DictCap: window}.NewReader2(z.in)
	return cut(err)
}

// xzDictionary reads a block's header (3.1): LZMA2 must be its only filter.
func xzDictionary(head []byte) (int64, error) {
	flags, rest := head[1], head[2:]
	if flags&0x3F != 0 {
		return 0, xzFilters
	}
	for _, present := range []byte{0x40, 0x80} { // the sizes of the block
		if flags&present != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return 0, errXz
			}
			rest = rest[n:]
		}
	}
	if len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 {
		return 0, xzFilters
	}
	bits := rest[2] // 5.3.1
	if bits > 40 {
		return 0, errXz
	}
	return int64(2|bits&1) << (bits/2 + 11), nil
}

// blockEnd reads padding and check: 3.3 and 3.4.
func (z *xzReader) blockEnd() error {
	z.block = nil
	tail := make([]byte, int(-(z.in.n-z.begun)&3)+z.check)
	if err := z.full(tail); err != nil {
		return err
	}
	if !z.sum.matches(tail[len(tail)-z.check:]) {
		return errXz
	}
	return nil
}

// streamEnd reads over the index (4) and the footer, and looks for one more stream.
// The index only repeats what the blocks said.
func (z *xzReader) streamEnd() error {
	read := func() (uint64, error) { return binary.ReadUvarint(oneByte{z.in}) }
	records, err := read()
	for i := uint64(0); i < 2*records && err == nil; i++ {
		_, err = read()
	}
	if err != nil {
		return cut(err)
	}
	tail := make([]byte, int(-(z.in.n-z.begun)&3)+4+12)
	if err := z.full(tail); err != nil {
		return err
	}
	if !bytes.HasSuffix(tail, []byte("YZ")) {
		return errXz
	}
	for { // stream padding: 2.2
		next, err := z.buf.Peek(len(xzMagic))
		switch {
		case string(next) == xzMagic:
			return z.stream()
		case len(next) >= 4 && string(next[:4]) == "\x00\x00\x00\x00":
			z.buf.Discard(4)
			continue
		}
		z.ended = true
		return endless(err)
	}
}

// oneByte reads byte by byte.
type oneByte struct{ io.Reader }

func (r oneByte) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// openLzma opens the format before xz: a header of 13 bytes, no checksum.
func openLzma(x *expansion, path string, in input) error {
	from := &counted{r: in}
	buf := x.tools.buffer(from)
	defer x.tools.unbuffer(buf)
	z, free, err := newLzma(buf, &x.tools)
	if err != nil {
		return err
	}
	defer free()
	return x.single(Lzma, path, from, z)
}

// newLzma makes a decoder, and tells it a dictionary of the size that it gets.
func newLzma(r *bufio.Reader, t *tools) (content io.Reader, free func(), err error) {
	var head [lzma.HeaderLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, cut(err)
	}
	want := int64(binary.LittleEndian.Uint32(head[1:]))
	window, free := t.window(want)
	binary.LittleEndian.PutUint32(head[1:], uint32(window))
	z, err := lzma.NewReader(io.MultiReader(bytes.NewReader(head[:]), r))
	if err != nil {
		free()
		return nil, nil, err
	}
	return &lzmaReader{z, int64(window) < want}, free, nil
}

// lzmaReader says in our words that a window is too large.
type lzmaReader struct {
	io.Reader
	short bool
}

func (r *lzmaReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.short && err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		err = largeWindow
	}
	return n, err
}
