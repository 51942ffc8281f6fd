package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/images"
)

func TestNode(t *testing.T) {
	for _, snapshotter := range []string{"overlayfs", "native"} {
		t.Run(snapshotter, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			n := start(t, ctx, Options{Snapshotter: snapshotter})

			got := hello(t, ctx, n)
			if want := "hello from the layer on top\n"; got != want {
				t.Errorf("container printed %q, want %q", got, want)
			}
			if err := n.Stop(); err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, n.Dir)
		})
	}
}

// Containers outlive containerd, as on a real node, and the same node goes on with them.
func TestRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n := start(t, ctx, Options{})
	id := sleeper(t, ctx, n)

	if err := n.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	running(t, ctx, n, id)

	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := n.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	running(t, ctx, n, id)
}

// With a required plugin that is not there, containerd itself refuses containers.
func TestRequiredPlugin(t *testing.T) {
	NeedsValidate(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n := start(t, ctx, Options{Require: []string{"nobody"}})
	pod, err := n.RunPod(ctx, PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Create(ctx, pod, ContainerOptions{Image: images.PauseName})
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("creating without the required plugin: got error %v, want one that names it", err)
	}
}

// A test process that is killed takes containerd along; the next start cleans up its containers.
func TestKilledTest(t *testing.T) {
	if dir := os.Getenv("PHIGATE_TEST_KILLED"); dir != "" {
		n := start(t, t.Context(), Options{Parent: dir})
		sleeper(t, t.Context(), n)
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	parent, err := os.MkdirTemp("/tmp", "node-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	child := exec.Command(os.Args[0], "-test.run=^TestKilledTest$")
	child.Env = append(os.Environ(), "PHIGATE_TEST_KILLED="+parent)
	if out, err := child.CombinedOutput(); err == nil || child.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the test in the test ended with %v, want the signal it sends itself: %s", err, out)
	}
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("the killed test left %d folders (%v), want 1", len(dirs), err)
	}
	left, err := processes(dirs[0])
	if err != nil || len(left) == 0 {
		t.Fatalf("the killed test left %d processes (%v), want its containers", len(left), err)
	}
	for _, pid := range left {
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && string(name) == "containerd\n" {
			t.Error("containerd outlived the killed test")
		}
	}
	old := time.Now().Add(-time.Hour) // a young lock would be let be
	if err := os.Chtimes(filepath.Join(dirs[0], lockName), old, old); err != nil {
		t.Fatal(err)
	}
	if err := sweep(parent); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, dirs[0])
}

func TestSweepLeavesLivingNodes(t *testing.T) {
	parent := t.TempDir()
	dir, lock, err := folder(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, lockName), old, old); err != nil {
		t.Fatal(err)
	}
	if err := sweep(parent); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("sweep took the folder of a living node: %v", err)
	}
	lock.Close()
	if err := sweep(parent); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, dir)
}

func start(t *testing.T, ctx context.Context, o Options) *Node {
	t.Helper()
	n, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// hello imports an image, runs it in a pod, and returns what it printed.
func hello(t *testing.T, ctx context.Context, n *Node) string {
	t.Helper()
	base, err := images.Base()
	if err != nil {
		t.Fatal(err)
	}
	img, err := images.With(base, images.Files{"/srv/hello": images.Text("hello from the layer on top\n")})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Import(ctx, "localhost/hello:1", img); err != nil {
		t.Fatal(err)
	}
	pod, err := n.RunPod(ctx, PodOptions{Name: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	id := run(t, ctx, n, pod, ContainerOptions{Image: "localhost/hello:1", Command: []string{"/bin/cat", "/srv/hello"}})
	code, err := n.WaitExit(ctx, id)
	if err != nil || code != 0 {
		t.Fatalf("the container ended with %d (%v), want 0", code, err)
	}
	out, err := n.Output(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Remove(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := n.RemovePod(ctx, pod); err != nil {
		t.Fatal(err)
	}
	return out
}

func sleeper(t *testing.T, ctx context.Context, n *Node) string {
	t.Helper()
	pod, err := n.RunPod(ctx, PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return run(t, ctx, n, pod, ContainerOptions{Image: images.PauseName})
}

func run(t *testing.T, ctx context.Context, n *Node, pod string, o ContainerOptions) string {
	t.Helper()
	id, err := n.Create(ctx, pod, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.StartContainer(ctx, id); err != nil {
		t.Fatal(err)
	}
	return id
}

func running(t *testing.T, ctx context.Context, n *Node, id string) {
	t.Helper()
	status, err := n.State(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if got := status.GetState(); got != runtimeapi.ContainerState_CONTAINER_RUNNING {
		t.Errorf("the container is in state %v, want it running", got)
	}
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if pids, err := processes(dir); err != nil || len(pids) > 0 {
		t.Errorf("%d processes are left (%v)", len(pids), err)
	}
	if points, err := mounts(dir); err != nil || len(points) > 0 {
		t.Errorf("%d mounts are left (%v)", len(points), err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the node's folder is left (%v)", err)
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*" + cgroup(dir))
	if err != nil || len(groups) > 0 {
		t.Errorf("%d control groups are left (%v)", len(groups), err)
	}
}
