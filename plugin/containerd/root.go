package containerd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
)

// overlayfs is the snapshotter whose layers are folders of their own.
const overlayfs = "overlayfs"

// maxLayers bounds the walk over parents; overlayfs itself takes 500 lower
// folders, images seldom have more than 127 layers.
const maxLayers = 1000

// Root is a container's root filesystem, as the snapshotter knows it.
type Root struct {
	Snapshotter string
	Chain       []string // names of the committed snapshots below it, lowest first
	Upper       string   // the writable folder; empty where the snapshotter has none apart
}

// Layered says whether each snapshot of the chain is a folder of its own.
func (r *Root) Layered() bool { return r.Snapshotter == overlayfs }

// Root finds the root filesystem whose active snapshot has the key: a
// container's ID, or the target path of an image volume. It asks each
// snapshotter, since the one in use is not said. What is below a key never
// changes while the key lives, and keys are not used again.
func (c *Client) Root(ctx context.Context, key string) (*Root, error) {
	if root, ok := recall(c, c.roots, key); ok {
		return root, nil
	}
	root, err, shared := c.asking.Do(key, func() (any, error) { return c.root(namespaced(ctx), key) })
	if err != nil && shared { // another's question, with less time than ours
		return c.root(namespaced(ctx), key)
	}
	if err != nil {
		return nil, err
	}
	return root.(*Root), nil
}

// Foresee asks for a root that will be asked for soon, so that it is known by
// then. At most a few are asked for at one time, and the others forgone.
func (c *Client) Foresee(ctx context.Context, key string) {
	select {
	case c.foreseeing <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-c.foreseeing }()
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, _ = c.Root(ctx, key) // who needs it asks again
	}()
}

func (c *Client) root(ctx context.Context, key string) (*Root, error) {
	names, err := c.Snapshotters(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		root, err := c.rootIn(ctx, name, key)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil {
			remember(c, c.roots, key, root)
		}
		return root, err
	}
	return nil, fmt.Errorf("snapshot of the container: %w", ErrNotFound)
}

func (c *Client) rootIn(ctx context.Context, snapshotter, key string) (*Root, error) {
	s := c.c.SnapshotService(snapshotter)
	root := &Root{Snapshotter: snapshotter}
	upper := make(chan error, 1)
	go func() { // beside Stat: each is a round trip while the runtime waits
		var err error
		if root.Layered() {
			var mounts []mount.Mount
			if mounts, err = s.Mounts(ctx, key); err == nil {
				_, root.Upper, err = overlayFolders(mounts)
			}
		}
		upper <- err
	}()
	info, err := s.Stat(ctx, key)
	if mountsErr := <-upper; err == nil && mountsErr != nil {
		return nil, fmt.Errorf("reading the snapshot's mounts: %w", plain(mountsErr))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot: %w", plain(err))
	}
	root.Chain, err = c.chain(ctx, snapshotter, info)
	return root, err
}

// chain is the committed snapshots below info, lowest first, info included
// where it is committed itself.
func (c *Client) chain(ctx context.Context, snapshotter string, info snapshots.Info) ([]string, error) {
	var chain []string
	if info.Kind == snapshots.KindCommitted {
		chain = append(chain, info.Name)
	}
	for name := info.Parent; name != ""; {
		if len(chain) == maxLayers {
			return nil, fmt.Errorf("snapshot has more than %d layers", maxLayers)
		}
		chain = append(chain, name)
		parent, err := c.parent(ctx, snapshotter, name)
		if err != nil {
			return nil, fmt.Errorf("reading layer %d below the container: %w", len(chain), err)
		}
		name = parent
	}
	slices.Reverse(chain)
	return chain, nil
}

// parent answers from memory where it can: the parent of a committed snapshot
// never changes, its name being the digest of the whole chain.
func (c *Client) parent(ctx context.Context, snapshotter, name string) (string, error) {
	key := snapshotter + "/" + name
	if parent, ok := recall(c, c.parents, key); ok {
		return parent, nil
	}
	info, err := c.c.SnapshotService(snapshotter).Stat(ctx, name)
	if err != nil {
		return "", plain(err)
	}
	if strings.HasPrefix(name, committedPrefix) {
		remember(c, c.parents, key, info.Parent)
	}
	return info.Parent, nil
}

// Chain is the committed snapshots from the lowest to name.
func (c *Client) Chain(ctx context.Context, snapshotter, name string) ([]string, error) {
	info, err := c.c.SnapshotService(snapshotter).Stat(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading snapshot %s: %w", name, plain(err))
	}
	return c.chain(ctx, snapshotter, info)
}

// LayerSize is what the committed snapshot holds itself: files, folders
// included, and bytes on disk.
func (c *Client) LayerSize(ctx context.Context, snapshotter, name string) (files, bytes int64, err error) {
	usage, err := c.c.SnapshotService(snapshotter).Usage(ctx, name)
	return usage.Inodes, usage.Size, plain(err)
}

// Committed lists the names of the snapshotter's committed snapshots.
func (c *Client) Committed(ctx context.Context, snapshotter string) ([]string, error) {
	var names []string
	err := c.c.SnapshotService(snapshotter).Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if info.Kind == snapshots.KindCommitted {
			names = append(names, info.Name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the snapshots of %s: %w", snapshotter, plain(err))
	}
	return names, nil
}

// overlayFolders takes the lower folders, lowest first, and the upper folder
// from an overlay snapshot's mounts; a lone layer is a bind mount.
func overlayFolders(mounts []mount.Mount) (lower []string, upper string, err error) {
	if len(mounts) != 1 {
		return nil, "", fmt.Errorf("snapshot has %d mounts; one overlay mount was expected", len(mounts))
	}
	m := mounts[0]
	switch m.Type {
	case "bind":
		if slices.Contains(m.Options, "ro") {
			return []string{m.Source}, "", nil
		}
		return nil, m.Source, nil // a container of an empty image: its own folder alone
	case "overlay":
		for _, option := range m.Options {
			if dirs, ok := strings.CutPrefix(option, "lowerdir="); ok {
				lower = append(lower, strings.Split(dirs, ":")...)
			}
			if dir, ok := strings.CutPrefix(option, "upperdir="); ok {
				upper = dir
			}
		}
	default:
		return nil, "", fmt.Errorf("snapshot has a mount of type %q; overlay was expected", m.Type)
	}
	for _, dir := range append(slices.Clone(lower), upper) {
		if dir != "" && !filepath.IsAbs(dir) {
			return nil, "", errors.New("snapshot has a relative overlay folder")
		}
	}
	slices.Reverse(lower)
	return lower, upper, nil
}
