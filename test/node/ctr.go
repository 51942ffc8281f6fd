package node

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
)

// RunOptions are those of a container that `ctr run` starts.
type RunOptions struct {
	Namespace string // containerd's; "default" when empty
	ID        string
	Image     string
	Binary    string   // the OCI runtime; empty means the first runc in containerd's PATH
	Keep      bool     // the container and its snapshot stay when it has ended
	Args      []string // further flags of ctr run
	Command   []string
}

// Run runs a container to its end by ctr, which no NRI plugin hears of, and
// returns what it and ctr printed.
func (n *Node) Run(ctx context.Context, o RunOptions) (string, error) {
	args := []string{"run", "--snapshotter", n.options.Snapshotter, "--runc-root", filepath.Join(n.Dir, "runc"),
		"--cgroup", cgroup(n.Dir) + "/" + o.ID}
	if !o.Keep {
		args = append(args, "--rm")
	}
	if o.Binary != "" {
		args = append(args, "--runc-binary", o.Binary)
	}
	return n.CtrIn(ctx, o.Namespace, slices.Concat(args, o.Args, []string{o.Image, o.ID}, o.Command)...)
}

// CtrIn runs containerd's own command line in a namespace ("default" when
// empty) and returns what it prints, errors too.
func (n *Node) CtrIn(ctx context.Context, namespace string, args ...string) (string, error) {
	if namespace == "" {
		namespace = "default"
	}
	cmd := exec.CommandContext(ctx, filepath.Join(n.binaries, "ctr"), append([]string{"--address", n.Address, "--namespace", namespace}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("running ctr %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return string(out), nil
}
