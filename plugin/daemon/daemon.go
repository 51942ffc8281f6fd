// Package daemon puts phigated together: the log, the facts, the policy, the
// scanner in the background and the door in the runtime's way.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/phigate/phigate/plugin/arrival"
	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/ask/server"
	"github.com/phigate/phigate/plugin/bypass"
	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/engine"
	"github.com/phigate/phigate/plugin/handover"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/plugin/nri"
	"github.com/phigate/phigate/plugin/origin"
	"github.com/phigate/phigate/plugin/prescan"
	"github.com/phigate/phigate/plugin/redact"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/rules"
)

// memoryLimit is what the garbage collector is told to stay below, in bytes. A
// node gives the daemon 256 MiB.
const memoryLimit = 160 << 20

// matchWait is how long a gate waits for file names to be matched with a policy,
// which it mostly finds done. NRI's one lock is held meanwhile.
const matchWait = 300 * time.Millisecond

// foldersAtOnce is how many layers are scanned at one time for clients that wait.
const foldersAtOnce = 2

// garbagePercent lets the small heap of an idle daemon grow before it is
// collected, which takes time from whoever waits for an answer; the limit above
// comes first where the heap is large.
const garbagePercent = 400

// Daemon is a phigated. Its parts are made by start and live as long as Run.
type Daemon struct {
	Config  conf.Config
	Version string
	Log     *slog.Logger

	began      time.Time
	recorder   *recorder
	publisher  *publisher
	exporter   *journal.Exporter // nil where nothing is sent to the journal
	store      *cache.Store
	client     *containerd.Client
	scanner    *prescan.Scanner
	engine     *engine.Engine
	policies   *policies
	advisories *advisories
	door       *nri.Door
	handover   *handover.Door
	bypass     *bypass.Watcher
	arrival    *arrival.Door
}

// Run is the daemon's life. It returns when ctx ends, or with an error when it
// cannot begin: a state directory in use, a socket in use. containerd may be
// absent; a policy may be broken: those are said, and nothing is admitted.
func (d *Daemon) Run(ctx context.Context, reload <-chan os.Signal) (err error) {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(garbagePercent)
	d.began = time.Now().UTC()
	defer func() { err = errors.Join(err, d.close()) }()
	commands, gate, err := d.listen()
	if err != nil {
		return explain(err, filepath.Dir(d.Config.Socket))
	}
	if err := d.open(); err != nil {
		return errors.Join(explain(err, d.Config.StateDir), commands.Close(), gate.Close())
	}
	wait := server.Serve(ctx, commands, server.Answers{Status: d.status, Image: d.image})
	var wg sync.WaitGroup
	wg.Go(server.ServeGate(ctx, gate, d.handover.Judge, d.Log))
	wg.Go(func() { d.spool().watch(ctx) })
	wg.Go(func() { d.publisher.run(ctx) })
	wg.Go(func() { d.recorder.fold.run(ctx) })
	wg.Go(func() { d.recorder.archive(ctx, d.Config.Audit) })
	wg.Go(func() { d.scanner.Run(ctx) })
	wg.Go(func() { d.door.Run(ctx) })
	wg.Go(func() { d.bypass.Run(ctx) })
	wg.Go(func() { d.arrival.Follow(ctx) })
	wg.Go(func() { d.policies.watch(ctx, reload) })
	wg.Go(func() { d.advisories.watch(ctx) })
	wg.Go(func() { d.endings().watch(ctx) })
	wg.Go(func() { notify(ctx, d.alive, d.Log) })
	exporting, last := context.WithCancel(context.WithoutCancel(ctx))
	exported := make(chan struct{})
	go func() { defer close(exported); d.export(exporting) }()
	err = wait()
	wg.Wait()
	d.note("stop", "phigated ends") // and the journal hears of it
	last()
	<-exported
	return err
}

// listen makes the sockets for the commands and for doors outside phigated, or
// takes over those at which systemd listens.
func (d *Daemon) listen() (commands, gate net.Listener, err error) {
	sockets, err := server.Inherited()
	if err != nil {
		return nil, nil, err
	}
	defer sockets.Drop(d.Log)
	if commands, err = sockets.Listen(d.Config.Socket); err != nil {
		return nil, nil, err
	}
	if gate, err = sockets.Listen(d.Config.GateSocket()); err != nil {
		return nil, nil, errors.Join(err, commands.Close())
	}
	return commands, gate, nil
}

// open makes the parts, in the order in which they need each other.
func (d *Daemon) open() error {
	if err := os.MkdirAll(d.Config.StateDir, 0o700); err != nil {
		return fmt.Errorf("making the state directory: %w", err)
	}
	var err error
	key, err := loadKey(d.Config.FingerprintKey())
	if err != nil {
		return err
	}
	if d.recorder, err = openRecorder(d.Config.Log(), origin.Read(d.Version, key.ID(), d.Log), d.Log); err != nil {
		return err
	}
	if d.publisher, err = newPublisher(d.Config.Audit, d.Config.Journal, d.recorder, d.Log); err != nil {
		return err
	}
	d.recorder.publish.Store(d.publisher)
	if d.Config.Journal != "" {
		d.exporter = &journal.Exporter{Journal: journal.At(d.Config.Journal), Source: d.recorder, Cursor: d.Config.JournalCursor(), Log: d.Log}
	}
	d.recorder.redact = redact.Redactor{Keyed: key.HMAC}
	if d.store, err = cache.Open(d.Config.Facts(), detect.Version+"-"+key.ID(), d.Log); err != nil {
		return err
	}
	if version, until := d.store.Stale(); version != "" {
		d.Log.Warn("layers are judged by what an older version's detectors found, until they have been scanned again",
			"version", version, "until", until.Round(time.Minute).Format(time.RFC3339))
	}
	if d.client, err = containerd.Open(d.Config.Containerd); err != nil {
		return err
	}
	detectors, err := detect.NewSet(catalogue.All())
	if err != nil {
		return err
	}
	d.assemble(key, detectors)
	d.note("start", "phigated "+d.Version+" begins")
	d.policies.load()
	return nil
}

