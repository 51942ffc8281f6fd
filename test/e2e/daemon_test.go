package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// required is a node that creates no container without phigate.
var required = node.Options{Require: []string{"phigate"}}

func TestPhigatedGone(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	base := r.image("plain")
	pod := r.pod(node.PodOptions{})

	t.Run("hung_at_validate", func(t *testing.T) {
		node.NeedsValidate(t)
		r := r.in(t)
		r.must(r.gate.Process().Freeze())
		r.refuse(pod, sleeps(base))
		r.must(r.gate.Process().Thaw()) // the runtime has dropped it; it comes back
		r.eventually("a compliant container is admitted again", 10*time.Second, func() bool {
			_, err := r.node.Create(r.ctx, pod, sleeps(base))
			return err == nil
		})
	})

	t.Run("killed", func(t *testing.T) {
		node.NeedsValidate(t)
		r := r.in(t)
		r.must(r.gate.Process().Kill())
		r.refuse(pod, sleeps(base), "phigate")
		r.must(r.gate.Start())
		r.must(r.gate.Ready(r.ctx))
		r.admit(pod, sleeps(base))
	})

	// Start is skipped when the plugin is gone, so what CRI calls privileged is
	// refused at Validate already.
	t.Run("killed_between_create_and_start", func(t *testing.T) {
		r := r.in(t)
		open := r.pod(node.PodOptions{Privileged: true})
		r.refuse(open, sleeps(base, func(o *node.ContainerOptions) { o.Privileged = true }), "privileged")
		id, err := r.create(pod, sleeps(base))
		r.must(err)
		r.must(r.gate.Process().Kill())
		r.must(r.node.StartContainer(r.ctx, id)) // judged at Validate, and not privileged
		r.must(r.gate.Start())
		r.must(r.gate.Ready(r.ctx))
		r.eventually("the container that ran meanwhile is caught up with", 10*time.Second, func() bool {
			ds := r.verdicts(id)
			return len(ds) == 2 && ds[1].Gate == policy.GateCatchUp && ds[1].Verdict == policy.Allow
		})
	})
}

func TestContainerdRestarted(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	base := r.image("plain")
	pod := r.pod(node.PodOptions{})
	r.admit(pod, sleeps(base))
	var took []time.Duration
	for range 3 {
		r.must(r.node.Restart(r.ctx))
		ready := time.Now()
		_, err := r.create(pod, sleeps(base))
		r.must(err)
		took = append(took, time.Since(ready))
	}
	// The middle one: a machine that others use too may hold one of them up.
	if slices.Sort(took); took[1] > 2*time.Second {
		t.Errorf("back %s, %s and %s after containerd was ready; want 2 s", took[0], took[1], took[2])
	}
}

func TestContainerdComesLater(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	base := r.image("plain")
	pod := r.pod(node.PodOptions{})
	r.must(r.gate.Stop())
	r.must(r.node.Kill())
	r.must(r.gate.Start())
	r.eventually("phigated says that containerd is absent", 10*time.Second, func() bool {
		s, err := r.gate.Status(r.ctx)
		return err == nil && !s.Runtime.Connected && s.Runtime.Error != ""
	})
	r.must(r.node.Resume(r.ctx))
	r.must(r.gate.Ready(r.ctx))
	r.admit(pod, sleeps(base))
}

