package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

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

// Options are what a log may be opened with. The zero value is a log that logs
// to nobody, signs no checkpoints and has no heartbeat.
type Options struct {
	Log *slog.Logger
	// Heartbeat is how long the log stays silent at most: then a record says
	// that it lives. 0 is for ever.
	Heartbeat time.Duration
	// Checkpoint is how often a checkpoint is signed while records come. 0 is never.
	Checkpoint time.Duration
	// Publish hears of each checkpoint; it must not block.
	Publish func(Checkpoint)
	// Stamp adds to each record what the log's owner knows of the moment; it must
	// not block, and is called for one record after the other.
	Stamp func(*policy.Decision)
}

// Log is an open decision log. Its methods may be called from many goroutines.
type Log struct {
	identity
	dir     string
	options Options
	log     *slog.Logger
	now     func() time.Time
	disk    disk
	lock    *os.File
	head    *headFile
	hashes  *hashes
	// segmentSize bounds a segment, in bytes.
	segmentSize int64
	// patience is how long Close waits for a disk that hangs.
	patience time.Duration

	// Of the committer alone once the log is open.
	epoch uint64 // of the next batch
	key   Key    // of the next batch
	buf   []byte
	added []byte // hashes that the batch has completed
	cut   bool   // what followed the durable end is off the file

	rotateSoon atomic.Bool // the next batch begins a segment
	reserving  sync.Mutex  // held while the reserve is taken

	// Written by the committer alone, and read by others with mu held.
	file    file
	segment uint64 // the first number of the file
	durable mark
	tree    tree // of what is durable
	index   index

	mu          sync.Mutex
	queue       []*entry
	queuedBytes int
	seq         uint64    // last assigned
	last        time.Time // of the record last assigned
	outage      int       // records that no disk space was there for
	err         error     // final: nothing is written any more
	closed      bool
	reserved    bool          // the reserve is there
	full        bool          // the disk was full, and nothing has been written since
	older       int64         // bytes of the segments before the last
	enrolled    bool          // the first key is not on the node
	signed      Checkpoint    // the newest
	grown       chan struct{} // closed when durable grows

	wake chan struct{} // holds one token when there is work
	done chan struct{} // closed when the committer has ended
	stop chan struct{} // closed by Close
	kept chan struct{} // closed when the keeper has ended
}

// mark is how far the log is known to be on the disk.
type mark struct {
	seq  uint64
	size int64 // of the last segment
}

// entry is one record on its way to the disk. Log.mu guards all but the first four.
type entry struct {
	payload   []byte
	seq       uint64
	size      int             // of the frame
	leaf      tlog.Hash       // of the frame
	of        policy.Decision // what a withdrawal must name; findings left out
	finished  bool
	abandoned bool
	err       error
	done      chan struct{}
	counts    int // decisions that are lost when this is: 1, or those that it tells of
}

// Open opens the log in the folder dir, or begins one there (0700, its files
// 0600). One process may hold a log open at a time. What a crash or a failing
// disk left is repaired first, see the package's text, and said in the log and
// in options.Log. A log that an earlier version kept in the file dir + ".log" is
// taken over.
func Open(dir string, options Options) (*Log, error) {
	return open(dir, options, time.Now, folder(dir))
}

func open(dir string, options Options, now func() time.Time, d disk) (*Log, error) {
	l := makeLog(dir, options, now, d)
	tell, err := l.recover()
	if err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	l.start()
	err = l.tellAll(tell)
	if err == nil {
		err = l.importOld()
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func makeLog(dir string, options Options, now func() time.Time, d disk) *Log {
	l := &Log{
		dir: dir, options: options, log: options.Log, now: now, disk: d,
		segmentSize: maxSegment, patience: 5 * time.Second,
		grown: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}),
		stop: make(chan struct{}), kept: make(chan struct{}),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	return l
}

// start lets the log take records.
func (l *Log) start() {
	go l.commitLoop()
	go l.keep()
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
	close(l.stop)
	l.poke()
	select {
	case <-l.done:
	case <-time.After(l.patience):
		go func() {
			<-l.done
			<-l.kept
			l.closeFiles()
		}()
		return fmt.Errorf("closing decision log %s: the disk does not answer", l.dir)
	}
	<-l.kept
	return l.closeFiles()
}

// closeFiles lets go of everything, the lock last.
func (l *Log) closeFiles() error {
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
	}
	if l.head != nil {
		errs = append(errs, l.head.file.Close())
	}
	if l.hashes != nil {
		errs = append(errs, l.hashes.file.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	clear(l.key[:])
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
	if l.options.Stamp != nil {
		l.options.Stamp(d)
	}
	payload, err := encode(d)
	if err != nil {
		return nil, err
	}
	l.seq, l.last = d.Seq, d.Time
	return l.queueUp(payload, d, counts), nil
}

// queueUp must be called with the lock held.
func (l *Log) queueUp(payload []byte, d *policy.Decision, counts int) *entry {
	e := &entry{payload: payload, seq: d.Seq, of: bare(d), done: make(chan struct{}), counts: counts}
	l.queue = append(l.queue, e)
	l.queuedBytes += len(payload)
	l.poke()
	return e
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

// bare is the decision without what was found.
func bare(d *policy.Decision) policy.Decision {
	c := *d
	c.Findings, c.Skipped, c.Deferred, c.Notes = []policy.Record{}, []policy.SkipEntry{}, nil, nil
	c.FindingsTotal, c.SkippedTotal = 0, 0
	c.Coverage, c.Individuals = policy.Coverage{}, policy.Individuals{}
	return c
}
