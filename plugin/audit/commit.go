package audit

import (
	"errors"
	"fmt"

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
	var buf []byte
	for {
		batch, open := l.take()
		if len(batch) > 0 {
			buf = buf[:0]
			for _, e := range batch {
				buf = append(buf, e.frame...)
			}
			l.finish(batch, l.write(buf))
			l.cutFailed()
			if cap(buf) > maxBatchBytes {
				buf = nil
			}
			continue
		}
		if !open {
			return
		}
		<-l.wake
	}
}

// take removes the next batch from the queue.
func (l *Log) take() (batch []*entry, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.queue) && n < maxBatch && (n == 0 || size+len(l.queue[n].frame) <= maxBatchBytes) {
		size += len(l.queue[n].frame)
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

// write puts the frames behind the durable end and syncs them.
func (l *Log) write(buf []byte) error {
	if l.err != nil { // set by this goroutine alone
		return l.err
	}
	if _, err := l.file.WriteAt(buf, l.durable.size); err != nil {
		return l.writeFailed(err)
	}
	if err := l.sync(l.file); err != nil {
		return &fatalError{path: l.path, err: err}
	}
	return nil
}

// writeFailed cuts a partial frame off again. Only a full disk is survived:
// then the pages that were not written are not in the file either.
func (l *Log) writeFailed(err error) error {
	full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
	if !full {
		return &fatalError{path: l.path, err: err}
	}
	if cut := l.file.Truncate(l.durable.size); cut != nil {
		return &fatalError{path: l.path, err: errors.Join(err, cut)}
	}
	return fmt.Errorf("writing decision log: %w; free space in its file system", err)
}

// cutFailed takes off the file what a failed sync left in doubt: it may be in
// the cache and not on the disk, and whoever opens the log again would take it
// for durable. The callers have their error by now.
func (l *Log) cutFailed() {
	if l.err == nil || l.cut { // both set by this goroutine alone
		return
	}
	l.cut = true
	if err := l.file.Truncate(l.durable.size); err != nil {
		l.log.Error("decision log: cutting off what is not durable", "log", l.path, "error", err)
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
		l.durable.seq = e.seq
		l.durable.size += int64(len(e.frame))
		l.answer(e, nil)
	}
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
