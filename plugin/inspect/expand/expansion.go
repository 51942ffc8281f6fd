package expand

import (
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	maxPath  = 4096 // bytes of a path, all containers' names together
	maxSkips = 100  // told for one file of the tree: an archive can have a million damaged entries
	freely   = 1 << 20
)

// errBound ends an expansion at a bound of the whole; Expand returns no error.
var errBound = errors.New("beyond a bound")

// expansion is one file of the tree being opened. Formats use its methods file,
// leaf, table, skip, spend and check; an error of these ends the expansion
// or the container, so they return it.
type expansion struct {
	*Expander
	ctx     context.Context
	visitor Visitor
	top     string // path of the file
	size    int64  // of the file, -1 when not known
	work    worktime

	depth    int   // containers that are open
	read     int64 // bytes of the file
	inflated int64 // bytes that all decoders made
	entries  int64
	skips    int
	untold   []place
	memory   int64 // bytes of nested files that are held, in memory
	disk     int64 // and in temporary files

	ended    error // why nothing more is read: a bound, ctx, the source or the visitor
	bound    place
	visiting bool // the visitor runs: a panic now is its own
}

// place is what could not be looked into, and why.
type place struct{ path, reason string }

func (e *Expander) begin(ctx context.Context, path string, size int64, v Visitor) *expansion {
	e.tools.windows, e.tools.large = 0, nil
	return &expansion{Expander: e, ctx: ctx, visitor: v, top: path, size: size, work: beginWork()}
}

// end is what Expand returns: why the expansion has ended early, but for bounds, which are told.
func (x *expansion) end() error {
	if x.ended != errBound {
		return x.ended
	}
	x.untold = append(x.untold, x.bound)
	x.tell()
	return nil
}

// halt ends the expansion at a bound of the whole. What was met is told at the
// very end, since a visitor may be reading.
func (x *expansion) halt(path, reason string) error {
	if x.ended == nil {
		x.ended, x.bound = errBound, place{path, reason}
	}
	return x.ended
}

// check is called often: for each entry, row and block. It gives why the
// expansion has ended, if it has.
func (x *expansion) check() error {
	if x.ended != nil {
		return x.ended
	}
	if err := x.ctx.Err(); err != nil {
		x.ended = err
	} else if x.work.beyond(x.lim.Time, x.lim.Wall) {
		x.halt(x.top, fmt.Sprintf("not done within %v", x.lim.Time))
	}
	return x.ended
}

// entry counts a nested file or table.
func (x *expansion) entry(path string) error {
	if x.entries++; x.entries > x.lim.Entries {
		return x.halt(path, fmt.Sprintf("more than %d nested files", x.lim.Entries))
	}
	return x.check()
}

// spend counts n bytes that a parser made of fewer: text of a page, a cell that
// stands for many. What comes out of a [stage] is counted there.
func (x *expansion) spend(path string, n int64) error {
	x.inflated += n
	switch {
	case x.inflated > x.lim.Bytes:
		return x.halt(path, fmt.Sprintf("more than %d MiB inflated", x.lim.Bytes>>20))
	case beyond(x.inflated, x.packed(), x.lim.Ratio):
		return x.halt(path, beyondRatio(x.lim.Ratio))
	}
	return x.check()
}

// packed is how many bytes the file of the tree has. What was read of it is no
// measure: an archive can have the same bytes read again and again.
func (x *expansion) packed() int64 {
	if x.size < 0 {
		return x.read
	}
	return x.size
}

// beyond says whether out bytes are more than the ratio allows for in bytes.
func beyond(out, in, ratio int64) bool { return (out-freely)/max(ratio, 1) > in }

func beyondRatio(ratio int64) string {
	return fmt.Sprintf("beyond %d times its compressed size", ratio)
}

