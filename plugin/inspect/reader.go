package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// reader reads one file after the other for one worker, within fixed memory.
type reader struct {
	*scan
	file *detect.Scan // of the tree's files
	leaf *detect.Scan // of what containers hold, and of the long cells of tables
	rows *detect.Scan
	open *expand.Expander
	tell func() // reports progress; does nothing for workers, of which the walk tells
	job  *job
	held *expand.Held // what the file or table that is read holds in encodings
	shut bool         // it holds something, and nothing is opened
	found
}

func newReader(s *scan, tell func()) *reader {
	r := &reader{scan: s, tell: tell}
	r.renew()
	return r
}

// renew makes what a file's reading leaves its state in.
func (r *reader) renew() {
	r.file = r.Detectors.NewScan(r.Keyed)
	if r.Expand.Depth > 0 {
		r.leaf, r.rows = r.Detectors.NewScan(r.Keyed), r.Detectors.NewScan(r.Keyed)
		r.open = expand.New(r.Expand)
		r.leaf.Encoded = r.encoded
	}
	r.file.Encoded = r.encoded
}

// encoded takes what a file holds in an encoding, until the file's end; nil where
// nothing is opened.
func (r *reader) encoded(off int64, encoding string) io.WriteCloser {
	if r.open == nil {
		r.shut = true
		return nil
	}
	if r.held == nil {
		r.held = expand.Hold(r.Expand.Spool)
	}
	return r.held.Part(fmt.Sprintf("%s@%d", encoding, off))
}

// wholeBytes is how long a file is at most that is read without asking where
// its holes are.
const wholeBytes = 256 << 10

var (
	errShorter = errors.New("became shorter while it was read")
	errRanges  = errors.New("file system gives wrong ranges of a sparse file")
)

// run reads a file and closes it.
func (r *reader) run(j *job) (out found) {
	defer j.file.Close()
	defer func() {
		if recover() != nil { // its text could hold what was read
			(*visitor)(r).Held().Close()
			r.renew()
			out = found{skips: []policy.Skipped{{Rule: "files", Reason: "reading it crashed", Kind: policy.Undecided}}}
		}
	}()
	r.job, r.found, r.shut = j, found{}, false
	r.file.Open(j.path, j.size)
	if err := r.content(); err != nil {
		if r.ctx.Err() != nil {
			r.ended = r.ctx.Err()
			return r.found
		}
		r.failed = err
	}
	r.add("", r.file.Close())
	if err := r.inner(); err != nil && r.ended == nil {
		r.ended = err
	}
	return r.found
}

// inner looks into what the file itself holds in encodings.
func (r *reader) inner() error {
	if r.shut {
		r.skips = append(r.skips, policy.Skipped{Rule: "files", Reason: "encoded content is not decoded", Kind: policy.Unscannable})
	}
	if r.held == nil || r.ctx.Err() != nil {
		(*visitor)(r).Held().Close()
		return r.ctx.Err()
	}
	return r.open.Held(r.ctx, r.job.path, r.job.size, (*visitor)(r))
}

// content has the file's bytes looked at, or what is in it.
func (r *reader) content() error {
	start, end, err := r.data(0)
	if err != nil {
		return err
	}
	kind := expand.None
	r.file.Hole(start)
	for first := true; start < r.job.size; first = false {
		for off := start; off < end; {
			space := r.file.Space()
			space = space[:min(int64(len(space)), end-off)]
			if err := r.readAt(space, off); err != nil {
				return err
			}
			if first && off == 0 {
				kind = r.kind(space)
				if kind != expand.None && (!kind.Raw() || r.job.file.Forward()) {
					return r.container(kind, space)
				}
			}
			r.file.Filled(len(space))
			off += int64(len(space))
			r.tell()
		}
		from := end
		if start, end, err = r.data(from); err != nil {
			return err
		}
		r.file.Hole(start - from)
	}
	if kind != expand.None { // its bytes were worth a look, too
		return r.container(kind, nil)
	}
	return nil
}

// data is the next range of the file that holds data; at the end it is empty.
func (r *reader) data(off int64) (start, end int64, err error) {
	size := r.job.size
	if off >= size {
		return size, size, nil
	}
	if size <= wholeBytes {
		return off, size, nil
	}
	start, end, err = r.job.file.NextData(off)
	switch {
	case err == io.EOF:
		return size, size, nil
	case err == nil && (start < off || end <= start):
		err = errRanges
	}
	return start, end, err
}

