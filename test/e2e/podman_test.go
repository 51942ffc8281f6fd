package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// A real podman calls phigate-hook by the shipped hooks.d file; a refusal ends the
// creation with our line, nothing is left, and the layers are known by containers/storage's own names.
func TestPodman(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	hooks := t.TempDir()
	file, err := os.ReadFile("../../deploy/oci-hooks/phigate.json")
	w.must(err)
	text := strings.Replace(string(file), "/usr/local/bin/phigate-hook", filepath.Join(bin, "phigate-hook"), 1)
	text = strings.Replace(text, `["phigate-hook"]`, `["phigate-hook", "--config", "`+w.Config+`"]`, 1)
	w.must(os.WriteFile(filepath.Join(hooks, "phigate.json"), []byte(text), 0o600))
	podman, err := w.node.Podman(hooks)
	w.must(err)
	load := func(name string, changes ...images.Change) string {
		t.Helper()
		img, err := gate.Make(changes...)
		w.must(err)
		w.must(podman.Load(w.ctx, gate.Image(name), img))
		return gate.Image(name)
	}
	plain, people := load("plain"), load("people", images.Files{"/data/patients.csv": images.Text(gate.Patients(12))})

	out, err := podman.Run(w.ctx, "good", plain, "/bin/echo", "ran:good")
	if err != nil || !strings.Contains(out, "ran:good") {
		t.Fatalf("a compliant container did not run: %v", err)
	}
	ds, err := w.gate.Decisions(w.ctx)
	w.must(err)
	var good *policy.Decision
	for i := range ds {
		if ds[i].Kind == "verdict" && ds[i].Gate == policy.GateHook {
			good = &ds[i]
		}
	}
	if good == nil || good.Verdict != policy.Allow || good.Runtime != "podman" || good.Coverage.Files == 0 {
		t.Fatalf("the hook's decision is %+v", good)
	}
	refused := func(id, image string, wants ...string) {
		t.Helper()
		out, err := podman.Run(w.ctx, id, image, "/bin/echo", "ran:"+id)
		if err == nil || strings.Contains(out, "ran:"+id+"\n") {
			t.Fatalf("%s ran: %s", id, out)
		}
		w.contains(err.Error(), wants...)
	}
	refused("people", people, "phigate: blocked ", "/data/patients.csv", "[phi-table, ")
	w.must(w.gate.Stop())
	refused("gone", plain, "phigated does not answer at ")
	if out, err := podman.Do(w.ctx, nil, "ps", "--all", "--quiet"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("podman has left containers (%v): %s", err, out)
	}
}
