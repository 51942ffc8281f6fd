package containerd

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/policy"
)

// Task is what containerd keeps, in any of its namespaces, of a container that
// a runtime is about to make.
type Task struct {
	Namespace   string
	ID          string
	Image       string // as containerd names it; empty where the client gave none
	ImageConfig string // digest of the image's config, and of its manifest, where CRI's record says them
	ImageDigest string
	Labels      map[string]string
	Snapshotter string
	Key         string // of the container's snapshot; empty where the client gave a folder
	Sandbox     string // the ID of its pod's sandbox, its own where it is that; empty outside CRI
	// Annotations are those that the kubelet gave CRI with the container; they are
	// not in its spec.
	Annotations map[string]string
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
		var meta struct {
			SandboxID, ImageRef, ImageDigest string
			Config                           *cri.ContainerConfig
		}
		if err := extension(record, containerMetadata, &meta); err != nil {
			return nil, err
		}
		t.Sandbox, t.ImageConfig, t.ImageDigest = meta.SandboxID, meta.ImageRef, meta.ImageDigest
		t.Annotations = meta.Config.GetAnnotations()
	}
	return t, nil
}

// Identity is who a pod is, by the configuration of its sandbox.
type Identity struct {
	Namespace, Name, UID string
	Labels               map[string]string
	Requester            policy.Requester
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

// ImageBelow reads the container's image: by the digest of its config where
// the record says it, else by its name, which may point elsewhere by now.
func (c *Client) ImageBelow(ctx context.Context, t *Task) (*Image, error) {
	ctx = namespaces.WithNamespace(ctx, t.Namespace)
	if t.ImageConfig == "" {
		return c.Image(ctx, t.Image)
	}
	image, err := c.ImageConfig(ctx, t.ImageConfig)
	if err != nil {
		return nil, err
	}
	image.Name, image.Digest = t.Image, t.ImageDigest
	return image, nil
}
