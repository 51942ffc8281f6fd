package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/simulate"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// While phigated runs and holds its facts, simulate judges the images of its
// containerd by a copy of them, and the decisions of its log; explain says whose
// word a decision follows.
func TestSimulate(t *testing.T) {
	r := newRig(t, node.Options{}, gate.Options{})
	base := r.image("simulated-plain", images.Files{"/srv/a.txt": images.Text("x\n")})
	r.image("simulated-csv", images.Files{"/srv/a.csv": images.Text("a,b\n")})
	r.admit(r.pod(node.PodOptions{Name: "simulated"}), sleeps(base))
	file := filepath.Join(t.TempDir(), "new.yaml")
	r.must(os.WriteFile(file, []byte("apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: new}\nspec:\n  selector: {namespaces: {in: [clinic-a]}}\n"+
		"  rules:\n  - {id: no-tables, title: No tables, scanner: file, match: {any: [\"name: *.csv\"]}, action: block}\n"), 0o600))

	var out simulate.Images
	r.simulated(&out, "--images", "--namespace", "clinic-a", file)
	var refused []string
	for _, i := range out.Refused {
		if strings.Join(i.Rules, " ") == "no-tables" {
			refused = append(refused, i.Image)
		}
	}
	if len(refused) != 1 || refused[0] != gate.Image("simulated-csv") || out.Total < 2 {
		t.Errorf("of %d images are refused by the rule: %q; unknown: %v", out.Total, refused, out.Unknown)
	}
	var decided simulate.Decisions
	r.simulated(&decided, "--decisions", file)
	if decided.Total == 0 || len(decided.Refused) > 0 || strings.Join(decided.NotAsked, " ") != "no-tables" {
		t.Errorf("of %d decisions %d would be refused; not asked: %q", decided.Total, len(decided.Refused), decided.NotAsked)
	}
	text, code := r.phigate("policy", "explain", "--config", r.gate.Config, strconv.FormatUint(r.newest().Seq, 10))
	if code != 0 {
		t.Errorf("explain ended with %d", code)
	}
	r.contains(text, "ALLOWED  clinic-a/", "hipaa-baseline, built in")
}

// simulated runs phigate policy simulate and reads its JSON.
func (r *rig) simulated(out any, args ...string) {
	r.Helper()
	text, code := r.phigate(append([]string{"policy", "simulate", "--format", "json", "--config", r.gate.Config}, args...)...)
	if code != 0 {
		r.Fatalf("simulate ended with %d: %s", code, policy.Printable(text))
	}
	r.must(json.Unmarshal([]byte(text), out))
}

// phigate is a command line, its answer and its exit code.
func (r *rig) phigate(args ...string) (stdout string, code int) {
	r.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(r.ctx, filepath.Join(bin, "phigate"), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.Log(errs.String())
		return out.String(), exit.ExitCode()
	case err != nil:
		r.Fatal(err)
	}
	return out.String(), 0
}
