package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// windowBytes is how much of a file is in memory at a time.
const windowBytes = 256 << 10

// Progress is told at most once in so many files or bytes.
const (
	progressFiles = 256
	progressBytes = 8 << 20
)

// Scanner is the only walker: it reads each file of a tree once and feeds all
// detectors. It may be used for several scans at a time.
type Scanner struct {
	Detectors []detect.Detector
	// Keyed makes fingerprints of what was matched: an HMAC whose key the caller keeps.
	Keyed func(identity []byte) [16]byte
}

// Scan reads a tree, adds its names to w and returns what was found; it does
// not commit. What cannot be read or makes a detector crash is in Skipped. An
// error means that the tree was not seen to its end (it vanished, ctx ended, w
// cannot be written), so that nothing must be committed. progress may be nil;
// it gets the totals of files visited and bytes read so far.
func (sc *Scanner) Scan(ctx context.Context, tree rootfs.Tree, w *cache.Writer, progress func(files, bytes int64)) (*cache.Facts, error) {
	run := &scan{Scanner: sc, ctx: ctx, w: w, progress: progress, buf: make([]byte, windowBytes), links: map[rootfs.Inode]*linked{}}
	err := tree.Walk(ctx, run.visit, run.unreadable)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("scanning files: %w", err)
	}
	if progress != nil {
		progress(run.coverage.Files, run.read)
	}
	facts := run.tally.facts()
	facts.Coverage = run.coverage
	return facts, nil
}

// scan is one scan under way.
type scan struct {
	*Scanner
	ctx      context.Context
	w        *cache.Writer
	progress func(files, bytes int64)
	buf      []byte
	coverage policy.Coverage
	read     int64 // bytes
	told     [2]int64
	tally    tally
	links    map[rootfs.Inode]*linked
}

// linked is what was found in a file with several names. Asked holds a bit for
// each detector that has read it; a detector may want the file under one name
// only.
type linked struct {
	left  uint32 // names that were not met yet
	asked uint64
	found []policy.Finding
	skips []policy.Skipped
}

// Bounds on what is remembered of files with several names; beyond them they
// are read again.
const (
	maxLinked   = 1 << 15
	maxAskedBit = 64
)

func (s *scan) unreadable(path string, err error) {
	kind := policy.Unreadable
	if errors.Is(err, rootfs.ErrMount) {
		kind = policy.OutOfScope
	}
	s.tally.skip(policy.Skipped{Where: path, Rule: "files", Reason: errorReason(err), Kind: kind})
}

// errorReason is an error in words, without the path that the system adds to it.
func errorReason(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, fs.ErrClosed):
		return "closed while it was read"
	}
	return err.Error()
}

func (s *scan) visit(e rootfs.Entry) error {
	name := cache.Name{Path: e.Path, Kind: e.Kind, Mode: e.Mode, Size: e.Size, Link: e.Link, Opaque: e.Opaque}
	if e.Kind == rootfs.Regular {
		name.Link = ""
	}
	if err := s.w.Add(name); err != nil {
		return err
	}
	if e.Kind != rootfs.Regular {
		return nil
	}
	s.coverage.Files++
	s.coverage.Bytes += e.Size
	if e.Open == nil {
		s.tally.repeat(e.Link, e.Path)
		return nil
	}
	return s.file(e)
}

// file scans a regular file, or repeats what is known of it by another name.
func (s *scan) file(e rootfs.Entry) error {
	var known *linked
	if e.Inode.Links > 1 {
		known = s.links[e.Inode]
		if known == nil && len(s.links) < maxLinked && len(s.Detectors) <= maxAskedBit {
			known = &linked{left: e.Inode.Links}
			s.links[e.Inode] = known
		}
	}
	r := &reading{scan: s, path: e.Path, known: known}
	if known != nil {
		r.skipAsked = known.asked
	}
	err := r.run(e)
	if known == nil {
		r.keep(nil)
		return err
	}
	r.keep(known)
	if known.left--; known.left == 0 {
		delete(s.links, e.Inode)
	}
	return err
}

// tell reports progress now and then.
func (s *scan) tell() {
	if s.progress == nil || s.coverage.Files-s.told[0] < progressFiles && s.read-s.told[1] < progressBytes {
		return
	}
	s.told = [2]int64{s.coverage.Files, s.read}
	s.progress(s.coverage.Files, s.read)
}

// reading is one file being read.
type reading struct {
	*scan
	path      string
	known     *linked
	skipAsked uint64
	readers   []*reader
	failed    error // why the file could not be read to its end
}

