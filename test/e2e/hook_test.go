package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// bundle makes a bundle whose createRuntime hook is phigate-hook, and which
// holds the files beside busybox.
func (w *wrapped) bundle(id string, files map[string]string) string {
	w.Helper()
	dir := filepath.Join(w.T.TempDir(), id)
	root := filepath.Join(dir, "rootfs")
	w.must(os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	busybox, err := os.ReadFile("/bin/busybox")
	w.must(err)
	w.must(os.WriteFile(filepath.Join(root, "bin/busybox"), busybox, 0o755))
	for name, text := range files {
		w.must(os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	cmd := exec.Command(realRunc(w.T), "spec", "--bundle", dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("making a spec: %v: %s", err, out)
	}
	var spec specs.Spec
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	w.must(err)
	w.must(json.Unmarshal(data, &spec))
	spec.Process.Terminal, spec.Process.Args = false, []string{"/bin/busybox", "echo", "ran:" + id}
	spec.Linux.CgroupsPath = "/" + filepath.Base(w.node.Dir) + "/" + id
	spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{
		Path: filepath.Join(bin, "phigate-hook"), Args: []string{"phigate-hook", "--config", w.config},
	}}}
	data, err = json.Marshal(spec)
	w.must(err)
	w.must(os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600))
	return dir
}

// runc runs a bundle by the real runtime and returns what it printed.
func (w *wrapped) runc(id, bundle string) (string, error) {
	cmd := exec.CommandContext(w.ctx, realRunc(w.T), "--root", filepath.Join(w.node.Dir, "runc/by-hand"), "run", "--bundle", bundle, id)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A runtime without the wrapper asks by its hook, and takes back what it began
// when that refuses.
func TestHook(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	out, err := w.runc("good", w.bundle("good", nil))
	if err != nil || !strings.Contains(out, "ran:good") {
		t.Fatalf("a compliant container did not run: %v: %s", err, out)
	}
	if d := w.only("good", policy.GateHook, policy.Allow); d.Runtime != "other" || len(d.Skipped)+len(d.Deferred) > 0 || d.Coverage.Files == 0 {
		t.Errorf("got %+v", d)
	}
	refused := func(id, bundle string, wants ...string) {
		t.Helper()
		out, err := w.runc(id, bundle)
		if err == nil || strings.Contains(out, "ran:"+id+"\n") {
			t.Errorf("%s ran: %s", id, out)
		}
		w.contains(out, wants...)
		left, _ := filepath.Glob(filepath.Join(w.node.Dir, "runc/by-hand", id))
		groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Base(w.node.Dir) + "/" + id)
		if len(left)+len(groups) > 0 {
			t.Errorf("%s has left %v %v", id, left, groups)
		}
	}
	refused("people", w.bundle("people", map[string]string{"patients.csv": gate.Patients(12)}), "phigate: blocked people: ", "/patients.csv", "[phi-table, ")
	w.must(w.gate.Stop())
	refused("gone", w.bundle("gone", nil), "phigated does not answer at ")
	w.must(os.WriteFile(w.config, []byte(fmt.Sprintf("socket: %s\nhurry: yes\n", w.gate.GateSocket())), 0o600))
	refused("config", w.bundle("config", nil), "is no key")
}
