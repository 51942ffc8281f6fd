package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// LastOf is the number from which on the log in the folder dir holds n records,
// heartbeats not counted; its first record's when it holds fewer.
func LastOf(ctx context.Context, dir string, n uint64) (from uint64, err error) {
	fsys := os.DirFS(dir)
	firsts, err := listSegments(fsys, dir)
	if err != nil {
		return 0, err
	}
	if len(firsts) == 0 {
		return 0, fmt.Errorf("opening decision log %s: %w", dir, fs.ErrNotExist)
	}
	for i := len(firsts) - 1; i >= 0; i-- {
		newest, err := newestIn(ctx, fsys, firsts[i], n)
		if err != nil {
			return 0, err
		}
		if uint64(len(newest)) >= n && n > 0 {
			return newest[0], nil
		}
		n -= uint64(len(newest))
	}
	return firsts[0], nil
}

// newestIn are the numbers of the last n records of a segment, as far as it can
// be read: reading it will report the rest.
func newestIn(ctx context.Context, fsys fs.FS, first, n uint64) ([]uint64, error) {
	at, closer, size, err := openSegment(fsys, segmentName(first))
	if err != nil {
		return nil, fmt.Errorf("opening decision log: %w", err)
	}
	defer closer.Close()
	in := &frames{r: bufio.NewReaderSize(io.NewSectionReader(at, blockSize, max(size-blockSize, 0)), 64<<10), offset: blockSize}
	var newest []uint64
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fr, err := in.next()
		if err != nil {
			return newest, nil
		}
		if isHeartbeat(fr.raw()) {
			continue
		}
		if newest = append(newest, fr.seq()); uint64(len(newest)) > n {
			newest = newest[1:]
		}
	}
}

// isHeartbeat tells the kind without decoding: it follows the number and the time.
func isHeartbeat(raw []byte) bool {
	return bytes.Contains(raw[:min(len(raw), 128)], []byte(`"kind":"`+KindHeartbeat+`"`))
}

// pollEvery is how often Follow looks for new records.
const pollEvery = 100 * time.Millisecond

// Follow is Entries that goes on with what is written later, until ctx ends,
// whose error it returns. It survives segments being set aside.
func Follow(ctx context.Context, dir string, from uint64, fn func(Entry) error) error {
	r := reader{fsys: os.DirFS(dir), dir: dir, from: from}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := r.poll(ctx, decoded(fn)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// poll reads what has come. Where that cannot be read it looks once more, from
// the segment's start: a full disk lets the writer cut off what it had begun,
// and recovery sets damaged segments aside.
func (r *reader) poll(ctx context.Context, fn handler) error {
	err := r.read(ctx, fn)
	var damage *DamageError
	if errors.As(err, &damage) || errors.Is(err, fs.ErrNotExist) && r.segment > 0 {
		r.segment, r.offset = 0, 0
		return r.read(ctx, fn)
	}
	return err
}