// reader is one detector that reads the file.
type reader struct {
	index   int
	sink    *detect.Sink
	detect  detect.Reader
	crashed bool
}

// run reads the file. What is returned ends the scan; trouble with this file
// alone is kept in failed.
func (r *reading) run(e rootfs.Entry) error {
	f, err := e.Open()
	if err != nil {
		r.failed = err
		return nil
	}
	defer f.Close()
	n, err := f.ReadAt(r.buf[:detect.HeadBytes], 0)
	if err != nil && err != io.EOF {
		r.failed = err
		return nil
	}
	r.scan.read += int64(n)
	r.open(detect.Meta{Path: e.Path, Size: e.Size, Head: r.buf[:n:n]})
	if len(r.readers) > 0 {
		err = r.windows(f, n)
	} else {
		err = nil
	}
	for _, d := range r.readers {
		d.guard(func() {
			if d.detect != nil {
				d.detect.Close()
			}
		})
	}
	r.tell()
	return err
}

// open asks the detectors whether they want the file.
func (r *reading) open(m detect.Meta) {
	for i := range r.Detectors {
		if r.skipAsked&(1<<i) != 0 {
			continue
		}
		d := &reader{index: i, sink: detect.NewSink(r.Keyed)}
		d.guard(func() { d.detect = r.Detectors[i].Open(m, d.sink) })
		if found, skips := d.result(); d.detect != nil || d.crashed || found != nil || len(skips) > 0 {
			r.readers = append(r.readers, d)
		}
	}
}

// windows feeds the file to its readers; head bytes of it are in the buffer.
func (r *reading) windows(f rootfs.File, head int) error {
	off, filled := int64(0), head
	for {
		start, end, err := f.NextData(off)
		if err == io.EOF {
			if filled > 0 {
				r.window(off, filled)
			}
			return nil
		}
		if err == nil && filled > 0 {
			if start > 0 { // the file begins with a hole, read for the head alone
				r.window(0, filled)
				off, filled = int64(filled), 0
				continue
			}
			end = max(end, int64(filled))
		}
		if err == nil && (start < off || end <= start) {
			err = errors.New("file system gives wrong ranges of a sparse file")
		}
		if err != nil {
			r.failed = err
			return nil
		}
		for off = start; off < end; {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			n := int(min(int64(len(r.buf)), end-off))
			got, err := filled, error(nil)
			if n > filled {
				got, err = f.ReadAt(r.buf[filled:n], off+int64(filled))
				r.scan.read += int64(got)
				got += filled
			}
			filled = 0
			r.window(off, got)
			off += int64(got)
			if err != nil && err != io.EOF {
				r.failed = err
				return nil
			}
			if got < n {
				r.failed = errors.New("became shorter while it was read")
				return nil
			}
			r.tell()
		}
	}
}

func (r *reading) window(off int64, n int) {
	for _, d := range r.readers {
		if d.detect != nil {
			d.guard(func() { d.detect.Window(detect.Window{Off: off, Data: r.buf[:n:n]}) })
		}
	}
}

// guard calls a detector; one that panics is asked nothing more about the file.
func (d *reader) guard(fn func()) {
	defer func() {
		if recover() != nil {
			d.crashed, d.detect = true, nil
		}
	}()
	fn()
}

func (d *reader) result() (found *policy.Finding, skips []policy.Skipped) {
	d.guard(func() { found, skips = d.sink.Result() })
	return found, skips
}

// keep files what was found, together with what is known of the file by its
// other names.
func (r *reading) keep(known *linked) {
	var own linked
	for _, d := range r.readers {
		id := r.Detectors[d.index].ID
		if found, _ := d.result(); found != nil {
			found.Rule, found.Where.Path = id, r.path
			own.found = append(own.found, *found)
		}
		_, skips := d.result()
		for _, k := range skips {
			k.Rule = id
			own.skips = append(own.skips, k)
		}
		if d.crashed {
			own.skips = append(own.skips, policy.Skipped{Rule: id, Reason: "detector crashed", Kind: policy.Undecided})
		}
		if known != nil && r.failed == nil {
			own.asked |= 1 << d.index
		}
	}
	if r.failed != nil {
		r.unreadable(r.path, r.failed)
	}
	for _, list := range []*linked{known, &own} {
		if list == nil {
			continue
		}
		for _, f := range list.found {
			f.Where.Path = r.path
			r.tally.find(f)
		}
		for _, k := range list.skips {
			k.Where = r.path
			r.tally.skip(k)
		}
	}
	if known != nil && r.failed == nil {
		known.asked |= own.asked
		known.found = append(known.found, own.found...)
		known.skips = append(known.skips, own.skips...)
	}
}
