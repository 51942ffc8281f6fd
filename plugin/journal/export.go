package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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

// Exporter sends the records of a log to journald, in order, from the one after
// the cursor file's on. Where journald is absent, hung or slow it waits, at most a
// second at a time, and goes on from where it stopped.
//
// What journald accepts it may still lose: killed before it has stored it, or
// over its rate limit, of which it tells no sender. So what was sent is read back,
// and what is not there is sent again, until it is. The cursor is the last record
// of which that is known for all up to it; it is durable, and after a crash what
// lies behind it is looked for first and then sent. A record may so come twice,
// never not at all.
//
// Where the journal cannot be read, or keeps nothing, records are sent as they
// come all the same, and the cursor stays: it is tried again, at most every ten
// minutes, and made up for once it works. [Exporter.State] says so meanwhile.
type Exporter struct {
	Journal Journal
	Source  Source
	Cursor  string // the file
	Log     *slog.Logger

	pace  pace // the usual one where it is zero
	mu    sync.Mutex
	state State
}

// State is how far an exporter has come.
type State struct {
	Sent      uint64    // the last record that journald has accepted
	Confirmed uint64    // all up to it were read back
	Since     time.Time // since when no more was confirmed, where something is waited for
	Error     string    // why the journal is not reached, or cannot be read back
	ReadBack  bool      // what is sent is read back at all
}

// State is the exporter's, at any time.
func (e *Exporter) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Run exports until ctx ends. It returns an error only where the log cannot be
// read, and may then be called again, or where the last cursor could not be
// written.
func (e *Exporter) Run(ctx context.Context) error {
	client, err := NewClient(e.Journal.Socket)
	if err != nil {
		return err
	}
	defer client.Close()
	at, err := loadCursor(e.Cursor)
	if err != nil {
		e.Log.Warn("journal: the cursor cannot be read, all records are sent again", "error", err)
	}
	if last := e.Source.Seq(); at.sent > last {
		e.Log.Warn("journal: the cursor is ahead of the log, all records are sent again", "cursor", at.sent, "last", last)
		at = position{}
	}
	e.pace = cmp.Or(e.pace, usualPace)
	x := &exporter{Exporter: e, client: client, position: at, saved: at}
	if len(e.Journal.Read) == 0 {
		e.Log.Info("journal: what is sent there is not read back", "socket", e.Journal.Socket)
	}
	x.say()
	x.remember(ctx)
	err = x.run(ctx)
	if ctx.Err() != nil {
		err = x.part(ctx)
	}
	return errors.Join(err, x.save(true))
}

// exporter is one run.
type exporter struct {
	*Exporter
	client   *Client
	position                   // now
	saved    position          // as the cursor file has it
	waiting  []wanted          // sent and not confirmed yet, in order
	until    uint64            // the last of them, those that were found included
	due      time.Time         // when the first of them is looked for, or doubt is probed
	there    map[uint64]string // in the journal already when we began
	failures int               // readings in a row that did not work
	doubts   error             // why nothing is waited for at the moment; see doubt
	retry    time.Duration     // how long until doubt is probed again
	down     error             // why the journal is not reachable
	unsaved  bool              // said that the cursor cannot be written
}

// wanted is a record that should be in the journal.
type wanted struct {
	seq  uint64
	leaf string
}

// say lets others know how far it is.
func (x *exporter) say() {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := State{Sent: x.sent, Confirmed: x.confirmed, Since: x.state.Since, ReadBack: len(x.Journal.Read) > 0}
	switch {
	case x.confirmed == x.sent:
		s.Since = time.Time{}
	case x.confirmed != x.state.Confirmed || s.Since.IsZero():
		s.Since = time.Now()
	}
	for _, err := range []error{x.doubts, x.down} {
		if err != nil {
			s.Error = err.Error()
		}
	}
	x.state = s
}

// run ends with ctx or with an error of the log.
func (x *exporter) run(ctx context.Context) error {
	for {
		err := x.settle(ctx)
		if err == nil {
			err = x.Source.Entries(ctx, x.sent+1, func(e report.Entry) error { return x.pass(ctx, e) })
		}
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
	if x.doubts != nil {
		return x.probeWhenDue(ctx)
	}
	if len(x.waiting) == 0 {
		x.due = time.Now().Add(confirmAfter)
	}
	x.await(e)
	if len(x.waiting) >= window || time.Now().After(x.due) {
		return x.confirm(ctx)
	}
	return nil
}

// await puts a record that was sent on the list of what is waited for.
func (x *exporter) await(e report.Entry) {
	x.waiting, x.until = append(x.waiting, wanted{e.Seq, e.Leaf}), e.Seq
}

// wait returns when there is more, and looks for what was sent when it stays quiet.
func (x *exporter) wait(ctx context.Context) error {
	if len(x.waiting) == 0 && x.doubts == nil {
		return x.Source.Wait(ctx, x.sent)
	}
	quiet, cancel := context.WithDeadline(ctx, x.due)
	err := x.Source.Wait(quiet, x.sent)
	cancel()
	if err == nil || quiet.Err() == nil || ctx.Err() != nil { // more, the log's end, or ours
		return err
	}
	if x.doubts != nil {
		return x.probeWhenDue(ctx)
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
		if x.down == nil && pause > 100*time.Millisecond {
			x.down = err
			x.say()
			x.Log.Warn("journal: not reachable; decisions are in the log and follow", "after", x.sent, "error", err)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, longestPause)
	}
	if x.down != nil {
		x.down = nil
		x.Log.Info("journal: reachable again", "from", e.Seq)
	}
	x.sent = max(x.sent, e.Seq)
	x.say()
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
	err := x.Source.Entries(ctx, x.sent+1, func(e report.Entry) error {
		if err := x.deliver(ctx, e); err != nil {
			return err
		}
		x.await(e)
		return nil
	})
	if ctx.Err() == nil && x.doubts == nil {
		_, _ = x.look(ctx) // the next start looks again
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
		x.Log.Warn("journal: a restart would send records again", "after", x.saved.confirmed, "error", err)
	}
	x.unsaved = err != nil
}

func (x *exporter) save(durable bool) error {
	if x.position == x.saved {
		return nil
	}
	if err := saveCursor(x.Cursor, x.position, durable); err != nil {
		return err
	}
	x.saved = x.position
	return nil
}
