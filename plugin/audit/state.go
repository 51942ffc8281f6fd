package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// State is how an open log is.
type State struct {
	Log        string // its ID
	Seq        uint64 // of the last durable record
	Last       time.Time
	Bytes      int64  // of the segments that are here
	Checkpoint uint64 // records that the newest checkpoint covers
	Signed     time.Time
	// Enrolled says that the first key of the macs is not on the node any more.
	Enrolled bool
}

// State looks at the log's folder; it takes no time while a disk hangs.
func (l *Log) State() State {
	l.mu.Lock()
	s := State{Log: l.origin, Seq: l.durable.seq, Last: l.last, Bytes: l.older + l.durable.size, Checkpoint: l.signed.Size, Signed: l.signed.Time, Enrolled: l.enrolled}
	l.mu.Unlock()
	return s
}

// measure sums up the segments that are full, and whether the log is enrolled.
func (l *Log) measure() {
	var older int64
	l.mu.Lock()
	last := l.segment
	l.mu.Unlock()
	firsts, err := listSegments(os.DirFS(l.dir), l.dir)
	for _, first := range firsts {
		if info, err := os.Stat(filepath.Join(l.dir, segmentName(first))); err == nil && first != last {
			older += info.Size()
		}
	}
	if err != nil {
		l.log.Warn("decision log: measuring", "error", err)
	}
	_, own := os.Lstat(filepath.Join(l.dir, ownKeyName))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.older, l.enrolled = older, errors.Is(own, fs.ErrNotExist)
}
