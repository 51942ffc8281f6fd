package cache

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Keys lists all keys, in the order of their bytes.
func (s *Store) Keys() ([]string, error) {
	var out []string
	err := s.view(func(keys, _ *bbolt.Bucket) error {
		return keys.ForEach(func(k, _ []byte) error {
			out = append(out, string(k))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing layers: %w", err)
	}
	return out, nil
}

// Alias lets key answer as of does. It is [ErrUnknown] when of has no facts.
func (s *Store) Alias(key, of string) error {
	if key == of {
		return nil
	}
	err := s.update(func(keys, data *bbolt.Bucket) error {
		id := keys.Get([]byte(of))
		if id == nil {
			return ErrUnknown
		}
		return s.point(keys, data, key, append([]byte(nil), id...))
	})
	if err != nil {
		return fmt.Errorf("naming layer %s: %w", key, err)
	}
	return nil
}

// Drop forgets a key; unknown ones are no error.
func (s *Store) Drop(key string) error {
	err := s.update(func(keys, data *bbolt.Bucket) error { return s.point(keys, data, key, nil) })
	if err != nil {
		return fmt.Errorf("dropping layer %s: %w", key, err)
	}
	return nil
}

// Retain drops the keys that are not kept, and says how many.
func (s *Store) Retain(keep map[string]bool) (dropped int, err error) {
	return s.RetainFunc(func(key string) bool { return keep[key] })
}

// RetainFunc is Retain for keys of which some come while it is asked.
func (s *Store) RetainFunc(keep func(key string) bool) (dropped int, err error) {
	all, err := s.Keys()
	if err != nil {
		return 0, err
	}
	all = slices.DeleteFunc(all, keep)
	for batch := range slices.Chunk(all, retainBatch) {
		err := s.update(func(keys, data *bbolt.Bucket) error {
			for _, key := range batch {
				if err := s.point(keys, data, key, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return dropped, fmt.Errorf("dropping layers: %w", err)
		}
		dropped += len(batch)
	}
	return dropped, nil
}

// retainBatch bounds the layers that one transaction removes.
const retainBatch = 16

// point makes key mean id (nil: nothing) and removes the layer that it meant
// when no other key does.
func (s *Store) point(keys, data *bbolt.Bucket, key string, id []byte) error {
	old := append([]byte(nil), keys.Get([]byte(key))...)
	var err error
	if id == nil {
		err = keys.Delete([]byte(key))
	} else {
		err = keys.Put([]byte(key), id)
	}
	if err != nil || string(old) == string(id) {
		return err
	}
	if len(old) == 0 && s.old.Load() == nil {
		return nil
	}
	keys.Tx().OnCommit(func() { // it may have meant what the set before has
		s.gen.Add(1)
		s.recent.forget(key)
	})
	if len(old) == 0 {
		return nil
	}
	c := keys.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if string(v) == string(old) {
			return nil
		}
	}
	return data.DeleteBucket(old)
}
