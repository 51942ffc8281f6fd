package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/phigate/phigate/policy"
)

// Entry is a record as it lies in the log.
type Entry struct {
	Log  string    // the log's ID: the origin of its checkpoints
	Seq  uint64    // from 1, without a gap; the leaf's index in the tree is Seq - 1
	Leaf tlog.Hash // RFC 6962's hash of the record
	// Raw is the record's JSON as logged, valid during the call that it is handed to.
	Raw      []byte
	Decision *policy.Decision
}

// Entries calls fn with each record from number from on of the log in the folder
// dir, over all of its segments, in order and in bounded memory, and returns fn's
// error. Another process may have the log open: the last records may not be
// durable yet. Records whose segment was archived and pruned, or set aside
// because it is damaged, are left out: numbers then have a gap. The error is a
// *DamageError where a segment cannot be read on, and fs.ErrNotExist where there
// is no log.
func Entries(ctx context.Context, dir string, from uint64, fn func(Entry) error) error {
	r := reader{fsys: os.DirFS(dir), dir: dir, from: from}
	return r.read(ctx, decoded(fn))
}

// index finds a record's place in the last segment without reading all before
// it: the offset of every 16th.
type index struct {
	first   uint64
	offsets []int64
}

const stride = 16

func (x *index) add(seq uint64, offset int64) {
	if x.offsets == nil {
		x.first = seq
	}
	if (seq-x.first)%stride == 0 {
		x.offsets = append(x.offsets, offset)
	}
}

// seek is an offset at or before the record's, 0 when it has none.
func (x *index) seek(seq uint64) int64 {
	if len(x.offsets) == 0 || seq <= x.first {
		return 0
	}
	return x.offsets[min((seq-x.first)/stride, uint64(len(x.offsets)-1))]
}

// Read calls fn with each durable record from number from on, in order, and
// returns fn's error. It sees what is there when it begins.
func (l *Log) Read(ctx context.Context, from uint64, fn func(*policy.Decision) error) error {
	return l.Entries(ctx, from, func(e Entry) error { return fn(e.Decision) })
}

// Entries is Read with what proves each record.
func (l *Log) Entries(ctx context.Context, from uint64, fn func(Entry) error) error {
	l.mu.Lock()
	r := reader{fsys: os.DirFS(l.dir), dir: l.dir, from: from, end: mark{seq: l.durable.seq}}
	if at := l.index.seek(from); at > 0 {
		r.segment, r.offset = l.segment, at
	}
	l.mu.Unlock()
	if r.end.seq < from || r.end.seq == 0 {
		return ctx.Err()
	}
	return r.read(ctx, decoded(fn))
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

// reader is a place in a log: the segment and the offset from which to go on.
type reader struct {
	fsys    fs.FS
	dir     string // for messages
	from    uint64 // the next record wanted
	end     mark   // the last record wanted; 0: all
	segment uint64 // 0: the one that holds from
	offset  int64
}

// handler takes a frame, valid during the call.
type handler func(log, path string, fr frame) error

// decoded hands frames on as entries.
func decoded(fn func(Entry) error) handler {
	return func(log, path string, fr frame) error {
		d, err := decode(fr.raw())
		if err != nil {
			return fmt.Errorf("reading decision log %s: record %d: %w", path, fr.seq(), err)
		}
		return fn(Entry{Log: log, Seq: fr.seq(), Leaf: fr.leaf(), Raw: fr.raw(), Decision: d})
	}
}

// read calls fn with what is there from the place on, and moves the place behind it.
func (r *reader) read(ctx context.Context, fn handler) error {
	firsts, err := listSegments(r.fsys, r.dir)
	if err != nil {
		return err
	}
	if len(firsts) == 0 {
		return fmt.Errorf("opening decision log %s: %w", r.dir, fs.ErrNotExist)
	}
	for i, first := range firsts {
		next := uint64(0)
		if i+1 < len(firsts) {
			next = firsts[i+1]
		}
		if first < r.segment || next != 0 && next <= r.from {
			continue
		}
		if first != r.segment {
			r.segment, r.offset = first, 0
		}
		if err := r.one(ctx, next, fn); err != nil {
			return err
		}
		if r.end.seq > 0 && r.from > r.end.seq {
			return nil
		}
	}
	return nil
}

// listSegments are the numbers of a log's segments, in order.
func listSegments(fsys fs.FS, dir string) ([]uint64, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("opening decision log %s: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return segments(names), nil
}

// openSegment opens a segment for reading at any place.
func openSegment(fsys fs.FS, name string) (io.ReaderAt, io.Closer, int64, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, 0, err
	}
	info, err := f.Stat()
	at, ok := f.(io.ReaderAt)
	if err == nil && (!ok || !info.Mode().IsRegular()) {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, nil, 0, errors.Join(err, f.Close())
	}
	return at, f, info.Size(), nil
}

// one reads the segment of the place; next is the first number of the one behind
// it, 0 when there is none.
func (r *reader) one(ctx context.Context, next uint64, fn handler) error {
	name := segmentName(r.segment)
	path := filepath.Join(r.dir, name)
	at, closer, size, err := openSegment(r.fsys, name)
	if err != nil {
		return fmt.Errorf("opening decision log %s: %w", path, err)
	}
	defer closer.Close()
	damaged := func(offset int64, after uint64, reason string) error {
		return &DamageError{Path: path, Offset: offset, After: after, Reason: reason}
	}
	h, err := readHeader(at, name)
	var bad badFrame
	switch {
	case errors.As(err, &bad) && size < blockSize && next == 0:
		return nil // it is being made
	case errors.As(err, &bad):
		return damaged(0, 0, string(bad))
	case err != nil:
		return fmt.Errorf("reading decision log %s: %w", path, err)
	}
	r.offset = max(r.offset, blockSize)
	in := &frames{r: bufio.NewReaderSize(io.NewSectionReader(at, r.offset, max(size-r.offset, 0)), 64<<10), offset: r.offset}
	last := uint64(0)
	if r.offset == blockSize {
		last = h.First - 1
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		fr, err := in.next()
		ended := errors.Is(err, io.EOF) || errors.Is(err, errTorn) // a torn end is an end: another process may be writing it
		switch {
		case ended && (next == 0 || last+1 == next || r.from >= next):
			return nil
		case ended:
			return damaged(in.start, last, "the segment ends before the next one begins")
		case errors.As(err, &bad):
			return damaged(in.start, last, string(bad))
		case err != nil:
			return fmt.Errorf("reading decision log %s: %w", path, err)
		case next != 0 && fr.seq() >= next:
			return nil // what follows was never durable: the segment was abandoned
		case r.end.seq != 0 && fr.seq() > r.end.seq:
			return nil
		case last != 0 && fr.seq() != last+1 || last == 0 && r.offset == blockSize && fr.seq() != h.First:
			return damaged(in.start, last, fmt.Sprintf("record %d follows", fr.seq()))
		}
		last = fr.seq()
		if last >= r.from {
			if err := fn(h.Log, path, fr); err != nil {
				return err
			}
			r.from = last + 1
		}
		r.offset = in.offset
	}
}