// skip tells what could not be looked into: after the call of the visitor that
// is under way, if there is one.
func (x *expansion) skip(path, reason string) {
	x.skips++
	switch told := (place{path, reason}); {
	case x.skips > maxSkips+1:
		return
	case x.skips == maxSkips+1:
		told = place{x.top, fmt.Sprintf("more than %d places could not be looked into, the first are listed", maxSkips)}
		fallthrough
	default:
		x.untold = append(x.untold, told)
	}
	if !x.visiting {
		x.tell()
	}
}

func (x *expansion) tell() {
	for _, p := range x.untold {
		x.visiting = true
		x.visitor.Skip(p.path, p.reason)
		x.visiting = false
	}
	x.untold = x.untold[:0]
}

// inside is the path of what a container names.
func inside(container, name string) string {
	path := container + "!" + name
	return path[:min(len(path), maxPath)]
}

// file is a nested file: a leaf for the visitor, or a container that is opened.
// The error is why r could not be read to its end, or why the expansion has ended.
func (x *expansion) file(path string, size int64, r io.Reader) error {
	if err := x.entry(path); err != nil {
		return err
	}
	f := x.peek(r)
	defer x.unpeek(f)
	if f.nothing() {
		return f.err
	}
	kind := x.formats.kindOf(path, f.head)
	if kind == None {
		return x.hand(path, size, f)
	}
	return x.openStream(kind, path, f, size)
}

// leaf is a nested file that is no container, whatever its bytes say: the text of a document.
func (x *expansion) leaf(path string, size int64, r io.Reader) error {
	if err := x.entry(path); err != nil {
		return err
	}
	return x.hand(path, size, r)
}

func (x *expansion) hand(path string, size int64, r io.Reader) error {
	l := &lent{x: x, r: r}
	x.visiting = true
	err := x.visitor.File(path, size, l)
	x.visiting = false
	x.tell()
	if x.ended == nil && err != nil {
		x.ended = err
	}
	if x.ended != nil {
		return x.held(path) // gives it back
	}
	err, l.err = l.err, io.ErrClosedPipe // the reader is used again
	return or(x.held(path), err)
}

// lent is what a visitor reads. It hides trouble: that is told by who made the reader.
type lent struct {
	x   *expansion
	r   io.Reader
	err error
}

func (l *lent) Read(p []byte) (n int, err error) {
	if l.err != nil || l.x.check() != nil {
		return 0, io.EOF
	}
	defer func() {
		if recover() != nil {
			n, err, l.err = 0, io.EOF, errCrashed
		}
	}()
	n, err = l.r.Read(p)
	if err != nil && err != io.EOF {
		l.err, err = err, io.EOF
	}
	return n, err
}

// database begins a file with several tables, until end is called.
func (x *expansion) database(path string) (end func()) {
	x.visiting = true
	done := x.visitor.Database(path)
	x.visiting = false
	return func() {
		if x.visiting {
			return // the visitor crashed
		}
		x.visiting = true
		done()
		x.visiting = false
		x.tell()
	}
}

// table is a nested table; nil: its rows are not wanted.
func (x *expansion) table(path string, columns []string) *rows {
	if x.entry(path) != nil {
		return nil
	}
	x.visiting = true
	to := x.visitor.Table(path, columns)
	x.visiting = false
	x.tell()
	if to == nil {
		return nil
	}
	return &rows{x: x, to: to, path: path}
}

// rows hands the rows of one table to the visitor.
type rows struct {
	x    *expansion
	to   Rows
	path string
}

// row says whether more rows are wanted. When the expansion has ended, x.check says why.
func (r *rows) row(cells [][]byte) bool {
	if r.x.check() != nil {
		return false
	}
	r.x.visiting = true
	more := r.to.Row(cells)
	r.x.visiting = false
	r.x.tell()
	return more
}

// close must be called, however the table ends.
func (r *rows) close() {
	r.x.visiting = true
	r.to.Close()
	r.x.visiting = false
	r.x.tell()
	_ = r.x.held(r.path) // why the expansion has ended is asked next
}
