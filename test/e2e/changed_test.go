package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// gates are the gates of the decisions on one container with what they said, in
// the log's order. Each must be about that container and no other.
func (r *rig) gates(id string) (out []string, ds []policy.Decision) {
	r.Helper()
	ds = r.verdicts(id)
	for _, d := range ds {
		out = append(out, string(d.Gate)+" "+d.Verdict.String())
	}
	return out, ds
}

// No gate goes by another's verdict: what is changed after the first is judged anew
// by the wrapper, under the policy of that moment, and the log joins the decisions by
// the container's ID.
func TestChangedBetweenTheGates(t *testing.T) {
	enforcing := strings.Replace(lenient, "mode: audit", "mode: enforce", 1)
	w := newWrapped(t, required, gate.Options{Policies: map[string]string{"clinic.yaml": lenient}})
	base := w.image("plain")
	pod := w.pod(node.PodOptions{})
	first := string(firstGate())

	t.Run("nothing", func(t *testing.T) {
		w := &wrapped{w.rig.in(t), w.Wrapper}
		id := w.admit(pod, sleeps(base))
		got, ds := w.gates(id)
		if diff := cmp.Diff([]string{first + " allow", "wrapper allow", "start allow"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if ds[0].Policy != ds[1].Policy || ds[1].Policy != ds[2].Policy || ds[0].Coverage.Files != ds[1].Coverage.Files {
			t.Error("the gates judged by different policies, or other files")
		}
	})
	t.Run("the_writable_folder", func(t *testing.T) {
		w := &wrapped{w.rig.in(t), w.Wrapper}
		strict := w.changePolicy(enforcing)
		id, err := w.create(pod, sleeps(base))
		w.must(err)
		w.must(os.WriteFile(filepath.Join(w.upperOf(id), "export.csv"), []byte(gate.Patients(20)), 0o600))
		w.contains(w.refusedStart(id), "phigate: blocked", "/export.csv", "[phi-table, ")
		got, ds := w.gates(id)
		if diff := cmp.Diff([]string{first + " allow", "wrapper block"}, got); diff != "" || ds[1].Policy != strict {
			t.Errorf("policy %s, want %s; -want +got:\n%s", ds[len(ds)-1].Policy, strict, diff)
		}
	})
	t.Run("the_policy", func(t *testing.T) {
		w := &wrapped{w.rig.in(t), w.Wrapper}
		before := w.changePolicy(lenient)
		image := w.image("people", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
		id, err := w.create(pod, sleeps(image))
		w.must(err)
		strict := w.changePolicy(enforcing)
		w.contains(w.refusedStart(id), "phigate: blocked", "[phi-table, ")
		got, ds := w.gates(id)
		if diff := cmp.Diff([]string{first + " allow", "wrapper block"}, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		if ds[0].Policy != before || ds[1].Policy != strict {
			t.Errorf("judged by %s and %s, want %s and %s", ds[0].Policy, ds[1].Policy, before, strict)
		}
	})
}

// changePolicy puts another policy in force and returns its digest.
func (r *rig) changePolicy(text string) string {
	r.Helper()
	before := r.policy(func(p ask.PolicyStatus) bool { return p.Error == "" })
	r.must(r.gate.WritePolicy("clinic.yaml", text))
	return r.policy(func(p ask.PolicyStatus) bool { return p.Error == "" && p.Digest != before.Digest }).Digest
}

// refusedStart starts a container that must not start, and returns why it did not.
func (r *rig) refusedStart(id string) string {
	r.Helper()
	err := r.node.StartContainer(r.ctx, id)
	if err == nil {
		r.Fatalf("container %s was started", id)
	}
	return err.Error()
}

// upperOf is the writable folder of a container of CRI's.
func (r *rig) upperOf(id string) string {
	r.Helper()
	out, err := r.node.CtrIn(r.ctx, "k8s.io", "snapshots", "mounts", "/nowhere", id)
	r.must(err)
	return upperdir(r.T, out)
}

// neighbour is an NRI plugin of somebody else's, which comes before or after phigate
// as its index says, and changes containers with a mark in their environment.
type neighbour struct {
	adjust func(*api.ContainerAdjustment)
}

func (n *neighbour) CreateContainer(_ context.Context, _ *api.PodSandbox, c *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	a := &api.ContainerAdjustment{}
	for _, e := range c.GetEnv() {
		if e == "NEIGHBOUR=1" {
			n.adjust(a)
		}
	}
	return a, nil, nil
}

func (r *rig) neighbour(index string, adjust func(*api.ContainerAdjustment)) {
	r.Helper()
	s, err := stub.New(&neighbour{adjust}, stub.WithPluginName("neighbour"), stub.WithPluginIdx(index), stub.WithOnClose(func() {}),
		stub.WithDialer(func(string) (net.Conn, error) { return net.Dial("unix", r.node.NRISocket) }))
	r.must(err)
	r.must(s.Start(r.ctx))
	r.Cleanup(s.Stop)
}

// What another NRI plugin changes is judged with it, and what is known only once its
// device has been injected (CDI) is judged after that: at the start, and by the wrapper.
func TestChangedByAnotherPlugin(t *testing.T) {
	node.NeedsValidate(t)
	marked := func(o *node.ContainerOptions) { o.Env = []string{"NEIGHBOUR=1"} }
	socket := func(r *rig) *api.Mount {
		return &api.Mount{Source: r.node.Address, Destination: "/run/c.sock", Type: "bind", Options: []string{"rbind", "rw"}}
	}
	t.Run("mount", func(t *testing.T) {
		r := newRig(t, required, gate.Options{})
		base, pod := r.image("plain"), r.pod(node.PodOptions{})
		r.neighbour("10", func(a *api.ContainerAdjustment) { a.AddMount(socket(r)) })
		r.admit(pod, sleeps(base))
		r.refuse(pod, sleeps(base, marked), "phigate: blocked", "[runtime-socket-mounted, ")
		if d := r.newest(); d.Gate != policy.GateValidate {
			t.Errorf("it was refused at %s", d.Gate)
		}
	})
	inject := func(r *rig) {
		r.must(os.MkdirAll(r.node.CDI(), 0o755))
		spec := fmt.Sprintf("cdiVersion: 0.5.0\nkind: phigate.test/device\ndevices:\n- name: socket\n  containerEdits:\n    mounts:\n    - {hostPath: %s, containerPath: /run/c.sock, options: [rbind, rw]}\n", r.node.Address)
		r.must(os.WriteFile(filepath.Join(r.node.CDI(), "phigate.yaml"), []byte(spec), 0o644))
		r.neighbour("10", func(a *api.ContainerAdjustment) { a.AddCDIDevice(&api.CDIDevice{Name: "phigate.test/device=socket"}) })
	}
	t.Run("cdi_device_at_the_start", func(t *testing.T) {
		r := newRig(t, required, gate.Options{})
		base, pod := r.image("plain"), r.pod(node.PodOptions{})
		inject(r)
		r.injected(pod, sleeps(base, marked), policy.GateStart)
	})
	t.Run("cdi_device_in_the_wrapper", func(t *testing.T) {
		w := newWrapped(t, required, gate.Options{})
		base, pod := w.image("plain"), w.pod(node.PodOptions{})
		inject(w.rig)
		w.injected(pod, sleeps(base, marked), policy.GateWrapper)
	})
}

// injected creates a container that only the later gate can know to violate.
func (r *rig) injected(pod string, o node.ContainerOptions, later policy.Gate) {
	r.Helper()
	time.Sleep(500 * time.Millisecond) // containerd has read the new specification
	id, err := r.create(pod, o)
	r.must(err)
	r.contains(r.refusedStart(id), "phigate: blocked", "[runtime-socket-mounted, ")
	got, ds := r.gates(id)
	if diff := cmp.Diff([]string{"validate allow", string(later) + " block"}, got); diff != "" {
		r.Fatalf("-want +got:\n%s", diff)
	}
	if !deferred(ds[0], "runtime-socket-mounted") {
		r.Error("the first gate does not say that it left the rule to the next")
	}
}

func deferred(d policy.Decision, rule string) bool {
	for _, e := range d.Deferred {
		if e.Rule == rule {
			return true
		}
	}
	return false
}
