package e2e

import (
	"os"
	"path/filepath"
	"testing"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// examplePolicy is the dialect's worked example, as deploy/ ships it.
func examplePolicy(t *testing.T) map[string]string {
	t.Helper()
	root, err := node.Root()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, "deploy/policies/example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"example.yaml": string(data)}
}

func TestGates(t *testing.T) {
	r := newRig(t, node.Options{Require: []string{"phigate"}}, gate.Options{Policies: examplePolicy(t)})
	base := r.image("plain")
	pod := r.pod(node.PodOptions{})

	t.Run("compliant_runs", func(t *testing.T) {
		r := r.in(t)
		id := r.admit(pod, sleeps(base))
		status, err := r.node.State(r.ctx, id)
		r.must(err)
		if status.State != runtimeapi.ContainerState_CONTAINER_RUNNING {
			t.Errorf("state %v, want running", status.State)
		}
		ds := r.verdicts(id)
		if len(ds) != 2 || ds[0].Gate != policy.GateValidate || ds[1].Gate != policy.GateStart {
			t.Fatalf("got %d decisions, want one at validate and one at start", len(ds))
		}
		for _, d := range ds {
			if d.Verdict != policy.Allow || d.Coverage.Files == 0 || d.Namespace != "clinic-a" || d.Image != base {
				t.Errorf("%s: verdict %v, %d files, namespace %q, image %q", d.Gate, d.Verdict, d.Coverage.Files, d.Namespace, d.Image)
			}
		}
		if len(ds[0].Deferred) == 0 || len(ds[1].Deferred) != 0 {
			t.Errorf("%d rules deferred at validate and %d at start; want some and none", len(ds[0].Deferred), len(ds[1].Deferred))
		}
	})

	t.Run("file_scanner_and_network_scanner_in_one_answer", func(t *testing.T) {
		r := r.in(t)
		image := r.image("portal", images.Files{"/data/phi/patients.csv": images.Text(gate.Patients(12))}, images.Ports{"21/tcp"})
		r.refuse(pod, sleeps(image), "phigate: blocked clinic-a/app: ", "/data/phi/patients.csv", "no-patient-files",
			"(~12 people)", "[phi-table, 45 CFR 164.", "plaintext-ports", "45 CFR 164.312(e)(1)", "phigate decisions ")
	})
}

// in is the rig for a subtest.
func (r *rig) in(t *testing.T) *rig {
	sub := *r
	sub.T = t
	return &sub
}
