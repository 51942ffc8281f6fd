package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/layers"
	"github.com/phigate/phigate/plugin/rootfs"
)

// files gathers the facts of the root filesystem: layer by layer where it is an
// overlay, else as one tree. Known are keys of facts by the layer's folder.
func (d *Door) files(ctx context.Context, c *container, known map[string][]string) error {
	overlay, err := c.overlay()
	if errors.Is(err, layers.ErrNotOverlay) {
		return d.tree(ctx, c)
	}
	if err != nil {
		return err
	}
	for _, folder := range overlay.Lower {
		key, err := d.layer(ctx, c, folder, known)
		if err != nil {
			return err
		}
		if key != "" {
			c.subject.Layers = append(c.subject.Layers, key)
		}
	}
	if overlay.Upper != "" {
		key, err := d.own(ctx, c, overlay.Upper)
		if err != nil {
			return err
		}
		if key != "" {
			c.subject.Layers = append(c.subject.Layers, key)
		}
	}
	if len(c.subject.Layers) == 0 { // an empty image
		return d.tree(ctx, c)
	}
	return nil
}

// overlay is the mount's folders, if the root filesystem is the mount's root and
// the mount that was told of is the one that was handed over.
func (c *container) overlay() (layers.Overlay, error) {
	if c.Mount == "" {
		return layers.Overlay{}, layers.ErrNotOverlay
	}
	m, err := layers.ParseMount(c.Mount)
	if err != nil {
		return layers.Overlay{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(c.root.Fd()), &st); err != nil {
		return layers.Overlay{}, fmt.Errorf("reading the root filesystem: %w", err)
	}
	if got := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)); got != m.Device {
		return layers.Overlay{}, fmt.Errorf("the root filesystem is on device %s, and its mount on %s", got, m.Device)
	}
	return m.Overlay()
}

// layer is one lower folder. Docker puts one between image and container that
// holds what it mounts on; it belongs to that container alone.
func (d *Door) layer(ctx context.Context, c *container, folder string, known map[string][]string) (string, error) {
	if strings.HasSuffix(filepath.Base(filepath.Dir(folder)), "-init") {
		return d.own(ctx, c, folder)
	}
	return d.Folders.Layer(ctx, folder, known[folder]...)
}

// own is a folder that the container alone has: its writable one. It is empty
// when a container is new, and has no key then; one that is started again has written there.
func (d *Door) own(ctx context.Context, c *container, folder string) (string, error) {
	empty, err := isEmpty(folder)
	if err != nil || empty {
		return "", err
	}
	return d.once(ctx, c, rootfs.Layer(folder))
}

// tree is a root filesystem as a whole.
func (d *Door) tree(ctx context.Context, c *container) error {
	key, err := d.once(ctx, c, rootfs.Dir(fmt.Sprintf("/proc/self/fd/%d", c.root.Fd())))
	if err == nil {
		c.subject.Layers = []string{key}
	}
	return err
}

func (d *Door) once(ctx context.Context, c *container, tree rootfs.Tree) (string, error) {
	key, forget, err := d.Folders.Once(ctx, c.ID, tree)
	if err != nil {
		return "", err
	}
	c.keep(forget)
	return key, nil
}

func isEmpty(folder string) (bool, error) {
	f, err := os.Open(folder)
	if err != nil {
		return false, fmt.Errorf("reading the container's writable folder: %w", err)
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	if len(names) > 0 {
		return false, nil
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return true, err
}

// resolved is a path without links, or as it is where it leads nowhere.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
