package prescan

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/rootfs"
)

// Uppers gathers the facts of what was written into a container's own folder
// before it runs. It is empty for ordinary containers; restored checkpoints
// write there. Safe for concurrent use.
type Uppers struct {
	Store *cache.Store
	Files *inspect.Scanner

	mu   sync.Mutex
	seen map[string]upper
}

// upper is what was found in one container's folder.
type upper struct {
	key   string
	state [sha256.Size]byte
}

// upperPrefix begins the keys of such facts.
const upperPrefix = "upper@"

// maxUpper bounds the files in a folder that a gate looks at while NRI's lock
// is held. More than that is refused.
const maxUpper = 10_000

// Scan gathers the facts of what is in the folder and returns the key they are
// kept under, or "" for a folder that holds no bytes.
func (u *Uppers) Scan(ctx context.Context, container, folder string) (string, error) {
	state, empty, err := upperState(ctx, folder)
	if err != nil {
		return "", err
	}
	if empty {
		return "", nil
	}
	key := upperPrefix + container
	u.remember(container, upper{key, state}) // before the facts are there, so that none is dropped in between
	w, err := u.Store.Begin(key)
	if err != nil {
		return "", err
	}
	facts, err := u.Files.Scan(ctx, rootfs.Layer(folder), w, func(_, _ int64) {})
	if err != nil {
		w.Abort()
		return "", err
	}
	return key, w.Commit(*facts)
}

func (u *Uppers) remember(container string, found upper) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seen == nil {
		u.seen = map[string]upper{}
	}
	u.seen[container] = found
}

// Same returns the key that Scan gave for the container, if the folder holds
// the same now. What the runtime itself makes there, empty files and folders to
// mount on, does not count.
func (u *Uppers) Same(ctx context.Context, container, folder string) (string, error) {
	state, empty, err := upperState(ctx, folder)
	if err != nil || empty {
		return "", err
	}
	u.mu.Lock()
	known, ok := u.seen[container]
	u.mu.Unlock()
	if !ok || known.state != state {
		return "", errors.New("files were written there that no earlier gate has seen")
	}
	return known.key, nil
}

// Forget drops what is kept of the container.
func (u *Uppers) Forget(container string) {
	u.mu.Lock()
	known, ok := u.seen[container]
	delete(u.seen, container)
	u.mu.Unlock()
	if ok {
		_ = u.Store.Drop(known.key) // what stays is dropped with the next look at all images
	}
}

// Keys lists the keys in use.
func (u *Uppers) Keys() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var keys []string
	for _, known := range u.seen {
		keys = append(keys, known.key)
	}
	return keys
}

// upperState is a digest of names, sizes and times of the files that hold bytes.
func upperState(ctx context.Context, folder string) (state [sha256.Size]byte, empty bool, err error) {
	h, n := sha256.New(), 0
	visit := func(e rootfs.Entry) error {
		if e.Kind != rootfs.Regular || e.Size == 0 {
			return nil
		}
		if n++; n > maxUpper {
			return fmt.Errorf("it holds more than %d files", maxUpper)
		}
		info, err := os.Lstat(filepath.Join(folder, strings.TrimPrefix(e.Path, "/")))
		if err != nil {
			return err
		}
		var nums [24]byte
		binary.BigEndian.PutUint64(nums[:], uint64(len(e.Path)))
		binary.BigEndian.PutUint64(nums[8:], uint64(info.Size()))
		binary.BigEndian.PutUint64(nums[16:], uint64(info.ModTime().UnixNano()))
		h.Write(nums[:])
		h.Write([]byte(e.Path))
		return nil
	}
	var unread error
	err = rootfs.Layer(folder).Walk(ctx, visit, func(path string, err error) {
		unread = fmt.Errorf("reading %q: %w", path, err)
	})
	if err == nil {
		err = unread
	}
	copy(state[:], h.Sum(nil))
	return state, n == 0, err
}
