package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	checkpointName = "checkpoint"
	hashesName     = "hashes"
)

// Checkpoint is a signed statement of what the log holds: its first Size records
// have this root (C2SP tlog-checkpoint). Whoever keeps one can prove later that
// none of them was changed.
type Checkpoint struct {
	Size uint64
	Root tlog.Hash
	Note []byte // the signed note
	Time time.Time
}

// sign makes the checkpoint of a tree.
func (id identity) sign(t tree, now time.Time) (Checkpoint, error) {
	root := t.root()
	text := fmt.Sprintf("%s\n%d\n%s\n", id.origin, t.size, root)
	signed, err := note.Sign(&note.Note{Text: text}, id.signer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("signing a checkpoint: %w", err)
	}
	return Checkpoint{Size: t.size, Root: root, Note: signed, Time: now.UTC()}, nil
}

// saveCheckpoint replaces the file in one step. It is not synced: it is a copy
// for those who read the log here, and a witness does not believe it.
func (l *Log) saveCheckpoint(c Checkpoint) error {
	temp := checkpointName + ".new"
	if err := l.disk.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	f, err := l.disk.create(temp)
	if err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	_, err = f.WriteAt(c.Note, 0)
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.disk.rename(temp, checkpointName)
	}
	if err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	return nil
}
