package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// seen is how soon a container that no gate has judged must be known.
const seen = 2 * time.Second

// detached starts a container by ctr, which no gate hears of, and leaves it running.
func (r *rig) detached(namespace, id, image string, command ...string) {
	r.Helper()
	out, err := r.node.Run(r.ctx, node.RunOptions{Namespace: namespace, ID: id, Image: image, Keep: true,
		Args: []string{"--detach", "--null-io"}, Command: command})
	if err != nil {
		r.Fatalf("%v: %s", err, out)
	}
	r.Cleanup(func() {
		_, _ = r.node.CtrIn(r.ctx, namespace, "tasks", "rm", "--force", id) // where it still runs
		_, _ = r.node.CtrIn(r.ctx, namespace, "containers", "rm", id)
	})
}

// bypasses waits until the status has n unjudged containers.
func (r *rig) bypasses(n int) ask.BypassStatus {
	r.Helper()
	var got ask.BypassStatus
	r.eventually("containers that no gate has judged are in the status", seen, func() bool {
		s, err := r.gate.Status(r.ctx)
		if err == nil {
			got = s.Bypass
		}
		return got.Unjudged >= n
	})
	if got.Unjudged != n {
		r.Errorf("%d unjudged containers, want %d: %+v", got.Unjudged, n, got.Recent)
	}
	return got
}

// recorded are the decisions of a kind.
func (r *rig) recorded(kind string) (out []policy.Decision) {
	r.Helper()
	all, err := r.gate.Decisions(r.ctx)
	r.must(err)
	for _, d := range all {
		if d.Kind == kind {
			out = append(out, d)
		}
	}
	return out
}

// task says whether ctr shows the container's process running.
func (r *rig) task(namespace, id string) bool {
	r.Helper()
	out, err := r.node.CtrIn(r.ctx, namespace, "tasks", "ls")
	r.must(err)
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == id {
			return f[2] == "RUNNING"
		}
	}
	return false
}

// What came by a road without a gate is recorded and named; what the kubelet
// starts never is, whatever happens to phigated in between.
func TestBypassIsSeen(t *testing.T) {
	r := newRig(t, node.Options{}, gate.Options{})
	image := r.image("plain")
	pod := r.pod(node.PodOptions{})
	cri := r.admit(pod, sleeps(image))

	r.detached("k8s.io", "aside", image, "/bin/sleep", "1000")
	got := r.bypasses(1).Recent[0]
	if got.Namespace != "k8s.io" || got.ID != "aside" || got.Image != image || got.Client != "ctr" || got.Killed {
		t.Errorf("the status names %+v", got)
	}
	// One that has ended by the time that anyone can look.
	if out, err := r.node.Run(r.ctx, node.RunOptions{Namespace: "k8s.io", ID: "brief", Image: image, Command: []string{"/bin/true"}}); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.bypasses(2)
	ds := r.recorded("bypass")
	if len(ds) != 2 || ds[0].Container != "aside" || ds[1].Container != "brief" || ds[0].Verdict != policy.Audit || ds[0].RuntimeNamespace != "k8s.io" || ds[0].Seq != got.Seq {
		t.Errorf("recorded %d: %+v", len(ds), ds)
	}
	r.contains(ds[0].Message, image, "install the runc wrapper", "it runs on")
	if !r.task("k8s.io", "aside") {
		t.Error("it was not only recorded: it has ended")
	}

	// While phigated is away the gate is open; what is known already is not recorded again.
	r.must(r.gate.Stop())
	r.image2("other", image)
	r.detached("other", "meanwhile", image, "/bin/sleep", "1000")
	var unasked string
	r.eventually("without required_plugins the gate is open", 5*time.Second, func() bool {
		id, err := r.node.Create(r.ctx, pod, sleeps(image))
		unasked = id
		return err == nil
	})
	r.must(r.node.StartContainer(r.ctx, unasked))
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	for _, found := range r.bypasses(2).Recent {
		if found.ID != "aside" && found.ID != "meanwhile" {
			t.Errorf("the status names %s", found.ID)
		}
	}
	r.eventually("the container of the kubelet's is caught up with", 10*time.Second, func() bool { return len(r.verdicts(unasked)) == 1 })

	// containerd goes and comes back: nothing new, and what is new is seen.
	r.must(r.node.Restart(r.ctx))
	r.must(r.gate.Ready(r.ctx))
	late := r.admit(pod, sleeps(image))
	r.detached("other", "later", image, "/bin/sleep", "1000")
	r.bypasses(3)
	r.must(r.node.RemovePod(r.ctx, pod))
	again := r.pod(node.PodOptions{})
	last := r.admit(again, sleeps(image))
	time.Sleep(time.Second)
	s := r.bypasses(3)
	for _, d := range r.recorded("bypass") {
		switch d.Container {
		case cri, unasked, late, last, pod, again:
			t.Errorf("decision %d says that a container of the kubelet's came unjudged", d.Seq)
		}
	}
	if n := len(r.recorded("bypass")); n != 4 {
		t.Errorf("%d are recorded, want 4", n)
	}
	if s.Pods == 0 {
		t.Error("no pod's sandbox was seen as such")
	}
}

// image2 names an image of the kubelet's in another namespace too.
func (r *rig) image2(namespace, image string) {
	r.Helper()
	img, err := gate.Make()
	r.must(err)
	r.must(r.node.ImportIn(r.ctx, namespace, image, img))
}

// With onUnjudged: kill what no gate has judged ends, and nothing else does.
func TestBypassIsKilled(t *testing.T) {
	r := newRig(t, node.Options{}, gate.Options{OnUnjudged: "kill"})
	image := r.image("plain")
	id := r.admit(r.pod(node.PodOptions{}), sleeps(image))
	r.image2("default", image)
	began := time.Now()
	r.detached("default", "aside", image, "/bin/sleep", "1000")
	r.eventually("the container is killed", seen, func() bool { return !r.task("default", "aside") })
	t.Logf("killed %s after ctr run began", time.Since(began).Round(time.Millisecond))
	got := r.bypasses(1)
	if got.Killed != 1 || !got.Recent[0].Killed {
		t.Errorf("the status says %+v", got)
	}
	ds := r.recorded("bypass")
	if len(ds) != 1 || ds[0].Verdict != policy.Block || ds[0].Runtime != "ctr" {
		t.Fatalf("recorded %+v", ds)
	}
	r.contains(ds[0].Message, "it was killed")

	// A restart kills what started meanwhile, and nothing of the kubelet's.
	r.must(r.gate.Stop())
	r.detached("default", "meanwhile", image, "/bin/sleep", "1000")
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	r.eventually("what started meanwhile is killed", seen, func() bool { return !r.task("default", "meanwhile") })
	if !r.task("k8s.io", id) {
		t.Error("the kubelet's container was killed")
	}
}