func (r *reader) readAt(p []byte, off int64) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	n, err := r.job.file.ReadAt(p, off)
	r.scan.read.Add(int64(n))
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		r.file.Filled(n)
		return errShorter
	}
	r.file.Filled(n)
	return err
}

// kind is the container that the file is. Where containers are not opened, that
// is said and the file is looked at as it is.
func (r *reader) kind(first []byte) expand.Kind {
	kind := expand.KindOf(r.job.path, first[:min(len(first), expand.HeadBytes)], r.job.size)
	if r.open == nil && kind != expand.None {
		r.skips = append(r.skips, policy.Skipped{Rule: "files", Reason: kind.String() + " is not opened", Kind: policy.Unscannable})
		return expand.None
	}
	return kind
}

// container opens the file. Its own bytes are a leaf to the expander where they
// are worth it; detectors see its name in any case.
func (r *reader) container(kind expand.Kind, first []byte) error {
	j := r.job
	if j.file.Forward() {
		all := io.MultiReader(bytes.NewReader(bytes.Clone(first)), counted{j.file, r.scan})
		return r.open.Stream(r.ctx, kind, j.path, all, j.size, (*visitor)(r))
	}
	return r.open.Expand(r.ctx, kind, j.path, countedAt{j.file, r.scan}, j.size, (*visitor)(r))
}

// counted and countedAt count the bytes that are read from a file.
type counted struct {
	io.Reader
	scan *scan
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.scan.read.Add(int64(n))
	return n, err
}

type countedAt struct {
	io.ReaderAt
	scan *scan
}

func (c countedAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.scan.read.Add(int64(n))
	return n, err
}

// add files what was found at a place within the file.
func (r *reader) add(inside string, result detect.Result) {
	for _, f := range result.Findings {
		f.Where.Inside = strings.TrimPrefix(inside, "!")
		r.findings = append(r.findings, f)
	}
	for _, k := range result.Skipped {
		k.Where = inside
		r.skips = append(r.skips, k)
	}
	if result.People != nil {
		r.people.Merge(result.People)
	}
	if len(result.Packages) > 0 {
		r.software = append(r.software, named{inside: strings.TrimPrefix(inside, "!"), packages: result.Packages})
	}
}

// visitor takes what the expander finds in a container.
type visitor reader

// Held implements [expand.Visitor].
func (v *visitor) Held() *expand.Held {
	held := v.held
	v.held = nil
	return held
}

func (v *visitor) inside(path string) string { return strings.TrimPrefix(path, v.job.path) }

// File has a nested file looked at.
func (v *visitor) File(path string, size int64, in io.Reader) error {
	v.leaf.Open(path, size)
	for {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(v.leaf.Space())
		v.leaf.Filled(n)
		v.tell()
		if err != nil {
			break // its end; of trouble the expander tells
		}
	}
	(*reader)(v).add(v.inside(path), v.leaf.Close())
	return nil
}

// Database has the tables of a file looked at together.
func (v *visitor) Database(path string) (end func()) {
	v.rows.OpenDatabase(path)
	return func() { (*reader)(v).add(v.inside(path), v.rows.CloseDatabase()) }
}

// Table has a table's rows looked at.
func (v *visitor) Table(path string, columns []string) expand.Rows {
	return &tableRows{visitor: v, path: path, wanted: v.rows.OpenTable(path, columns)}
}

func (v *visitor) Skip(path, reason string) {
	v.skips = append(v.skips, policy.Skipped{Where: v.inside(path), Rule: "files", Reason: reason, Kind: policy.Unscannable})
}

// longCell is from how many bytes on a cell may hold a text or a message of its
// own; such cells are looked at as a file, too.
const longCell = 64

// tableRows is one table.
type tableRows struct {
	*visitor
	path   string
	wanted bool // by detectors of tables
	text   bool // long cells were met
}

func (t *tableRows) Row(cells [][]byte) bool {
	for _, cell := range cells {
		if len(cell) > longCell {
			if !t.text {
				t.text = true
				t.leaf.Open(t.path, -1)
			}
			t.leaf.Write(cell)
			t.leaf.Write([]byte{'\n'})
		}
	}
	if t.wanted {
		t.wanted = t.rows.Row(cells)
	}
	return true
}

func (t *tableRows) Close() {
	(*reader)(t.visitor).add(t.inside(t.path), t.rows.CloseTable())
	if t.text {
		(*reader)(t.visitor).add(t.inside(t.path), t.leaf.Close())
	}
}
