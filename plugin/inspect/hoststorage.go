package inspect

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// maxStack bounds the block devices that may lie on each other: partitions,
// RAID, volume groups, multipath, encryption. Real stacks have five.
const maxStack = 16

// Storage says of places on the host what they lie on. It never reads the place
// itself. What cannot be asked is not known.
func (h *Host) Storage(ctx context.Context, places []string) map[string]policy.Storage {
	out := map[string]policy.Storage{}
	for _, place := range places {
		if ctx.Err() != nil {
			return out
		}
		if dev, ok := h.device(place); ok {
			out[place] = h.storage(filepath.Join(h.Root, fmt.Sprintf("sys/dev/block/%d:%d", unix.Major(dev), unix.Minor(dev))), 0)
		}
	}
	return out
}

// device is the block device on which a place lies, or that it is. File systems
// without one of their own have numbers with major 0.
func (h *Host) device(place string) (dev uint64, ok bool) {
	fd, err := openPlace(h.Root, place)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0, false
	}
	dev = st.Dev
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		dev = st.Rdev
	}
	return dev, unix.Major(dev) != 0
}

// storage follows a device of sysfs down to what it lies on (the kernel's
// Documentation/ABI/testing/sysfs-block-dm and sysfs-block): a device-mapper
// device of type CRYPT is encrypted, and one that lies on others is as the
// weakest of them. A loop device lies on a file, which is not followed.
func (h *Host) storage(folder string, depth int) policy.Storage {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil || depth > maxStack {
		return policy.StorageUnknown
	}
	if _, err := os.Stat(filepath.Join(real, "partition")); err == nil {
		real = filepath.Dir(real)
	}
	uuid, err := os.ReadFile(filepath.Join(real, "dm/uuid"))
	switch {
	case err == nil && strings.HasPrefix(string(uuid), "CRYPT-"):
		return policy.StorageEncrypted
	case err != nil && !os.IsNotExist(err):
		return policy.StorageUnknown
	}
	if _, err := os.Stat(filepath.Join(real, "loop")); err == nil {
		return policy.StorageUnknown
	}
	below, err := os.ReadDir(filepath.Join(real, "slaves"))
	if err != nil {
		return policy.StorageUnknown
	}
	return h.weakest(real, below, depth)
}

func (h *Host) weakest(real string, below []fs.DirEntry, depth int) policy.Storage {
	if len(below) == 0 {
		return policy.StoragePlain
	}
	all := policy.StorageEncrypted
	for _, d := range below {
		switch h.storage(filepath.Join(real, "slaves", d.Name()), depth+1) {
		case policy.StoragePlain:
			return policy.StoragePlain
		case policy.StorageUnknown:
			all = policy.StorageUnknown
		}
	}
	return all
}
