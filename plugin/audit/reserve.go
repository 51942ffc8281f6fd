package audit

import (
	"errors"
	"io/fs"

	"github.com/phigate/phigate/policy"
)

const (
	reserveName = "reserve"
	// reserveSize is what a record of an outage has on a disk that is full, in bytes.
	reserveSize = 64 << 10
)

// keepReserve takes the reserve from the disk where it is not there, if there is
// room. It is called when nothing hangs on it, and does nothing while the record
// that the reserve was given up for is not written.
func (l *Log) keepReserve() {
	l.reserving.Lock()
	defer l.reserving.Unlock()
	l.mu.Lock()
	needless := l.reserved || l.full
	l.mu.Unlock()
	if needless {
		return
	}
	f, err := l.disk.open(reserveName)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = l.disk.create(reserveName)
	}
	if err == nil {
		err = errors.Join(f.Reserve(reserveSize), f.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reserved = err == nil
}

// releaseReserve gives the reserve up when the disk is full, so that a record can
// say so at once. It says whether there was one.
func (l *Log) releaseReserve() bool {
	l.mu.Lock()
	there := l.reserved
	l.reserved, l.full = false, true
	l.mu.Unlock()
	if !there {
		return false
	}
	if err := l.disk.remove(reserveName); err != nil {
		l.log.Error("decision log: giving up the reserve", "error", err)
		return false
	}
	return true
}

// fullRecord tells of a disk that is full.
func fullRecord() *policy.Decision {
	return &policy.Decision{
		Kind: "log-outage", Message: "the disk of the log is full: decisions are refused until there is room again",
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	}
}
