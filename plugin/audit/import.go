package audit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// An earlier version kept the log as one growing file of lines: CRC-32C in eight
// hex digits, a space, JSON. It lay beside the folder, as dir + ".log".

// importedName is what the old file is called in the folder.
const importedName = "imported.log"

// importOld takes over the log of an earlier version, into a log that is empty:
// its records keep their numbers where they begin with 1 and none is missing or
// damaged. Either way the file is kept, and a record holds its digest, so that
// nothing of it can be changed unnoticed from then on.
func (l *Log) importOld() error {
	old := l.dir + ".log"
	f, err := os.OpenFile(old, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the log of an earlier version: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("opening the log of an earlier version: %s is not a regular file: move it away", old)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("opening the log of an earlier version: %s is held by another process: is an older phigated still running?", old)
	}
	n, digest, whole, err := inspectOld(f)
	if err != nil {
		return fmt.Errorf("reading the log of an earlier version: %w", err)
	}
	already := l.Seq()
	if whole && already <= n {
		if err := l.copyOld(f, already); err != nil {
			return err
		}
	}
	if err := l.tellOld(n, digest, whole); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(old, filepath.Join(l.dir, importedName)), l.disk.sync()); err != nil {
		return fmt.Errorf("moving the log of an earlier version: %w", err)
	}
	l.log.Warn("decision log: that of an earlier version was taken over", "records", n, "whole", whole, "kept", importedName)
	return nil
}

func (l *Log) tellOld(n uint64, digest string, whole bool) error {
	text := fmt.Sprintf("the %d records before this one were written by an earlier version, and nothing proves them before now", n)
	if !whole {
		text = fmt.Sprintf("the log of an earlier version holds %d readable records and is not whole; it was not taken over", n)
	}
	_, err := l.Record(context.Background(), &policy.Decision{
		Kind: "log-imported", Message: fmt.Sprintf("%s; its file is kept as %s, sha256:%s", text, importedName, digest),
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	})
	return err
}

// inspectOld counts the records and says whether they are dense from 1, and each can
// be decoded: what cannot be taken over must not keep phigated from starting.
func inspectOld(f *os.File) (n uint64, digest string, whole bool, err error) {
	sum := sha256.New()
	whole = true
	err = oldLines(io.TeeReader(f, sum), func(raw []byte) error {
		seq, ok := seqOf(raw)
		if _, err := decode(raw); err != nil || !ok || seq != n+1 {
			whole = false
		}
		if ok {
			n++
		}
		return nil
	})
	if err == nil {
		_, err = io.Copy(sum, f)
	}
	return n, hex.EncodeToString(sum.Sum(nil)), whole, err
}

// oldLines calls fn with each line's JSON, nil for one that is damaged. A torn
// last line was never acknowledged.
func oldLines(r io.Reader, fn func(raw []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readOldLine(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(oldRecord(line)); err != nil {
			return err
		}
	}
}

// readOldLine returns a line with its newline; of one that is too long, nothing.
func readOldLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxPayload; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, err
		case long:
			return nil, nil
		default:
			return line, nil
		}
	}
}

func oldRecord(line []byte) []byte {
	const digits = 8
	var sum [digits / 2]byte
	if len(line) < digits+2 || line[digits] != ' ' {
		return nil
	}
	if _, err := hex.Decode(sum[:], line[:digits]); err != nil {
		return nil
	}
	raw := line[digits+1 : len(line)-1]
	want := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	if crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)) != want {
		return nil
	}
	return line[digits+1:]
}

// copyOld puts the old records behind number after into the log, byte for byte.
// It goes on where a crash interrupted it.
func (l *Log) copyOld(f *os.File, after uint64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var waiting *entry
	err := oldLines(f, func(line []byte) error {
		seq, ok := seqOf(line)
		if !ok || seq <= after {
			return nil
		}
		e, err := l.takeOver(seq, line)
		if err != nil {
			return err
		}
		if waiting != nil && seq%maxBatch == 0 { // the queue stays short
			<-e.done
			err = e.err
		}
		waiting = e
		return err
	})
	if err == nil && waiting != nil {
		<-waiting.done
		err = waiting.err
	}
	if err != nil {
		return fmt.Errorf("taking over the log of an earlier version: %w", err)
	}
	return nil
}

// takeOver queues an old record as it is.
func (l *Log) takeOver(seq uint64, line []byte) (*entry, error) {
	d, err := decode(line)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	if seq != l.seq+1 {
		return nil, fmt.Errorf("record %d follows record %d", seq, l.seq)
	}
	l.seq = seq
	if d.Time.After(l.last) {
		l.last = d.Time
	}
	return l.queueUp(line, d, 1), nil
}
