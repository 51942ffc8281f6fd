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

// zstd is a zstd decoder that works in the caller's goroutine.
func (t *tools) zstd(r io.Reader) (*zstd.Decoder, error) {
	if last := len(t.zstds.free) - 1; last >= 0 {
		z := t.zstds.free[last]
		t.zstds.free = t.zstds.free[:last]
		return z, z.Reset(r)
	}
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

func (t *tools) unzstd(z *zstd.Decoder) {
	if z.Reset(nil) != nil { // it says that it has no input
		t.zstds.put(z)
	}
}
