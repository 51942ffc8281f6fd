// Package containerd reads from containerd what phigate judges: the records of
// containers and sandboxes, images, and the snapshots below a root filesystem.
// It is the only package that imports containerd's client.
//
// Inside NRI callbacks only the plain reads may be used (Root, Sandbox,
// Container, Same, ImageOf): leases, views and mounts can wait for containerd's
// garbage collector, which would hold up every pod of the node.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Namespace is containerd's namespace of the kubelet's containers. The identity
// of a pod is believed from records in this namespace alone.
const Namespace = "k8s.io"

// ErrNotFound is returned for what containerd does not know.
var ErrNotFound = errors.New("not known to containerd")

// Client reads from one containerd, and goes on after that was restarted. Safe
// for concurrent use.
type Client struct {
	c            *client.Client
	address      string
	snapshotters atomic.Pointer[[]string]

	asking     singleflight.Group // for roots, by key
	foreseeing chan struct{}

	mu        sync.Mutex
	parents   map[string]string    // snapshotter/name of a committed snapshot -> its parent; immutable facts
	sandboxes map[string]*Sandbox  // immutable while the sandbox lives
	images    map[string]*Image    // by digest of the config, and of what a name points at
	roots     map[string]*Root     // by key of the active snapshot
	foreseen  map[string]*Foreseen // by ID of a container that is about to start
}

// Open prepares a client. It does not wait for containerd to be there.
func Open(address string) (*Client, error) {
	c, err := client.New(address,
		client.WithDefaultNamespace(Namespace),
		client.WithExtraDialOpts([]grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.1, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})}))
	if err != nil {
		return nil, fmt.Errorf("opening containerd at %s: %w", address, err)
	}
	return &Client{c: c, address: address, foreseeing: make(chan struct{}, 4), parents: map[string]string{}, sandboxes: map[string]*Sandbox{}, images: map[string]*Image{}, roots: map[string]*Root{},
		foreseen: map[string]*Foreseen{}}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.c.Close() }

// Check asks whether containerd answers, and which snapshotters it has. An
// error names the socket: something else may listen there.
func (c *Client) Check(ctx context.Context) (version string, err error) {
	v, err := c.c.Version(ctx)
	if err != nil {
		return "", fmt.Errorf("asking containerd at %s for its version: %w", c.address, plain(err))
	}
	names, err := c.listSnapshotters(ctx)
	if err != nil {
		return "", err
	}
	c.snapshotters.Store(&names)
	return v.Version, nil
}

func (c *Client) listSnapshotters(ctx context.Context) ([]string, error) {
	resp, err := c.c.IntrospectionService().Plugins(ctx, "type==io.containerd.snapshotter.v1")
	if err != nil {
		return nil, fmt.Errorf("asking containerd at %s for its snapshotters: %w", c.address, plain(err))
	}
	var names []string
	for _, p := range resp.Plugins {
		if p.InitErr == nil {
			names = append(names, p.ID)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("containerd at %s has no snapshotter", c.address)
	}
	slices.SortFunc(names, func(a, b string) int { // the usual one is asked first
		return strings.Compare(usualFirst(a), usualFirst(b))
	})
	return names, nil
}

func usualFirst(name string) string {
	if name == overlayfs {
		return ""
	}
	return name
}

// Snapshotters lists the snapshotters that work here, the usual one first.
func (c *Client) Snapshotters(ctx context.Context) ([]string, error) {
	if names := c.snapshotters.Load(); names != nil {
		return *names, nil
	}
	names, err := c.listSnapshotters(ctx)
	if err == nil {
		c.snapshotters.Store(&names)
	}
	return names, err
}

// maxRemembered bounds each of the things that are remembered.
const maxRemembered = 20_000

// recall and remember keep facts that never change, so that each costs the
// runtime one round trip.
func recall[T any](c *Client, of map[string]T, key string) (value T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok = of[key]
	return value, ok
}

func remember[T any](c *Client, of map[string]T, key string, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(of) >= maxRemembered {
		clear(of)
	}
	of[key] = value
}

// namespaced sets the namespace where the client's default does not reach: the
// context of an NRI callback carries one that is not passed on.
func namespaced(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, Namespace)
}

// plain replaces containerd's not-found by ours and leaves other errors.
func plain(err error) error {
	if errdefs.IsNotFound(err) {
		return ErrNotFound
	}
	return err
}
