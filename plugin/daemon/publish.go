package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	cosign "github.com/transparency-dev/formats/note"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/audit/registry"
	"github.com/phigate/phigate/plugin/audit/witness"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/policy"
)

// How often checkpoints leave the node, at most, and how long that may take.
const (
	toJournalEvery  = 10 * time.Second
	toRegistryEvery = time.Minute
	publishWithin   = 10 * time.Second
)

// publisher takes the log's checkpoints off the node: to witnesses, a file, a
// registry and the journal, each at its own pace and the newest only. Nothing
// waits for it.
type publisher struct {
	config   conf.AuditLog
	journal  string // journald's socket; "" sends nothing
	recorder *recorder
	log      *slog.Logger
	outlets  []*outlet
}

// outlet is one place that checkpoints go to.
type outlet struct {
	name   string
	every  time.Duration
	put    func(ctx context.Context, c audit.Checkpoint) error
	newest chan audit.Checkpoint // holds one

	mu    sync.Mutex
	size  uint64
	when  time.Time
	err   error
	alarm bool // the error is that the log was changed
}

// newPublisher makes the outlets that the configuration names.
func newPublisher(config conf.AuditLog, journal string, r *recorder, log *slog.Logger) (*publisher, error) {
	p := &publisher{config: config, journal: journal, recorder: r, log: log}
	for _, w := range config.Witnesses {
		v, err := cosign.NewVerifierForCosignatureV1(w.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the key of the witness %s: %w", w.URL, err)
		}
		client := &witness.Client{URL: w.URL, Verifier: v, HTTP: &http.Client{Timeout: publishWithin}, Prove: r.consistency}
		p.outlet("witness "+w.URL, 0, func(ctx context.Context, c audit.Checkpoint) error { return p.toWitness(ctx, client, c) })
	}
	if config.CheckpointFile != "" {
		p.outlet("file "+config.CheckpointFile, 0, func(_ context.Context, c audit.Checkpoint) error {
			return audit.WriteCheckpoint(config.CheckpointFile, c.Note)
		})
	}
	if config.Registry != "" {
		p.outlet("registry "+config.Registry, toRegistryEvery, func(ctx context.Context, c audit.Checkpoint) error {
			return registry.Push(ctx, config.Registry, r.open().Origin(), c)
		})
	}
	if journal != "" {
		p.outlet("journal", toJournalEvery, p.toJournal)
	}
	return p, nil
}

func (p *publisher) outlet(name string, every time.Duration, put func(context.Context, audit.Checkpoint) error) {
	p.outlets = append(p.outlets, &outlet{name: name, every: every, put: put, newest: make(chan audit.Checkpoint, 1)})
}

// offer is [audit.Options].Publish: the newest checkpoint takes the place of one
// that nobody has fetched.
func (p *publisher) offer(c audit.Checkpoint) {
	for _, o := range p.outlets {
		select {
		case <-o.newest:
		default:
		}
		select {
		case o.newest <- c:
		default: // another was faster, and is as new
		}
	}
}

// run serves the outlets until ctx ends.
func (p *publisher) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, o := range p.outlets {
		wg.Go(func() { p.serve(ctx, o) })
	}
	wg.Wait()
}

func (p *publisher) serve(ctx context.Context, o *outlet) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-o.newest:
			within, cancel := context.WithTimeout(ctx, publishWithin)
			err := o.put(within, c)
			cancel()
			p.note(ctx, o, c, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(o.every):
		}
	}
}

// note keeps what came of a checkpoint. That a witness contradicts the log is
// recorded, once until it agrees again.
func (p *publisher) note(ctx context.Context, o *outlet, c audit.Checkpoint, err error) {
	var rollback *witness.RollbackError
	var fork *witness.ForkError
	alarm := errors.As(err, &rollback) || errors.As(err, &fork)
	o.mu.Lock()
	was, wasAlarm := o.err, o.alarm
	o.err, o.alarm = err, alarm
	if err == nil {
		o.size, o.when = c.Size, time.Now()
	}
	o.mu.Unlock()
	switch {
	case alarm && !wasAlarm:
		p.log.Error("ALARM: the decision log is not the one that was witnessed", "outlet", o.name, "error", err)
		p.record(ctx, o.name+": "+err.Error())
	case err != nil && was == nil && ctx.Err() == nil:
		p.log.Warn("a checkpoint has not left the node", "outlet", o.name, "error", err)
	case err == nil && was != nil:
		p.log.Info("checkpoints leave the node again", "outlet", o.name)
	}
}

func (p *publisher) record(ctx context.Context, message string) {
	ctx, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	_, err := p.recorder.Record(ctx, &policy.Decision{
		Kind: "log-alarm", Target: "phigated", Message: policy.Printable(message), Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	})
	if err != nil {
		p.log.Error("recording", "kind", "log-alarm", "error", err)
	}
}

// toWitness has a checkpoint cosigned, and keeps it with the signature.
func (p *publisher) toWitness(ctx context.Context, client *witness.Client, c audit.Checkpoint) error {
	lines, err := client.Submit(ctx, c)
	if err != nil {
		return err
	}
	return p.recorder.open().SaveWitnessed(audit.Cosigned(c.Note, lines))
}

func (p *publisher) toJournal(_ context.Context, c audit.Checkpoint) error {
	client, err := journal.NewClient(p.journal)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Send(journal.CheckpointFields(c.Size, c.Note))
}

// status says how far checkpoints have come.
func (p *publisher) status() (out []ask.OutletStatus) {
	for _, o := range p.outlets {
		o.mu.Lock()
		s := ask.OutletStatus{Name: o.name, Size: o.size, Time: o.when, Alarm: o.alarm}
		if o.err != nil {
			s.Error = o.err.Error()
		}
		o.mu.Unlock()
		out = append(out, s)
	}
	return out
}
