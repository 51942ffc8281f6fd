package node

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	prefix   = "phigate-"
	lockName = "lock"
)

// sweep cleans the folders of nodes whose test process is gone: killed, or
// ended by a timeout, before it could stop them.
func sweep(parent string) error {
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*", lockName))
	if err != nil {
		return fmt.Errorf("looking for nodes left behind: %w", err)
	}
	for _, path := range dirs {
		lock, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // another sweep was first
		}
		if err != nil {
			return fmt.Errorf("looking for nodes left behind: %w", err)
		}
		// A lock that was made a moment ago may not be held yet.
		info, err := lock.Stat()
		old := err == nil && time.Since(info.ModTime()) > 5*time.Second
		if old && syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			err = clean(filepath.Dir(path))
		}
		lock.Close()
		if err != nil {
			return fmt.Errorf("cleaning up a node left behind: %w", err)
		}
	}
	return nil
}

// clean ends every process of the node in dir, unmounts all below dir, and
// removes dir and the node's control groups.
func clean(dir string) error {
	if err := end(dir); err != nil {
		return err
	}
	if err := unmount(dir); err != nil {
		return err
	}
	if err := removeCgroups(dir); err != nil {
		return err
	}
	if err := removeSockets(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the node's folder: %w", err)
	}
	return nil
}

// end kills the node's processes until none is left; more than one round, since
// a shim may start another one while it is looked at.
func end(dir string) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		pids, err := processes(dir)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("ending the node's processes: %v are still there", pids)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("ending process %d: %w", pid, err)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// processes lists the node's containerd, its shims, their runc and the
// containers. Never this process, nor one that just has dir open.
func processes(dir string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || pid == 1 {
			continue
		}
		if !zombie(pid) && (runs(pid, dir) || contained(pid, dir)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Shims are the node's shims that run.
func (n *Node) Shims() (pids []int, err error) {
	all, err := processes(n.Dir)
	for _, pid := range all {
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
			name, _, _ := strings.Cut(string(line), "\x00")
			if filepath.Base(name) == "containerd-shim-runc-v2" {
				pids = append(pids, pid)
			}
		}
	}
	return pids, err
}

// runs says whether the program is one of containerd's, started for dir. A
// process that ends while it is looked at has no files any more, and is none.
func runs(pid int, dir string) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.Split(string(cmdline), "\x00")
	switch filepath.Base(args[0]) {
	case "containerd", "ctr", "containerd-shim-runc-v2", "runc":
	default:
		return false
	}
	return slices.ContainsFunc(args[1:], func(arg string) bool { return below(arg, dir) })
}

// contained says whether the process runs in a container of the node: by its
// control group, or because its root is a snapshot below dir.
func contained(pid int, dir string) bool {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err == nil && strings.Contains(string(groups), cgroup(dir)+"/") {
		return true
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mounts)) {
		// 5th field: where; 4th: what part of its filesystem; after " - ": options with the layers
		if f := strings.Fields(line); len(f) > 4 && f[4] == "/" {
			return strings.Contains(line, dir+"/")
		}
	}
	return false
}

// zombie says whether the process has ended and waits for its parent to notice.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	return ok && strings.HasPrefix(rest, "Z")
}

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// mounts lists the mount points below dir, the inner ones first.
func mounts(dir string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	defer f.Close()
	var points []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20) // an overlay of many layers makes long lines
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 4 && below(f[4], dir) {
			points = append(points, f[4])
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	slices.Reverse(points)
	return points, nil
}

func unmount(dir string) error {
	points, err := mounts(dir)
	if err != nil {
		return err
	}
	for _, point := range points {
		// EINVAL: its parent went first and took it along.
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("unmounting %s: %w", point, err)
		}
	}
	return nil
}

// cgroup is the control group above those of the node's pods.
func cgroup(dir string) string { return "/" + filepath.Base(dir) }

// removeCgroups removes the node's control groups: of cgroup v2, or of each
// hierarchy of v1. A group can go only after those in it, and a moment after
// its last process.
func removeCgroups(dir string) error {
	tops, err := filepath.Glob("/sys/fs/cgroup/*" + cgroup(dir))
	if err != nil {
		return fmt.Errorf("looking for control groups: %w", err)
	}
	tops = append(tops, "/sys/fs/cgroup"+cgroup(dir))
	for _, top := range tops {
		deadline := time.Now().Add(10 * time.Second)
		for {
			err := removeTree(top)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("removing a control group: %w", err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// sharedSockets is where containerd below 2.4 has its shims' sockets, whatever
// its state folder. Their names are digests that tell nodes apart.
const sharedSockets = "/run/containerd/s/"

// removeSockets removes the sockets of the node's shims, which were killed, by
// what their bundles say of them: in 1.7 an address, in 2.x a JSON with one.
func removeSockets(dir string) error {
	bundles, err := filepath.Glob(filepath.Join(dir, "state/io.containerd.runtime.v2.task/*/*"))
	if err != nil {
		return fmt.Errorf("looking for the shims' sockets: %w", err)
	}
	for _, bundle := range bundles {
		for _, name := range []string{"address", "bootstrap.json"} {
			text, _ := os.ReadFile(filepath.Join(bundle, name)) // one of them is there
			_, rest, ok := strings.Cut(string(text), "unix://"+sharedSockets)
			if socket, _, _ := strings.Cut(rest, `"`); ok && filepath.Base(socket) == socket {
				if err := os.Remove(sharedSockets + socket); err != nil && !errors.Is(err, os.ErrNotExist) {
					return fmt.Errorf("removing a shim's socket: %w", err)
				}
			}
		}
	}
	return nil
}

// removeTree removes folders alone: the files of a control group cannot be removed.
func removeTree(top string) error {
	entries, err := os.ReadDir(top)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(top, e.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(top)
}
