package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// hashes is the file of the tree's hashes, in the order of
// [tlog.StoredHashIndex]: proofs of consistency are made from it without reading
// the log. It is not synced and not trusted: what is made from it is checked, and
// it is made again from the segments where it is wrong.
type hashes struct {
	file  file
	whole bool // all hashes up to the tree's size are there
}

func openHashes(d disk) (*hashes, error) {
	f, err := d.open(hashesName)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.create(hashesName)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the tree's hashes: %w", err)
	}
	return &hashes{file: f}, nil
}

// put writes the hashes that follow those of a tree of the given size.
func (h *hashes) put(size uint64, stored []byte) error {
	_, err := h.file.WriteAt(stored, tlog.StoredHashIndex(0, int64(size))*tlog.HashSize)
	return err
}

// ReadHashes implements [tlog.HashReader].
func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if _, err := h.file.ReadAt(out[i][:], index*tlog.HashSize); err != nil {
			return nil, fmt.Errorf("reading the tree's hashes: %w", err)
		}
	}
	return out, nil
}

// fits says whether the file's hashes lead to the tree's edge.
func (h *hashes) fits(t tree) bool {
	got, err := h.ReadHashes(edgeIndexes(t.size))
	if err != nil {
		return false
	}
	for i := range got {
		if got[i] != t.edge[i] {
			return false
		}
	}
	return true
}

// edgeIndexes are where the hashes of a tree's right edge are stored.
func edgeIndexes(size uint64) (out []int64) {
	for at := uint64(0); at < size; {
		level := bits.Len64(size-at) - 1
		out = append(out, tlog.StoredHashIndex(level, int64(at>>level)))
		at += 1 << level
	}
	return out
}

// rebuildHashes makes the file again up to a tree that is durable. What comes
// meanwhile is written behind it by the committer.
func (l *Log) rebuildHashes(until tree) error {
	fsys := os.DirFS(l.dir)
	first, err := firstHeader(fsys, l.dir)
	if err != nil {
		return err
	}
	t := first.tree()
	for i, index := range edgeIndexes(t.size) {
		if _, err := l.hashes.file.WriteAt(t.edge[i][:], index*tlog.HashSize); err != nil {
			return err
		}
	}
	var stored []byte
	from := t.size
	flush := func() error {
		err := l.hashes.put(from, stored)
		stored, from = stored[:0], t.size
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-l.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	r := reader{fsys: fsys, dir: l.dir, from: first.First, end: mark{seq: until.size}}
	err = r.read(ctx, func(_, _ string, fr frame) error {
		if fr.seq() != t.size+1 {
			return fmt.Errorf("records before %d are set aside", fr.seq())
		}
		t.add(fr.leaf(), func(h tlog.Hash) { stored = append(stored, h[:]...) })
		if len(stored) >= 1<<20 {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err == nil && (t.size != until.size || !l.hashes.fits(until)) {
		err = errors.New("the segments do not have the tree's hashes")
	}
	return err
}

// ErrNoHashes is the answer while the tree's hashes are being made again, or
// cannot be since records are missing.
var ErrNoHashes = errors.New("the tree's hashes are not at hand")

// Consistency proves that the log's first old records are the first of its first
// size (RFC 6962, section 2.1.2).
func (l *Log) Consistency(old, size uint64) ([]tlog.Hash, error) {
	l.mu.Lock()
	whole, durable := l.hashes.whole, l.durable.seq
	l.mu.Unlock()
	switch {
	case old > size || size > durable:
		return nil, fmt.Errorf("proving consistency of %d and %d records: there are %d", old, size, durable)
	case !whole:
		return nil, ErrNoHashes
	case old == 0 || old == size:
		return nil, nil
	}
	proof, err := tlog.ProveTree(int64(size), int64(old), l.hashes)
	if errors.Is(err, io.EOF) {
		err = ErrNoHashes
	}
	return proof, err
}

// checkHashes makes the hashes again where they are not those of the log.
func (l *Log) checkHashes() {
	l.mu.Lock()
	t := l.tree.clone()
	l.mu.Unlock()
	if !l.hashes.fits(t) {
		if err := l.rebuildHashes(t); err != nil {
			l.log.Warn("decision log: no proofs of consistency for witnesses", "error", err)
			return
		}
	}
	l.mu.Lock()
	l.hashes.whole = true
	l.mu.Unlock()
}
