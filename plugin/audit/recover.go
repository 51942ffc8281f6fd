package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// recover brings the folder to a state that can be appended to, and makes what
// head says of it durable: only then is there anything to lose.
func (l *Log) recover() (tell []*policy.Decision, err error) {
	if tell, err = l.repair(); err == nil {
		err = l.head.sync()
	}
	return tell, err
}

// repair takes the lock and brings the folder to a state that can be appended
// to. It returns what the first record must tell: what was found damaged and set
// aside, or taken over from an earlier version.
func (l *Log) repair() (tell []*policy.Decision, err error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating decision log's folder: %w", err)
	}
	if err := l.takeLock(); err != nil {
		return nil, err
	}
	if err := checkModes(l.dir); err != nil {
		return nil, fmt.Errorf("opening decision log: %w", err)
	}
	if l.identity, err = loadIdentity(l.disk); err != nil {
		return nil, err
	}
	var h *head
	if l.head, h, err = openHead(l.disk); err != nil {
		return nil, err
	}
	if l.hashes, err = openHashes(l.disk); err != nil {
		return nil, err
	}
	names, err := l.disk.names()
	if err != nil {
		return nil, fmt.Errorf("reading decision log's folder: %w", err)
	}
	firsts := segments(names)
	switch {
	case len(firsts) == 0 && h == nil:
		return nil, l.begin()
	case len(firsts) == 0:
		return l.goOn(l.positionOf(h), &DamageError{Path: segmentName(h.Segment), After: h.Seq, Reason: "all segments are gone"})
	}
	return l.resume(firsts[len(firsts)-1], h)
}

// takeLock locks a file that is never renamed.
func (l *Log) takeLock() error {
	path := filepath.Join(l.dir, "lock")
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("opening decision log's lock: %w", err)
	}
	l.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("decision log %s is held by another process: is phigated already running?", l.dir)
		}
		return fmt.Errorf("locking decision log %s: %w", l.dir, err)
	}
	return nil
}

// begin makes the first segment of a new log.
func (l *Log) begin() error {
	k, err := ownKey(l.disk, l.origin, 0)
	if err != nil {
		return err
	}
	return l.startSegment(position{key: k.Key, epoch: k.Epoch})
}

func (l *Log) positionOf(h *head) position {
	return position{tree: h.tree(), size: h.Size, time: h.Time, epoch: h.Epoch, key: h.Key}
}

// resume goes on behind the last segment's records.
func (l *Log) resume(first uint64, h *head) ([]*policy.Decision, error) {
	name := segmentName(first)
	f, err := l.disk.open(name)
	if err != nil {
		return nil, fmt.Errorf("opening decision log: %w", err)
	}
	keep := false
	defer func() {
		if !keep {
			f.Close()
		}
	}()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("opening decision log: %w", err)
	}
	if h != nil && h.Log != l.origin {
		return nil, fmt.Errorf("opening decision log %s: its head is of another log (%s): put back the files that belong together, or move the folder away to begin a new log", l.dir, h.Log)
	}
	switch {
	case h != nil && h.Segment > first:
		return l.goOn(l.positionOf(h), &DamageError{Path: segmentName(h.Segment), After: h.Seq, Reason: "the segment is gone"})
	case h != nil && h.Segment == first && h.Abandoned != "":
		return l.leaveAbandoned(f, name, size, h)
	}
	if dropped, tell, err := l.unfinished(f, name, first, size, h); dropped {
		return tell, err
	}
	s := &surveyor{name: name, file: f, size: size, head: h}
	found, err := s.survey()
	if err != nil {
		return nil, explainOpen(err, l.dir)
	}
	if h == nil {
		return l.resumeWithoutHead(first, f, found, &keep)
	}
	if found.damage != nil {
		return l.setAside(name, found)
	}
	keep = true
	l.place(first, f, found.end)
	if found.torn {
		if err := l.cutTail(name, found.end.size, size); err != nil {
			return nil, err
		}
	}
	return nil, l.writeHead("")
}

func explainOpen(err error, dir string) error {
	var foreign *ForeignError
	if errors.As(err, &foreign) {
		foreign.Path = filepath.Join(dir, foreign.Path)
		return foreign
	}
	return fmt.Errorf("reading decision log %s: %w", dir, err)
}

