package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	checkpointName = "checkpoint"
	hashesName     = "hashes"
)

// maxCheckpoint bounds a signed note, in bytes.
const maxCheckpoint = 64 << 10

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

// OpenCheckpoint reads a checkpoint that the log's key has signed, and the
// cosignatures of witnesses that it carries.
func OpenCheckpoint(signed []byte, log note.Verifier, witnesses ...note.Verifier) (Checkpoint, *note.Note, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, nil, fmt.Errorf("reading checkpoint: %d bytes, more than %d", len(signed), maxCheckpoint)
	}
	opened, err := note.Open(signed, note.VerifierList(append([]note.Verifier{log}, witnesses...)...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("reading checkpoint: %w", err)
	}
	if !slices.ContainsFunc(opened.Sigs, func(s note.Signature) bool { return s.Name == log.Name() && s.Hash == log.KeyHash() }) {
		return Checkpoint{}, nil, fmt.Errorf("reading checkpoint: it has no good signature of %s", log.Name())
	}
	c, origin, err := ParseCheckpoint(opened.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if origin != log.Name() {
		return Checkpoint{}, nil, fmt.Errorf("reading checkpoint: it is of the log %s", origin)
	}
	c.Note = signed
	return c, opened, nil
}

// ParseCheckpoint reads the text of a checkpoint, without its signatures: the
// origin, the size in decimal, the root in base64, each on a line, and perhaps
// further lines.
func ParseCheckpoint(text string) (c Checkpoint, origin string, err error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return c, "", errors.New("reading checkpoint: it has not three lines")
	}
	c.Size, err = strconv.ParseUint(lines[1], 10, 63)
	if err != nil || lines[1] != strconv.FormatUint(c.Size, 10) {
		return c, "", errors.New("reading checkpoint: its second line is no size")
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil || c.Root.String() != lines[2] {
		return c, "", errors.New("reading checkpoint: its third line is no hash")
	}
	return c, lines[0], nil
}

// saveNote replaces a file in one step. It is not synced, since every sync here
// delays verdicts: it is a copy for those who read the log here.
func (l *Log) saveNote(name string, signed []byte) error {
	temp := name + ".new"
	if err := l.disk.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	f, err := l.disk.create(temp)
	if err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	_, err = f.WriteAt(signed, 0)
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.disk.rename(temp, name)
	}
	if err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	return nil
}
