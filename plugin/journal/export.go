package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/phigate/phigate/plugin/report"
)

// Source is the log that is exported.
type Source interface {
	// Entries calls fn with each record from number from on that is there now.
	Entries(ctx context.Context, from uint64, fn func(report.Entry) error) error
	// Wait returns when there is a record after number after.
	Wait(ctx context.Context, after uint64) error
	// Seq is the last record's number.
	Seq() uint64
}

const (
	firstPause   = time.Millisecond
	longestPause = time.Second
	// confirmAfter is how long after it was sent a record is looked for.
	confirmAfter = 2 * time.Second
	// parting is how long the last records may take when the daemon stops.
	parting = time.Second
)

// Export sends the records of src to journald, in order, from the one after the
// cursor file's on, until ctx ends. Where journald is absent, hung or slow it
// waits, at most a second at a time, and goes on from where it stopped.
//
// What journald accepts it may still lose: killed before it has stored it, or
// over its rate limit, of which it tells no sender. So what was sent is read back,
// and what is not there is sent again, until it is. The cursor is the last record
// of which that is known for all up to it; it is durable, and after a crash what
// lies behind it is looked for first and then sent. A record may so come twice,
// never not at all.
//
// It returns an error only where the log cannot be read, and may then be called
// again, or where the last cursor could not be written.
func Export(ctx context.Context, to Journal, src Source, cursor string, log *slog.Logger) error {
	client, err := NewClient(to.Socket)
	if err != nil {
		return err
	}
	defer client.Close()
	confirmed, err := loadCursor(cursor)
	if err != nil {
		log.Warn("journal: the cursor cannot be read, all records are sent again", "error", err)
	}
	if last := src.Seq(); confirmed > last {
		log.Warn("journal: the cursor is ahead of the log, all records are sent again", "cursor", confirmed, "last", last)
		confirmed = 0
	}
	x := &exporter{client: client, journal: to, src: src, path: cursor, log: log, sent: confirmed, confirmed: confirmed, saved: confirmed}
	if len(to.Read) == 0 {
		log.Info("journal: what is sent there is not read back", "socket", to.Socket)
	}
	x.remember(ctx)
	err = x.run(ctx)
	if ctx.Err() != nil {
		err = x.part(ctx)
	}
	return errors.Join(err, x.save(true))
}

type exporter struct {
	client    *Client
	journal   Journal
	src       Source
	path      string // of the cursor
	log       *slog.Logger
	sent      uint64
	confirmed uint64            // all up to it are in the journal
	saved     uint64            // confirmed, as the cursor file has it
	waiting   []wanted          // sent and not confirmed yet, in order
	due       time.Time         // when the first of them is looked for
	there     map[uint64]string // in the journal already when we began
	failures  int               // readings in a row that did not work
	down      bool              // said that the journal is not reachable
	unsaved   bool              // said that the cursor cannot be written
}

// wanted is a record that should be in the journal.
type wanted struct {
	seq  uint64
	leaf string
}

// run ends with ctx or with an error of the log.
func (x *exporter) run(ctx context.Context) error {
	for {
		err := x.src.Entries(ctx, x.sent+1, func(e report.Entry) error { return x.pass(ctx, e) })
		if err == nil {
			err = x.wait(ctx)
		}
		if err != nil {
			return fmt.Errorf("exporting to the journal: %w", err)
		}
	}
}

// pass sends one record unless the journal has it, and stops to look for what was
// sent when that is much or long ago.
func (x *exporter) pass(ctx context.Context, e report.Entry) error {
	if leaf, known := x.there[e.Seq]; known && leaf == e.Leaf {
		delete(x.there, e.Seq)
		x.sent = e.Seq
	} else if err := x.deliver(ctx, e); err != nil {
		return err
	}
	if len(x.waiting) == 0 {
		x.due = time.Now().Add(confirmAfter)
	}
	x.waiting = append(x.waiting, wanted{e.Seq, e.Leaf})
	if len(x.waiting) >= window || time.Now().After(x.due) {
		return x.confirm(ctx)
	}
	return nil
}

// wait returns when there is more, and looks for what was sent when it stays quiet.
func (x *exporter) wait(ctx context.Context) error {
	if len(x.waiting) == 0 {
		return x.src.Wait(ctx, x.sent)
	}
	quiet, cancel := context.WithDeadline(ctx, x.due)
	err := x.src.Wait(quiet, x.sent)
	cancel()
	if err == nil || quiet.Err() == nil || ctx.Err() != nil { // more, the log's end, or ours
		return err
	}
	return x.confirm(ctx)
}

// deliver sends one record, however long that takes.
func (x *exporter) deliver(ctx context.Context, e report.Entry) error {
	pause := firstPause
	for {
		err := x.client.Send(Fields(e))
		if err == nil {
			break
		}
		if !x.down && pause > 100*time.Millisecond {
			x.down = true
			x.log.Warn("journal: not reachable; decisions are in the log and follow", "after", x.sent, "error", err)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, longestPause)
	}
	if x.down {
		x.down = false
		x.log.Info("journal: reachable again", "from", e.Seq)
	}
	x.sent = max(x.sent, e.Seq)
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// part sends what is left when the daemon stops, and looks once for what was
// sent, as far as that takes no long time.
func (x *exporter) part(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	err := x.src.Entries(ctx, x.sent+1, func(e report.Entry) error {
		if err := x.deliver(ctx, e); err != nil {
			return err
		}
		x.waiting = append(x.waiting, wanted{e.Seq, e.Leaf})
		return nil
	})
	if ctx.Err() == nil {
		x.look(ctx)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// trySave saves the cursor as the records flow. That it cannot be written, on a
// full disk, is no reason to stop them.
func (x *exporter) trySave() {
	err := x.save(false)
	if err != nil && !x.unsaved {
		x.log.Warn("journal: a restart would send records again", "after", x.saved, "error", err)
	}
	x.unsaved = err != nil
}

func (x *exporter) save(durable bool) error {
	if x.confirmed == x.saved {
		return nil
	}
	if err := saveCursor(x.path, x.confirmed, durable); err != nil {
		return err
	}
	x.saved = x.confirmed
	return nil
}
