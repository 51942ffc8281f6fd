package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// bundle makes a bundle whose createRuntime hook is phigate-hook, and which
// holds the files beside busybox.
func (w *wrapped) bundle(id string, files map[string]string) *gate.Bundle {
	w.Helper()
	b, err := gate.NewBundle(w.node, w.T.TempDir(), id, bin, w.Wrapper, files)
	w.must(err)
	return b
}

// A runtime without the wrapper asks by its hook, and takes back what it began
// when that refuses.
func TestHook(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	out, err := w.bundle("good", nil).Run(w.ctx)
	if err != nil || !strings.Contains(out, "ran:good") {
		t.Fatalf("a compliant container did not run: %v: %s", err, out)
	}
	if d := w.only("good", policy.GateHook, policy.Allow); d.Runtime != "other" || len(d.Skipped)+len(d.Deferred) > 0 || d.Coverage.Files == 0 {
		t.Errorf("got %+v", d)
	}
	refused := func(id string, files map[string]string, wants ...string) {
		t.Helper()
		b := w.bundle(id, files)
		out, err := b.Run(w.ctx)
		if err == nil || strings.Contains(out, "ran:"+id+"\n") {
			t.Errorf("%s ran: %s", id, out)
		}
		w.contains(out, wants...)
		if left, err := b.Left(); err != nil || len(left) > 0 {
			t.Errorf("%s has left %v (error %v)", id, left, err)
		}
	}
	refused("people", map[string]string{"patients.csv": gate.Patients(12)}, "phigate: blocked people: ", "/patients.csv", "[phi-table, ")
	w.must(w.gate.Stop())
	refused("gone", nil, "phigated does not answer at ")
	w.must(os.WriteFile(w.Config, []byte(fmt.Sprintf("socket: %s\nhurry: yes\n", w.gate.GateSocket())), 0o600))
	refused("config", nil, "is no key")
}
