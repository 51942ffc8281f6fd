package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/test/node"
)

// Bundle is a container without an engine, whose createRuntime hook is
// phigate-hook, as hooks.d runtimes put it there.
type Bundle struct {
	ID  string
	Dir string

	node *node.Node
}

// NewBundle makes a bundle in dir that prints "ran:" and the ID. It holds the files
// beside busybox.
func NewBundle(n *node.Node, dir, id, bin string, w *Wrapper, files map[string]string) (*Bundle, error) {
	b := &Bundle{ID: id, Dir: filepath.Join(dir, id), node: n}
	root := filepath.Join(b.Dir, "rootfs")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		return nil, err
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, "bin/busybox"), busybox, 0o755); err != nil {
		return nil, err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return b, b.spec(bin, w)
}

// spec writes the spec that runc itself proposes, with the hook.
func (b *Bundle) spec(bin string, w *Wrapper) error {
	runc, err := RealRunc()
	if err != nil {
		return err
	}
	if out, err := exec.Command(runc, "spec", "--bundle", b.Dir).CombinedOutput(); err != nil {
		return fmt.Errorf("making a spec: %w: %s", err, out)
	}
	path := filepath.Join(b.Dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	spec.Process.Terminal, spec.Process.Args = false, []string{"/bin/busybox", "echo", "ran:" + b.ID}
	spec.Linux.CgroupsPath = "/" + filepath.Base(b.node.Dir) + "/" + b.ID
	spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{
		Path: filepath.Join(bin, "phigate-hook"), Args: []string{"phigate-hook", "--config", w.Config},
	}}}
	if data, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// Run runs it by the real runc and returns what was printed.
func (b *Bundle) Run(ctx context.Context) (string, error) {
	runc, err := RealRunc()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, runc, "--root", b.state(), "run", "--bundle", b.Dir, b.ID)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b *Bundle) state() string { return filepath.Join(b.node.Dir, "runc/by-hand") }

// Left lists what is there of it beside the bundle: runc's state, control groups.
func (b *Bundle) Left() ([]string, error) {
	left, err := filepath.Glob(filepath.Join(b.state(), b.ID))
	if err != nil {
		return nil, err
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Base(b.node.Dir) + "/" + b.ID)
	return append(left, groups...), err
}
