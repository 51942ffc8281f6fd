// Package node starts a private containerd for the tests, the benchmarks and
// the demo, talks CRI to it as a kubelet does, and leaves nothing behind.
//
// It needs root, and what test/setup installs and builds. Pods run on the
// host's network, since there is no CNI here.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/images"
)

// Options of a node. The zero value is a containerd as it comes.
type Options struct {
	Snapshotter   string        // "overlayfs" when empty, or "native"
	Require       []string      // NRI plugins without which no container is created (default_validator.required_plugins)
	PluginTimeout time.Duration // NRI's plugin_request_timeout; containerd's own is 2 s
	Imports       []string      // further configuration files, such as the drop-ins of deploy/containerd
	Config        string        // TOML tables to append
	Env           []string      // added to containerd's environment, which its shims and their runtimes inherit
	Runc          string        // BinaryName of CRI's runtime handler; empty means the first runc in containerd's PATH
	Second        string        // BinaryName of a second runtime handler, SecondHandler, where pods may choose it
	Before        string        // folder that comes first in containerd's PATH
	Parent        string        // folder to make the node's folder in; /tmp when empty. Short: socket paths end at 107 bytes
}

// SecondHandler is the name of CRI's second runtime handler.
const SecondHandler = "second"

// Node is one running containerd with everything of its own.
type Node struct {
	Dir       string // holds all that follows
	Address   string // containerd's socket
	NRISocket string // where NRI plugins connect
	Log       string // containerd's log file

	options  Options
	binaries string
	lock     *os.File
	process  *Process
	conn     *grpc.ClientConn
	pods     sync.Map // pod ID -> *runtimeapi.PodSandboxConfig
}

// CRI are the two services that a kubelet uses.
type CRI struct {
	runtimeapi.RuntimeServiceClient
	runtimeapi.ImageServiceClient
}

// Start starts containerd in a fresh folder, waits until it answers, and
// imports the pause image. ctx bounds the start, not the node's life. What a killed
// test run left behind is cleaned up first.
func Start(ctx context.Context, o Options) (*Node, error) {
	if o.Snapshotter == "" {
		o.Snapshotter = "overlayfs"
	}
	if o.Parent == "" {
		o.Parent = "/tmp"
	}
	binaries, err := Binaries()
	if err != nil {
		return nil, err
	}
	if err := sweep(o.Parent); err != nil {
		return nil, err
	}
	dir, lock, err := folder(o.Parent)
	if err != nil {
		return nil, err
	}
	n := &Node{
		Dir: dir, Address: filepath.Join(dir, "c.sock"), NRISocket: filepath.Join(dir, "nri.sock"),
		Log: filepath.Join(dir, "containerd.log"), options: o, binaries: binaries, lock: lock,
	}
	if err := n.begin(ctx); err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	return n, nil
}

func (n *Node) begin(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(n.Dir, "config.toml"), []byte(n.config()), 0o600); err != nil {
		return fmt.Errorf("writing containerd's configuration: %w", err)
	}
	conn, err := grpc.NewClient("unix://"+n.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// After a restart the next call must not wait out a long backoff.
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	if err != nil {
		return fmt.Errorf("connecting to containerd: %w", err)
	}
	n.conn = conn
	if err := n.Resume(ctx); err != nil {
		return err
	}
	pause, err := images.Pause()
	if err != nil {
		return err
	}
	return n.Import(ctx, images.PauseName, pause)
}

// CRI is the client that a kubelet would use.
func (n *Node) CRI() CRI {
	return CRI{runtimeapi.NewRuntimeServiceClient(n.conn), runtimeapi.NewImageServiceClient(n.conn)}
}

// Process is containerd's own process, to freeze or signal it.
func (n *Node) Process() *Process { return n.process }

// Kill ends containerd as a crash would; its containers go on.
func (n *Node) Kill() error { return n.process.Kill() }

// Resume starts containerd again after Kill and waits until it answers.
func (n *Node) Resume(ctx context.Context) error {
	path := n.binaries + ":" + os.Getenv("PATH") + ":/usr/sbin:/sbin" // runc is in /usr/sbin
	if n.options.Before != "" {
		path = n.options.Before + ":" + path
	}
	p, err := Run(Command{
		Path: filepath.Join(n.binaries, "containerd"),
		Args: []string{"--config", filepath.Join(n.Dir, "config.toml")},
		Env:  append([]string{"PATH=" + path}, n.options.Env...),
		Log:  n.Log,
	})
	if err != nil {
		return err
	}
	n.process = p
	return n.ready(ctx)
}

// Restart stops containerd as an operator does and starts it again; its containers go on.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.process.Stop(20 * time.Second); err != nil {
		return err
	}
	return n.Resume(ctx)
}

// ready waits until the runtime says that it is ready, as a kubelet does.
func (n *Node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		last := n.Ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-n.process.Done():
			return fmt.Errorf("starting containerd: it ended: %w; its last words: %s", last, tail(n.Log))
		case <-ctx.Done():
			return fmt.Errorf("waiting for containerd: %w; its last words: %s", last, tail(n.Log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Ready says why containerd's runtime is not ready, nil when it is.
func (n *Node) Ready(ctx context.Context) error {
	status, err := n.CRI().Status(ctx, &runtimeapi.StatusRequest{})
	if err != nil {
		return err
	}
	for _, c := range status.GetStatus().GetConditions() {
		if c.Type == runtimeapi.RuntimeReady && c.Status {
			return nil
		}
	}
	return errors.New("containerd answers that its runtime is not ready")
}

// Stop ends containerd and all its containers, unmounts what lies below the
// node's folder, and removes it. It may be called twice.
func (n *Node) Stop() error {
	var errs []error
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
	if n.process != nil {
		errs = append(errs, n.process.Stop(20*time.Second))
		n.process = nil
	}
	if n.lock != nil {
		errs = append(errs, clean(n.Dir))
		n.lock.Close()
		n.lock = nil
	}
	return errors.Join(errs...)
}

// folder makes the node's folder and holds a lock in it for as long as this
// process lives, which tells sweep that the folder is in use.
func folder(parent string) (string, *os.File, error) {
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return "", nil, fmt.Errorf("creating the node's folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("creating the node's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", nil, fmt.Errorf("locking the node's folder: %w", err)
	}
	for _, name := range []string{"s", "pods"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return "", nil, fmt.Errorf("creating the node's folder: %w", err)
		}
	}
	return dir, lock, nil
}

// tail is the end of a log file, for error messages.
func tail(path string) string {
	log, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}