// place makes the position the log's own.
func (l *Log) place(first uint64, f file, at position) {
	l.file, l.segment = f, first
	l.seq, l.last, l.tree = at.seq(), at.time, at.tree
	l.durable = mark{seq: at.seq(), size: at.size}
	l.epoch, l.key = at.epoch, at.key
	l.index = index{}
}

// unfinished moves a segment aside whose first line cannot be read and that head
// does not know: it was being made when the power went, and what went before is
// whole. Where records are in it, it was finished and is damaged.
func (l *Log) unfinished(f file, name string, first uint64, size int64, h *head) (dropped bool, tell []*policy.Decision, err error) {
	_, bad := readHeader(f, name)
	var foreign *ForeignError
	filled := later(f, min(size, maxSegment+maxFrame), 0, 0, 0)
	switch {
	case bad == nil, errors.As(bad, &foreign), h != nil && h.Segment >= first, h == nil && first == 1 && filled:
		return false, nil, nil
	case !filled:
		tell, err = l.dropSegment(name, ".torn", h)
		return true, tell, err
	}
	tell, err = l.dropSegment(name, ".damaged", h)
	return true, append(tell, damageRecord(&DamageError{Path: name + ".damaged-*", After: first - 1, Reason: bad.Error()})), err
}

// dropSegment renames the last segment, and goes on behind the one before.
func (l *Log) dropSegment(name, kind string, h *head) ([]*policy.Decision, error) {
	if err := errors.Join(l.moveAside(name, kind), l.disk.sync()); err != nil {
		return nil, fmt.Errorf("moving a segment aside: %w", err)
	}
	l.log.Warn("decision log: a segment whose first line cannot be read was moved aside", "segment", name, "kind", kind)
	names, err := l.disk.names()
	if err != nil {
		return nil, fmt.Errorf("reading decision log's folder: %w", err)
	}
	firsts := segments(names)
	if len(firsts) == 0 {
		return nil, l.begin()
	}
	return l.resume(firsts[len(firsts)-1], h)
}

// resumeWithoutHead goes on where head is lost: the records are believed as far
// as they fit together.
func (l *Log) resumeWithoutHead(first uint64, f file, found survey, keep *bool) ([]*policy.Decision, error) {
	if found.damage != nil && found.end.size == 0 { // not even the first line
		return l.beginAnew(found.damage)
	}
	name, at := segmentName(first), found.end
	key, what, err := l.keyWithoutHead(at.epoch)
	if err != nil {
		return nil, err
	}
	at.key = key
	if found.damage != nil {
		found.end = at
		return l.setAside(name, found)
	}
	*keep = true
	l.place(first, f, at)
	if found.torn {
		size, err := f.Size()
		if err == nil {
			err = l.cutTail(name, at.size, size)
		}
		if err != nil {
			return nil, err
		}
	}
	if at.seq() == 0 {
		return nil, l.writeHead("")
	}
	return l.goOn(at, &DamageError{Path: headName, After: at.seq(), Reason: what})
}

// keyWithoutHead is the key of an epoch: from the log's own first key where that
// is there, else one that begins a new line.
func (l *Log) keyWithoutHead(epoch uint64) (key Key, what string, err error) {
	k, err := ownKey(l.disk, l.origin, epoch)
	if err == nil && (k.Log != l.origin || k.Epoch > epoch) {
		if err = l.moveAside(ownKeyName, ".damaged"); err == nil {
			k, err = ownKey(l.disk, l.origin, epoch)
		}
	}
	what = "it cannot be read, and was made again from the records"
	if k.Epoch == epoch {
		what = fmt.Sprintf("it cannot be read, and the key in it is gone: from epoch %d on there is another", epoch)
	}
	return k.Key.after(epoch - k.Epoch), what, err
}

// beginAnew moves a log of which nothing can be told any more aside, and begins
// one of a new identity: the old one's checkpoints would contradict it.
func (l *Log) beginAnew(damage *DamageError) ([]*policy.Decision, error) {
	names, err := l.disk.names()
	if err != nil {
		return nil, fmt.Errorf("reading decision log's folder: %w", err)
	}
	for _, name := range names {
		_, isSegment := segmentFirst(name)
		if !isSegment && !slices.Contains([]string{signerName, verifierName, ownKeyName, checkpointName, witnessedName, hashesName}, name) {
			continue
		}
		if err := l.moveAside(name, ".damaged"); err != nil {
			return nil, fmt.Errorf("moving a damaged log aside: %w", err)
		}
	}
	if err := l.hashes.file.Close(); err != nil {
		return nil, err
	}
	if l.hashes, err = openHashes(l.disk); err != nil {
		return nil, err
	}
	if l.identity, err = loadIdentity(l.disk); err != nil {
		return nil, err
	}
	if err := l.begin(); err != nil {
		return nil, err
	}
	return []*policy.Decision{damageRecord(damage)}, nil
}

