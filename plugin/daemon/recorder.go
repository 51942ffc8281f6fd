package daemon

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/origin"
	"github.com/phigate/phigate/plugin/redact"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// recorder is the decision log, opened again after a failure that ended it. In
// between nothing can be recorded, and so nothing is admitted.
type recorder struct {
	path    string
	slog    *slog.Logger
	publish atomic.Pointer[publisher]
	fold    *fold
	origin  *origin.Process // the log's own records have it, too
	// redact is set before the first record.
	redact redact.Redactor

	mu     sync.Mutex
	log    *audit.Log
	failed error
	tried  time.Time
	// archiving is why segments do not leave the node.
	archiving error
}

// reopenEvery spaces the tries to open a log that has failed.
const reopenEvery = 2 * time.Second

func openRecorder(path string, from *origin.Process, log *slog.Logger) (*recorder, error) {
	r := &recorder{path: path, origin: from, slog: log}
	l, err := audit.Open(path, r.options())
	if err != nil {
		return nil, fmt.Errorf("opening the decision log: %w", err)
	}
	r.log, r.fold = l, newFold(r.append, log)
	return r, nil
}

// The log is never silent for longer, and a checkpoint is never older while
// records come.
const (
	heartbeatEvery  = 10 * time.Second
	checkpointEvery = time.Second
)

func (r *recorder) options() audit.Options {
	return audit.Options{Log: r.slog, Heartbeat: heartbeatEvery, Checkpoint: checkpointEvery, Stamp: r.origin.Stamp, Publish: func(c audit.Checkpoint) {
		if p := r.publish.Load(); p != nil {
			p.offer(c)
		}
	}}
}

// consistency is the log's own, whichever is open.
func (r *recorder) consistency(old, size uint64) ([]tlog.Hash, error) {
	return r.open().Consistency(old, size)
}

// Record implements engine.Recorder. Refusals that repeat are folded.
func (r *recorder) Record(ctx context.Context, d *policy.Decision) (uint64, error) {
	r.redact.Decision(d)
	return r.fold.Record(ctx, d)
}

// append puts a record into the log that is open.
func (r *recorder) append(ctx context.Context, d *policy.Decision) (uint64, error) {
	l, err := r.current()
	if err != nil {
		return 0, err
	}
	seq, err := l.Record(ctx, d)
	if final := l.Err(); final != nil {
		r.fail(l, final)
	}
	return seq, err
}

// current is the open log; one that has failed is opened again now and then.
func (r *recorder) current() (*audit.Log, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		return r.log, nil
	}
	if time.Since(r.tried) < reopenEvery {
		return nil, r.failed
	}
	r.tried = time.Now()
	_ = r.log.Close() // it has failed; what can be saved of it is saved by Open
	l, err := audit.Open(r.path, r.options())
	if err != nil {
		r.failed = fmt.Errorf("opening the decision log again: %w", err)
		return nil, r.failed
	}
	r.slog.Warn("the decision log is open again")
	r.log, r.failed = l, nil
	return l, nil
}

func (r *recorder) fail(l *audit.Log, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.log == l && r.failed == nil {
		r.failed, r.tried = err, time.Now()
		r.slog.Error("the decision log has failed: nothing is admitted until it is open again", "error", err)
	}
}

func (r *recorder) open() *audit.Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log
}

// status says how the log is.
func (r *recorder) status() ask.LogStatus {
	s := r.open().State()
	out := ask.LogStatus{
		Last: s.Last, Error: r.failure(), ID: s.Log, Seq: s.Seq, Bytes: s.Bytes,
		Checkpoint: s.Checkpoint, Signed: s.Signed, Enrolled: s.Enrolled,
	}
	if p := r.publish.Load(); p != nil {
		out.Outlets = p.status()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.archiving != nil {
		out.Archive = r.archiving.Error()
	}
	return out
}

// failure says why nothing can be recorded, or "".
func (r *recorder) failure() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		return ""
	}
	return r.failed.Error()
}

// Last implements engine.Recorder, Read bypass.Log.
func (r *recorder) Last() time.Time { return r.open().Last() }

func (r *recorder) Read(ctx context.Context, from uint64, fn func(*policy.Decision) error) error {
	return r.open().Read(ctx, from, fn)
}

// Entries, Wait and Seq are journal.Source; Wait is arrival.Log's, too.
func (r *recorder) Entries(ctx context.Context, from uint64, fn func(report.Entry) error) error {
	return r.open().Entries(ctx, from, func(e audit.Entry) error {
		return fn(report.Entry{LogID: e.Log, Seq: e.Seq, Leaf: hex.EncodeToString(e.Leaf[:]), Decision: e.Decision})
	})
}

// followAfter is how long those who follow the log wait for what else comes. A
// container's creation and start bring records a few milliseconds apart, and what
// reads the first one takes processor time from the second one's answer.
const followAfter = 200 * time.Millisecond

func (r *recorder) Wait(ctx context.Context, after uint64) error {
	if err := r.open().Wait(ctx, after); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(followAfter):
		return nil
	}
}

func (r *recorder) Seq() uint64 { return r.open().Seq() }

func (r *recorder) Close() error { return r.open().Close() }

// archiveEvery is how often full segments are looked for.
const archiveEvery = time.Minute

// archive takes full segments off the node, and removes old ones, until ctx ends.
func (r *recorder) archive(ctx context.Context, c conf.AuditLog) {
	a := audit.Archive{Folder: c.Archive, Command: c.ArchiveCommand, Keep: time.Duration(c.RetentionDays) * 24 * time.Hour}
	for {
		err := r.open().Archive(ctx, a)
		if err != nil && ctx.Err() == nil {
			r.slog.Error("the decision log is not archived; nothing of it is removed until it is", "error", err)
		}
		r.mu.Lock()
		r.archiving = err
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(archiveEvery):
		}
	}
}
