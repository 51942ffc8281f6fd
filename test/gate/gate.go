// Package gate puts a phigated in front of a test's containerd, for the
// end-to-end tests, the benchmarks and the demo.
package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/node"
)

// Options of a gate. The zero value has the built-in baseline alone.
type Options struct {
	Policies map[string]string // file name -> YAML, in the gate's own policy folder
	Journal  string            // journald's socket; nothing is sent when empty
	Args     []string          // further arguments of phigated
	// OnUnjudged is what happens to containers that no gate has judged; "audit" when empty.
	OnUnjudged string
}

// Gate is a phigated in front of a node.
type Gate struct {
	Dir      string // the gate's own folder, in the node's
	Config   string // phigated's configuration file
	StateDir string
	Policies string // the folder of policies
	Socket   string

	binary  string
	args    []string
	process *node.Process
}

// Build builds the programs into dir. It is quick when nothing changed.
func Build(ctx context.Context, dir string) error {
	root, err := node.Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+"/", "./plugin/cmd/...", "./hooks/cmd/...")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building phigate: %w: %s", err, out)
	}
	return nil
}

// Main is a TestMain: it builds the programs, says where in bin, and runs the tests.
func Main(m interface{ Run() int }, bin *string) int {
	dir, err := os.MkdirTemp("", "phigate-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*bin = dir
	return m.Run()
}

// New writes the configuration of a gate for the node and starts nothing. The
// binaries are those that Build made in bin.
func New(n *node.Node, bin string, o Options) (*Gate, error) {
	dir := filepath.Join(n.Dir, "gate")
	g := &Gate{
		Dir: dir, Config: filepath.Join(dir, "phigate.yaml"), StateDir: filepath.Join(dir, "state"),
		Policies: filepath.Join(dir, "policies.d"), Socket: filepath.Join(dir, "p.sock"),
		binary: filepath.Join(bin, "phigated"), args: o.Args,
	}
	if err := os.MkdirAll(g.Policies, 0o700); err != nil {
		return nil, err
	}
	for name, text := range o.Policies {
		if err := g.WritePolicy(name, text); err != nil {
			return nil, err
		}
	}
	config := fmt.Sprintf("containerd: %s\nnri: {socket: %s, name: phigate, index: \"99\"}\nstateDir: %s\nsocket: %s\npolicies: [%s]\njournal: %q\nonUnjudged: %s\n",
		n.Address, n.NRISocket, g.StateDir, g.Socket, g.Policies, o.Journal, cmp.Or(o.OnUnjudged, "audit"))
	return g, os.WriteFile(g.Config, []byte(config), 0o600)
}

// WritePolicy puts a policy file in place by renaming, as careful editors do.
func (g *Gate) WritePolicy(name, text string) error {
	fresh := filepath.Join(g.Dir, name+".new")
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(g.Policies, name))
}

// Start starts phigated.
func (g *Gate) Start() error {
	p, err := node.Run(node.Command{Path: g.binary, Args: append([]string{"--config", g.Config}, g.args...), Log: g.LogFile()})
	g.process = p
	return err
}

// GateSocket is where doors outside phigated ask.
func (g *Gate) GateSocket() string { return filepath.Join(g.Dir, judge.SocketName) }

// Process is the running phigated.
func (g *Gate) Process() *node.Process { return g.process }

// Stop ends phigated in good order.
func (g *Gate) Stop() error {
	if g.process == nil {
		return nil
	}
	return g.process.Stop(10 * time.Second)
}

// LogFile is where phigated's own log goes.
func (g *Gate) LogFile() string { return filepath.Join(g.Dir, "phigated.log") }

// Connected waits until phigated stands in the runtime's way.
func (g *Gate) Connected(ctx context.Context) error {
	return g.until(ctx, "connected", func(s *ask.Status) bool { return s.Runtime.Connected })
}

// Ready waits until it does, and all images have been scanned.
func (g *Gate) Ready(ctx context.Context) error {
	return g.until(ctx, "ready", func(s *ask.Status) bool { return s.Runtime.Connected && s.Scan.Idle })
}

func (g *Gate) until(ctx context.Context, what string, ok func(*ask.Status) bool) error {
	for {
		s, err := ask.GetStatus(ctx, g.Socket)
		if err == nil && ok(s) {
			return nil
		}
		if g.process != nil && !g.process.Running() {
			return fmt.Errorf("phigated has ended; its log: %s", g.tail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("phigated is not %s in time (status: %+v, error: %w); its log: %s", what, s, err, g.tail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Status asks phigated how it is.
func (g *Gate) Status(ctx context.Context) (*ask.Status, error) { return ask.GetStatus(ctx, g.Socket) }

// Decisions reads the log so far.
func (g *Gate) Decisions(ctx context.Context) ([]policy.Decision, error) {
	var out []policy.Decision
	err := audit.Entries(ctx, g.logFolder(), 1, func(e audit.Entry) error {
		if e.Decision.Kind != audit.KindHeartbeat { // they come as time goes by, not by what a test does
			out = append(out, *e.Decision)
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return out, err
}

// Verdicts are the decisions on one container.
func (g *Gate) Verdicts(ctx context.Context, container string) ([]policy.Decision, error) {
	all, err := g.Decisions(ctx)
	var out []policy.Decision
	for _, d := range all {
		if d.Container == container && d.Kind == "verdict" {
			out = append(out, d)
		}
	}
	return out, err
}

func (g *Gate) logFolder() string { return filepath.Join(g.StateDir, "decisions") }

// Output is everything that phigated wrote: log, decisions, state.
func (g *Gate) Output() (string, error) {
	var all strings.Builder
	paths, err := filepath.Glob(filepath.Join(g.logFolder(), "*"))
	if err != nil {
		return "", err
	}
	for _, path := range append(paths, g.LogFile(), filepath.Join(g.StateDir, "facts.db")) {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		all.Write(data)
	}
	return all.String(), nil
}

func (g *Gate) tail() string {
	data, err := os.ReadFile(g.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4000):])
}

// Rules lists the rules of a decision with their strictest action.
func Rules(d policy.Decision) map[string]policy.Action {
	out := map[string]policy.Action{}
	for _, f := range d.Findings {
		if a, ok := out[f.Rule]; !ok || f.Action < a {
			out[f.Rule] = f.Action
		}
	}
	return out
}
