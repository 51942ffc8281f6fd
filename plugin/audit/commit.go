package audit

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// One write holds at most this much; the rest waits for the next.
const (
	maxBatch      = 512
	maxBatchBytes = 4 << 20
)

// commitLoop is the only writer of the file: one write and one sync for all
// records that wait.
func (l *Log) commitLoop() {
	defer close(l.done)
	for {
		batch, open := l.take()
		if len(batch) > 0 {
			l.commit(batch)
			continue
		}
		if !open {
			return
		}
		<-l.wake
	}
}

// commit answers a batch's callers, and then notes where the log ends now.
func (l *Log) commit(batch []*entry) {
	err := l.write(l.frame(batch))
	full := isFull(err) && l.releaseReserve()
	before := l.tree.size
	l.added = l.added[:0]
	l.finish(batch, err)
	switch {
	case err == nil:
		if err := errors.Join(l.writeHead(""), l.hashes.put(before, l.added)); err != nil {
			l.log.Warn("decision log: noting where it ends", "error", err)
		}
	case l.err != nil: // set by this goroutine alone
		l.abandonSegment()
	case full:
		l.mu.Lock()
		l.follow(fullRecord(), 0)
		l.mu.Unlock()
	}
	if cap(l.buf) > maxBatchBytes {
		l.buf = nil
	}
}

// take removes the next batch from the queue.
func (l *Log) take() (batch []*entry, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.queue) && n < maxBatch && (n == 0 || size+len(l.queue[n].payload) <= maxBatchBytes) {
		size += len(l.queue[n].payload)
		n++
	}
	batch = l.queue[:n:n]
	l.queue = l.queue[n:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	l.queuedBytes -= size
	return batch, !l.closed
}

// frame makes the batch's frames with the key of its epoch.
func (l *Log) frame(batch []*entry) []byte {
	m, buf := newMaccer(l.key), l.buf[:0]
	for i, e := range batch {
		epoch, start := l.epoch, len(buf)
		if i == len(batch)-1 {
			epoch |= lastOfBatch
		}
		buf = appendFrame(buf, e.seq, epoch, m, e.payload)
		e.size, e.leaf = len(buf)-start, frame(buf[start:]).leaf()
	}
	l.buf = buf
	return buf
}

// write puts the frames behind the durable end and syncs them.
func (l *Log) write(buf []byte) error {
	if l.err != nil { // set by this goroutine alone
		return l.err
	}
	full := l.durable.size+int64(len(buf)) > l.segmentSize || l.rotateSoon.Swap(false)
	if full && l.durable.size > blockSize {
		if err := l.rotate(); err != nil {
			return l.failed(err)
		}
	}
	if _, err := l.file.WriteAt(buf, l.durable.size); err != nil {
		return l.writeFailed(err)
	}
	if err := l.file.Sync(); err != nil {
		return &fatalError{path: l.dir, err: err}
	}
	return nil
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// failed tells a full disk, which is survived, from what is not.
func (l *Log) failed(err error) error {
	if isFull(err) {
		return fmt.Errorf("writing decision log: %w; free space in its file system", err)
	}
	return &fatalError{path: l.dir, err: err}
}

// writeFailed cuts a partial frame off again. Only a full disk is survived:
// then the pages that were not written are not in the file either.
func (l *Log) writeFailed(err error) error {
	err = l.failed(err)
	var fatal *fatalError
	if errors.As(err, &fatal) {
		return err
	}
	if cut := l.file.Truncate(l.durable.size); cut != nil {
		return &fatalError{path: l.dir, err: errors.Join(err, cut)}
	}
	return err
}

// abandonSegment takes off the file what a failed sync left in doubt, and notes
// that the segment must not be gone on with: what is in the cache may not be on
// the disk, and whoever opens the log again would take it for durable. The
// callers have their error by now.
func (l *Log) abandonSegment() {
	if l.cut {
		return
	}
	l.cut = true
	err := errors.Join(l.file.Truncate(l.durable.size), l.writeHead(l.err.Error()))
	if err != nil {
		l.log.Error("decision log: abandoning a segment whose disk failed", "log", l.dir, "error", err)
	}
}

// fatalError ends a log.
type fatalError struct {
	path string
	err  error
}

func (e *fatalError) Error() string {
	return fmt.Sprintf("writing decision log %s: %v; nothing is recorded until it is opened again: check the disk", e.path, e.err)
}

func (e *fatalError) Unwrap() error { return e.err }

// finish answers the callers of a batch.
func (l *Log) finish(batch []*entry, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.fail(batch, err)
		return
	}
	for _, e := range batch {
		l.index.add(e.seq, l.durable.size)
		l.tree.add(e.leaf, func(h tlog.Hash) { l.added = append(l.added, h[:]...) })
		l.durable.seq = e.seq
		l.durable.size += int64(e.size)
		l.answer(e, nil)
	}
	l.epoch, l.key = l.epoch+1, l.key.next()
	l.full = false
	close(l.grown)
	l.grown = make(chan struct{})
	for _, e := range batch {
		if e.abandoned {
			l.follow(withdrawal(e), 0)
		}
	}
	if l.outage > 0 {
		l.follow(&policy.Decision{
			Kind: "log-outage", Message: fmt.Sprintf("%d decisions were refused and could not be recorded", l.outage),
			Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
		}, l.outage)
		l.outage = 0
	}
}

// fail answers the batch and all that queue behind it, whose numbers would
// leave a gap. It must be called with the lock held.
func (l *Log) fail(batch []*entry, err error) {
	var fatal *fatalError
	if errors.As(err, &fatal) && l.err == nil {
		l.err = err
		l.log.Error("decision log failed", "error", err)
	}
	all := append(batch, l.queue...)
	l.queue, l.queuedBytes = nil, 0
	l.seq = l.durable.seq
	for _, e := range all {
		l.outage += e.counts
		l.answer(e, err)
	}
}

func (l *Log) answer(e *entry, err error) {
	e.err, e.finished = err, true
	close(e.done)
}

// follow queues a record of the log's own, with the lock held.
func (l *Log) follow(d *policy.Decision, counts int) {
	if _, err := l.push(d, counts); err != nil {
		l.log.Error("decision log: record lost", "kind", d.Kind, "error", err)
	}
}

// withdrawal takes back a decision whose caller had gone before it was durable.
func withdrawal(e *entry) *policy.Decision {
	d := e.of
	d.Kind, d.Withdraws, d.Verdict = "withdrawn", e.seq, policy.Block
	d.Message = fmt.Sprintf("decision %d came too late to be recorded in time; its request was refused", e.seq)
	return &d
}
