package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/people"
)

// Progress is told at most once in so many files or bytes.
const (
	progressFiles = 256
	progressBytes = 8 << 20
	waitProgress  = 200 * time.Millisecond
)

// Scanner is the only walker: it reads each file of a tree once, opens what is a
// container, and has all detectors look. It may be used for several scans at a
// time.
type Scanner struct {
	Detectors *detect.Set
	// Keyed makes fingerprints of what was matched: an HMAC whose key the caller
	// keeps. It must be safe for concurrent use.
	Keyed func(identity []byte) [16]byte
	// Expand bounds what is opened below one file; without Depth no container is opened.
	Expand expand.Limits
	// Workers is how many files are read at a time; 0 means one. Files of an
	// archive are read one by one.
	Workers int
}

// Scan reads a tree, adds its names to w and returns what was found; it does
// not commit. What cannot be read or makes a detector crash is in Skipped. An
// error means that the tree was not seen to its end (it vanished, ctx ended, w
// cannot be written), so that nothing must be committed. progress may be nil;
// it gets the totals of files visited and bytes read so far.
func (sc *Scanner) Scan(ctx context.Context, tree rootfs.Tree, w *cache.Writer, progress func(files, bytes int64)) (*cache.Facts, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run := &scan{Scanner: sc, ctx: ctx, w: w, progress: progress, links: map[rootfs.Inode]*linked{}}
	run.start()
	err := tree.Walk(ctx, run.visit, run.unreadable)
	if err == nil {
		err = run.drain(0)
	}
	if err == nil {
		err = ctx.Err()
	}
	run.stop(cancel)
	if err != nil {
		return nil, fmt.Errorf("scanning files: %w", err)
	}
	if progress != nil {
		progress(run.coverage.Files, run.read.Load())
	}
	facts := run.tally.facts()
	facts.Coverage = run.coverage
	if facts.People, err = run.tally.people.MarshalBinary(); err != nil {
		return nil, fmt.Errorf("counting people: %w", err)
	}
	return facts, nil
}

// scan is one scan under way. The walk hands files to workers and takes what
// they found in the files' own order, so that equal trees give equal facts.
type scan struct {
	*Scanner
	ctx      context.Context
	w        *cache.Writer
	progress func(files, bytes int64)
	coverage policy.Coverage
	read     atomic.Int64 // bytes
	told     [2]int64
	tally    tally
	links    map[rootfs.Inode]*linked

	jobs    chan *job
	pending []*job // in the order of the walk
	workers sync.WaitGroup
	inline  *reader // reads what is not handed on
}

// job is one file to be read.
type job struct {
	path string
	size int64
	file rootfs.File
	link *linked       // not nil: the file has several names
	as   bool          // it is as under another name, and not read
	done chan struct{} // closed when found is filled; nil: there is nothing to wait for
	found
}

// found is what was found in one file.
type found struct {
	findings []policy.Finding
	skips    []policy.Skipped
	people   people.Set
	software []named
	failed   error // why the file could not be read to its end
	ended    error // why the scan cannot go on
}

// linked is a file with several names.
type linked struct {
	left  uint32 // names that were not met yet
	reads int
	first *found
}

// Bounds on work under way and on what is remembered of files with several
// names. A file is read anew under its first names, since a name can make the
// difference; under the others it is as under its first.
const (
	maxPending = 1024
	maxLinked  = 1 << 15
	maxReads   = 4
)

func (s *scan) start() {
	s.inline = newReader(s, s.tell)
	if s.Workers <= 1 {
		return
	}
	s.jobs = make(chan *job)
	for range s.Workers - 1 { // the walk itself is one
		s.workers.Go(func() {
			r := newReader(s, func() {})
			for j := range s.jobs {
				j.found = r.run(j)
				close(j.done)
			}
		})
	}
}

// stop ends the workers; files that they have not read are closed.
func (s *scan) stop(cancel func()) {
	cancel()
	if s.jobs != nil {
		close(s.jobs)
	}
	s.workers.Wait()
}

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
	s.name(e)
	if e.Kind != rootfs.Regular {
		return nil
	}
	s.coverage.Files++
	s.coverage.Bytes += e.Size
	if e.Open == nil {
		if err := s.drain(0); err != nil {
			return err
		}
		s.tally.repeat(e.Link, e.Path)
		return nil
	}
	return s.file(e)
}

