package expand

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// tools are buffers and decoders that are used again. What is open at the same
// time is bounded by the depth, so these lists stay short.
type tools struct {
	fronts  pool[*front]
	pieces  pool[[]byte]
	buffers pool[*bufio.Reader]
	flates  pool[io.ReadCloser]
	gzips   pool[*gzip.Reader]
	zstds   pool[*zstd.Decoder]
	large   *zstd.Decoder // with a window that is not usual
	windows int           // that are open, of more than the usual size
}

// window is the size of the next window, which is given back with unwindow.
func (t *tools) window(want int64) (int, func()) {
	if want <= usualWindow || t.windows > 0 {
		return int(min(want, usualWindow)), func() {}
	}
	t.windows++
	return int(min(want, maxWindow)), func() { t.windows-- }
}

// pool is a list of things that are not in use.
type pool[T any] struct{ free []T }

func (p *pool[T]) get(create func() T) T {
	last := len(p.free) - 1
	if last < 0 {
		return create()
	}
	t := p.free[last]
	p.free = p.free[:last]
	return t
}

func (p *pool[T]) put(t T) { p.free = append(p.free, t) }

const bufferBytes = 32 << 10

// buffer is a buffered reader that is given back with unbuffer.
func (t *tools) buffer(r io.Reader) *bufio.Reader {
	b := t.buffers.get(func() *bufio.Reader { return bufio.NewReaderSize(nil, bufferBytes) })
	b.Reset(r)
	return b
}

func (t *tools) unbuffer(b *bufio.Reader) {
	b.Reset(nil)
	t.buffers.put(b)
}

// inflater is a deflate decoder. It reads r byte by byte, and none after its end.
func (t *tools) inflater(r *bufio.Reader) io.ReadCloser {
	d := t.flates.get(func() io.ReadCloser { return flate.NewReader(nil) })
	d.(flate.Resetter).Reset(r, nil)
	return d
}

// zstd is a zstd decoder that works in the caller's goroutine. One for a window
// of more than the usual size is not kept.
func (t *tools) zstd(in io.Reader) (*zstd.Decoder, error) {
	r := bufio.NewReaderSize(in, 2*zstd.HeaderMaxSize)
	if zstdWindow(r) > usualWindow && t.windows == 0 {
		z, err := newZstd(r, maxWindow)
		if err == nil {
			t.large = z
			t.windows++
		}
		return z, err
	}
	if last := len(t.zstds.free) - 1; last >= 0 {
		z := t.zstds.free[last]
		t.zstds.free = t.zstds.free[:last]
		return z, z.Reset(r)
	}
	return newZstd(r, usualWindow)
}

// zstdWindow is the window of the first frame: RFC 8878, 3.1.1.1.2. A frame of a
// single segment has its content for a window.
func zstdWindow(r *bufio.Reader) uint64 {
	var head zstd.Header
	first, _ := r.Peek(zstd.HeaderMaxSize)
	switch err := head.Decode(first); {
	case err != nil || head.Skippable:
		return 0
	case head.SingleSegment:
		return head.FrameContentSize
	}
	return head.WindowSize
}

func newZstd(r io.Reader, window uint64) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
}

func (t *tools) unzstd(z *zstd.Decoder) {
	if z == t.large {
		t.large = nil
		t.windows--
		z.Close()
		return
	}
	if z.Reset(nil) != nil { // it says that it has no input
		t.zstds.put(z)
	}
}
