// Package audit is the decision log: one append-only file of framed JSON lines
// that a verdict is in, durably, before anyone hears it.
//
// What a Record call does, in system calls, when nothing goes wrong: one
// pwrite, one fdatasync. Records that come while one is being synced share the
// next write and the next sync; an idle log syncs at once.
//
// When something does go wrong:
//   - the disk hangs: Record gives up with its context, and once the disk is
//     back a record of kind "withdrawn" follows the one that came too late;
//   - the disk is full: the partial frame is cut off, the callers get the
//     error, and the next record is tried anew; one of kind "log-outage" then
//     counts what could not be written;
//   - any other error of a write or a sync: the file is never synced again,
//     because the kernel may have dropped the pages and the next sync would
//     lie. Every further record is refused until the log is closed and opened
//     again; what was not known to be durable is cut off;
//   - a torn last line, after a crash: it is moved to a file beside the log
//     (".torn-1") and the log goes on before it. It was never acknowledged;
//   - damage before the end: the whole file is set aside (".damaged-1"),
//     nothing of it is lost, and a new one begins with a record of kind
//     "log-damaged". Numbers go on behind the last that can be read.
//
// The file alone proves nothing against root, who can rewrite it.
package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// ErrClosed is the answer of a log that was closed.
var ErrClosed = errors.New("the decision log is closed")

// ErrFull is the answer while a hung disk leaves no room for more records in
// memory.
var ErrFull = errors.New("the decision log's queue is full: the disk does not answer")

// The queue's bounds, over all records that wait for the disk.
const (
	maxQueued      = 8192
	maxQueuedBytes = 64 << 20
)

// Log is an open decision log. Its methods may be called from many goroutines.
type Log struct {
	path string
	log  *slog.Logger
	now  func() time.Time
	sync func(*os.File) error // fdatasync
	file *os.File
	lock *os.File
	// patience is how long Close waits for a disk that hangs.
	patience time.Duration

	mu          sync.Mutex
	queue       []*entry
	queuedBytes int
	seq         uint64    // last assigned
	last        time.Time // of the record last assigned
	durable     mark
	index       index
	outage      int   // records that no disk space was there for
	err         error // final: nothing is written any more
	cut         bool  // what followed the durable end is off the file
	closed      bool
	grown       chan struct{} // closed when durable grows

	wake chan struct{} // holds one token when there is work
	done chan struct{} // closed when the committer has ended
}

// mark is how far the file is known to be on the disk.
type mark struct {
	seq  uint64
	size int64
}

// entry is one record on its way to the disk. Log.mu guards all but frame.
type entry struct {
	frame     []byte
	seq       uint64
	of        policy.Decision // what a withdrawal must name; findings left out
	finished  bool
	abandoned bool
	err       error
	done      chan struct{}
	counts    int // decisions that are lost when this is: 1, or those that it tells of
}

// Open opens the log at path, or creates it (0600, its folder 0700). One
// process may hold a log open at a time. What a crash or a failing disk left
// is repaired first, see the package's text, and said in log.
func Open(path string, log *slog.Logger) (*Log, error) {
	return open(path, log, time.Now, fdatasync)
}

func open(path string, log *slog.Logger, now func() time.Time, sync func(*os.File) error) (*Log, error) {
	l := &Log{
		path: path, log: log, now: now, sync: sync, patience: 5 * time.Second,
		grown: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	damage, err := l.recover()
	if err != nil {
		l.closeFiles()
		return nil, err
	}
	go l.commitLoop()
	if damage != nil {
		if err := l.recordDamage(damage); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

func fdatasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// Record gives the decision its number and its time, the later of the clock
// and of the record before, and returns when it is on the disk. With an error
// it is not known to be there, the decision's Seq is 0 and the verdict must not
// be used. When ctx ends first, Record returns at once and the decision is
// written and withdrawn as soon as the disk answers.
func (l *Log) Record(ctx context.Context, d *policy.Decision) (seq uint64, err error) {
	e, err := l.enqueue(d)
	if err != nil {
		d.Seq = 0
		return 0, fmt.Errorf("recording decision: %w", err)
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		if l.abandon(e) {
			d.Seq = 0
			return 0, fmt.Errorf("recording decision %d: %w; it will be withdrawn", e.seq, ctx.Err())
		}
	}
	if e.err != nil {
		d.Seq = 0
		return 0, fmt.Errorf("recording decision: %w", e.err)
	}
	return e.seq, nil
}

// Last is the time of the last record, zero when there is none.
func (l *Log) Last() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Seq is the number of the last durable record, 0 when there is none.
func (l *Log) Seq() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable.seq
}

// Err is the error that ended the log, nil while it lives. The log can then
// only be closed and opened again.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close writes what is queued and closes the file. It gives up on a disk that
// hangs for longer than five seconds; the file and its lock are then let go
// once the disk answers.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.poke()
	select {
	case <-l.done:
	case <-time.After(l.patience):
		go func() {
			<-l.done
			l.closeFiles()
		}()
		return fmt.Errorf("closing decision log %s: the disk does not answer", l.path)
	}
	return l.closeFiles()
}

func (l *Log) closeFiles() error {
	var errs []error
	for _, f := range []*os.File{l.file, l.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// enqueue numbers, dates and frames the decision under the lock, so that the
// numbers, the times and the lines have one order.
func (l *Log) enqueue(d *policy.Decision) (*entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return nil, l.err
	case l.closed:
		return nil, ErrClosed
	case len(l.queue) >= maxQueued || l.queuedBytes >= maxQueuedBytes:
		l.outage++
		return nil, ErrFull
	}
	return l.push(d, 1)
}

// push must be called with the lock held.
func (l *Log) push(d *policy.Decision, counts int) (*entry, error) {
	d.Time = l.now().UTC().Round(0)
	if d.Time.Before(l.last) {
		d.Time = l.last
	}
	d.Seq = l.seq + 1
	frame, err := appendFrame(nil, d)
	if err != nil {
		return nil, err
	}
	l.seq, l.last = d.Seq, d.Time
	e := &entry{frame: frame, seq: d.Seq, of: identity(d), done: make(chan struct{}), counts: counts}
	l.queue = append(l.queue, e)
	l.queuedBytes += len(frame)
	l.poke()
	return e, nil
}

// abandon says whether the caller may go: not when the answer is already there.
func (l *Log) abandon(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.finished {
		return false
	}
	e.abandoned = true
	return true
}

func (l *Log) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// identity is the decision without what was found.
func identity(d *policy.Decision) policy.Decision {
	c := *d
	c.Findings, c.Skipped, c.Deferred, c.Notes = []policy.Record{}, []policy.SkipEntry{}, nil, nil
	c.FindingsTotal, c.SkippedTotal = 0, 0
	c.Coverage, c.Individuals = policy.Coverage{}, policy.Individuals{}
	return c
}