func TestCatchUp(t *testing.T) {
	r := newRig(t, node.Options{}, gate.Options{})
	image := r.image("people", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
	pod := r.pod(node.PodOptions{})
	r.must(r.gate.Stop())
	var id string
	r.eventually("without required_plugins the gate is open, once the runtime has noticed", 5*time.Second, func() bool {
		var err error
		id, err = r.node.Create(r.ctx, pod, sleeps(image))
		return err == nil
	})
	r.must(r.node.StartContainer(r.ctx, id))
	r.must(r.gate.Start())
	r.eventually("a decision of gate catch-up", 15*time.Second, func() bool {
		ds := r.verdicts(id)
		return len(ds) == 1 && ds[0].Gate == policy.GateCatchUp && ds[0].Verdict == policy.Block
	})
	status, err := r.node.State(r.ctx, id)
	r.must(err)
	if status.State != runtimeapi.ContainerState_CONTAINER_RUNNING {
		t.Errorf("the container was stopped: state %v", status.State)
	}
}

const lenient = `
apiVersion: phigate.dev/v1alpha1
kind: Policy
metadata: {name: clinic}
spec:
  mode: audit
`

func TestPolicyReload(t *testing.T) {
	r := newRig(t, required, gate.Options{Policies: map[string]string{"clinic.yaml": lenient}})
	image := r.image("people", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
	pod := r.pod(node.PodOptions{})
	r.admit(pod, sleeps(image))
	first := r.policy(func(ask.PolicyStatus) bool { return true })
	scans := r.scans()

	r.must(r.gate.WritePolicy("clinic.yaml", strings.Replace(lenient, "mode: audit", "mode: enforce", 1)))
	strict := r.policy(func(p ask.PolicyStatus) bool { return p.Digest != first.Digest })
	r.refuse(pod, sleeps(image), "phi-table")
	if n := r.scans(); n != scans {
		t.Errorf("%d layers were scanned again for a new policy", n-scans)
	}

	r.must(r.gate.WritePolicy("clinic.yaml", strings.Replace(lenient, "mode: audit", "mod: audit", 1)))
	broken := r.policy(func(p ask.PolicyStatus) bool { return p.Error != "" })
	if broken.Digest != strict.Digest {
		t.Errorf("a broken policy replaced a good one: %s instead of %s", broken.Digest, strict.Digest)
	}
	r.contains(broken.Error, "clinic.yaml:6:", "mod")
	r.refuse(pod, sleeps(image), "phi-table")

	// A restart with a broken policy begins on the last good one, loudly.
	r.must(r.gate.Stop())
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	again := r.policy(func(p ask.PolicyStatus) bool { return p.LastGood })
	if again.Digest != strict.Digest || again.Error == "" {
		t.Errorf("the restart began on %s (error %q), want %s and an error", again.Digest, again.Error, strict.Digest)
	}
	r.refuse(pod, sleeps(image), "phi-table")

	// SIGHUP loads it again, and mending it is enough.
	r.must(r.gate.WritePolicy("clinic.yaml", lenient))
	r.must(r.gate.Process().Signal(syscall.SIGHUP))
	r.policy(func(p ask.PolicyStatus) bool { return p.Error == "" && !p.LastGood && p.Digest == first.Digest })
	r.admit(pod, sleeps(image))

	kinds := map[string]int{}
	ds, err := r.gate.Decisions(r.ctx)
	r.must(err)
	for _, d := range ds {
		kinds[d.Kind]++
	}
	if kinds["policy-loaded"] < 4 || kinds["policy-rejected"] < 2 {
		t.Errorf("got %v; want each change of policy in the log", kinds)
	}
}

// policy waits for a state of the policy.
func (r *rig) policy(ok func(ask.PolicyStatus) bool) (p ask.PolicyStatus) {
	r.Helper()
	r.eventually("the policy's state", 10*time.Second, func() bool {
		s, err := r.gate.Status(r.ctx)
		if err != nil {
			return false
		}
		p = s.Policy
		return ok(p)
	})
	return p
}

// scans counts the layers that were scanned, by phigated's log.
func (r *rig) scans() int {
	r.Helper()
	data, err := os.ReadFile(r.gate.LogFile())
	r.must(err)
	return strings.Count(string(data), "scanned a layer")
}

func TestWithoutAnyGoodPolicy(t *testing.T) {
	r := newRig(t, required, gate.Options{Policies: map[string]string{"clinic.yaml": "kind: [\n"}})
	base := r.image("plain")
	r.refuse(r.pod(node.PodOptions{}), sleeps(base), "no policy is in force")
}

func TestFactsSurviveAndDamageIsSetAside(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	image := r.image("people", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
	pod := r.pod(node.PodOptions{})
	scans := r.scans()
	r.must(r.gate.Stop())
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	if n := r.scans(); n != scans {
		t.Errorf("%d layers were scanned again after a restart", n-scans)
	}
	r.must(r.gate.Stop())
	facts := filepath.Join(r.gate.StateDir, "facts.db")
	r.must(os.WriteFile(facts, []byte("not a database"), 0o600))
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	if aside, _ := filepath.Glob(facts + ".corrupt-*"); len(aside) != 1 {
		t.Errorf("%d damaged files were set aside, want 1", len(aside))
	}
	r.refuse(pod, sleeps(image), "phi-table")
}

func TestManyContainers(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	base := r.image("plain")
	bad := r.image("people", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
	pod := r.pod(node.PodOptions{})
	one := func(t *testing.T, i int) {
		o, refused := sleeps(base), i%4 == 3
		if refused {
			o = sleeps(bad)
		}
		id, err := r.node.Create(r.ctx, pod, o)
		if (err != nil) != refused {
			t.Errorf("container %d: refused is %v, want %v: %v", i, err != nil, refused, err)
		}
		if err == nil {
			if err := r.node.Remove(r.ctx, id); err != nil {
				t.Errorf("removing container %d: %v", i, err)
			}
		}
	}
	t.Run("one_after_another", func(t *testing.T) {
		for i := range 200 {
			one(t, i)
		}
	})
	t.Run("eight_at_a_time", func(t *testing.T) {
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := range 25 {
					one(t, worker+i)
				}
			})
		}
		wg.Wait()
	})
}
