package containerd

import (
	"bytes"
	"context"
	"maps"
	"time"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/typeurl/v2"
)

// Foreseen is a container's record that was read and decoded before its start
// asks for it. It saves the decoding and lets the rest of the work begin at
// once, and is good for nothing else: whoever goes by it must ask [Client.Same]
// after the start was announced and before there is a verdict, since anyone who
// can speak to containerd can change a record until then. It is stale as soon as
// any field of the record differs.
//
// A Foreseen is handed out once, and kept for a short while only, see the bounds
// below. Whoever finds none reads the record by [Client.Container].
type Foreseen struct {
	*Record
	read containers.Container
}

// The bounds of what is foreseen: about as many as start at one time, and in
// all some 20 MiB, decoded.
const (
	maxForeseen      = 32
	maxForeseenBytes = 128 << 10 // of one record's spec and extensions
	foreseenFor      = 20 * time.Second
	// foreseeAfter leaves the creation, which is still being answered, its time.
	// Between it and the start the runtime prepares the container's process for
	// longer than this.
	foreseeAfter = 5 * time.Millisecond
)

// ForeseeContainer reads the record of a container that was just made and is
// about to start. Nothing depends on it: where it fails, or where many are made
// at one time, nothing is foreseen.
func (c *Client) ForeseeContainer(ctx context.Context, id string) {
	time.AfterFunc(foreseeAfter, func() {
		select {
		case c.foreseeing <- struct{}{}:
		default:
			return
		}
		defer func() { <-c.foreseeing }()
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		read, err := c.c.ContainerService().Get(namespaced(ctx), id)
		if err != nil || size(read) > maxForeseenBytes {
			return
		}
		if record, err := recordOf(read); err == nil { // sandboxes end here
			c.foresee(&Foreseen{Record: record, read: read})
		}
	})
}

// foresee keeps what was foreseen until it is handed out, and no longer than
// for a while.
func (c *Client) foresee(f *Foreseen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.foreseen) >= maxForeseen {
		clear(c.foreseen)
	}
	c.foreseen[f.ID] = f
	time.AfterFunc(foreseenFor, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.foreseen[f.ID] == f {
			delete(c.foreseen, f.ID)
		}
	})
}

// Foreseen hands out what was foreseen of the container, once; nil: nothing.
func (c *Client) Foreseen(id string) *Foreseen {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.foreseen[id]
	delete(c.foreseen, id)
	return f
}

// Same reads the container's record again and says whether it is, field by field
// and byte by byte, the one that was foreseen. A record that cannot be read is
// not.
func (c *Client) Same(ctx context.Context, f *Foreseen) bool {
	now, err := c.c.ContainerService().Get(namespaced(ctx), f.ID)
	return err == nil && same(&f.read, &now)
}

func same(a, b *containers.Container) bool {
	return a.ID == b.ID && a.Image == b.Image && a.SnapshotKey == b.SnapshotKey && a.Snapshotter == b.Snapshotter && a.SandboxID == b.SandboxID &&
		a.CreatedAt.Equal(b.CreatedAt) && a.UpdatedAt.Equal(b.UpdatedAt) &&
		a.Runtime.Name == b.Runtime.Name && sameAny(a.Runtime.Options, b.Runtime.Options) &&
		sameAny(a.Spec, b.Spec) && maps.Equal(a.Labels, b.Labels) && maps.EqualFunc(a.Extensions, b.Extensions, sameAny)
}

func sameAny(a, b typeurl.Any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.GetTypeUrl() == b.GetTypeUrl() && bytes.Equal(a.GetValue(), b.GetValue())
}

func size(c containers.Container) int {
	n := 0
	if c.Spec != nil {
		n = len(c.Spec.GetValue())
	}
	for _, e := range c.Extensions {
		n += len(e.GetValue())
	}
	return n
}
