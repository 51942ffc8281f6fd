package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/phigate/phigate/plugin/report"
)

// pace is how often an exporter tries again.
type pace struct {
	// The pauses before what is missing is sent again. journald's default rate
	// limit lets a unit go on after 30 s.
	retry, longestRetry time.Duration
	// The pauses before a journal that is in doubt is probed.
	doubt, longestDoubt time.Duration
}

var usualPace = pace{time.Second, 30 * time.Second, time.Minute, 10 * time.Minute}

// backlog is how many records are made up for at a time: each is looked for by its
// number, which journalctl takes as an argument.
const backlog = 256

// doubt lets records go out without waiting for what came of those before: to keep
// them back would be worse. The cursor stays where it is, and the log knows what
// is to be made up for, so nothing is held in memory.
func (x *exporter) doubt(why error) {
	if x.doubts == nil {
		x.Log.Error("journal: what it loses is not made up for at the moment, and will be once it can be read back; the log has all",
			"after", x.confirmed, "error", why)
		x.retry = x.pace.doubt
	}
	x.doubts, x.waiting = why, x.waiting[:0]
	x.due = time.Now().Add(x.retry)
	x.say()
	x.trySave()
}

// probeWhenDue sends the oldest record that is owed once more and looks for it. If
// it is there, the journal keeps what it is sent, and can be read.
func (x *exporter) probeWhenDue(ctx context.Context) error {
	if time.Now().Before(x.due) {
		return nil
	}
	if err := x.owed(ctx); err != nil {
		return err
	}
	if len(x.waiting) == 0 { // the log has nothing of it any more, and with it the doubt ends
		x.doubts, x.failures = nil, 0
		x.say()
		return nil
	}
	oldest := x.waiting[:1]
	err := x.Source.Entries(ctx, oldest[0].seq, func(e report.Entry) error {
		return errors.Join(x.deliver(ctx, e), errLast)
	})
	if !errors.Is(err, errLast) || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if err := sleep(ctx, lookPause); err != nil {
		return err
	}
	found, err := x.Journal.have(ctx, oldest, x.sent)
	switch leaf, ok := found[oldest[0].seq]; {
	case err != nil:
	case !ok || leaf != oldest[0].leaf:
		err = errKeepsNothing
	default:
		x.Log.Info("journal: it can be read back again; what it lacks is sent", "from", oldest[0].seq, "to", x.sent)
		x.doubts, x.failures, x.waiting = nil, 0, x.waiting[:0]
		x.say()
		return x.settle(ctx)
	}
	x.retry = min(2*x.retry, x.pace.longestDoubt)
	x.doubt(err)
	return nil
}

// settle makes up for what was sent and not confirmed, from the oldest on, unless
// that is waited for as it is, or in doubt.
func (x *exporter) settle(ctx context.Context) error {
	if len(x.Journal.Read) == 0 {
		x.moveTo(x.sent)
	}
	for x.confirmed < x.sent && x.doubts == nil && len(x.waiting) == 0 {
		if err := x.owed(ctx); err != nil {
			return err
		}
		if err := x.confirm(ctx); err != nil {
			return err
		}
	}
	return nil
}

// owed puts the oldest records that were sent and not confirmed on the list of what
// is waited for. Those that the log itself has no more are with its archive.
func (x *exporter) owed(ctx context.Context) error {
	x.waiting = x.waiting[:0]
	err := x.Source.Entries(ctx, x.confirmed+1, func(e report.Entry) error {
		if e.Seq > x.sent || len(x.waiting) >= backlog {
			return errLast
		}
		x.await(e)
		return nil
	})
	if err != nil && !errors.Is(err, errLast) {
		return fmt.Errorf("reading what the journal may lack: %w", err)
	}
	if len(x.waiting) == 0 {
		x.moveTo(x.sent)
	}
	return nil
}
