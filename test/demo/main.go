// Demo shows the gate at work on a private containerd: a compliant container
// runs, one with patient data in its image is refused, and the log says why.
// It is a check as well: it ends with 1 when anything is not as it should be.
//
// `make demo` runs it, as root, with the binaries that `make build` made.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// limit bounds the whole demo; it takes some seconds.
const limit = 2 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
	say("\nAll as it should be. The containers, containerd and phigated are gone again.")
}

// demo is a node with a gate in front.
type demo struct {
	root string // the repository
	node *node.Node
	gate *gate.Gate
}

func run(ctx context.Context) (err error) {
	root, err := node.Root()
	if err != nil {
		return err
	}
	d := &demo{root: root}
	defer func() {
		if err != nil && ctx.Err() == nil {
			d.tails(os.Stderr)
		}
		err = errors.Join(err, d.end())
	}()
	return gate.Do(ctx, d.begin, d.compliant, d.violating, d.doctor)
}

const (
	dropIn  = "deploy/containerd/10-phigate.toml"
	example = "deploy/policies/example.yaml"
	secret  = "/data/phi/patients.csv"
)

// begin starts containerd and phigated and imports the images.
func (d *demo) begin(ctx context.Context) (err error) {
	rules, err := os.ReadFile(filepath.Join(d.root, example))
	if err != nil {
		return fmt.Errorf("reading the example policy: %w", err)
	}
	if d.node, err = node.Start(ctx, node.Options{Imports: []string{filepath.Join(d.root, dropIn)}}); err != nil {
		return err
	}
	say("containerd 2.4.2 runs in %s with %s: without phigate no container is created", d.node.Dir, dropIn)
	d.gate, err = gate.New(d.node, filepath.Join(d.root, "bin"), gate.Options{
		Policies: map[string]string{filepath.Base(example): string(rules)}})
	if err != nil {
		return err
	}
	if err := gate.Do(ctx, start(d.gate), d.gate.Connected); err != nil {
		return err
	}
	say("phigated stands in front of it with %s and its built-in baseline", example)
	if err := d.load(ctx, "web"); err != nil {
		return err
	}
	table := images.Files{secret: images.Text(gate.Patients(12))}
	if err := d.load(ctx, "portal", table, images.Ports{"21/tcp"}); err != nil {
		return err
	}
	say("pods share the host's network here, which the baseline warns of: there is no CNI")
	say("the images %s and %s are imported, and their layers scanned", gate.Image("web"), gate.Image("portal"))
	return nil
}

func start(g *gate.Gate) func(context.Context) error {
	return func(context.Context) error { return g.Start() }
}

// load makes an image, imports it and waits until it has been scanned.
func (d *demo) load(ctx context.Context, name string, changes ...images.Change) error {
	img, err := gate.Make(changes...)
	if err != nil {
		return err
	}
	if err := d.node.Import(ctx, gate.Image(name), img); err != nil {
		return err
	}
	return d.gate.Ready(ctx)
}

// end stops and removes everything; a second call does nothing.
func (d *demo) end() error {
	var errs []error
	if d.gate != nil {
		errs = append(errs, d.gate.Stop())
	}
	if d.node != nil {
		errs = append(errs, d.node.Stop())
	}
	return errors.Join(errs...)
}

// tails prints the ends of the logs.
func (d *demo) tails(w *os.File) {
	if d.node == nil {
		return
	}
	logs := []string{d.node.Log}
	if d.gate != nil {
		logs = append(logs, d.gate.LogFile())
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		fmt.Fprintf(w, "\n%s ends:\n%s\n", filepath.Base(path), strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
