package cache

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/phigate/phigate/plugin/rootfs"
)

const (
	flushBytes = 2 << 20  // chunks that wait for a transaction
	spillBytes = 24 << 20 // unsorted names that wait in memory
)

var errDone = errors.New("the layer was committed or aborted")

// Writer takes the facts of one layer. Names that come in order, as a walk
// gives them, are written as they come; others are sorted in runs on disk, so
// that memory stays bounded however many there are. It is not safe for
// concurrent use.
type Writer struct {
	store *Store
	key   string
	id    []byte

	held    *Name // the last name, until it is known not to come again
	cur     chunk
	pending []sealed
	size    int // of pending
	names   int64
	chunks  int
	runs    *runs // nil while names come in order
	err     error // of an earlier call: nothing more is taken
}

type sealed struct{ key, value []byte }

// Begin starts the facts of a layer. Nothing of it is seen before Commit, and
// what a crash leaves of it is removed at the next Open.
func (s *Store) Begin(key string) (*Writer, error) {
	w := &Writer{store: s, key: key}
	err := s.update(func(_, data *bbolt.Bucket) error {
		n, err := data.NextSequence()
		if err != nil {
			return err
		}
		w.id = s.newID(n)
		b, err := data.CreateBucket(w.id)
		if err != nil {
			return err
		}
		_, err = b.CreateBucket(bucketNames)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("beginning layer %s: %w", key, err)
	}
	return w, nil
}

// Add takes one name, in any order. Of a path that comes twice the later one
// counts, as in an archive, but a whiteout never replaces a name.
func (w *Writer) Add(n Name) error {
	if w.err != nil {
		return w.err
	}
	if len(n.Path) > rootfs.MaxPath || n.Path == "" || len(n.Link) > rootfs.MaxPath {
		return fmt.Errorf("adding a name of %d bytes to layer %s: out of bounds", len(n.Path), w.key)
	}
	if w.runs == nil && w.held != nil && compare(n.Path, w.held.Path) < 0 {
		w.runs = &runs{dir: filepath.Dir(w.store.path)}
	}
	if w.runs != nil {
		w.err = w.runs.add(n)
	} else {
		w.err = w.sorted(n)
	}
	return w.err
}

// sorted takes names in order.
func (w *Writer) sorted(n Name) error {
	if w.held == nil {
		w.held = &n
		return nil
	}
	if n.Path == w.held.Path {
		*w.held = newer(*w.held, n)
		return nil
	}
	err := w.write(*w.held)
	*w.held = n
	return err
}

// newer is what counts of a path that came twice.
func newer(old, n Name) Name {
	if n.Kind == rootfs.Whiteout && old.Kind != rootfs.Whiteout {
		return old
	}
	if n.Kind == rootfs.Directory && old.Kind == rootfs.Directory {
		n.Opaque = n.Opaque || old.Opaque
	}
	return n
}

func (w *Writer) write(n Name) error {
	if w.cur.full() {
		if err := w.endChunk(); err != nil {
			return err
		}
	}
	w.cur.add(n)
	w.names++
	return nil
}

func (w *Writer) endChunk() error {
	if w.cur.n == 0 {
		return nil
	}
	key := sortKey(w.cur.first)
	value := seal(key, bytes.Clone(w.cur.buf))
	w.pending = append(w.pending, sealed{key, value})
	w.size += len(key) + len(value)
	w.chunks++
	w.cur = chunk{buf: w.cur.buf[:0]}
	if w.size < flushBytes {
		return nil
	}
	return w.flush(nil)
}

// flush writes the pending chunks, and what last adds in the same transaction.
func (w *Writer) flush(last func(keys, data, layer *bbolt.Bucket) error) error {
	err := w.store.update(func(keys, data *bbolt.Bucket) error {
		layer := data.Bucket(w.id)
		if layer == nil { // the store was rebuilt meanwhile
			return ErrUnknown
		}
		names := layer.Bucket(bucketNames)
		names.FillPercent = 0.9 // keys come in order
		for _, c := range w.pending {
			if err := names.Put(c.key, c.value); err != nil {
				return err
			}
		}
		if last == nil {
			return nil
		}
		return last(keys, data, layer)
	})
	if err != nil {
		return fmt.Errorf("writing layer %s: %w", w.key, err)
	}
	w.pending, w.size = w.pending[:0], 0
	return nil
}

// Commit makes the layer answer, in place of what its key meant before. It is
// durable when Commit returns nil, except in a temporary store.
func (w *Writer) Commit(f Facts) error {
	err := w.err
	if err == nil {
		err = w.finish(f)
	}
	if err != nil {
		w.Abort()
		return err
	}
	w.runs.close()
	w.err = errDone
	return nil
}

func (w *Writer) finish(f Facts) error {
	if w.runs != nil {
		if err := w.mergeRuns(); err != nil {
			return fmt.Errorf("sorting names of layer %s: %w", w.key, err)
		}
	}
	if w.held != nil {
		if err := w.write(*w.held); err != nil {
			return err
		}
	}
	if err := w.endChunk(); err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(header{Facts: f, Names: w.names, Chunks: w.chunks}); err != nil {
		return fmt.Errorf("encoding facts of layer %s: %w", w.key, err)
	}
	return w.flush(func(keys, data, layer *bbolt.Bucket) error {
		if err := layer.Put(keyFacts, seal(keyFacts, buf.Bytes())); err != nil {
			return err
		}
		return w.store.point(keys, data, w.key, w.id)
	})
}

// mergeRuns brings what was written in order so far and the runs together.
func (w *Writer) mergeRuns() error {
	if w.held != nil {
		if err := w.write(*w.held); err != nil {
			return err
		}
		w.held = nil
	}
	if err := w.endChunk(); err != nil {
		return err
	}
	if err := w.flush(nil); err != nil {
		return err
	}
	old := w.id
	fresh, err := w.store.Begin(w.key)
	if err != nil {
		return err
	}
	w.id, w.names, w.chunks = fresh.id, 0, 0
	first := &Layer{store: w.store, set: w.store.set, key: w.key, id: old}
	if err := w.runs.merge(first, w.sorted); err != nil {
		return err
	}
	return w.remove(old)
}

func (w *Writer) remove(id []byte) error {
	return w.store.update(func(_, data *bbolt.Bucket) error {
		if data.Bucket(id) == nil {
			return nil
		}
		return data.DeleteBucket(id)
	})
}

// Abort forgets the layer. After Commit it does nothing, so it can be deferred.
func (w *Writer) Abort() {
	if errors.Is(w.err, errDone) {
		return
	}
	w.err = errDone
	w.runs.close()
	// What cannot be removed now is removed at the next Open.
	_ = w.remove(w.id)
}
