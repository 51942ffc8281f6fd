package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
)

// ErrBusy means that the facts of another process changed whenever they were copied.
var ErrBusy = errors.New("the facts are being written: try again when the scan is idle")

// Snapshot opens a copy of the facts that another process keeps at path, for
// reading: phigated holds the file itself for as long as it runs. The copy lies
// in dir and is deleted by Close. The set of detectors is the one whose name
// begins with prefix; where there is none, the facts are of another version.
//
// The copy is consistent: bbolt never writes to a page that the newest of its
// two head pages leads to, so a copy during which neither head page changed is
// what that one leads to. Values have checksums besides.
func Snapshot(path, prefix, dir string) (*Store, error) {
	to := filepath.Join(dir, "facts.db")
	if err := copyStable(path, to); err != nil {
		return nil, fmt.Errorf("copying the facts %s: %w", path, err)
	}
	s := &Store{path: to, log: slog.New(slog.DiscardHandler), temporary: true}
	if err := s.startReading("set:" + prefix); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the facts %s: %w", path, err), os.Remove(to))
	}
	return s, nil
}

// startReading opens the file for reading and finds the set by its prefix.
func (s *Store) startReading(prefix string) error {
	var db *bbolt.DB
	err := guard(func() (err error) {
		if db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait}); err != nil {
			return openError(err)
		}
		return db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
				if strings.HasPrefix(string(name), prefix) {
					s.set = bytes.Clone(name)
				}
				return nil
			})
		})
	})
	if err == nil && s.set == nil {
		err = errors.New("they were gathered by another version: run the phigate that belongs to phigated")
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, guard(db.Close))
		}
		return err
	}
	s.file = &file{db: db, given: make(chan struct{})}
	return nil
}

// copyTries bounds the copies of a file that keeps changing.
const copyTries = 5

func copyStable(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	for range copyTries {
		before, err := heads(src)
		if err != nil {
			return err
		}
		if err := copyWhole(src, to); err != nil {
			return errors.Join(err, os.Remove(to))
		}
		after, err := heads(src)
		if err != nil {
			return err
		}
		if bytes.Equal(before, after) {
			return nil
		}
	}
	return errors.Join(ErrBusy, os.Remove(to))
}

// heads are the file's two head pages.
func heads(f *os.File) ([]byte, error) {
	pages := make([]byte, 2*os.Getpagesize())
	n, err := f.ReadAt(pages, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return pages[:n], err
}

func copyWhole(src *os.File, to string) (err error) {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
