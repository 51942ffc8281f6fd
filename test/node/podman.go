package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/phigate/phigate/test/images"
)

// Podman is Debian's podman with all its files in the node's folder. It has no daemon and needs no containerd.
type Podman struct {
	node   *Node
	folder string // with the program and its libraries
	dir    string
	hooks  string // its hooks.d
}

// Podman prepares podman, which test/setup has unpacked, with a folder of OCI hooks.
func (n *Node) Podman(hooks string) (*Podman, error) {
	p := &Podman{node: n, folder: filepath.Join(cache(), "podman"), dir: filepath.Join(n.Dir, "podman"), hooks: hooks}
	if _, err := os.Stat(filepath.Join(p.folder, "usr/bin/podman")); err != nil {
		return nil, fmt.Errorf("looking for the podman to test with: %w; run test/setup", err)
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return nil, fmt.Errorf("looking for runc: %w; run test/setup", err)
	}
	files := map[string]string{
		"containers.conf": fmt.Sprintf("[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\nconmon_path = [%q]\nruntime = \"runc\"\n[engine.runtimes]\nrunc = [%q]\n[network]\nnetwork_backend = \"cni\"\n",
			filepath.Join(p.folder, "usr/bin/conmon"), runc),
		"storage.conf": fmt.Sprintf("[storage]\ndriver = \"overlay\"\nrunroot = %q\ngraphroot = %q\n", filepath.Join(p.dir, "run"), filepath.Join(p.dir, "graph")),
		"policy.json":  `{"default":[{"type":"insecureAcceptAnything"}]}`,
	}
	for name, text := range files {
		if err := os.MkdirAll(p.dir, 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Load puts an image into podman's own store.
func (p *Podman) Load(ctx context.Context, ref string, img v1.Image) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(images.Write(w, ref, img)) }()
	_, err := p.Do(ctx, r, "load", "--signature-policy", filepath.Join(p.dir, "policy.json"))
	r.CloseWithError(errors.New("podman has ended")) // unblocks the writer
	return err
}

// Run runs a container of the image that ends by itself. Podman would raise its limits, which this machine lets nobody do.
func (p *Podman) Run(ctx context.Context, id, image string, command ...string) (string, error) {
	args := []string{"run", "--rm", "--name", id, "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--security-opt", "seccomp=unconfined", "--cgroup-parent", cgroup(p.node.Dir), "--pull", "never", image}
	return p.Do(ctx, nil, append(args, command...)...)
}

// Do runs podman and returns what it prints, errors too.
func (p *Podman) Do(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	global := []string{"--root", filepath.Join(p.dir, "graph"), "--runroot", filepath.Join(p.dir, "run"), "--tmpdir", filepath.Join(p.dir, "tmp"), "--hooks-dir", p.hooks}
	cmd := exec.CommandContext(ctx, filepath.Join(p.folder, "usr/bin/podman"), append(global, args...)...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(p.dir, "containers.conf"), "CONTAINERS_STORAGE_CONF="+filepath.Join(p.dir, "storage.conf"),
		"LD_LIBRARY_PATH="+filepath.Join(p.folder, "usr/lib/x86_64-linux-gnu"))
	cmd.Stdin, cmd.WaitDelay = stdin, time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("running podman %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return string(out), nil
}
