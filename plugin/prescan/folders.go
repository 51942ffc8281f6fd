package prescan

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/rootfs"
)

// Folders gathers the facts of layers that no scan in the background has seen:
// those of other engines' stores and of containerd's other namespaces. Who asks waits.
// Safe for concurrent use.
type Folders struct {
	Store *cache.Store
	Files *inspect.Scanner
	Log   *slog.Logger
	// Warm is called with the key of each layer whose facts are there; see [Scanner].
	Warm func(ctx context.Context, keys []string) error

	scanning singleflight.Group
	turns    chan struct{}

	mu    sync.Mutex
	asked map[string]bool // keys of Once in use
}

// NewFolders scans at most so many layers at one time.
func NewFolders(store *cache.Store, files *inspect.Scanner, log *slog.Logger, atOnce int) *Folders {
	return &Folders{Store: store, Files: files, Log: log, turns: make(chan struct{}, atOnce), asked: map[string]bool{}}
}

// The keys' beginnings: of a layer that is known by the identity of its folder, and
// of what belongs to one container and is forgotten after its answer.
const (
	folderPrefix = "folder@"
	onlyPrefix   = "only@"
)

// folderScan bounds the scan of one layer. It goes on when nobody waits any
// more, so that the next who asks need not.
const folderScan = 30 * time.Minute

// Layer returns the key of the facts of the layer in the folder. Known are
// other keys that they may have, best first. Where there are none the folder is
// scanned; ctx ends the wait, not the scan.
//
// Engines never change a layer once it is there, so its folder's inode and times stand for its content.
func (f *Folders) Layer(ctx context.Context, folder string, known ...string) (key string, err error) {
	own, err := folderKey(folder)
	if err != nil {
		return "", fmt.Errorf("reading layer %s: %w", folder, err)
	}
	for _, key := range append(known, own) {
		if l, ok, err := f.Store.Get(key); err == nil && ok && l.Stale() == "" {
			return key, nil // who asks here can wait: older facts need not answer
		}
	}
	done := f.scanning.DoChan(own, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), folderScan)
		defer cancel()
		return nil, f.layer(ctx, folder, own)
	})
	select {
	case r := <-done:
		return own, r.Err
	case <-ctx.Done():
		return "", errors.New("the image is still being scanned; the scan goes on, try again")
	}
}

func (f *Folders) layer(ctx context.Context, folder, key string) error {
	if l, ok, err := f.Store.Get(key); err == nil && ok && l.Stale() == "" {
		return nil
	}
	if err := f.scan(ctx, rootfs.Layer(folder), key); err != nil {
		return fmt.Errorf("scanning layer %s: %w", folder, err)
	}
	if again, err := folderKey(folder); err != nil || again != key {
		return errors.Join(errVanished, f.Store.Drop(key))
	}
	return nil
}

// Once gathers the facts of a tree that one container alone has and that may
// be another the next time: its writable folder, or a root filesystem without
// layers. forget drops them, once the answer is given.
func (f *Folders) Once(ctx context.Context, name string, tree rootfs.Tree) (key string, forget func(), err error) {
	key = onlyPrefix + name + "-" + rand.Text()
	f.mu.Lock()
	f.asked[key] = true
	f.mu.Unlock()
	forget = func() {
		f.mu.Lock()
		delete(f.asked, key)
		f.mu.Unlock()
		_ = f.Store.Drop(key) // what stays is dropped with the next look at all images
	}
	if err := f.scan(ctx, tree, key); err != nil {
		forget()
		return "", nil, fmt.Errorf("scanning %s: %w", name, err)
	}
	return key, forget, nil
}

// scan reads a tree, on a thread that leaves others the way.
func (f *Folders) scan(ctx context.Context, tree rootfs.Tree, key string) error {
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	go func() { // its thread ends with it, and the priority too
		defer func() {
			if recover() != nil { // its text could hold what was read
				done <- errors.New("the scan crashed")
			}
		}()
		_ = lowPriority()(true)
		done <- f.read(ctx, tree, key)
	}()
	return <-done
}

func (f *Folders) read(ctx context.Context, tree rootfs.Tree, key string) error {
	began := time.Now()
	w, err := f.Store.Begin(key)
	if err != nil {
		return err
	}
	seen := &counted{Tree: tree}
	facts, err := f.Files.Scan(ctx, seen, w, nil)
	if err == nil && seen.vanished {
		err = errVanished
	}
	if err != nil {
		w.Abort()
		return err
	}
	if err := w.Commit(*facts); err != nil {
		return fmt.Errorf("keeping the facts: %w", err)
	}
	f.Log.Debug("scanned a folder", "key", key, "files", facts.Coverage.Files, "bytes", facts.Coverage.Bytes,
		"findings", len(facts.Findings), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// keeps says whether facts are still of use: of a folder that is there, or of a
// container whose answer is under way.
func (f *Folders) keeps(key string) bool {
	if rest, ok := strings.CutPrefix(key, folderPrefix); ok {
		_, folder, _ := strings.Cut(rest, ":")
		now, err := folderKey(folder)
		return err == nil && now == key
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[key]
}

// folderKey is the identity of a folder, and its path, by which it is found again.
func folderKey(folder string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(folder, &st); err != nil {
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return "", fmt.Errorf("%s: %w", folder, os.ErrInvalid)
	}
	return fmt.Sprintf("%s%x-%x-%x-%x:%s", folderPrefix, st.Dev, st.Ino, st.Mtim.Nano(), st.Ctim.Nano(), folder), nil
}
