package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/policy"
)

// judgedNode is a state folder whose log holds one refusal and one admission, a
// policy that turns both around, and one that is not in force anywhere.
func judgedNode(t *testing.T) (dir, turned, same string) {
	t.Helper()
	dir = t.TempDir()
	log, err := audit.Open(filepath.Join(dir, "decisions"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*policy.Decision{
		{Kind: "start", Verdict: policy.Block},
		{Kind: "verdict", Gate: policy.GateValidate, Target: "clinic-a/app", Namespace: "clinic-a", Verdict: policy.Block, Policy: "sha256:old",
			Findings: []policy.Record{{Rule: "phi-table", Action: policy.Block, Path: "/data/patients.csv", Message: "patient table"}},
			Deferred: []policy.Deferred{{Rule: "no-new-privileges-off", Gate: policy.GateStart, Missing: "no_new_privileges"}}},
		{Kind: "verdict", Gate: policy.GateStart, Target: "clinic-a/web", Namespace: "clinic-a", Verdict: policy.Allow, Policy: "sha256:old",
			Findings: []policy.Record{{Rule: "run-as-root", Action: policy.Warn, Field: "process.user.uid", Message: "runs as root"}}},
	} {
		if _, err := log.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	head := "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: clinic}\nspec:\n  selector: {namespaces: {in: [\"clinic-*\"]}}\n"
	turned, same = filepath.Join(dir, "turned.yaml"), filepath.Join(dir, "same.yaml")
	for name, text := range map[string]string{
		turned: head + "  rules: [{id: phi-table, action: audit}, {id: run-as-root, action: block}]\n", same: head,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, turned, same
}

// run is a command line and what it prints.
func run(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Main(args, "v0", &out, &err)
	return code, out.String(), err.String()
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}

func TestExplainDecision(t *testing.T) {
	dir, turned, _ := judgedNode(t)
	code, out, errs := run("policy", "explain", "2", "--state-dir", dir, "--policy", turned)
	if code != ExitClean || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	contains(t, out, "BLOCKED  clinic-a/app\n", "  applies         clinic, ", "audit  phi-table\n         file /data/patients.csv: patient table\n",
		") says audit\n", "rules that a later gate judges\n", "no-new-privileges-off: gate start will see no_new_privileges\n",
		"decided under another policy (sha256:old); the reasons are those of sha256:", "rules of which the record says nothing\n")
	for _, test := range []struct {
		seq, want string
		code      int
	}{{"9", "no decision 9 in ", ExitUsage}, {"1", `record 1 is no verdict but "start"`, ExitUsage}} {
		code, _, errs := run("policy", "explain", test.seq, "--state-dir", dir, "--policy", turned)
		if code != test.code {
			t.Errorf("exit code %d, want %d", code, test.code)
		}
		contains(t, errs, test.want)
	}
}

func TestSimulateDecisions(t *testing.T) {
	dir, turned, same := judgedNode(t)
	code, out, errs := run("policy", "simulate", "--decisions", "--exit-code", "--state-dir", dir, turned)
	if code != ExitBlocked || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	contains(t, out, "of 2 decisions, 1 would be refused that were admitted, and 1 admitted that were refused\n",
		"  clinic-a/web: run-as-root: warn -> block\n", "  clinic-a/app: phi-table: block -> audit\n", "      1 decisions: run-as-root\n")
	code, out, _ = run("policy", "simulate", "--decisions", "--exit-code", "--format", "json", "--state-dir", dir, same)
	if code != ExitClean {
		t.Errorf("exit code %d where nothing changes", code)
	}
	contains(t, out, `"same": 2`, `"refused": []`, `"admitted": []`, `"unknown": []`)
	code, out, errs = run("policy", "simulate", "--decisions", "--exit-code", "--state-dir", dir, "hipaa-strict")
	if code != ExitBlocked || errs != "" {
		t.Errorf("a built-in policy: exit code %d: %s", code, errs)
	}
	contains(t, out, "of 2 decisions, 1 would be refused that were admitted", "  clinic-a/web: run-as-root: warn -> block\n")
	code, _, errs = run("policy", "simulate", "--decisions", "--state-dir", dir, "hipaa-strikt")
	if code != ExitUsage {
		t.Errorf("no built-in policy: exit code %d", code)
	}
	contains(t, errs, "hipaa-strikt does not exist")
}
