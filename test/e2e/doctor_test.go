package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// examined is what doctor says as JSON.
type examined struct {
	Healthy bool
	Checks  []struct{ Name, State, Says, Next string }
}

// doctor runs the command against the rig's node.
func (r *rig) doctor(env []string, args ...string) (out examined, code int) {
	r.Helper()
	args = append([]string{"doctor", "--format", "json", "--config", r.gate.Config}, args...)
	cmd := exec.CommandContext(r.ctx, filepath.Join(bin, "phigate"), args...)
	cmd.Env = append(os.Environ(), env...)
	data, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	if err := json.Unmarshal(data, &out); err != nil {
		r.Fatalf("doctor ended with %d and prints no JSON: %v", code, err)
	}
	return out, code
}

func (e examined) find(name, state, part string) bool {
	for _, c := range e.Checks {
		if c.Name == name && c.State == state && strings.Contains(c.Says, part) {
			return true
		}
	}
	return false
}

// The canary's bad container is refused over CRI and its good one runs, nothing
// is left of either, and the door that no wrapper guards is said to be open.
func TestDoctorsCanary(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	began := time.Now()
	got, code := r.doctor(nil, "--canary")
	t.Logf("the canary took %v", time.Since(began).Round(time.Millisecond))
	for _, want := range []struct{ name, state, part string }{
		{"containerd", "ok", node.Version()},
		{"registered", "ok", string(firstGate())},
		{"canary through CRI", "ok", "phi-table"},
		{"canary through CRI", "ok", "runs"},
		{"canary through ctr", "advice", "this door is open"},
		{"canary through ctr", "ok", "runs"},
		{"fail-open", "advice", "ctr, nerdctl or Docker"},
		{"snapshotter: overlayfs", "ok", "layer by layer"},
		{"permissions", "ok", ""},
	} {
		if !got.find(want.name, want.state, want.part) {
			t.Errorf("doctor does not say %s %q: %q", want.state, want.name, want.part)
		}
	}
	if code != 3 || got.Healthy {
		t.Errorf("doctor ends with %d, healthy %t; want 3 and false", code, got.Healthy)
	}
	if t.Failed() {
		for _, c := range got.Checks {
			t.Logf("%s %s: %s", c.State, c.Name, c.Says)
		}
	}
	for _, list := range [][]string{{"images", "ls", "-q"}, {"containers", "ls", "-q"}, {"snapshots", "ls"}} {
		out, err := r.node.Ctr(r.ctx, nil, list...)
		r.must(err)
		if strings.Contains(out, "canary") {
			t.Errorf("the canary leaves something behind in %s:\n%s", list[0], out)
		}
	}
	pods, err := r.node.CRI().ListPodSandbox(r.ctx, nil)
	r.must(err)
	if len(pods.GetItems()) > 0 {
		t.Errorf("the canary leaves %d pods", len(pods.GetItems()))
	}
}

// With phigated gone and required, the canary tells a refusal for want of it from a verdict.
func TestDoctorWithoutPhigated(t *testing.T) {
	node.NeedsValidate(t)
	r := newRig(t, required, gate.Options{})
	r.must(r.gate.Process().Kill())
	got, code := r.doctor(nil, "--canary")
	if code != 3 || !got.find("phigated", "problem", "does not answer") || !got.find("canary through CRI", "problem", "failed for another reason") ||
		!got.find("canary through CRI", "problem", "does not run") {
		t.Errorf("doctor ends with %d and says %+v", code, got.Checks)
	}
	r.gate = nil // it has been ended
}
