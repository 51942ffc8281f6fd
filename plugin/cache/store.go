// Package cache keeps the facts about layers: which names a layer holds, what
// detectors found in it and what could not be looked at. Facts, never
// verdicts: policy is applied when they are looked up, so that a new policy
// re-reads no layer.
package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrCorrupt means that the file held what was never written. The store
	// sets the file aside and goes on with an empty one.
	ErrCorrupt = errors.New("facts cache is damaged")
	// ErrUnknown means that a key is not in the store.
	ErrUnknown = errors.New("layer is not in the facts cache")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("facts cache is closed")
)

// lockWait bounds the wait for another process that has the file open.
const lockWait = time.Second

// The file: one top bucket per detector set, named "set:"+set, with
//
//	keys   key -> id of 8 bytes      what callers ask for; several keys may share an id
//	data   id  -> bucket             facts: header; names: first path of a chunk -> chunk
//	began  when the set began to be the one that is asked for, in Unix seconds
//	format which form the values have
//
// An id that no key names is a half-written layer, removed at the next Open.
// All values end with a CRC-32C over key and value, since bbolt checks none.
var (
	bucketKeys  = []byte("keys")
	bucketData  = []byte("data")
	bucketNames = []byte("names")
	keyFacts    = []byte("facts")
)

// Store is the cache of one node. It is safe for concurrent use.
type Store struct {
	path      string
	set       []byte
	log       *slog.Logger
	temporary bool
	now       func() time.Time    // the wall clock
	old       atomic.Pointer[old] // facts of the set before; nil: there are none

	mu     sync.Mutex
	file   *file  // nil: closed
	salt   uint32 // in the ids of this opening: those of a file that was replaced are never met again
	gen    atomic.Uint64
	recent recent
}

// file is an open file. When it is found damaged those who use it are let go, and not
// waited for: a panic of bbolt's leaves its locks held, and whoever
// takes one of them then waits forever.
type file struct {
	db    *bbolt.DB
	users sync.WaitGroup
	given chan struct{} // closed when the file was given up
}

// Open opens or creates the store at path for one detector set: its version and
// the fingerprint key's ID, with a dash between. Facts of the set before answer,
// marked stale, for at most [Grace] from when this one was first opened, if they
// have the same key and form; all others are removed. A damaged file is set aside
// as path+".corrupt-N" and logged; a file that another process holds is an error
// after one second.
func Open(path, set string, log *slog.Logger) (*Store, error) {
	return openAt(path, set, log, time.Now)
}

func openAt(path, set string, log *slog.Logger, now func() time.Time) (*Store, error) {
	s := &Store{path: path, set: []byte("set:" + set), log: log, now: now}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening facts cache: %w", err)
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// Temporary opens a store in a new file below dir (empty: the system's
// temporary folder), which Close deletes. Nothing in it is made durable.
func Temporary(dir string) (*Store, error) {
	f, err := os.CreateTemp(dir, "phigate-facts-*.db")
	if err != nil {
		return nil, fmt.Errorf("opening temporary facts cache: %w", err)
	}
	f.Close()
	s := &Store{path: f.Name(), set: []byte("set:temporary"), log: slog.New(slog.DiscardHandler), temporary: true, now: time.Now}
	if err := s.start(); err != nil {
		os.Remove(s.path)
		return nil, err
	}
	return s, nil
}

// start opens the file, once more on a new one when it is damaged.
func (s *Store) start() error {
	db, err := s.openFile()
	if errors.Is(err, ErrCorrupt) {
		if err := s.setAside(err); err != nil {
			return err
		}
		db, err = s.openFile()
	}
	if err != nil {
		return fmt.Errorf("opening facts cache %s: %w", s.path, err)
	}
	s.file, s.salt = &file{db: db, given: make(chan struct{})}, rand.Uint32()
	return nil
}

func (s *Store) openFile() (db *bbolt.DB, err error) {
	err = guard(func() error {
		db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
			Timeout: lockWait, NoSync: s.temporary, NoGrowSync: s.temporary, NoFreelistSync: s.temporary,
			FreelistType: bbolt.FreelistMapType,
		})
		if err != nil {
			return openError(err)
		}
		if err := db.Update(s.prepare); err != nil {
			return err
		}
		return db.View(func(tx *bbolt.Tx) error {
			if old := s.old.Load(); old != nil {
				if err := verify(tx.Bucket(old.set)); err != nil {
					return err
				}
			}
			return verify(tx.Bucket(s.set))
		})
	})
	if err != nil && db != nil {
		_ = guard(db.Close)
		db = nil
	}
	return db, err
}

// openError tells damage from trouble with the system.
func openError(err error) error {
	var path *os.PathError
	var errno syscall.Errno
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return errors.New("another process has it open: is phigated already running with this state folder?")
	case errors.As(err, &path), errors.As(err, &errno):
		return err
	}
	return fmt.Errorf("%w: %v", ErrCorrupt, err)
}

