package journal

import (
	"context"
	"errors"
	"os/exec"
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
	// The pauses before what is missing is sent again. journald's default rate
	// limit lets a unit go on after 30 s.
	firstRetry   = time.Second
	longestRetry = 30 * time.Second
	// rounds without one new entry after which the journal is taken for one that
	// keeps nothing (Storage=none): three minutes.
	rounds = 10
	// readTries are failures of reading after which it is done without.
	readTries = 3
)

// remember reads what the journal already has of the records behind the cursor.
func (x *exporter) remember(ctx context.Context) {
	if len(x.journal.Read) == 0 || x.src.Seq() == x.confirmed {
		return
	}
	there, err := x.journal.stored(ctx, window+slack)
	if err != nil {
		x.log.Warn("journal: cannot be read back; some records are sent again", "after", x.confirmed, "error", err)
	}
	x.there = there
}

// confirm returns when all that was sent is in the journal, and moves the cursor.
// What is missing is sent again. Records that come meanwhile wait in the log.
func (x *exporter) confirm(ctx context.Context) error {
	pause, fruitless := firstRetry, 0
	for !x.look(ctx) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		missing := len(x.waiting)
		x.log.Warn("journal: accepted and not stored; sent again", "records", missing, "first", x.waiting[0].seq, "in", pause)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		if err := x.again(ctx); err != nil {
			return err
		}
		if fruitless++; len(x.waiting) < missing {
			pause, fruitless = firstRetry, 0
		}
		if fruitless >= rounds {
			x.log.Error("journal: it keeps nothing of what it is sent; the log has all", "records", missing, "first", x.waiting[0].seq)
			x.moveOn()
		}
		pause = min(2*pause, longestRetry)
	}
	return nil
}

// look takes from what is waited for whatever the journal has, and says whether
// that is all.
func (x *exporter) look(ctx context.Context) bool {
	if len(x.journal.Read) == 0 {
		x.moveOn()
	}
	for before := -1; len(x.waiting) != before && len(x.waiting) > 0; { // while it grows
		before = len(x.waiting)
		found, err := x.journal.stored(ctx, len(x.waiting)+slack)
		if err != nil {
			return x.blind(err)
		}
		x.failures = 0
		x.take(found)
		if len(x.waiting) > 0 && sleep(ctx, lookPause) != nil {
			return false
		}
	}
	return len(x.waiting) == 0
}

// blind is a reading that did not work. One that never does must not keep records
// from the journal.
func (x *exporter) blind(err error) bool {
	x.failures++
	if !errors.Is(err, exec.ErrNotFound) && x.failures < readTries {
		x.log.Warn("journal: cannot be read back", "error", err)
		return false
	}
	if x.failures == readTries || errors.Is(err, exec.ErrNotFound) && x.failures == 1 {
		x.log.Error("journal: cannot be read back, so what it loses is not noticed; phigate audit reconcile finds it", "error", err)
	}
	x.moveOn()
	return true
}

// take forgets the records that were found, and moves the cursor to before the
// first that is still waited for.
func (x *exporter) take(found map[uint64]string) {
	kept := x.waiting[:0]
	for _, w := range x.waiting {
		if leaf, ok := found[w.seq]; !ok || leaf != w.leaf {
			kept = append(kept, w)
		}
	}
	x.waiting = kept
	if len(kept) == 0 {
		x.moveOn()
		return
	}
	if before := kept[0].seq - 1; before > x.confirmed {
		x.confirmed = before
		x.trySave()
	}
}

// moveOn waits for nothing any more.
func (x *exporter) moveOn() {
	x.waiting = x.waiting[:0]
	if x.sent > x.confirmed {
		x.confirmed = x.sent
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
	err := x.src.Entries(ctx, x.waiting[0].seq, func(e report.Entry) error {
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
