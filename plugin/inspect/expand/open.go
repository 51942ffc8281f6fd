package expand

import (
	"errors"
	"fmt"
	"io"
)

var errCrashed = errors.New("parser crashed")

const tooLarge = "too large to be looked into within an archive"

// open opens a container. Trouble with it is told; an error is why the expansion has ended.
func (x *expansion) open(kind Kind, path string, in input) error {
	f := x.formats.of(kind)
	switch {
	case f == nil:
		return x.check()
	case f.open == nil:
		x.skip(path, f.name+" is not looked into")
		return x.check()
	}
	return x.within(f, path, func() error { return f.open(x, path, in) })
}

// within runs a parser one level deeper.
func (x *expansion) within(f *format, path string, parse func() error) error {
	if x.depth >= x.lim.Depth {
		x.skip(path, fmt.Sprintf("nested more than %d deep", x.lim.Depth))
		return x.check()
	}
	x.depth++
	err := x.guard(parse)
	x.depth--
	x.trouble(f.name, path, err)
	return x.check()
}

// guard makes a parser's panic an error, and lets the visitor's go on.
func (x *expansion) guard(parse func() error) (err error) {
	defer func() {
		if x.visiting {
			return
		}
		if recover() != nil {
			err = errCrashed
		}
	}()
	return parse()
}

// fault is trouble of one container that is met while what is inside is read.
// Who made the container's reader tells it.
type fault struct {
	path, reason string
	told         bool
}

func (f *fault) Error() string { return f.reason }

// trouble tells why a container of this name could not be read.
func (x *expansion) trouble(name, path string, err error) {
	if err == nil || x.ended != nil {
		return
	}
	met := faultOf(err)
	if met == nil {
		x.skip(path, inWords(name, err))
	} else if met.path == path && !met.told {
		met.told = true
		x.skip(path, met.reason)
	}
}

// inWords says what is wrong. The error's own text stays here: it may quote content.
func inWords(name string, err error) string {
	var own reason
	switch {
	case errors.As(err, &own):
		return string(own)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "truncated " + name
	}
	return "damaged " + name
}

// openStream opens a container that can be read forward only.
func (x *expansion) openStream(kind Kind, path string, r io.Reader, size int64) error {
	f := x.formats.of(kind)
	if f != nil && f.open == nil && f.raw {
		if err := x.hand(path, size, r); err != nil {
			return err
		}
	}
	if f == nil || f.open == nil || !f.random && !f.raw {
		return x.open(kind, path, input{Reader: r, Size: size})
	}
	if x.depth >= x.lim.Depth && !f.raw {
		return x.open(kind, path, input{Reader: r, Size: size})
	}
	c := x.copy(r)
	defer c.free()
	if x.ended != nil {
		return x.ended
	}
	if c.rest != nil {
		return x.tooLarge(f, path, size, c.rest)
	}
	if f.raw {
		if err := x.hand(path, c.size, io.NewSectionReader(c, 0, c.size)); err != nil {
			return err
		}
	}
	if err := x.open(kind, path, input{Reader: io.NewSectionReader(c, 0, c.size), At: c, Size: c.size}); err != nil {
		return err
	}
	return c.err
}

// tooLarge does what can be done without a copy.
func (x *expansion) tooLarge(f *format, path string, size int64, r io.Reader) error {
	if f.raw {
		if err := x.hand(path, size, r); err != nil {
			return err
		}
	}
	if f.forward != nil {
		return x.within(f, path, func() error { return f.forward(x, path, r) })
	}
	x.skip(path, tooLarge)
	return x.check()
}

// front is a reader whose first bytes have been looked at.
type front struct {
	head []byte
	next []byte // of head, what was not read
	r    io.Reader
	err  error // of r
}

// peek reads the head of a nested file.
func (x *expansion) peek(r io.Reader) *front {
	f := x.tools.fronts.get(func() *front { return &front{head: make([]byte, HeadBytes)} })
	n, err := io.ReadFull(r, f.head[:HeadBytes])
	f.head = f.head[:n]
	f.next, f.r, f.err = f.head, r, err
	if err == io.ErrUnexpectedEOF { // of ReadFull: a short file; a cut one is a fault
		f.err = io.EOF
	}
	return f
}

func (x *expansion) unpeek(f *front) {
	f.r, f.next, f.err = nil, nil, io.EOF
	x.tools.fronts.put(f)
}

// nothing says that not one byte can be read, for a reason other than the end.
func (f *front) nothing() bool { return len(f.head) == 0 && f.err != io.EOF }

func (f *front) Read(p []byte) (int, error) {
	if len(f.next) > 0 {
		n := copy(p, f.next)
		f.next = f.next[n:]
		return n, nil
	}
	if f.err != nil {
		return 0, f.err
	}
	return f.r.Read(p)
}

func faultOf(err error) *fault {
	var f *fault
	errors.As(err, &f)
	return f
}
