package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
)

// Import puts the images of a docker-archive into containerd and unpacks them.
// It is for the doctor's trial, which brings its own; phigated changes no image.
func (c *Client) Import(ctx context.Context, archive io.Reader, snapshotter string) error {
	ctx = namespaced(ctx)
	imported, err := c.c.Import(ctx, archive)
	if err != nil {
		return fmt.Errorf("importing an image: %w", err)
	}
	for _, img := range imported {
		if err := client.NewImage(c.c, img).Unpack(ctx, snapshotter); err != nil {
			return fmt.Errorf("unpacking %s: %w", img.Name, err)
		}
	}
	return nil
}

// RemoveImage removes an image that Import has brought; one that is not there is removed.
func (c *Client) RemoveImage(ctx context.Context, name string) error {
	err := plain(c.c.ImageService().Delete(namespaced(ctx), name, images.SynchronousDelete()))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("removing image %s: %w", name, err)
	}
	return nil
}

// Try runs a container of the image to its end as ctr does, past CRI and NRI,
// and removes it. An error is the runtime's refusal, or what went wrong.
func (c *Client) Try(ctx context.Context, image, id, snapshotter string) (err error) {
	ctx = namespaced(ctx)
	img, err := c.c.GetImage(ctx, image)
	if err != nil {
		return fmt.Errorf("finding image %s: %w", image, plain(err))
	}
	container, err := c.c.NewContainer(ctx, id, client.WithSnapshotter(snapshotter), client.WithImage(img), client.WithNewSnapshot(id, img),
		client.WithNewSpec(oci.WithImageConfig(img), oci.WithNoNewPrivileges, oci.WithRootFSReadonly(), oci.WithCapabilities(nil)))
	if err != nil {
		return fmt.Errorf("making a container: %w", err)
	}
	defer func() {
		err = errors.Join(err, container.Delete(context.WithoutCancel(ctx), client.WithSnapshotCleanup))
	}()
	task, err := container.NewTask(ctx, cio.NullIO)
	if err != nil {
		return err
	}
	return runToEnd(ctx, task)
}

func runToEnd(ctx context.Context, task client.Task) (err error) {
	defer func() {
		_, gone := task.Delete(context.WithoutCancel(ctx), client.WithProcessKill)
		err = errors.Join(err, gone)
	}()
	exited, err := task.Wait(ctx)
	if err != nil {
		return err
	}
	if err := task.Start(ctx); err != nil {
		return err
	}
	select {
	case status := <-exited:
		if status.ExitCode() != 0 {
			return fmt.Errorf("the container ended with exit code %d", status.ExitCode())
		}
		return status.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}
