package expand

import (
	"bufio"
	"io"

	"github.com/pierrec/lz4/v4"
)

const lz4Magic = "\x04\x22\x4d\x18"

func openLz4(x *expansion, path string, in input) error {
	from := &counted{r: in}
	buf := x.tools.buffer(from)
	defer x.tools.unbuffer(buf)
	f := &lz4Frames{buf: buf}
	f.next()
	if err := x.single(Lz4, path, from, f); err != nil || !f.ended {
		return err
	}
	return x.tail(path, buf)
}

// lz4Frames is the content of all frames of a file (lz4_Frame_format.md, 1.6). The
// library takes a cut frame for a whole one, so that its end is looked at here.
type lz4Frames struct {
	z     *lz4.Reader
	buf   *bufio.Reader
	flags byte
	last  [8]byte // what was read last: end mark and checksum
	ended bool
}

func (f *lz4Frames) next() {
	if head, _ := f.buf.Peek(len(lz4Magic) + 1); len(head) > len(lz4Magic) {
		f.flags = head[len(lz4Magic)]
	}
	f.last = [8]byte{0: 1, 4: 1}
	if f.z == nil {
		f.z = lz4.NewReader(readerFunc(f.pass))
		return
	}
	f.z.Reset(readerFunc(f.pass))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// pass is what the library reads.
func (f *lz4Frames) pass(p []byte) (int, error) {
	n, err := f.buf.Read(p)
	got := p[max(n-len(f.last), 0):n]
	copy(f.last[:], f.last[len(got):])
	copy(f.last[len(f.last)-len(got):], got)
	return n, err
}

func (f *lz4Frames) Read(p []byte) (int, error) {
	if f.ended {
		return 0, io.EOF
	}
	n, err := f.z.Read(p)
	if err != io.EOF {
		return n, err
	}
	return n, f.end()
}

// end goes to the next frame, if there is one.
func (f *lz4Frames) end() error {
	const checksum = 1 << 2 // of the content: after the mark
	mark := f.last[4:]
	if f.flags&checksum != 0 {
		mark = f.last[:4]
	}
	if string(mark) != "\x00\x00\x00\x00" {
		return io.ErrUnexpectedEOF
	}
	magic, err := f.buf.Peek(len(lz4Magic))
	if string(magic) == lz4Magic {
		f.next()
		return nil
	}
	f.ended = true
	if err != nil {
		return err
	}
	return io.EOF
}
