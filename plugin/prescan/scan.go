package prescan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// scan gathers the facts of every layer of the task's chain that has none.
func (s *Scanner) scan(ctx context.Context, t task) error {
	chain, err := s.Client.Chain(ctx, t.snapshotter, t.name)
	if errors.Is(err, containerd.ErrNotFound) {
		return nil // removed since
	}
	if err != nil {
		return err
	}
	root := &containerd.Root{Snapshotter: t.snapshotter, Chain: chain}
	_, cold, stale := s.keys(root)
	if cold = append(cold, stale...); len(cold) == 0 {
		return nil
	}
	s.announce(ctx, root, cold)
	err = s.scanChain(ctx, root)
	if err != nil {
		s.fail(cold, err)
	} else {
		s.finish(cold)
		s.renewed()
	}
	return err
}

// scanChain holds the snapshot for reading and scans its layers, lowest first.
func (s *Scanner) scanChain(ctx context.Context, root *containerd.Root) (err error) {
	view, err := s.Client.View(ctx, root.Snapshotter, root.Chain[len(root.Chain)-1], s.Mounts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, view.Close(context.WithoutCancel(ctx))) }()
	if view.Merged != "" {
		return s.scanOne(ctx, root.Snapshotter, root.Chain[len(root.Chain)-1], rootfs.Dir(view.Merged), view.Merged)
	}
	for i, name := range view.Chain {
		if err := s.scanOne(ctx, root.Snapshotter, name, rootfs.Layer(view.Folders[i]), view.Folders[i]); err != nil {
			return fmt.Errorf("layer %d of %d: %w", i+1, len(view.Chain), err)
		}
	}
	return nil
}

// scanOne gathers the facts of one layer, unless they are there.
func (s *Scanner) scanOne(ctx context.Context, snapshotter, name string, tree rootfs.Tree, folder string) error {
	key, layer := s.find(snapshotter, name)
	own := snapshotter + "@" + name
	if layer != nil && layer.Stale() == "" {
		return s.alias(own, key)
	}
	began := time.Now()
	w, err := s.Store.Begin(key)
	if err != nil {
		return err
	}
	seen := &counted{Tree: tree}
	facts, err := s.Files.Scan(ctx, seen, w, func(files, bytes int64) { s.advance(key, files, bytes) })
	if err == nil {
		err = s.whole(ctx, snapshotter, name, folder, seen)
	}
	if err != nil {
		w.Abort()
		return err
	}
	if !(&containerd.Root{Snapshotter: snapshotter}).Layered() {
		facts.Skipped = append(facts.Skipped, policy.Skipped{Where: "image", Rule: "files", Reason: containerd.Unseen, Kind: policy.OutOfScope})
	}
	if err := w.Commit(*facts); err != nil {
		return fmt.Errorf("keeping the facts: %w", err)
	}
	s.finish([]string{key, own})
	s.Log.Info("scanned a layer", "layer", key, "files", facts.Coverage.Files, "bytes", facts.Coverage.Bytes,
		"findings", len(facts.Findings), "skipped", len(facts.Skipped), "took", time.Since(began).Round(time.Millisecond))
	if err := s.alias(own, key); err != nil || s.Warm == nil {
		return err
	}
	return s.Warm(ctx, []string{key})
}

// whole fails for a layer that went away while it was read: of a folder that is
// being removed the files go first, and what is left looks like a small layer.
// A committed layer never changes, so it must hold all files that the
// snapshotter counted when it was committed.
func (s *Scanner) whole(ctx context.Context, snapshotter, name, folder string, seen *counted) error {
	if _, err := os.Lstat(folder); errors.Is(err, os.ErrNotExist) || seen.vanished {
		return errVanished
	}
	files, _, err := s.Client.LayerSize(ctx, snapshotter, name)
	if err != nil {
		return fmt.Errorf("reading how large the layer is: %w", err)
	}
	if !seen.unreadable && seen.names+1 < files { // the layer's root counts too
		return errVanished
	}
	return nil
}

// counted counts the names of a tree, and notes whether some were gone or could
// not be read when they were looked at.
type counted struct {
	rootfs.Tree
	names      int64
	vanished   bool
	unreadable bool
}

// Walk implements rootfs.Tree.
func (c *counted) Walk(ctx context.Context, visit func(rootfs.Entry) error, unreadable func(string, error)) error {
	return c.Tree.Walk(ctx, func(e rootfs.Entry) error {
		c.names++
		return visit(e)
	}, func(path string, err error) {
		c.unreadable = true
		c.vanished = c.vanished || errors.Is(err, os.ErrNotExist)
		unreadable(path, err)
	})
}

// alias lets a layer be found by snapshotter and chain ID too, since at the
// next start that is all that is known of it until the images are read.
func (s *Scanner) alias(own, key string) error {
	if own == key {
		return nil
	}
	return s.Store.Alias(own, key)
}

// Priorities of Linux: ioprio_set(2), setpriority(2).
const (
	ioprioWhoProcess = 1
	ioprioIdle       = 3 << 13
	ioprioLowest     = 2<<13 | 7 // best effort, the last of eight
	niceBackground   = 19
	niceUrgent       = 5
)

// lowPriority binds the calling goroutine to a thread of its own and returns a
// function that sets how much that thread holds back: in the background it
// takes what nobody else wants; while a container waits, a little more.
func lowPriority() func(urgent bool) error {
	runtime.LockOSThread()
	tid := unix.Gettid()
	return func(urgent bool) error {
		nice, io := niceBackground, ioprioIdle
		if urgent {
			nice, io = niceUrgent, ioprioLowest
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, nice); err != nil {
			return fmt.Errorf("setting the priority of the scanning thread: %w", err)
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(tid), uintptr(io)); errno != 0 {
			return fmt.Errorf("setting the I/O priority of the scanning thread: %w", errno)
		}
		return nil
	}
}