func (d *Daemon) assemble(key *key, detectors *detect.Set) {
	files := &inspect.Scanner{Detectors: detectors, Keyed: key.HMAC, Expand: expand.Defaults()}
	files.Expand.Spool = d.Config.StateDir
	uppers := &prescan.Uppers{Store: d.store, Files: files}
	d.scanner = prescan.New(d.client, d.store, files, uppers, d.Config.Views(), d.Log)
	folders := prescan.NewFolders(d.store, files, d.Log, foldersAtOnce)
	d.scanner.Folders = folders
	facts := &inspect.Files{Store: d.store, Cold: d.scanner.Cold, Rules: len(detectors.Detectors()), Wait: matchWait}
	d.scanner.Warm = func(ctx context.Context, keys []string) error { return facts.Warm(ctx, d.engine.Policy(), keys) }
	d.engine = engine.New(d.recorder,
		&inspect.OnHost{
			Spec:    inspect.Spec{Rules: rules.All()},
			Host:    inspect.Host{Root: "/"},
			Sockets: []string{d.Config.Containerd, d.Config.Containerd + ".ttrpc", d.Config.NRI.Socket, d.Config.Socket, d.Config.GateSocket()},
		},
		facts)
	d.engine.Redact(d.recorder.redact)
	d.policies = &policies{paths: d.Config.Policies, lastGood: d.Config.LastGood(), engine: d.engine, note: d.note, log: d.Log, changed: d.scanner.Rewarm}
	d.advisories = &advisories{paths: d.Config.Vulnerabilities, set: facts.SetAdvisories, changed: d.scanner.Rewarm, log: d.Log}
	d.advisories.begin()
	d.door = &nri.Door{
		Engine: d.engine, Runtime: d.client, Layers: d.scanner, Upper: uppers, Log: d.Log,
		SocketPath: d.Config.NRI.Socket, Name: d.Config.NRI.Name, Index: d.Config.NRI.Index,
	}
	d.handover = &handover.Door{
		Engine: d.engine, Runtime: d.client, Scanner: d.scanner, Folders: folders,
		Warm: d.scanner.Warm, Record: d.recorder.Record, Log: d.Log,
	}
	d.bypass = &bypass.Watcher{
		Runtime: d.client, Log: d.recorder, Policy: func() *policy.Policy { return d.engine.Policy() },
		Kill: d.Config.OnUnjudged == conf.Kill, Slog: d.Log,
	}
	d.arrival = d.arrivals(facts)
}

// arrivals is the door at which images arrive.
func (d *Daemon) arrivals(files arrival.Inspector) *arrival.Door {
	memory, err := arrival.OpenMemory(d.Config.Arrivals(), writeFile)
	if err != nil {
		d.Log.Warn("beginning without what was known of images", "error", err)
	}
	return &arrival.Door{
		Runtime: d.client, Facts: d.scanner.Facts, Inspector: files, Policy: d.engine.Policy, Log: d.recorder, Memory: memory, Slog: d.Log,
	}
}

func (d *Daemon) image(ctx context.Context, name, digest string) ask.Image {
	return ask.Image(d.arrival.Ask(ctx, name, digest))
}

func (d *Daemon) spool() *spool {
	return &spool{folder: d.Config.BreakGlass(), record: d.recorder.Record, policy: func() *policy.Policy { return d.engine.Policy() }, log: d.Log}
}

// export sends the log to the journal; a failure there never stops the gate.
func (d *Daemon) export(ctx context.Context) {
	if d.exporter == nil {
		return
	}
	for ctx.Err() == nil {
		err := d.exporter.Run(ctx)
		if err != nil && ctx.Err() == nil {
			d.Log.Error("sending decisions to the journal; trying again", "error", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// endings tells of exceptions that end.
func (d *Daemon) endings() *endings {
	return &endings{path: d.Config.Endings(), policy: d.engine.Policy, last: d.recorder.Last, note: d.note, log: d.Log}
}

// note records something that is no verdict.
func (d *Daemon) note(kind, message string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	note := &policy.Decision{Kind: kind, Message: message, Target: "phigated", Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}
	if p := d.engine.Policy(); p != nil {
		note.Policy, note.PolicyVersion = p.Digest, p.Version
	}
	if _, err := d.recorder.Record(ctx, note); err != nil {
		d.Log.Error("recording", "kind", kind, "error", err)
	}
}

// alive returns when every part answers: what the watchdog waits for. A log that
// has failed is no reason to be killed by it: phigated then refuses and opens
// the log again, and where it is not required, one that is gone refuses nothing.
func (d *Daemon) alive() { _ = d.status() }

func (d *Daemon) close() error {
	var errs []error
	if d.client != nil {
		errs = append(errs, d.client.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.recorder != nil {
		errs = append(errs, d.recorder.Close())
	}
	return errors.Join(errs...)
}
