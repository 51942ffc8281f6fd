package node

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Left lists what is there of a container, or where id is empty of any, of one
// of containerd's namespaces: its task, record and writable snapshot, its bundle and the mounts in
// there, runc's state, control groups, a shim. Images and their layers are none of that.
func (n *Node) Left(ctx context.Context, namespace, id string) (left []string, err error) {
	for _, what := range []string{"tasks", "containers", "snapshots"} {
		out, err := n.ctr(ctx, namespace, nil, what, "ls")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) == 0 || f[0] == "TASK" || f[0] == "CONTAINER" || f[0] == "KEY" || what == "snapshots" && f[len(f)-1] == "Committed" {
				continue
			}
			if id == "" || f[0] == id {
				left = append(left, strings.TrimSuffix(what, "s")+" "+f[0])
			}
		}
	}
	bundles := filepath.Join(n.Dir, "state/io.containerd.runtime.v2.task", namespace)
	points, err := mounts(filepath.Join(bundles, id))
	if err != nil {
		return nil, err
	}
	for _, point := range points {
		left = append(left, "mount "+point)
	}
	for _, folder := range []string{bundles, filepath.Join(n.Dir, "runc", namespace), "/sys/fs/cgroup/*" + cgroup(n.Dir)} { // control groups have no namespace
		found, err := filepath.Glob(filepath.Join(folder, cmp.Or(id, "*")))
		if err != nil {
			return nil, err
		}
		for _, path := range found { // a control group has files, too
			if info, err := os.Lstat(path); err == nil && info.IsDir() && !emptyParent(path) {
				left = append(left, path)
			}
		}
	}
	shims, err := n.shimsOf(namespace, id)
	return append(left, shims...), err
}

// emptyParent says whether the folder is the control group that BuildKit keeps for its
// steps, or Podman for its monitors, and holds neither a group nor a process.
func emptyParent(path string) bool {
	if name := filepath.Base(path); name != "buildkit" && name != "conmon" {
		return false
	}
	entries, err := os.ReadDir(path)
	if err != nil || slices.ContainsFunc(entries, os.DirEntry.IsDir) {
		return false
	}
	processes, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
	return err == nil && len(processes) == 0
}

// shimsOf are the shims of a namespace, of one container where id says which.
func (n *Node) shimsOf(namespace, id string) (shims []string, err error) {
	pids, err := n.Shims()
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty where it has ended
		args := append(bytes.Split(line, []byte{0}), nil)
		has := func(flag, value string) bool {
			i := slices.IndexFunc(args, func(a []byte) bool { return string(a) == flag })
			return i >= 0 && string(args[i+1]) == value
		}
		if has("-namespace", namespace) && (id == "" || has("-id", id)) {
			shims = append(shims, fmt.Sprintf("shim %d", pid))
		}
	}
	return shims, err
}

// RemovePods stops and removes all pods with their containers.
func (n *Node) RemovePods(ctx context.Context) error {
	list, err := n.CRI().ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{})
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	for _, pod := range list.GetItems() {
		if err := n.RemovePod(ctx, pod.GetId()); err != nil {
			return err
		}
	}
	return nil
}
