package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/phigate/phigate/policy"
)

// Source is the log that is exported.
type Source interface {
	// Read calls fn with each record from number from on that is there now.
	Read(ctx context.Context, from uint64, fn func(*policy.Decision) error) error
	// Wait returns when there is a record after number after.
	Wait(ctx context.Context, after uint64) error
	// Seq is the last record's number.
	Seq() uint64
}

const (
	firstPause   = time.Millisecond
	longestPause = time.Second
	// saveEvery is how often the cursor is written while records flow.
	saveEvery = time.Second
	// parting is how long the last records may take when the daemon stops.
	parting = 200 * time.Millisecond
)

// Export sends the records of src to journald's socket, in order, from the one
// after the cursor file's on, until ctx ends. Where journald is absent, hung or
// slow it waits, at most a second at a time, and goes on from where it stopped.
// It returns an error only where the log cannot be read, and may then be called
// again, or where the last cursor could not be written.
//
// The cursor is saved at most every second and at the end, so after a crash the
// records of the last second are sent again.
func Export(ctx context.Context, socket string, src Source, cursor string, log *slog.Logger) error {
	client, err := NewClient(socket)
	if err != nil {
		return err
	}
	defer client.Close()
	sent, err := loadCursor(cursor)
	if err != nil {
		log.Warn("journal: the cursor cannot be read, all records are sent again", "error", err)
	}
	if last := src.Seq(); sent > last {
		log.Warn("journal: the cursor is ahead of the log, all records are sent again", "cursor", sent, "last", last)
		sent = 0
	}
	x := &exporter{client: client, src: src, path: cursor, log: log, sent: sent, saved: sent}
	err = x.run(ctx)
	if ctx.Err() != nil {
		err = x.part(ctx)
	}
	return errors.Join(err, x.save(true))
}

type exporter struct {
	client  *Client
	src     Source
	path    string // of the cursor
	log     *slog.Logger
	sent    uint64
	saved   uint64
	savedAt time.Time
	down    bool // said that the journal is not reachable
	unsaved bool // said that the cursor cannot be written
}

// run ends with ctx or with an error of the log.
func (x *exporter) run(ctx context.Context) error {
	for {
		if err := x.src.Read(ctx, x.sent+1, func(d *policy.Decision) error { return x.deliver(ctx, d) }); err != nil {
			return fmt.Errorf("exporting to the journal: %w", err)
		}
		if err := x.wait(ctx); err != nil {
			return fmt.Errorf("exporting to the journal: %w", err)
		}
	}
}

// wait returns when there is more, and saves the cursor when it stays quiet.
func (x *exporter) wait(ctx context.Context) error {
	quiet, cancel := context.WithTimeout(ctx, saveEvery)
	err := x.src.Wait(quiet, x.sent)
	cancel()
	if err == nil {
		return nil
	}
	if quiet.Err() == nil || ctx.Err() != nil { // the log's end, or ours
		return err
	}
	x.trySave()
	return x.src.Wait(ctx, x.sent)
}

// deliver sends one record, however long that takes.
func (x *exporter) deliver(ctx context.Context, d *policy.Decision) error {
	pause := firstPause
	for {
		err := x.client.Send(Fields(d))
		if err == nil {
			break
		}
		if !x.down && pause > 100*time.Millisecond {
			x.down = true
			x.log.Warn("journal: not reachable; decisions are in the log and follow", "after", x.sent, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
	if x.down {
		x.down = false
		x.log.Info("journal: reachable again", "from", d.Seq)
	}
	x.sent = d.Seq
	if time.Since(x.savedAt) >= saveEvery {
		x.trySave()
	}
	return nil
}

// part sends what is left when the daemon stops, as far as journald takes it
// without waiting for long.
func (x *exporter) part(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	err := x.src.Read(ctx, x.sent+1, func(d *policy.Decision) error { return x.deliver(ctx, d) })
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
	if x.sent == x.saved {
		return nil
	}
	x.savedAt = time.Now()
	if err := saveCursor(x.path, x.sent, durable); err != nil {
		return err
	}
	x.saved = x.sent
	return nil
}
