package containerd

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/pkg/namespaces"
)

// Task is what containerd keeps, in any of its namespaces, of a container that
// a runtime is about to make.
type Task struct {
	Namespace   string
	ID          string
	Image       string // as containerd names it; empty where the client gave none
	Labels      map[string]string
	Snapshotter string
	Key         string // of the container's snapshot; empty where the client gave a folder
	Sandbox     string // the ID of its pod's sandbox, its own where it is that; empty outside CRI
}

// Task reads a container's record. Whether it is CRI's is told by what CRI's
// plugin keeps beside it, which no other client writes.
func (c *Client) Task(ctx context.Context, namespace, id string) (*Task, error) {
	record, err := c.c.ContainerService().Get(namespaces.WithNamespace(ctx, namespace), id)
	if err != nil {
		return nil, fmt.Errorf("reading the container's record: %w", plain(err))
	}
	t := &Task{Namespace: namespace, ID: id, Image: record.Image, Labels: record.Labels, Snapshotter: record.Snapshotter, Key: record.SnapshotKey}
	if namespace != Namespace {
		return t, nil
	}
	switch {
	case record.Extensions[sandboxMetadata] != nil:
		t.Sandbox = id
	case record.Extensions[containerMetadata] != nil:
		var meta struct{ SandboxID string }
		if err := extension(record, containerMetadata, &meta); err != nil {
			return nil, err
		}
		t.Sandbox = meta.SandboxID
	}
	return t, nil
}

// Identity is who a pod is, by the configuration of its sandbox.
type Identity struct {
	Namespace, Name, UID string
	Labels               map[string]string
}

// Committed is a committed snapshot and its folder.
type Committed struct{ Name, Folder string }

// Layers are the snapshots below the container and their folders, lowest
// first; none where its snapshotter keeps no folders.
func (c *Client) Layers(ctx context.Context, t *Task) ([]Committed, error) {
	if !(&Root{Snapshotter: t.Snapshotter}).Layered() || t.Key == "" {
		return nil, nil
	}
	ctx = namespaces.WithNamespace(ctx, t.Namespace)
	s := c.c.SnapshotService(t.Snapshotter)
	info, err := s.Stat(ctx, t.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot: %w", plain(err))
	}
	chain, err := c.chain(ctx, t.Snapshotter, info)
	if err != nil {
		return nil, err
	}
	mounts, err := s.Mounts(ctx, t.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot's mounts: %w", plain(err))
	}
	lower, _, err := overlayFolders(mounts)
	if err != nil {
		return nil, err
	}
	if len(lower) != len(chain) {
		return nil, errors.New("the snapshot has other folders than layers")
	}
	var out []Committed
	for i, name := range chain {
		out = append(out, Committed{Name: name, Folder: lower[i]})
	}
	return out, nil
}

// ImageIn reads the image called name in one of containerd's namespaces.
func (c *Client) ImageIn(ctx context.Context, namespace, name string) (*Image, error) {
	return c.Image(namespaces.WithNamespace(ctx, namespace), name)
}