// setAside renames the damaged file, so that it can be looked at later.
func (s *Store) setAside(cause error) error {
	const kept = 9
	aside := ""
	for n := 1; n <= kept; n++ {
		aside = fmt.Sprintf("%s.corrupt-%d", s.path, n)
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(s.path, aside); err != nil {
		return fmt.Errorf("setting damaged facts cache aside: %w", err)
	}
	s.log.Error("facts cache was damaged: set aside, all layers are scanned again", "file", s.path, "aside", aside, "cause", cause)
	return nil
}

// prepare removes detector sets that answer nothing any more, and half-written layers.
func (s *Store) prepare(tx *bbolt.Tx) error {
	if err := s.sets(tx); err != nil {
		return err
	}
	top := tx.Bucket(s.set)
	keys, err := top.CreateBucketIfNotExists(bucketKeys)
	if err != nil {
		return err
	}
	data, err := top.CreateBucketIfNotExists(bucketData)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	if err := keys.ForEach(func(_, id []byte) error { used[string(id)] = true; return nil }); err != nil {
		return err
	}
	var halves [][]byte
	err = data.ForEachBucket(func(id []byte) error {
		if !used[string(id)] {
			halves = append(halves, append([]byte(nil), id...))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range halves {
		if err := data.DeleteBucket(id); err != nil {
			return err
		}
	}
	return nil
}

// verify reads everything of a set once: each value's checksum and each layer's
// number of names.
func verify(set *bbolt.Bucket) error {
	keys, data := set.Bucket(bucketKeys), set.Bucket(bucketData)
	if keys == nil || data == nil {
		return fmt.Errorf("%w: a set without its layers", ErrCorrupt)
	}
	return keys.ForEach(func(_, id []byte) error {
		layer := data.Bucket(id)
		if len(id) != 8 || layer == nil {
			return fmt.Errorf("%w: a key without its layer", ErrCorrupt)
		}
		head, err := readHeader(layer)
		if err != nil {
			return err
		}
		chunks := 0
		err = layer.Bucket(bucketNames).ForEach(func(k, v []byte) error {
			chunks++
			_, err := unseal(k, v)
			return err
		})
		if err == nil && chunks != head.Chunks {
			err = fmt.Errorf("%w: names are missing", ErrCorrupt)
		}
		return err
	})
}

// guard turns the panics of bbolt on a damaged file, and the faults of reading
// beyond the end of a truncated one, into ErrCorrupt.
func guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, r)
		}
	}()
	return fn()
}

func (s *Store) view(fn func(keys, data *bbolt.Bucket) error) error { return s.viewSet(s.set, fn) }

// viewSet reads a set, of which nothing is left where it was removed meanwhile.
func (s *Store) viewSet(set []byte, fn func(keys, data *bbolt.Bucket) error) error {
	return s.run(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			top := tx.Bucket(set)
			if top == nil {
				return ErrUnknown
			}
			return fn(top.Bucket(bucketKeys), top.Bucket(bucketData))
		})
	})
}

func (s *Store) update(fn func(keys, data *bbolt.Bucket) error) error {
	return s.run(func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error {
			top := tx.Bucket(s.set)
			return fn(top.Bucket(bucketKeys), top.Bucket(bucketData))
		})
	})
}

// run does one transaction. When it meets damage, the file is replaced by an
// empty one, and the error says that the facts are gone. With an error of any kind fn
// may be running still, or wait forever.
func (s *Store) run(fn func(*bbolt.DB) error) error {
	f := s.use()
	if f == nil {
		return ErrClosed
	}
	done := make(chan error, 1)
	go func() {
		defer f.users.Done()
		done <- guard(func() error { return fn(f.db) })
	}()
	var err error
	select {
	case err = <-done:
	case <-f.given:
		err = fmt.Errorf("%w: another transaction has met that", ErrCorrupt)
	}
	if errors.Is(err, ErrCorrupt) {
		s.replace(f, err)
	}
	return err
}

// use is the open file, which is not closed before its user is done.
func (s *Store) use() *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.users.Add(1)
	}
	return s.file
}

func (s *Store) replace(damaged *file, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != damaged { // another caller was first
		return
	}
	s.file = nil
	s.gen.Add(1)
	s.recent.clear()
	close(damaged.given)
	go func() { // which may never end; its memory must stay for as long as somebody reads there
		damaged.users.Wait()
		_ = guard(damaged.db.Close)
	}()
	err := s.setAside(cause)
	if err == nil {
		err = s.start()
	}
	if err != nil {
		s.log.Error("facts cache cannot be rebuilt: nothing is known of any layer", "cause", err)
	}
}

// Generation changes whenever a key stops to mean what it meant, so that what
// was computed from layers can be kept for as long as it does not.
func (s *Store) Generation() uint64 {
	s.grace()
	return s.gen.Load()
}

// Close closes the store; a temporary one is deleted.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	s.file.users.Wait()
	err := guard(s.file.db.Close)
	s.file = nil
	if s.temporary {
		err = errors.Join(err, os.Remove(s.path))
	}
	if err != nil {
		return fmt.Errorf("closing facts cache: %w", err)
	}
	return nil
}

// newID is called within a transaction.
func (s *Store) newID(sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(s.salt)<<32|sequence&(1<<32-1))
}
