package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/phigate/phigate/policy"
)

// index finds a record's place without reading all before it: the offset of
// every 256th.
type index struct {
	first   uint64
	offsets []int64
}

const stride = 256

func (x *index) add(seq uint64, offset int64) {
	if x.offsets == nil {
		x.first = seq
	}
	if (seq-x.first)%stride == 0 {
		x.offsets = append(x.offsets, offset)
	}
}

// seek is an offset at or before the record's.
func (x *index) seek(seq uint64) int64 {
	if len(x.offsets) == 0 || seq <= x.first {
		return 0
	}
	return x.offsets[min((seq-x.first)/stride, uint64(len(x.offsets)-1))]
}

// Read calls fn with each durable record from number from on, in order, and
// returns fn's error. It sees what is there when it begins.
func (l *Log) Read(ctx context.Context, from uint64, fn func(*policy.Decision) error) error {
	l.mu.Lock()
	start, end := l.index.seek(from), l.durable.size
	l.mu.Unlock()
	in := newFrames(l.path, io.NewSectionReader(l.file, start, end-start), start)
	return in.each(ctx, from, func(_ []byte, d *policy.Decision) error { return fn(d) })
}

// Wait returns when a record after number after is durable, at once when one
// is, and with an error when ctx ends or the log will not grow any more.
func (l *Log) Wait(ctx context.Context, after uint64) error {
	for {
		l.mu.Lock()
		there, grown := l.durable.seq > after, l.grown
		l.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.done:
			return ErrClosed
		}
	}
}

// each decodes the records from number from on, until the end. A torn end is
// an end: another process may be writing it.
func (f *frames) each(ctx context.Context, from uint64, fn func(raw []byte, d *policy.Decision) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, seq, err := f.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errTorn):
			return nil
		case err != nil:
			return err
		case seq < from:
			continue
		}
		d, err := decode(raw)
		if err != nil {
			return fmt.Errorf("reading decision log %s: record %d: %w", f.path, seq, err)
		}
		if err := fn(raw, d); err != nil {
			return err
		}
	}
}

// ReadFile calls fn with each record from number from on of the log at path,
// which another process may have open: the last may not be durable yet. raw is
// the record's JSON as logged, valid during the call. The error is a
// *DamageError where the file cannot be read on.
func ReadFile(ctx context.Context, path string, from uint64, fn func(raw []byte, d *policy.Decision) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening decision log: %w", err)
	}
	defer file.Close()
	return newFrames(path, file, 0).each(ctx, from, fn)
}

// LastOf is the number from which on the log at path holds n records; 1 when
// it holds fewer.
func LastOf(ctx context.Context, path string, n uint64) (from uint64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("opening decision log: %w", err)
	}
	defer file.Close()
	in, last := newFrames(path, file, 0), uint64(0)
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		_, seq, err := in.next()
		if err != nil { // an end, or damage, which reading will report
			return max(last, n) - n + 1, nil
		}
		last = seq
	}
}

// pollEvery is how often Follow looks for new records.
const pollEvery = 100 * time.Millisecond

// Follow is ReadFile that goes on with what is written later, until ctx ends,
// whose error it returns. It survives the file being replaced by a new one.
func Follow(ctx context.Context, path string, from uint64, fn func(raw []byte, d *policy.Decision) error) error {
	f := &follower{path: path, from: from, fn: fn}
	defer f.close()
	if err := f.reopen(); err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := f.poll(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// follower is a reader's place in a log that grows.
type follower struct {
	path   string
	from   uint64 // the next record wanted
	fn     func([]byte, *policy.Decision) error
	file   *os.File
	offset int64 // behind the last whole record
}

func (f *follower) reopen() error {
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("opening decision log: %w", err)
	}
	f.close()
	f.file, f.offset = file, 0
	return nil
}

func (f *follower) close() {
	if f.file != nil {
		f.file.Close()
	}
}

// poll reads what is new. Where that cannot be read it looks once more from
// the start: a full disk lets the writer cut off what it had begun.
func (f *follower) poll(ctx context.Context) error {
	err := f.read(ctx)
	if f.replaced() {
		if err := f.reopen(); err != nil {
			return err
		}
		return f.read(ctx)
	}
	var damage *DamageError
	if errors.As(err, &damage) && f.offset > 0 {
		f.offset = 0
		return f.read(ctx)
	}
	return err
}

func (f *follower) read(ctx context.Context) error {
	info, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("reading decision log: %w", err)
	}
	if info.Size() < f.offset {
		f.offset = 0
	}
	in := newFrames(f.path, io.NewSectionReader(f.file, f.offset, info.Size()-f.offset), f.offset)
	return in.each(ctx, f.from, func(raw []byte, d *policy.Decision) error {
		f.from, f.offset = d.Seq+1, in.offset
		return f.fn(raw, d)
	})
}

// replaced says whether the path now names another file. Between a rename and
// the new file's creation it names none, which is not yet a replacement.
func (f *follower) replaced() bool {
	now, err := os.Stat(f.path)
	if err != nil {
		return false
	}
	mine, err := f.file.Stat()
	return err == nil && !os.SameFile(now, mine)
}
