package nri

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

const (
	// retryEvery is how soon a lost runtime is looked for again. With the
	// registration itself it keeps the way back below 2 s.
	retryEvery = 250 * time.Millisecond
	// registerWithin bounds a registration.
	registerWithin = 30 * time.Second
	// synchronizeWithin is how long it is no trouble that the runtime has registered
	// the plugin and does not ask it yet.
	synchronizeWithin = 10 * time.Second
)

// errWaiting is what holds up a runtime that has registered the plugin. containerd
// (1.7.35, 2.2.9, 2.4.2) takes a plugin in only once the CRI calls in flight have ended,
// StopContainer with its grace period among them, and lets all others wait meanwhile.
// A RemovePodSandbox of a pod that still has containers calls RemoveContainer, which waits
// too, and then neither ever ends.
var errWaiting = errors.New("the runtime has registered phigate and does not ask it: it waits for a call in flight, as long as the grace period of a container that is being stopped, " +
	"and lets all others wait; where that does not end, it has locked itself up, and must be restarted")

// Run keeps the door in the runtime's way until ctx ends: it connects, serves,
// and connects again whenever the connection is lost or the runtime is not
// there yet.
func (d *Door) Run(ctx context.Context) {
	d.mu.Lock()
	d.judged = map[string]bool{}
	d.catchUp = make(chan []running, 1)
	d.mu.Unlock()
	go d.catchUpLoop(ctx)
	said := ""
	for ctx.Err() == nil {
		err := d.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if err.Error() != said {
			said = err.Error()
			d.Log.Warn("not in the runtime's way; trying again", "socket", d.SocketPath, "error", err)
		}
		d.disconnected(err)
		select {
		case <-time.After(retryEvery):
		case <-ctx.Done():
		}
	}
}

func (d *Door) disconnected(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = State{Error: err.Error()}
}

// serve registers once and returns when the connection is lost.
func (d *Door) serve(ctx context.Context) error {
	conn := &watched{closed: make(chan struct{})}
	st, err := stub.New(d,
		stub.WithSocketPath(d.SocketPath), stub.WithPluginName(d.Name), stub.WithPluginIdx(d.Index),
		stub.WithFailurePolicy(&api.FailurePolicy{FailRequest: true, KeepConnected: true}),
		stub.WithLogger(quiet{d.Log}), stub.WithOnClose(func() {}),
		stub.WithDialer(func(path string) (net.Conn, error) {
			var err error
			conn.Conn, err = net.DialTimeout("unix", path, time.Second)
			return conn, err
		}))
	if err != nil {
		return fmt.Errorf("making the NRI plugin: %w", err)
	}
	if err := d.register(ctx, st, conn); err != nil {
		return err
	}
	defer conn.shut()
	late := time.AfterFunc(synchronizeWithin, d.late)
	defer late.Stop()
	select {
	case <-conn.closed:
		return errors.New("the runtime closed the connection")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// late says that the runtime does not ask, unless it does.
func (d *Door) late() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.state.Connected {
		d.state.Error = errWaiting.Error()
		d.Log.Error("not in the runtime's way", "error", errWaiting)
	}
}

// register starts the stub. The stub waits without end for the runtime's
// configuration when the connection breaks in between, so it is watched.
func (d *Door) register(ctx context.Context, st stub.Stub, conn *watched) error {
	started := make(chan error, 1)
	go func() { started <- st.Start(ctx) }()
	select {
	case err := <-started:
		if err != nil {
			conn.shut()
			return fmt.Errorf("registering with the runtime: %w", err)
		}
	case <-conn.closed:
		return errors.New("registering with the runtime: the connection was closed")
	case <-time.After(registerWithin):
		conn.shut()
		return fmt.Errorf("registering with the runtime: no answer within %s", registerWithin)
	case <-ctx.Done():
		conn.shut()
		return ctx.Err()
	}
	d.mu.Lock()
	d.budget = budgetOf(st.RequestTimeout())
	d.mu.Unlock()
	return nil
}

// watched tells when a connection has ended.
type watched struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

func (w *watched) ended() { w.once.Do(func() { close(w.closed) }) }

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.ended()
	}
	return n, err
}

func (w *watched) Close() error {
	w.ended()
	return w.Conn.Close()
}

// shut closes a connection that may never have been made.
func (w *watched) shut() {
	if w.Conn != nil {
		_ = w.Close()
	}
}

// quiet hands the stub's chatter to our log at debug level. Its messages are
// about the connection; requests are never logged.
type quiet struct{ log *slog.Logger }

func (q quiet) Debugf(ctx context.Context, format string, args ...any) {
	q.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}
func (q quiet) Infof(ctx context.Context, format string, args ...any) { q.Debugf(ctx, format, args...) }
func (q quiet) Warnf(ctx context.Context, format string, args ...any) { q.Debugf(ctx, format, args...) }
func (q quiet) Errorf(ctx context.Context, format string, args ...any) {
	q.Debugf(ctx, format, args...)
}
