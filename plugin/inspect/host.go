package inspect

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	securejoin "github.com/cyphar/filepath-securejoin"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// Host is the node as rules need to know it. Root is "/" on a node, where
// phigated runs in the host's mount, process and network namespaces; its unit
// must not give it namespaces of its own (PrivateNetwork). Safe for concurrent
// use.
type Host struct {
	Root string

	known sync.Map // by name: the host's namespaces, which are the same for as long as it runs
}

// Gather fills s.Host with what rules need of the node: its name, where the
// mounts' sources really lie, which of them are block devices, which namespaces
// are the host's own, and how its kernel is set. It adds FactHostPaths,
// FactHostNamespaces and FactHostKernel to s.Sees only where every answer was had; one that could not be had leaves the fact
// out, so that rules defer or are skipped instead of passing.
//
// Links are resolved within the root.
//
// It stops between two mounts when ctx ends. It cannot stop within one: asking
// for a path on a dead network file system hangs in the kernel. Where that
// matters, run it on a copy of the subject in a goroutine of its own and take
// the copy's Host and Sees only if it returns in time.
func (h *Host) Gather(ctx context.Context, s *policy.Subject) {
	s.Host.Name = h.name()
	if s.Spec == nil {
		return
	}
	if s.Sees.Has(policy.FactMounts) {
		real, disks, ok := hostPaths(ctx, s.Spec.Mounts, h.Root)
		s.Host.RealPath, s.Host.BlockDevice = real, disks
		s.Sees &^= policy.FactHostPaths
		if ok {
			s.Sees |= policy.FactHostPaths
		}
	}
	s.Sees &^= policy.FactHostKernel
	if kernel, ok := h.kernel(); ok {
		s.Host.Kernel = kernel
		s.Sees |= policy.FactHostKernel
	}
	if s.Sees.Has(policy.FactNamespaces) {
		own, ok := h.namespaces(ctx, s.Spec.Linux)
		s.Host.OwnNamespace = own
		s.Sees &^= policy.FactHostNamespaces
		if ok {
			s.Sees |= policy.FactHostNamespaces
		}
	}
}

