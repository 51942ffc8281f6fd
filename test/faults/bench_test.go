package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// bin is where the programs under test are.
var bin string

func TestMain(m *testing.M) { os.Exit(gate.Main(m, &bin)) }

// patience is NRI's time limit. phigated answers at 80 % of it, and the rest must be
// enough on a machine that others use too.
const patience = 4 * time.Second

// bench is a node on which everything can be broken: pods whose runc is the real one, and
// pods whose runc is phigate-runc; phigated's state on a disk of its own.
type bench struct {
	*testing.T
	ctx     context.Context
	node    *node.Node
	gate    *gate.Gate
	wrapper *gate.Wrapper
	disk    *Volume
	docker  *node.Docker // where it was started

	clean, people   string // images, known to CRI and to ctr
	plain, shielded string // pods, without and with the wrapper

	refused map[string]bool // containers that the wrapper or the hook has not let run
}

// smallDisk is soon full, in bytes.
const smallDisk = 64 << 20

// newBench starts all of it, for at most so long, with so many bytes of disk for phigated.
func newBench(t *testing.T, within time.Duration, disk int64) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	t.Cleanup(cancel)
	wrapper, err := gate.NewWrapper(t.TempDir(), bin)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Start(ctx, node.Options{
		Require: []string{"phigate"}, PluginTimeout: patience, Second: wrapper.Runc(), Env: wrapper.Env(),
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, ctx: ctx, node: n, wrapper: wrapper, refused: map[string]bool{}}
	t.Cleanup(b.close)
	b.gate, err = gate.New(n, bin, gate.Options{})
	b.must(err)
	b.disk, err = NewVolume(b.gate.StateDir, disk)
	b.must(err)
	b.must(wrapper.Configure(b.gate, ""))
	b.must(b.gate.Start())
	b.must(b.gate.Ready(ctx))
	for name, changes := range contents() {
		b.image(name, changes...)
	}
	b.clean, b.people = gate.Image("clean"), gate.Image("people")
	b.plain = b.pod("")
	b.shielded = b.pod(node.SecondHandler)
	return b
}

// startDocker starts a dockerd on the node's containerd whose default runtime is the
// wrapper, and gives it the images, which the wrapper has scanned by then.
func (b *bench) startDocker() {
	b.Helper()
	var err error
	b.docker, err = b.node.Docker(b.ctx, "--add-runtime", "phigate="+b.wrapper.Runc(), "--default-runtime", "phigate")
	b.must(err)
	for name, changes := range contents() {
		img, err := gate.Make(changes...)
		b.must(err)
		b.must(b.docker.Load(b.ctx, gate.Image(name), img))
	}
	good, bad := b.ask(call{door: doorDocker}), b.ask(call{door: doorDocker, violating: true})
	if !good.ran || bad.ran {
		b.Fatalf("before any fault: compliant ran %v, violating ran %v: %v", good.ran, bad.ran, good.err)
	}
}

// contents are the images that CRI, ctr and Docker know, by name.
func contents() map[string][]images.Change {
	return map[string][]images.Change{
		"clean":  nil,
		"people": {images.Files{"/srv/people.csv": images.Text(gate.Patients(12))}},
	}
}

func (b *bench) close() {
	if b.Failed() {
		for _, name := range []string{"gate/phigated.log", "containerd.log"} {
			if data, err := os.ReadFile(filepath.Join(b.node.Dir, name)); err == nil {
				b.Logf("%s ends:\n%s", name, data[max(0, len(data)-6000):])
			}
		}
	}
	var errs []error
	if b.docker != nil {
		errs = append(errs, b.docker.Stop())
	}
	if b.gate != nil && b.gate.Process() != nil {
		errs = append(errs, b.gate.Stop())
	}
	if b.disk != nil {
		errs = append(errs, b.disk.Remove())
	}
	if err := errors.Join(append(errs, b.node.Stop())...); err != nil {
		b.Errorf("cleaning up: %v", err)
	}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// in is the bench for a subtest.
func (b *bench) in(t *testing.T) *bench {
	sub := *b
	sub.T = t
	return &sub
}

// image makes an image that CRI and ctr know, and waits until it has been scanned.
func (b *bench) image(name string, changes ...images.Change) {
	b.Helper()
	img, err := gate.Make(changes...)
	b.must(err)
	b.must(b.node.Import(b.ctx, gate.Image(name), img))
	b.must(b.node.ImportIn(b.ctx, "default", gate.Image(name), img))
	b.must(b.gate.Ready(b.ctx))
}

func (b *bench) pod(handler string) string {
	b.Helper()
	id, err := b.node.RunPod(b.ctx, node.PodOptions{Namespace: "clinic-a", Handler: handler})
	b.must(err)
	return id
}

// works waits until a compliant container of CRI's is created and judged, and removes
// it. Below containerd 2.2 one is created before phigate is back, so the log is asked.
func (b *bench) works() {
	b.Helper()
	b.must(soon(30*time.Second, func() error {
		id, err := b.node.Create(b.ctx, b.plain, gate.Sleeps(b.clean))
		if err != nil {
			return fmt.Errorf("the gate does not work again: %w", err)
		}
		verdicts, err := b.gate.Verdicts(b.ctx, id)
		if err == nil && len(verdicts) == 0 {
			err = errors.New("the gate does not work again: a container was created that it has not judged")
		}
		return errors.Join(err, b.node.Remove(b.ctx, id))
	}))
}

// begin starts phigated and waits until it stands in the runtime's way.
func (b *bench) begin() {
	b.Helper()
	b.must(b.gate.Start())
	b.must(b.gate.Ready(b.ctx))
	b.works()
}

// stop ends phigated in good order; how it ends is not what is tested here.
func (b *bench) stop() {
	b.Helper()
	_ = b.gate.Stop()
	if b.gate.Process().Running() {
		b.Fatal("phigated does not end")
	}
}

// configure writes the wrapper's and the hook's configuration.
func (b *bench) configure(more string) {
	b.Helper()
	b.must(b.wrapper.Configure(b.gate, more))
}
