package containerd

import (
	"context"
	"fmt"
	"strings"

	events "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/typeurl/v2"
)

// Event is something that changes which layers there are, or that announces a
// container.
type Event struct {
	Prepared  string // the key of a snapshot to write to: a container's ID, mostly
	Created   string // the ID of a container whose record was made
	Committed *Layer // a layer was committed: it can be scanned
	Image     string // an image of this name was made or changed
	Gone      bool   // an image or a committed snapshot was removed
}

const (
	// committedPrefix begins the names of committed snapshots, which are chain IDs.
	committedPrefix = "sha256:"
	// unpackPrefix begins the keys of snapshots that layers are unpacked into.
	unpackPrefix = snapshots.UnpackKeyPrefix + "-"
)

// Layer names a committed snapshot.
type Layer struct{ Snapshotter, Name string }

// Watch calls handle for each event until ctx ends or the connection breaks,
// and then returns why. ready is called once events can no longer be missed.
func (c *Client) Watch(ctx context.Context, ready func(), handle func(Event)) error {
	envelopes, errs := c.c.EventService().Subscribe(ctx,
		`namespace==`+Namespace+`,topic~="^/snapshot/"`, `namespace==`+Namespace+`,topic~="^/images/"`,
		`namespace==`+Namespace+`,topic=="/containers/create"`)
	if _, err := c.Check(ctx); err != nil { // the stream was opened before this answer
		return err
	}
	ready()
	for {
		select {
		case env := <-envelopes:
			if env == nil {
				continue
			}
			if e, ok := decode(env.Event); ok {
				handle(e)
			}
		case err := <-errs:
			if err == nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("watching containerd's events: %w", err)
		}
	}
}

func decode(any typeurl.Any) (Event, bool) {
	v, err := typeurl.UnmarshalAny(any)
	if err != nil {
		return Event{}, false
	}
	switch e := v.(type) {
	case *events.SnapshotPrepare:
		return Event{Prepared: e.Key}, !strings.HasPrefix(e.Key, viewPrefix) && !strings.HasPrefix(e.Key, unpackPrefix)
	case *events.ContainerCreate:
		return Event{Created: e.ID}, true
	case *events.SnapshotCommit:
		return Event{Committed: &Layer{Snapshotter: e.Snapshotter, Name: e.Name}}, true
	case *events.SnapshotRemove:
		return Event{Gone: true}, strings.HasPrefix(e.Key, committedPrefix)
	case *events.ImageCreate:
		return Event{Image: e.Name}, true
	case *events.ImageUpdate:
		return Event{Image: e.Name}, true
	case *events.ImageDelete:
		return Event{Gone: true}, true
	}
	return Event{}, false
}