// name is the node's host name; empty where it cannot be had.
func (h *Host) name() string {
	name, err := os.ReadFile(filepath.Join(h.Root, "proc/sys/kernel/hostname"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

// hostPaths resolves the sources of mounts. A source that does not exist is
// taken as far as its folders do: the runtime will create it there or fail.
func hostPaths(ctx context.Context, mounts []specs.Mount, root string) (real map[string]string, disks map[string]bool, ok bool) {
	real, disks, ok = map[string]string{}, map[string]bool{}, true
	for _, m := range mounts {
		if ctx.Err() != nil {
			return real, disks, false
		}
		if !strings.HasPrefix(m.Source, "/") { // "proc", or relative to a bundle
			continue
		}
		if _, done := real[m.Source]; done {
			continue
		}
		path, disk, err := hostPath(root, m.Source)
		if err != nil {
			ok = false
			continue
		}
		real[m.Source] = path
		if disk {
			disks[m.Source] = true
		}
	}
	return real, disks, ok
}

// hostPath resolves one source. What the kernel can open it resolves in a
// single walk; what it cannot, because something on the way is not there, is
// resolved name by name as far as it goes.
func hostPath(root, source string) (path string, disk bool, err error) {
	if path, disk, err := hostPlace(root, source); err == nil {
		return path, disk, nil
	}
	full, err := securejoin.SecureJoin(root, source)
	if err != nil {
		return "", false, err
	}
	info, err := os.Lstat(full) // no link is left in it
	if err != nil && !securejoin.IsNotExist(err) {
		return "", false, err
	}
	disk = err == nil && info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0
	path, err = hostName(root, full)
	return path, disk, err
}

// hostName is a path of ours as it is called within root.
func hostName(root, path string) (string, error) {
	rel, err := filepath.Rel(root, path)
	return filepath.Join("/", rel), err
}

// hostPlace opens the path as a mere place (O_PATH: nothing is read, no device
// and no FIFO is opened, no automount is triggered) and asks what it is called.
func hostPlace(root, source string) (path string, disk bool, err error) {
	fd, err := openPlace(root, source)
	if err != nil {
		return "", false, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", false, err
	}
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", false, err
	}
	if st.Nlink == 0 || !strings.HasPrefix(name, "/") { // removed since, or out of our sight
		return "", false, errHostPlace
	}
	path, err = hostName(root, name)
	return path, st.Mode&unix.S_IFMT == unix.S_IFBLK, err
}

var errHostPlace = errors.New("the path leads to a place without a name")

// openPlace opens a path of the host, links followed as the runtime will; below
// another root than the host's they never lead out of it.
func openPlace(root, source string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC}
	if root == "/" {
		return unix.Openat2(unix.AT_FDCWD, source, &how)
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(dir)
	how.Resolve = unix.RESOLVE_IN_ROOT
	return unix.Openat2(dir, source, &how)
}

// hostNamespaceFiles are the names below /proc/PID/ns, namespaces(7).
var hostNamespaceFiles = map[specs.LinuxNamespaceType]string{
	specs.PIDNamespace: "pid", specs.NetworkNamespace: "net", specs.MountNamespace: "mnt", specs.IPCNamespace: "ipc",
	specs.UTSNamespace: "uts", specs.UserNamespace: "user", specs.CgroupNamespace: "cgroup", specs.TimeNamespace: "time",
}

// namespaces says of each kind whether the spec leaves the container in
// the host's: it does not name the kind, or joins the host's by its path.
func (h *Host) namespaces(ctx context.Context, linux *specs.Linux) (own map[specs.LinuxNamespaceType]bool, ok bool) {
	own, ok = map[specs.LinuxNamespaceType]bool{}, true
	for kind := range hostNamespaceFiles {
		own[kind] = true
	}
	if linux == nil {
		return own, true
	}
	for _, ns := range linux.Namespaces {
		if ctx.Err() != nil {
			return own, false
		}
		own[ns.Type] = false
		if ns.Path == "" { // a new one
			continue
		}
		same, err := h.shares(ns)
		if err != nil {
			ok = false
			continue
		}
		own[ns.Type] = same
	}
	return own, ok
}

var errHostNamespace = errors.New("unknown kind of namespace")

// shares compares by device and inode, which is what a namespace's
// identity is (namespaces(7)). The links in /proc lead where no path does, so
// they are followed by the kernel and not within root.
func (h *Host) shares(ns specs.LinuxNamespace) (bool, error) {
	name, known := hostNamespaceFiles[ns.Type]
	if !known {
		return false, errHostNamespace
	}
	host, err := h.namespace(name)
	if err != nil {
		return false, err
	}
	joined, err := os.Stat(filepath.Join(h.Root, ns.Path))
	if err != nil {
		return false, err
	}
	return os.SameFile(host, joined), nil
}

// The inodes that Linux gives the namespaces it starts with: enum init_ns_ino
// and its forerunners in include/linux/proc_ns.h, the same since Linux 3.8.
const (
	hostIPCInode  = 0xEFFFFFFF
	hostUTSInode  = 0xEFFFFFFE
	hostUserInode = 0xEFFFFFFD
	hostPIDInode  = 0xEFFFFFFC
)

// namespace is the host's namespace of a kind: that of process 1. A kernel
// may forbid even root to look there, where process 1 has capabilities that we
// have not (ptrace(2), access mode checking); then it is our own, as long as
// those of ours whose identity is fixed are the host's.
func (h *Host) namespace(name string) (fs.FileInfo, error) {
	if info, ok := h.known.Load(name); ok {
		return info.(fs.FileInfo), nil
	}
	info, err := hostNamespace(h.Root, name)
	if err == nil {
		h.known.Store(name, info)
	}
	return info, err
}

func hostNamespace(root, name string) (fs.FileInfo, error) {
	info, err := os.Stat(filepath.Join(root, "proc/1/ns", name))
	if !errors.Is(err, fs.ErrPermission) {
		return info, err
	}
	for name, inode := range map[string]uint64{"ipc": hostIPCInode, "uts": hostUTSInode, "user": hostUserInode, "pid": hostPIDInode} {
		own, err := os.Stat(filepath.Join(root, "proc/self/ns", name))
		if err != nil {
			return nil, err
		}
		if own.Sys().(*syscall.Stat_t).Ino != inode {
			return nil, errHostUnknown
		}
	}
	return os.Stat(filepath.Join(root, "proc/self/ns", name))
}

var errHostUnknown = errors.New("process 1 cannot be looked at, and phigated does not run in the host's namespaces")
