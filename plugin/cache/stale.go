package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Grace is how long the facts of the detector set before answer at most, from
// when a new one was first opened: long enough to scan a full node in the
// background, short enough that what only the new detectors find is not missed
// for longer than a day.
const Grace = 24 * time.Hour

// format is the form of names and facts in the file. Raise it with each change
// that an older or newer phigate would misread: facts of another form never answer.
const format = 1

var (
	keyBegan  = []byte("began")
	keyFormat = []byte("format")
)

// old are the facts of the detector set before.
type old struct {
	set     []byte      // its bucket
	version string      // of its detectors
	until   time.Time   // by the monotonic clock, so that setting the clock back prolongs nothing
	over    atomic.Bool // they answer nothing any more
}

// sets makes the bucket of this detector set, finds the one before it that may
// still answer, and removes all others.
func (s *Store) sets(tx *bbolt.Tx) error {
	if mine := tx.Bucket(s.set); mine != nil && formatOf(mine) != format {
		if err := tx.DeleteBucket(s.set); err != nil {
			return err
		}
	}
	before, err := s.before(tx)
	if err != nil {
		return err
	}
	goesOn := tx.Bucket(s.set) != nil
	top, err := tx.CreateBucketIfNotExists(s.set)
	if err != nil {
		return err
	}
	now, began := s.now(), beganAt(top)
	if !goesOn || before != nil && beganAt(tx.Bucket(before)).After(began) { // new, or again
		began = now
	}
	s.old.Store(nil)
	if left := began.Add(Grace).Sub(now); before != nil && left > 0 && left <= Grace {
		s.old.Store(&old{set: before, version: versionOf(before), until: time.Now().Add(left)})
	}
	if err := s.remove(tx); err != nil {
		return err
	}
	if err := top.Put(keyFormat, binary.BigEndian.AppendUint64(nil, format)); err != nil {
		return err
	}
	return top.Put(keyBegan, binary.BigEndian.AppendUint64(nil, uint64(began.Unix())))
}

// before is the set that was asked for last before this one, if its facts can
// be read and have people under the same key.
func (s *Store) before(tx *bbolt.Tx) (last []byte, err error) {
	err = tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		if b == nil || bytes.Equal(name, s.set) || keyOf(name) != keyOf(s.set) || formatOf(b) != format {
			return nil
		}
		if last == nil || beganAt(b).After(beganAt(tx.Bucket(last))) {
			last = bytes.Clone(name)
		}
		return nil
	})
	return last, err
}

// remove removes all sets but this one and the one that may still answer.
func (s *Store) remove(tx *bbolt.Tx) error {
	var others [][]byte
	var kept []byte
	if old := s.old.Load(); old != nil {
		kept = old.set
	}
	err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		if !bytes.Equal(name, s.set) && !bytes.Equal(name, kept) {
			others = append(others, bytes.Clone(name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range others {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// keyOf is the fingerprint key's ID in a set's name, versionOf what stands before it.
func keyOf(set []byte) string { return string(set[bytes.LastIndexByte(set, '-')+1:]) }

func versionOf(set []byte) string {
	return strings.TrimSuffix(strings.TrimPrefix(string(set), "set:"), "-"+keyOf(set))
}

// formatOf is the form of a set's values; the first had no number.
func formatOf(set *bbolt.Bucket) uint64 {
	if v := set.Get(keyFormat); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 1
}

// beganAt is when a set began; of the first form's that is not known.
func beganAt(set *bbolt.Bucket) time.Time {
	if v := set.Get(keyBegan); len(v) == 8 {
		return time.Unix(int64(binary.BigEndian.Uint64(v)), 0)
	}
	return time.Time{}
}

// grace are the facts of the set before while they answer, else nil. Where their
// time is over, the generation changes, so that nothing that was computed from
// them is kept.
func (s *Store) grace() *old {
	o := s.old.Load()
	if o == nil || o.over.Load() {
		return nil
	}
	if time.Now().Before(o.until) {
		return o
	}
	s.endGrace(o)
	return nil
}

func (s *Store) endGrace(o *old) {
	if o.over.CompareAndSwap(false, true) {
		s.gen.Add(1)
		s.recent.clear()
	}
}

// Stale says which version of the detectors the facts are of that answer where
// those of this one are not there yet, and until when; empty: there are none.
func (s *Store) Stale() (version string, until time.Time) {
	if o := s.grace(); o != nil {
		return o.version, o.until
	}
	return "", time.Time{}
}

// StaleKeys lists the keys for which only facts of the set before may be there.
func (s *Store) StaleKeys() ([]string, error) {
	o := s.grace()
	if o == nil {
		return nil, nil
	}
	var out []string
	err := s.viewSet(o.set, func(keys, _ *bbolt.Bucket) error {
		return keys.ForEach(func(k, _ []byte) error {
			out = append(out, string(k))
			return nil
		})
	})
	if err != nil && !errors.Is(err, ErrUnknown) {
		return nil, fmt.Errorf("listing layers of an older version: %w", err)
	}
	return out, nil
}

// DropStale removes the facts of the set before: those of this one are complete.
func (s *Store) DropStale() error {
	o := s.old.Load()
	if o == nil {
		return nil
	}
	s.endGrace(o)
	err := s.run(func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error {
			if err := tx.DeleteBucket(o.set); !errors.Is(err, bolterrors.ErrBucketNotFound) {
				return err
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("removing facts of an older version: %w", err)
	}
	s.old.CompareAndSwap(o, nil)
	return nil
}

// Stale is the version of the detectors that gathered the layer's facts, if it is
// not the one that is asked for; else empty.
func (l *Layer) Stale() string { return l.stale }
