package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// answerTime bounds the wait for containerd's first answer.
const answerTime = 5 * time.Second

// containerd is an image of this node's containerd, in the namespace of the
// kubelet, read from the folders that it was unpacked to.
func (t *Target) containerd(ctx context.Context, name string, o Options) error {
	client, err := containerd.Open(o.Containerd)
	if err != nil {
		return inputError{err}
	}
	t.close = client.Close
	if err := check(ctx, client); err != nil {
		return input("%w; is containerd running, and are you root? --config says where its socket is", err)
	}
	shown := policy.Printable(name)
	image, err := client.Image(ctx, name)
	if errors.Is(err, containerd.ErrNotFound) {
		return input("containerd has no image %s in its namespace %s: names are written in full, as `ctr -n %s images ls` shows them",
			shown, containerd.Namespace, containerd.Namespace)
	}
	if err != nil {
		return inputError{err}
	}
	data, err := client.ConfigJSON(ctx, image.Config)
	if err != nil {
		return inputError{err}
	}
	file, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return input("the config of image %s is not JSON of its kind", shown)
	}
	t.Image = policy.Image{Ref: image.Name, Digest: image.Digest}
	t.setConfig(data, &file.Config)
	if image.Top() == "" {
		return nil
	}
	return t.unpacked(ctx, client, image, o.Mounts)
}

func check(ctx context.Context, client *containerd.Client) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := client.Check(ctx)
	return err
}

// unpacked finds the snapshotter that has the image's layers and holds them.
func (t *Target) unpacked(ctx context.Context, client *containerd.Client, image *containerd.Image, mounts string) error {
	names, err := client.Snapshotters(ctx)
	if err != nil {
		return inputError{err}
	}
	for _, snapshotter := range names {
		view, err := client.View(ctx, snapshotter, image.Top(), mounts)
		if errors.Is(err, containerd.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the layers of %s: %w", policy.Printable(image.Name), err)
		}
		t.close = func() error {
			// Ctrl-C has ended ctx; the view must be given back all the same.
			return errors.Join(view.Close(context.WithoutCancel(ctx)), client.Close())
		}
		return t.fromView(view, image)
	}
	return input("image %s is in containerd and not unpacked: unpack it with `ctr -n %s images mount`, run it once, or pull it again",
		policy.Printable(image.Name), containerd.Namespace)
}

func (t *Target) fromView(view *containerd.View, image *containerd.Image) error {
	if view.Merged != "" {
		t.Layers = []Layer{{Key: image.Top(), Tree: owned{rootfs.Dir(view.Merged)}, Unseen: containerd.Unseen}}
		return nil
	}
	if len(view.Folders) != len(image.DiffIDs) {
		return input("image %s has %d layers and is unpacked to %d; pull it again", policy.Printable(image.Name), len(image.DiffIDs), len(view.Folders))
	}
	for i, folder := range view.Folders {
		t.Layers = append(t.Layers, Layer{Key: image.DiffIDs[i], Tree: owned{rootfs.Layer(folder)}})
	}
	return nil
}
