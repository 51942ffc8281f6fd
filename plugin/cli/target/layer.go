package target

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/phigate/phigate/plugin/rootfs"
)

// owned tells trouble with a tree from trouble of the one who walks it.
type owned struct{ rootfs.Tree }

func (o owned) Walk(ctx context.Context, visit func(rootfs.Entry) error, unreadable func(string, error)) error {
	var theirs error
	err := o.Tree.Walk(ctx, func(e rootfs.Entry) error {
		theirs = visit(e)
		return theirs
	}, unreadable)
	if err == nil || theirs != nil || ctx.Err() != nil {
		return err
	}
	return inputError{err}
}

// archived is a layer as images carry it: a tar, compressed or not. What it is
// after decompression must have the digest that the image's config says.
type archived struct {
	target *Target
	diffID v1.Hash
	open   func() (io.ReadCloser, error)
}

// errTrailing marks bytes that no runtime unpacks and that are in the image.
var errTrailing = errors.New("bytes that are not zero follow the layer's archive")

// Walk implements [rootfs.Tree]. It reads to the end of the stream, beyond that
// of the archive, so that a damaged layer is never taken for a clean one.
func (a archived) Walk(ctx context.Context, visit func(rootfs.Entry) error, unreadable func(string, error)) error {
	stream, err := a.open()
	if err != nil {
		return a.blame(ctx, "%w", err)
	}
	defer stream.Close()
	plain, err := decompress(&counted{ctx: ctx, r: stream, told: a.target.read})
	if err != nil {
		return a.blame(ctx, "decompressing the layer: %w", err)
	}
	defer plain.Close()
	hash := sha256.New()
	src := &counted{ctx: ctx, r: io.TeeReader(plain, hash), told: func(int64) {}}
	tree := rootfs.Tar(func() (io.ReadCloser, error) { return io.NopCloser(src), nil })
	if err := (owned{tree}).Walk(ctx, visit, unreadable); err != nil {
		return err
	}
	var rest zeros
	if _, err := io.Copy(&rest, src); err != nil {
		return a.blame(ctx, "reading the end of the layer: %w", err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != a.diffID.Hex {
		return input("the layer is damaged: its bytes have the digest sha256:%s and not %s; get the image again", got, a.diffID)
	}
	if rest.dirty {
		unreadable("/", errTrailing)
	}
	return nil
}

// blame makes an error the input's, unless reading only ended with its context.
func (a archived) blame(ctx context.Context, format string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return input(format, err)
}

// counted tells how much was read, and ends with its context.
type counted struct {
	ctx  context.Context
	r    io.Reader
	told func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.told(int64(n))
	return n, err
}

// zeros takes anything and remembers whether it was all zero.
type zeros struct{ dirty bool }

func (z *zeros) Write(p []byte) (int, error) {
	z.dirty = z.dirty || len(bytes.TrimLeft(p, "\x00")) > 0
	return len(p), nil
}

// maxWindow bounds what one zstd frame may ask for in memory; `zstd --long`
// takes as much.
const maxWindow = 128 << 20

var (
	magicGzip  = []byte{0x1f, 0x8b}
	magicZstd  = []byte{0x28, 0xb5, 0x2f, 0xfd}
	magicBzip2 = []byte("BZh")
	magicXZ    = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
)

// decompress goes by the stream's first bytes: media types are only claims.
func decompress(r io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, magicGzip):
		return gzip.NewReader(in)
	case bytes.HasPrefix(head, magicZstd):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case bytes.HasPrefix(head, magicBzip2), bytes.HasPrefix(head, magicXZ):
		return nil, errors.New("bzip2 and xz are not supported for layers; push the image with gzip or zstd")
	}
	return io.NopCloser(in), nil
}
