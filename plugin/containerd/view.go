package containerd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

const (
	// leaseLabel marks our leases, so that those of a phigated that was killed
	// are found and given back.
	leaseLabel = "phigate.dev/lease"
	// leaseLife ends a lease that nobody gives back. A scan takes minutes.
	leaseLife = 24 * time.Hour
	// viewPrefix begins the keys of our views.
	viewPrefix = "phigate-"
)

// Unseen is what a view that is not layered cannot show.
const Unseen = "the snapshotter keeps no layers apart: files that an upper layer deletes are not seen"

// View is a committed snapshot that is held for reading: the garbage collector
// leaves it alone until Close.
type View struct {
	Chain   []string // names of the snapshots, lowest first
	Folders []string // the folder of each, where the snapshotter is layered; else nil
	Merged  string   // where the whole is mounted read-only; empty where it is layered

	c           *Client
	key         string
	snapshotter string
	release     func(context.Context) error
}

// View takes a lease and a view of the snapshot called name. What is not
// layered is mounted below mounts, read-only, without devices, set-uid or
// execution. Not for NRI callbacks.
func (c *Client) View(ctx context.Context, snapshotter, name, mounts string) (_ *View, err error) {
	chain, err := c.Chain(ctx, snapshotter, name)
	if err != nil {
		return nil, err
	}
	leased, release, err := c.c.WithLease(namespaced(ctx),
		leases.WithRandomID(), leases.WithExpiration(leaseLife), leases.WithLabels(map[string]string{leaseLabel: "view"}))
	if err != nil {
		return nil, fmt.Errorf("taking a lease: %w", plain(err))
	}
	v := &View{Chain: chain, c: c, snapshotter: snapshotter, key: viewPrefix + rand.Text(), release: release}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close(context.WithoutCancel(ctx)))
		}
	}()
	ms, err := c.c.SnapshotService(snapshotter).View(leased, v.key, name)
	if err != nil {
		return v, fmt.Errorf("taking a view of %s: %w", name, plain(err))
	}
	if snapshotter != overlayfs {
		return v, v.mount(ms, mounts)
	}
	v.Folders, _, err = overlayFolders(ms)
	if err == nil && len(v.Folders) != len(chain) {
		err = fmt.Errorf("snapshot %s has %d layers and %d folders", name, len(chain), len(v.Folders))
	}
	return v, err
}

func (v *View) mount(ms []mount.Mount, below string) error {
	target := filepath.Join(below, v.key)
	if err := os.MkdirAll(target, 0o700); err != nil {
		return fmt.Errorf("making a mount point: %w", err)
	}
	v.Merged = target
	for i := range ms {
		ms[i].Options = append(ms[i].Options, "ro", "nosuid", "nodev", "noexec")
	}
	if err := mount.All(ms, target); err != nil {
		return fmt.Errorf("mounting a view of the snapshot: %w", err)
	}
	return nil
}

// Close unmounts the view and gives it and its lease back.
func (v *View) Close(ctx context.Context) error {
	var errs []error
	if v.Merged != "" {
		errs = append(errs, mount.UnmountAll(v.Merged, unix.UMOUNT_NOFOLLOW), os.Remove(v.Merged))
	}
	if err := plain(v.c.c.SnapshotService(v.snapshotter).Remove(ctx, v.key)); err != nil && !errors.Is(err, ErrNotFound) {
		errs = append(errs, fmt.Errorf("removing a view: %w", err))
	}
	if err := plain(v.release(namespaced(ctx))); err != nil && !errors.Is(err, ErrNotFound) {
		errs = append(errs, fmt.Errorf("giving a lease back: %w", err))
	}
	return errors.Join(errs...)
}

// Tidy gives back what a phigated that was killed has left: its leases, and
// mounts below the folder.
func (c *Client) Tidy(ctx context.Context, mounts string) error {
	var errs []error
	left, err := os.ReadDir(mounts)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, entry := range left {
		target := filepath.Join(mounts, entry.Name())
		errs = append(errs, mount.UnmountAll(target, unix.UMOUNT_NOFOLLOW), os.Remove(target))
	}
	service := c.c.LeasesService()
	old, err := service.List(namespaced(ctx), fmt.Sprintf("labels.%q", leaseLabel))
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("listing leases: %w", plain(err)))...)
	}
	for _, l := range old {
		errs = append(errs, service.Delete(namespaced(ctx), l))
	}
	return errors.Join(errs...)
}
