package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// wrapped is a node whose runc is phigate-runc, by its place in containerd's PATH.
type wrapped struct {
	*rig
	config string // the wrapper's configuration
}

func newWrapped(t *testing.T, n node.Options, g gate.Options) *wrapped {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(bin, "phigate-runc"), filepath.Join(dir, "runc")); err != nil {
		t.Fatal(err)
	}
	w := &wrapped{config: filepath.Join(dir, "runc.yaml")}
	n.Before, n.Env = dir, []string{"PHIGATE_RUNC_CONFIG=" + w.config}
	w.rig = newRig(t, n, g)
	w.configure("")
	return w
}

// configure writes the wrapper's configuration, with more lines.
func (w *wrapped) configure(more string) {
	w.Helper()
	text := fmt.Sprintf("runc: %s\nsocket: %s\nbreakGlass: %s\nspool: %s\n%s", realRunc(w.T), w.gate.GateSocket(),
		w.glass(), filepath.Join(w.gate.StateDir, "breakglass"), more)
	w.must(os.WriteFile(w.config, []byte(text), 0o600))
}

func (w *wrapped) glass() string { return filepath.Join(filepath.Dir(w.config), "break-glass") }

// realRunc is Debian's runc.
func realRunc(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/sbin/runc", "/usr/bin/runc"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("runc is not installed; run test/setup")
	return ""
}

// ctrImage imports an image for ctr's own namespace.
func (w *wrapped) ctrImage(name string, changes ...images.Change) string {
	w.Helper()
	img, err := gate.Make(changes...)
	w.must(err)
	w.must(w.node.ImportIn(w.ctx, "default", gate.Image(name), img))
	return gate.Image(name)
}

// only are the verdicts on the container, which must be of one gate and one action.
func (w *wrapped) only(id string, gate policy.Gate, want policy.Action) policy.Decision {
	w.Helper()
	ds := w.verdicts(id)
	if len(ds) != 1 || ds[0].Gate != gate || ds[0].Verdict != want {
		w.Fatalf("%d decisions on %s, want one of gate %s: %v; got %+v", len(ds), id, gate, want, ds)
	}
	return ds[0]
}

func TestCtr(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	plain := w.ctrImage("plain")
	people := w.ctrImage("people", images.Files{"/data/patients.csv": images.Text(gate.Patients(12))})

	out, err := w.node.Run(w.ctx, node.RunOptions{ID: "good", Image: plain, Command: []string{"/bin/echo", "it runs"}})
	if err != nil || !strings.Contains(out, "it runs") {
		t.Fatalf("a compliant container did not run: %v: %s", err, out)
	}
	d := w.only("good", policy.GateWrapper, policy.Allow)
	t.Logf("%+v", d)
	_, err = w.node.Run(w.ctx, node.RunOptions{ID: "bad", Image: people, Command: []string{"/bin/echo", "it runs"}})
	if err == nil {
		t.Fatal("a container with patients ran")
	}
	t.Log(err)
}