// name asks the detectors of names. What they find stands before what is found
// in the files of other names, which are read later.
func (s *scan) name(e rootfs.Entry) {
	n := detect.Entry{Path: e.Path, Mode: e.Mode, Link: e.Link, Capabilities: e.Capabilities}
	switch e.Kind {
	case rootfs.Whiteout:
		return
	case rootfs.Directory:
		n.Kind = detect.Folder
	case rootfs.Symlink:
		n.Kind = detect.Link
	case rootfs.Special:
		n.Kind = detect.Special
	}
	for _, finding := range s.Detectors.Name(n) {
		s.tally.findName(finding)
	}
}

// file has a regular file read, or repeats what is known of it by another name.
func (s *scan) file(e rootfs.Entry) error {
	j := &job{path: e.Path, size: e.Size, link: s.linked(e.Inode)}
	s.pending = append(s.pending, j)
	j.as = j.link != nil && j.link.reads >= maxReads
	if !j.as {
		if err := s.submit(j, e); err != nil {
			return err
		}
	}
	defer s.tell()
	return s.drain(maxPending)
}

// linked is what is known of a file with several names; nil for all others.
func (s *scan) linked(id rootfs.Inode) *linked {
	if id.Links < 2 {
		return nil
	}
	l := s.links[id]
	if l == nil {
		if len(s.links) >= maxLinked {
			return nil
		}
		l = &linked{left: id.Links}
		s.links[id] = l
	}
	if l.left--; l.left == 0 {
		delete(s.links, id)
	}
	return l
}

// handOn is from how many bytes on a file is worth a worker of its own: below
// that, waking one costs about as much as reading.
const handOn = 64 << 10

// submit opens a file and has it read, by a worker if one has nothing to do.
func (s *scan) submit(j *job, e rootfs.Entry) error {
	if j.link != nil {
		j.link.reads++
	}
	var err error
	if j.file, err = e.Open(); err != nil {
		j.found.failed = err
		return nil
	}
	if s.jobs != nil && j.size >= handOn && !j.file.Forward() {
		j.done = make(chan struct{})
		select {
		case s.jobs <- j:
			return nil
		default:
			j.done = nil
		}
	}
	j.found = s.inline.run(j)
	return nil
}

// drain takes what was found in the oldest files until at most so many are
// under way.
func (s *scan) drain(most int) error {
	for len(s.pending) > most || len(s.pending) > 0 && s.pending[0].done == nil {
		j := s.pending[0]
		s.wait(j)
		s.pending = s.pending[1:]
		if j.ended != nil {
			return j.ended
		}
		s.keep(j)
	}
	return nil
}

// wait waits until a worker has read the file, and reports progress meanwhile.
func (s *scan) wait(j *job) {
	if j.done == nil {
		return
	}
	now := time.NewTicker(waitProgress)
	defer now.Stop()
	for {
		select {
		case <-j.done:
			return
		case <-now.C:
			s.tell()
		}
	}
}

// keep files what was found in a file.
func (s *scan) keep(j *job) {
	f := &j.found
	switch {
	case j.as:
		f = j.link.first
	case j.link != nil && (j.link.first == nil || j.link.first.failed != nil):
		j.link.first = f
	}
	if f.failed != nil {
		s.unreadable(j.path, f.failed)
	}
	for _, finding := range f.findings {
		finding.Where.Path = j.path
		s.tally.find(finding)
	}
	for _, k := range f.skips {
		s.tally.skipIn(j.path, k)
	}
	for _, n := range f.software {
		n.path = j.path
		s.tally.names(n)
	}
	s.tally.people.Merge(&f.people)
}

// tell reports progress now and then.
func (s *scan) tell() {
	read := s.read.Load()
	if s.progress == nil || s.coverage.Files-s.told[0] < progressFiles && read-s.told[1] < progressBytes {
		return
	}
	s.told = [2]int64{s.coverage.Files, read}
	s.progress(s.coverage.Files, read)
}
