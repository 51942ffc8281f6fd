// Package e2e tests phigate as a node runs it: a real containerd and runc, a
// real phigated, driven over CRI as the kubelet drives it. It needs root and
// what test/setup installs.
package e2e

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// bin is where the programs under test are.
var bin string

func TestMain(m *testing.M) { os.Exit(gate.Main(m, &bin)) }

// patience is NRI's time limit in these tests, where containerd's own is 2 s: a
// machine that others use too may take as long for one fdatasync, and a refusal
// for want of time would be right, and not what is tested.
const patience = 6 * time.Second

// rig is a node with a gate in front.
type rig struct {
	*testing.T
	ctx  context.Context
	node *node.Node
	gate *gate.Gate
}

// newRig starts a node and a phigated in front of it, and ends both with the test.
func newRig(t *testing.T, n node.Options, g gate.Options) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	n.PluginTimeout = cmp.Or(n.PluginTimeout, patience)
	started, err := node.Start(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, ctx: ctx, node: started}
	t.Cleanup(func() {
		if t.Failed() {
			keep(t, started.Dir)
		} else {
			r.leavesNothing()
		}
		if r.gate != nil {
			if err := r.gate.Stop(); err != nil {
				t.Errorf("ending phigated: %v", err)
			}
		}
		if err := started.Stop(); err != nil {
			t.Errorf("ending the node: %v", err)
		}
	})
	if r.gate, err = gate.New(started, bin, g); err != nil {
		t.Fatal(err)
	}
	r.must(r.gate.Start())
	r.must(r.gate.Ready(ctx))
	return r
}

// keep prints the ends of the logs of a test that failed.
func keep(t *testing.T, dir string) {
	for _, name := range []string{"gate/phigated.log", "containerd.log"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			t.Logf("%s ends:\n%s", name, data[max(0, len(data)-6000):])
		}
	}
}

// leavesNothing removes all pods and fails where something of them, or of what was
// refused in between, is still there.
func (r *rig) leavesNothing() {
	r.Helper()
	if r.node.Ready(r.ctx) != nil {
		return // containerd is away: the test's last step
	}
	r.must(r.node.RemovePods(r.ctx))
	r.nothingLeft("k8s.io", "")
}

// nothingLeft fails when a container of the namespace, or where id is empty any of
// them, has left something behind. containerd cleans up a moment after its client has the answer.
func (r *rig) nothingLeft(namespace, id string) {
	r.Helper()
	var left []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var err error
		left, err = r.node.Left(r.ctx, namespace, id)
		r.must(err)
		if len(left) == 0 {
			return
		}
	}
	r.Errorf("%s has left: %s", cmp.Or(id, "a container"), strings.Join(left, ", "))
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// image makes an image, imports it and, unless it is to stay cold, waits until
// it has been scanned.
func (r *rig) image(name string, changes ...images.Change) string {
	r.Helper()
	r.coldImage(name, changes...)
	r.must(r.gate.Ready(r.ctx))
	return gate.Image(name)
}

func (r *rig) coldImage(name string, changes ...images.Change) string {
	r.Helper()
	img, err := gate.Make(changes...)
	r.must(err)
	r.must(r.node.Import(r.ctx, gate.Image(name), img))
	return gate.Image(name)
}

// pod runs a pod in the namespace "clinic-a".
func (r *rig) pod(o node.PodOptions) string {
	r.Helper()
	if o.Namespace == "" {
		o.Namespace = "clinic-a"
	}
	id, err := r.node.RunPod(r.ctx, o)
	r.must(err)
	return id
}

// sleeps is gate.Sleeps.
func sleeps(image string, edits ...func(*node.ContainerOptions)) node.ContainerOptions {
	return gate.Sleeps(image, edits...)
}

// create creates a container. For a moment after phigated or containerd was
// restarted the runtime refuses without asking: it has not taken the new plugin
// in yet, or not noticed that the old one is gone. Such an answer is asked for
// again, as the kubelet does, unless it is what the test wants.
func (r *rig) create(pod string, o node.ContainerOptions, wants ...string) (id string, err error) {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		id, err = r.node.Create(r.ctx, pod, o)
		if !gate.Unasked(err) || len(wants) > 0 && contain(err.Error(), wants) || time.Now().After(end) {
			return id, err
		}
	}
}

func contain(text string, wants []string) bool {
	return !slices.ContainsFunc(wants, func(want string) bool { return !strings.Contains(text, want) })
}

// admit creates and starts a container and fails the test when it is refused.
func (r *rig) admit(pod string, o node.ContainerOptions) (id string) {
	r.Helper()
	id, err := r.create(pod, o)
	if err != nil {
		r.Fatalf("creating was refused: %v", err)
	}
	if err := r.node.StartContainer(r.ctx, id); err != nil {
		r.Fatalf("starting was refused: %v", err)
	}
	return id
}

// refuse creates a container that must be refused, and returns the answer.
func (r *rig) refuse(pod string, o node.ContainerOptions, wants ...string) string {
	r.Helper()
	id, err := r.create(pod, o, wants...)
	if err == nil {
		r.Fatalf("container %s was created; it should have been refused", id)
	}
	r.contains(err.Error(), wants...)
	return err.Error()
}

// refuseStart is refuse for a container that may be created and not started.
func (r *rig) refuseStart(pod string, o node.ContainerOptions, wants ...string) {
	r.Helper()
	id, err := r.create(pod, o)
	if err != nil {
		r.Fatalf("creating was refused, not starting: %v", err)
	}
	err = r.node.StartContainer(r.ctx, id)
	if err == nil {
		r.Fatal("the container was started; it should have been refused")
	}
	r.contains(err.Error(), wants...)
}

func (r *rig) contains(text string, wants ...string) {
	r.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			r.Errorf("the answer does not say %q: %s", want, text)
		}
	}
}

// verdicts are the decisions on the container, oldest first.
func (r *rig) verdicts(container string) []policy.Decision {
	r.Helper()
	ds, err := r.gate.Verdicts(r.ctx, container)
	r.must(err)
	return ds
}

// newest is the newest verdict of all.
func (r *rig) newest() policy.Decision {
	r.Helper()
	ds, err := r.gate.Decisions(r.ctx)
	r.must(err)
	for i := len(ds) - 1; i >= 0; i-- {
		if ds[i].Kind == "verdict" {
			return ds[i]
		}
	}
	r.Fatal("there is no verdict in the log")
	return policy.Decision{}
}

// eventually waits until ok holds.
func (r *rig) eventually(what string, within time.Duration, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	r.Fatalf("not within %s: %s", within, what)
}

// in is the rig for a subtest.
func (r *rig) in(t *testing.T) *rig {
	sub := *r
	sub.T = t
	return &sub
}
