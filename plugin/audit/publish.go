package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// witnessedName is the newest checkpoint with the cosignatures of witnesses.
const witnessedName = "checkpoint.witnessed"

// Origin is the log's ID: the origin line of its checkpoints.
func (l *Log) Origin() string { return l.origin }

// VerifierKey is the public half of the key that signs checkpoints, as
// sumdb/note writes it.
func (l *Log) VerifierKey() string { return l.verifier }

// SaveWitnessed keeps the newest checkpoint that a witness has signed in the
// log's folder, for who verifies it there.
func (l *Log) SaveWitnessed(signed []byte) error { return l.saveNote(witnessedName, signed) }

// WriteCheckpoint replaces the file at path by a signed note, at once and
// durably, readable by all: it is public.
func WriteCheckpoint(path string, signed []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	_, err = f.Write(signed)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = folder(filepath.Dir(path)).sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing checkpoint: %w", err), ignoreMissing(os.Remove(f.Name())))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Cosigned adds signature lines to a signed note, each once.
func Cosigned(signed []byte, lines ...[]byte) []byte {
	return slices.Concat(append([][]byte{signed}, lines...)...)
}

// NewVerifier reads a log's verifier key.
func NewVerifier(key string) (note.Verifier, error) { return note.NewVerifier(key) }
