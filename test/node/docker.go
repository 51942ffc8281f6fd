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

// Docker is a dockerd of a node's own, on the node's containerd: no bridge, no
// rules of the firewall, all its files in the node's folder.
type Docker struct {
	node    *Node
	folder  string // with the programs
	socket  string
	process *Process
}

// Docker starts Debian's dockerd, which test/setup has unpacked, with further
// arguments. It ends with the node, or with Stop.
func (n *Node) Docker(ctx context.Context, args ...string) (*Docker, error) {
	d := &Docker{node: n, folder: filepath.Join(cache(), "docker.io"), socket: filepath.Join(n.Dir, "d.sock")}
	program := filepath.Join(d.folder, "usr/sbin/dockerd")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("looking for the Docker to test with: %w; run test/setup", err)
	}
	path := n.options.Before + ":" + n.binaries + ":" + filepath.Join(d.folder, "usr/bin") + ":" + filepath.Join(d.folder, "usr/sbin") + ":" +
		os.Getenv("PATH") + ":/usr/sbin:/sbin"
	in := func(name string) string { return filepath.Join(n.Dir, name) }
	p, err := Run(Command{
		Path: program,
		Args: append([]string{"--data-root", in("docker"), "--exec-root", in("docker-exec"), "--pidfile", in("docker.pid"), "--host", "unix://" + d.socket,
			"--iptables=false", "--ip6tables=false", "--bridge=none", "--containerd", n.Address, "--storage-driver", "overlay2",
			"--cgroup-parent", cgroup(n.Dir)}, args...),
		Env: append([]string{"PATH=" + path}, n.options.Env...),
		Log: in("dockerd.log"),
	})
	if err != nil {
		return nil, err
	}
	d.process = p
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := d.Do(ctx, nil, "version")
		if err == nil {
			return d, nil
		}
		select {
		case <-p.Done():
			return nil, fmt.Errorf("starting dockerd: it ended; its last words: %s", tail(p.Log()))
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for dockerd: %w; its last words: %s", err, tail(p.Log()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Env has Docker's own command line, first in the PATH, ask this dockerd.
func (d *Docker) Env() []string {
	return []string{"PATH=" + filepath.Join(d.folder, "usr/bin") + ":" + os.Getenv("PATH"), "DOCKER_HOST=unix://" + d.socket,
		"DOCKER_CONFIG=" + filepath.Join(d.node.Dir, "docker-config")}
}

// Stop ends dockerd.
func (d *Docker) Stop() error { return d.process.Stop(20 * time.Second) }

// Load puts an image into Docker's own store.
func (d *Docker) Load(ctx context.Context, ref string, img v1.Image) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(images.Write(w, ref, img)) }()
	_, err := d.Do(ctx, r, "load")
	r.CloseWithError(errors.New("docker has ended")) // unblocks the writer
	return err
}

// Do runs Docker's command line and returns what it prints, errors too.
func (d *Docker) Do(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.folder, "usr/bin/docker"), append([]string{"--host", "unix://" + d.socket}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+filepath.Join(d.node.Dir, "docker-config"), "DOCKER_BUILDKIT=1")
	cmd.Stdin = stdin
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("running docker %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return string(out), nil
}
