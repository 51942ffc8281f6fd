package config

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	files "github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/rules"
)

var update = flag.Bool("update", false, "write generated files anew")

// whole is the catalogue as it is built in, of rules and detectors.
func whole() (infos []policy.Info) {
	for _, r := range rules.All() {
		infos = append(infos, r.Info)
	}
	return append(infos, files.Infos()...)
}

// TestBaseline: the profile that operators read and diff is the catalogue's
// defaults, each of them.
func TestBaseline(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Generated from the catalogue: go test ./policy/config -run TestBaseline -update
# The built-in policy, which is in force beneath all others: each rule of the
# catalogue with its default action. To change one, name it in a policy of your
# own; naming this in ` + "`extends`" + ` says what is so anyway.
apiVersion: phigate.dev/v1alpha1
kind: Policy
metadata: {name: hipaa-baseline}
spec:
  description: The catalogue's default actions
  failure: {undecided: block, unreadable: block, unscannable: warn, stale: warn}
  deleted: block
  platformNamespaces: [kube-system]
  rules:
`)
	for _, info := range whole() {
		phi := ""
		if info.WithPHI != nil {
			phi = "; " + info.WithPHI.String() + " where ePHI is mounted"
		}
		fmt.Fprintf(&b, "  - {id: %s, action: %s} # %s%s%s\n", info.ID, info.Default, strings.Join(append(slices.Clone(info.Aliases), ""), ": "), info.Title, phi)
	}
	generated(t, "profiles/hipaa-baseline.yaml", b.String())
}

// generated holds a profile to the catalogue.
func generated(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s is not what the catalogue says (-file +catalogue); write it anew with -update:\n%s", name, diff)
	}
}

// TestProposedProfile: what the proposed rule would ask for is one step stricter
// than the baseline, and each line says that it is proposed.
func TestProposedProfile(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Generated from the catalogue: go test ./policy/config -run TestProposedProfile -update
# What the notice of proposed rulemaking of 6 January 2025 (RIN 0945-AA22, 90 FR
# 898) would ask for beyond the Security Rule, as far as a container shows it. It
# is proposed and no law: nothing in here is cited as one. Numbers are those of
# the proposed text.
apiVersion: phigate.dev/v1alpha1
kind: Policy
metadata: {name: nprm-2025}
spec:
  description: Proposed, not law; for those who want to be ready
  rules:
`)
	for _, info := range whole() {
		if len(info.Proposed) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  - {id: %s, action: %s} # %s\n", info.ID, max(info.Default, policy.Warn)-1, info.Proposed[0])
	}
	generated(t, "profiles/nprm-2025.yaml", b.String())
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "{id:") && !strings.Contains(line, "# proposed ") {
			t.Errorf("%s does not say that it is proposed", strings.TrimSpace(line))
		}
	}
}

// TestProfiles: each compiles, alone and extended, and says nothing that the
// built-in policy must not say.
func TestProfiles(t *testing.T) {
	if diff := cmp.Diff([]string{"example", "hipaa-baseline", "hipaa-strict", "nprm-2025"}, profileNames()); diff != "" {
		t.Errorf("profiles (-want +got):\n%s", diff)
	}
	for _, f := range Profiles() {
		name := strings.TrimSuffix(f.Name, ".yaml")
		t.Run(name, func(t *testing.T) {
			c := newCompiler(whole())
			c.builtIn = true
			if problems := c.read([]File{f}); len(problems.Errors()) > 0 || len(c.documents) != 1 || c.documents[0].Name != name {
				t.Fatalf("got %d documents, %v", len(c.documents), problems)
			}
			d := c.documents[0]
			if !d.EnforceAfter.IsZero() || d.Selector.Excludes(&policy.Subject{}) != "" || d.Mode != nil && *d.Mode != policy.Enforce {
				t.Error("a profile has no roll-out, no selector and no mode")
			}
			p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(ownHead + "spec: {extends: [" + name + "]}\n")}}, whole())
			if p == nil {
				t.Fatal(problems)
			}
		})
	}
}

func TestExtends(t *testing.T) {
	p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(ownHead + `spec:
  extends: [hipaa-baseline, example, hipaa-strict]
  failure: {undecided: audit}
  rules:
  - {id: writable-root-filesystem, action: block}
  - {id: plaintext-ports, action: block}
`)}}, whole())
	if p == nil {
		t.Fatal(problems)
	}
	d := p.Documents[0]
	if diff := cmp.Diff([]string{"hipaa-baseline", "example", "hipaa-strict"}, d.Extends); diff != "" {
		t.Errorf("extends (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]policy.Action{"writable-root-filesystem": policy.Block, "plaintext-ports": policy.Block}, d.Actions); diff != "" {
		t.Errorf("own words (-want +got):\n%s", diff)
	}
	for rule, want := range map[string]policy.Inherited{
		"run-as-root":              {Action: policy.Block, Profile: "hipaa-strict"},
		"no-patient-files":         {Action: policy.Block, Profile: "example"},
		"writable-root-filesystem": {},
		"plaintext-ports":          {},
	} {
		if got := d.Inherited[rule]; got != want {
			t.Errorf("%s: inherited %v, want %v", rule, got, want)
		}
	}
	if *d.Failure.Undecided != policy.Audit || *d.Failure.Unscannable != policy.Block || *d.Deleted != policy.Block {
		t.Errorf("failure and deleted: got %+v, %v", d.Failure, d.Deleted)
	}
	if len(d.FileRules) != 1 || len(d.Rules) == 0 {
		t.Errorf("got %d file rules and %d rules of the example's", len(d.FileRules), len(d.Rules))
	}
	// A second document may extend the same.
	both := ownHead + "spec: {extends: [example]}\n---\n" + strings.Replace(ownHead, "clinic", "lab", 1) + "spec: {extends: [example]}\n"
	if p, problems = Compile([]File{{Name: "p.yaml", Data: []byte(both)}}, whole()); p == nil {
		t.Error(problems)
	}
}