// cutTail moves what follows the last whole batch to a file of its own.
func (l *Log) cutTail(name string, from, to int64) error {
	side, err := l.freeName(name, ".torn")
	if err != nil {
		return err
	}
	out, err := l.disk.create(side)
	if err != nil {
		return fmt.Errorf("saving torn tail of decision log: %w", err)
	}
	err = copyTo(out, io.NewSectionReader(l.file, from, to-from))
	if err = errors.Join(err, out.Sync(), out.Close(), l.disk.sync()); err != nil {
		return fmt.Errorf("saving torn tail of decision log: %w", err)
	}
	if err := errors.Join(l.file.Truncate(from), l.file.Sync()); err != nil {
		return fmt.Errorf("cutting torn tail of decision log: %w", err)
	}
	l.log.Warn("decision log: the last batch was torn and never acknowledged; it was moved aside",
		"log", l.dir, "after", l.durable.seq, "offset", from, "moved", side)
	return nil
}

func copyTo(out file, in io.Reader) error {
	buf, at := make([]byte, 1<<20), int64(0)
	for {
		n, err := io.ReadFull(in, buf)
		if n > 0 {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// freeName is a name beside a file that is not taken.
func (l *Log) freeName(name, kind string) (string, error) {
	names, err := l.disk.names()
	if err != nil {
		return "", fmt.Errorf("reading decision log's folder: %w", err)
	}
	for n := 1; ; n++ {
		side := fmt.Sprintf("%s%s-%d", name, kind, n)
		if !slices.Contains(names, side) {
			return side, nil
		}
	}
}

// setAside renames the damaged segment, whole, and goes on in a new one.
func (l *Log) setAside(name string, found survey) ([]*policy.Decision, error) {
	side, err := l.freeName(name, ".damaged")
	if err != nil {
		return nil, err
	}
	if err := l.disk.rename(name, side); err != nil {
		return nil, fmt.Errorf("setting damaged decision log aside: %w", err)
	}
	found.damage.Path = side
	return l.goOn(found.end, found.damage)
}

// leaveAbandoned goes on in a new segment behind one whose disk failed. It is
// never written or synced again; what was not durable is cut off it, if that can
// be done.
func (l *Log) leaveAbandoned(f file, name string, size int64, h *head) ([]*policy.Decision, error) {
	if size > h.Size {
		if err := f.Truncate(h.Size); err != nil {
			l.log.Error("decision log: cutting off what is not durable", "segment", name, "error", err)
		}
	}
	return l.goOn(l.positionOf(h), &DamageError{Path: name, Offset: h.Size, After: h.Seq, Reason: "it is abandoned: " + h.Abandoned})
}

// goOn begins a segment whose first record tells of the damage.
func (l *Log) goOn(at position, damage *DamageError) ([]*policy.Decision, error) {
	l.log.Error("decision log: damaged; it goes on in a new segment",
		"log", l.dir, "file", damage.Path, "after", damage.After, "offset", damage.Offset, "reason", damage.Reason)
	if err := l.startSegment(at); err != nil {
		return nil, err
	}
	return []*policy.Decision{damageRecord(damage)}, nil
}

func damageRecord(d *DamageError) *policy.Decision {
	return &policy.Decision{
		Kind: "log-damaged",
		Message: fmt.Sprintf("the log before this record is damaged at byte %d, after record %d (%s); it is kept as %s",
			d.Offset, d.After, d.Reason, filepath.Base(d.Path)),
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	}
}

// tellAll records what recovery found.
func (l *Log) tellAll(records []*policy.Decision) error {
	for _, d := range records {
		if _, err := l.Record(context.Background(), d); err != nil {
			return err
		}
	}
	return nil
}

// moveAside renames a file that may be there.
func (l *Log) moveAside(name, kind string) error {
	side, err := l.freeName(name, kind)
	if err != nil {
		return err
	}
	if err := l.disk.rename(name, side); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
