package expand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Bounds of what one file holds in encodings.
const (
	heldMemory = 1 << 20
	heldDisk   = 1 << 30
	heldParts  = 100_000
)

var errNoRoom = errors.New("no room for more encoded content")

// Held is what a file holds in encodings, such as attachments in base64, decoded
// by whoever read the file: its parts wait for the file's end, in memory and beyond
// that in a temporary file without a name. It must be closed.
type Held struct {
	spool  string
	memory []byte
	disk   *os.File
	size   int64 // of all parts
	parts  []heldPart
	full   bool
}

type heldPart struct {
	name     string
	from, to int64
}

// Hold makes a Held whose temporary file lies in the folder; without one only what
// fits into memory is kept.
func Hold(spool string) *Held { return &Held{spool: spool} }

// Part begins a part; what is written is that part's until the next begins. nil:
// there are too many.
func (h *Held) Part(name string) io.WriteCloser {
	if len(h.parts) == heldParts {
		h.full = true
		return nil
	}
	h.parts = append(h.parts, heldPart{name, h.size, h.size})
	return part{h}
}

// part is the last one.
type part struct{ *Held }

// Write fails where there is no more room, which is told when the parts are
// visited.
func (p part) Write(b []byte) (int, error) {
	from := p.size
	p.keep(b)
	p.parts[len(p.parts)-1].to = p.size
	if n := int(p.size - from); n < len(b) {
		return n, errNoRoom
	}
	return len(b), nil
}

func (part) Close() error { return nil }

func (h *Held) keep(b []byte) {
	n := min(len(b), heldMemory-len(h.memory))
	h.memory = append(h.memory, b[:n]...)
	h.size += int64(n)
	if b = b[n:]; len(b) == 0 {
		return
	}
	if h.disk == nil {
		h.disk = unnamed(h.spool)
	}
	if h.disk == nil || h.size+int64(len(b)) > heldDisk {
		h.full = true
		return
	}
	if _, err := h.disk.WriteAt(b, h.size-heldMemory); err != nil {
		h.full = true
		return
	}
	h.size += int64(len(b))
}

// ReadAt implements [io.ReaderAt].
func (h *Held) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(h.memory)) {
		n = copy(p, h.memory[off:])
	}
	if n < len(p) && h.disk != nil {
		more, err := h.disk.ReadAt(p[n:], off+int64(n)-heldMemory)
		return n + more, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close gives the memory and the file back. A nil Held is closed already.
func (h *Held) Close() {
	if h != nil && h.disk != nil {
		h.disk.Close()
	}
}

// Held visits what a file holds in encodings that was read without an Expander: the
// parts that the visitor has of it, each like a file in a container.
func (e *Expander) Held(ctx context.Context, path string, size int64, v Visitor) error {
	x := e.begin(ctx, path, size, v)
	defer x.work.end()
	_ = x.held(path)
	return x.end()
}

// held visits what the visitor holds of the file or table that it was just given.
func (x *expansion) held(path string) error {
	h := x.visitor.Held()
	if h == nil || x.ended != nil {
		h.Close()
		return x.ended
	}
	defer h.Close()
	if x.depth >= x.lim.Depth {
		x.skip(path, fmt.Sprintf("nested more than %d deep", x.lim.Depth))
		return x.check()
	}
	x.depth++
	defer func() { x.depth-- }()
	if h.full {
		x.skip(path, "more encoded content than there is room for: the first is looked into")
	}
	for _, p := range h.parts {
		err := x.file(inside(path, p.name), p.to-p.from, io.NewSectionReader(h, p.from, p.to-p.from))
		if x.ended != nil {
			return x.ended
		}
		if err != nil {
			x.skip(inside(path, p.name), inWords("encoded content", err))
		}
	}
	return x.check()
}
