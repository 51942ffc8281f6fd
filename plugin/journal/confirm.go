package journal

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"time"

	"github.com/phigate/phigate/plugin/report"
)

const (
	// window is how many records are sent before they are looked for.
	window = 4096
	// slack is how many entries of ours a reading may meet besides those wanted:
	// some come twice.
	slack = 1024
	// lookPause is the time in which a journald that works has stored something
	// more of what was sent: it stores in order, as it reads its socket.
	lookPause = 250 * time.Millisecond
	// rounds without one new entry after which the journal is in doubt: three minutes.
	rounds = 10
	// readTries are failures of reading after which it is in doubt.
	readTries = 3
)

// errKeepsNothing is the doubt about a journal that takes records and stores none.
var errKeepsNothing = errors.New("the journal keeps nothing of what it is sent")

// remember reads what the journal already has of the newest records: a crash may
// have left the cursor behind them.
func (x *exporter) remember(ctx context.Context) {
	if len(x.Journal.Read) == 0 || x.Source.Seq() == x.sent {
		return
	}
	there, err := x.Journal.newest(ctx, window+slack)
	if err != nil {
		x.Log.Warn("journal: cannot be read back; some records are sent again", "after", x.sent, "error", err)
	}
	x.there = there
}

// confirm returns when all that is waited for is in the journal, and moves the
// cursor, or when that is in doubt. What is missing is sent again. Records that
// come meanwhile wait in the log.
func (x *exporter) confirm(ctx context.Context) error {
	pause, fruitless := x.pace.retry, 0
	for ctx.Err() == nil {
		missing := len(x.waiting)
		done, err := x.look(ctx)
		if done {
			return nil
		}
		if err != nil {
			x.failures++
			x.Log.Warn("journal: cannot be read back", "error", err)
			if x.failures >= readTries || errors.Is(err, exec.ErrNotFound) {
				x.doubt(err)
				return nil
			}
		} else if fruitless++; len(x.waiting) < missing {
			pause, fruitless = x.pace.retry, 0
		}
		if fruitless >= rounds {
			x.doubt(errKeepsNothing)
			return nil
		}
		if err == nil {
			x.Log.Warn("journal: accepted and not stored; sent again", "records", len(x.waiting), "first", x.waiting[0].seq, "in", pause)
		}
		if sleep(ctx, pause) != nil {
			break
		}
		if err == nil {
			if err := x.again(ctx); err != nil {
				return err
			}
		}
		pause = min(2*pause, x.pace.longestRetry)
	}
	return ctx.Err()
}

// look takes from what is waited for whatever the journal has, and says whether
// that is all.
func (x *exporter) look(ctx context.Context) (done bool, err error) {
	if len(x.Journal.Read) == 0 {
		x.moveTo(x.sent)
		return true, nil
	}
	for before := -1; len(x.waiting) != before && len(x.waiting) > 0; { // while it grows
		before = len(x.waiting)
		found, err := x.Journal.have(ctx, x.waiting, x.sent)
		if err != nil {
			return false, err
		}
		x.failures = 0
		x.take(found)
		if len(x.waiting) > 0 && sleep(ctx, lookPause) != nil {
			return false, nil
		}
	}
	return len(x.waiting) == 0, nil
}

// take forgets the records that were found, and moves the cursor to before the
// first that is still waited for.
func (x *exporter) take(found map[uint64]string) {
	x.waiting = slices.DeleteFunc(x.waiting, func(w wanted) bool {
		leaf, ok := found[w.seq]
		return ok && leaf == w.leaf
	})
	if len(x.waiting) > 0 {
		x.moveTo(x.waiting[0].seq - 1)
		return
	}
	x.moveTo(x.until)
}

// moveTo moves the cursor forward: all up to it are in the journal.
func (x *exporter) moveTo(seq uint64) {
	if len(x.waiting) > 0 && x.waiting[0].seq <= seq {
		x.waiting = x.waiting[:0]
	}
	if seq > x.confirmed {
		x.confirmed = seq
		x.say()
		x.trySave()
	}
}

// errLast ends the reading of the log behind the last record that is missing.
var errLast = errors.New("last")

// again sends what is still waited for.
func (x *exporter) again(ctx context.Context) error {
	if len(x.waiting) == 0 {
		return nil
	}
	missing := map[uint64]bool{}
	for _, w := range x.waiting {
		missing[w.seq] = true
	}
	last := x.waiting[len(x.waiting)-1].seq
	err := x.Source.Entries(ctx, x.waiting[0].seq, func(e report.Entry) error {
		if e.Seq > last {
			return errLast
		}
		if !missing[e.Seq] {
			return nil
		}
		return x.deliver(ctx, e)
	})
	if errors.Is(err, errLast) {
		return nil
	}
	return err
}
