package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// recover takes the lock, opens the file and brings it to a state that can be
// appended to. It returns what was found damaged and set aside.
func (l *Log) recover() (*DamageError, error) {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return nil, fmt.Errorf("creating decision log's folder: %w", err)
	}
	if err := l.takeLock(); err != nil {
		return nil, err
	}
	if err := l.create(); err != nil {
		return nil, err
	}
	found, err := survey(l.path, l.file)
	if err != nil {
		return nil, err
	}
	l.seq, l.last = found.seq, found.last
	if found.damage != nil {
		return found.damage, l.setAside(found.damage)
	}
	l.durable, l.index = mark{seq: found.seq, size: found.size}, found.index
	if found.torn {
		return nil, l.cutTail(found.size)
	}
	return nil, nil
}

// takeLock locks a file beside the log, because the log itself may be renamed.
func (l *Log) takeLock() error {
	lock, err := os.OpenFile(l.path+".lock", os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("opening decision log's lock: %w", err)
	}
	l.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("decision log %s is held by another process: is phigated already running?", l.path)
		}
		return fmt.Errorf("locking decision log %s: %w", l.path, err)
	}
	return nil
}

// create opens the file, and makes its name durable when it is new.
func (l *Log) create() error {
	_, err := os.Lstat(l.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("opening decision log: %w", err)
	}
	if info, err := l.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("opening decision log %s: not a regular file", l.path)
	}
	if !isNew {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("syncing new decision log: %w", err)
	}
	return syncDir(filepath.Dir(l.path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening decision log's folder: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("syncing decision log's folder: %w", err)
	}
	return nil
}

// found is what a log's file holds.
type found struct {
	seq    uint64 // the highest that was given, as far as can be read
	last   time.Time
	size   int64 // up to the last whole record
	index  index
	torn   bool
	damage *DamageError // the first
}

// survey reads the whole file.
func survey(path string, file *os.File) (found, error) {
	var s found
	var latest []byte
	in := newFrames(path, io.NewSectionReader(file, 0, 1<<62), 0)
	for {
		raw, seq, err := in.next()
		var damage *DamageError
		switch {
		case err == nil && seq > s.seq:
			s.index.add(seq, in.start)
			s.seq, s.size = seq, in.offset
			latest = append(latest[:0], raw...)
		case err == nil: // behind damage, an older one
		case errors.As(err, &damage):
			if s.damage == nil {
				s.damage = damage
			}
			s.seq = max(s.seq, in.last, numbered(in.buf, s.seq))
		case errors.Is(err, errTorn):
			s.torn = true
			return s, s.dated(latest)
		case errors.Is(err, io.EOF):
			return s, s.dated(latest)
		default:
			return s, err
		}
	}
}

// numbered is the highest number that a damaged line seems to hold, so that
// the new log does not give it again. A number beyond what the line's length
// allows is not believed.
func numbered(line []byte, after uint64) uint64 {
	const shortest = 64 // bytes of a record, at least
	highest, limit := uint64(0), after+1+uint64(len(line)/shortest)
	for {
		at := bytes.Index(line, []byte(`{"seq":`))
		if at < 0 {
			return highest
		}
		line = line[at:]
		if seq, ok := seqOf(line); ok && seq <= limit {
			highest = max(highest, seq)
		}
		line = line[1:]
	}
}

// dated reads the time of the last record.
func (s *found) dated(latest []byte) error {
	if latest == nil {
		return nil
	}
	d, err := decode(latest)
	if err != nil {
		s.damage = &DamageError{Offset: s.size, After: s.seq, Reason: err.Error()}
		return nil
	}
	s.last = d.Time
	return nil
}

// cutTail moves what follows the last whole record to a file of its own.
func (l *Log) cutTail(size int64) error {
	side, err := l.sideFile(".torn")
	if err != nil {
		return err
	}
	tail := bufio.NewReader(io.NewSectionReader(l.file, size, maxFrame))
	_, err = io.Copy(side, tail)
	if err = errors.Join(err, side.Sync(), side.Close(), syncDir(filepath.Dir(l.path))); err != nil {
		return fmt.Errorf("saving torn tail of decision log: %w", err)
	}
	if err := errors.Join(l.file.Truncate(size), l.sync(l.file)); err != nil {
		return fmt.Errorf("cutting torn tail of decision log: %w", err)
	}
	l.log.Warn("decision log: the last record was torn and never acknowledged; it was moved aside",
		"log", l.path, "after", l.durable.seq, "offset", size, "moved", side.Name())
	return nil
}

func (l *Log) sideFile(kind string) (*os.File, error) {
	for n := 1; ; n++ {
		f, err := os.OpenFile(fmt.Sprintf("%s%s-%d", l.path, kind, n), os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("creating file beside decision log: %w", err)
		}
		return f, nil
	}
}

// setAside renames the damaged file, whole, and starts a new one.
func (l *Log) setAside(damage *DamageError) error {
	side, err := l.sideFile(".damaged") // claims the name
	if err != nil {
		return err
	}
	if err := errors.Join(side.Close(), os.Rename(l.path, side.Name()), l.file.Close()); err != nil {
		return fmt.Errorf("setting damaged decision log aside: %w", err)
	}
	l.log.Error("decision log: damaged; it was set aside and a new one begun",
		"log", l.path, "after", damage.After, "offset", damage.Offset, "reason", damage.Reason, "moved", side.Name())
	damage.Path = side.Name()
	return l.create()
}

func (l *Log) recordDamage(damage *DamageError) error {
	_, err := l.Record(context.Background(), &policy.Decision{
		Kind: "log-damaged",
		Message: fmt.Sprintf("the log before this record is damaged at byte %d, after record %d (%s); it is kept as %s",
			damage.Offset, damage.After, damage.Reason, filepath.Base(damage.Path)),
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	})
	return err
}
