package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

const planted = "PLANTED-hunter2"

func decided(t *testing.T, body string, s *policy.Subject, findings ...policy.Finding) *policy.Decision {
	t.Helper()
	p := compile(t, ownHead+"spec:\n"+body)
	report := policy.Report{Findings: findings, Now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	return policy.NewDecision(s, policy.Decide(p, s, report), report.Now, 0)
}

func portal() *policy.Subject {
	return &policy.Subject{
		Name: "portal", Runtime: "cri", Pod: policy.Pod{Namespace: "clinic-a", Labels: map[string]string{"tier": "sandbox"}},
		Image: policy.Image{Ref: "evil.example/\x1b[31mportal:1"}, Sees: policy.FactSpec | policy.FactImage,
		Spec: &specs.Spec{Process: &specs.Process{Env: []string{"DB_PASS=" + planted}}, Root: &specs.Root{}},
	}
}

const registryRule = `  rules:
  - id: clinic-registries-only
    title: Images come from the clinic's registry
    severity: critical
    cites: ["164.308(b)(1)"]
    condition: '!image.name.startsWith("registry.example/")'
    message: 'image {{image.name}} of {{ pod.namespace }} is not from registry.example'
    fix: Push the image to registry.example and deploy it by digest.
    action: block
`

func TestOwnRule(t *testing.T) {
	d := decided(t, registryRule, portal())
	if d.Verdict != policy.Block || len(d.Findings) != 1 {
		t.Fatalf("got %s with %d findings", d.Verdict, len(d.Findings))
	}
	f := d.Findings[0]
	if f.Rule != "clinic-registries-only" || f.Severity != policy.Critical || f.Field != "image.name" || f.Citations[0] != "45 CFR 164.308(b)(1)" ||
		f.Message != `image evil.example/\x1b[31mportal of clinic-a is not from registry.example` {
		t.Errorf("got %+v", f)
	}
	good := portal()
	good.Image.Ref = "registry.example/clinic/portal:1"
	if d := decided(t, registryRule, good); d.Verdict != policy.Allow || d.Coverage.Rules != 1 {
		t.Errorf("the clinic's own image: %s, %d rules answered", d.Verdict, d.Coverage.Rules)
	}
}

// TestOwnRuleUnanswered: what a condition cannot tell is undecided, deferred or
// nothing to judge, and never a pass. No value is ever said.
func TestOwnRuleUnanswered(t *testing.T) {
	rule := func(condition string) string {
		return "  rules:\n  - {id: x, title: x, action: warn, condition: '" + condition + "'}\n"
	}
	early := portal()
	early.Sees, early.Later, early.LaterGate = policy.FactImage, policy.FactSpec, policy.GateStart
	atRest := portal()
	atRest.Sees, atRest.Never = policy.FactImage, policy.FactSpec
	blind := portal()
	blind.Sees = 0
	for _, c := range []struct {
		name, condition string
		s               *policy.Subject
		verdict         policy.Action
		said            string
	}{
		{"error", `container.env["ABSENT"] == "x"`, portal(), policy.Block, "gave no answer"},
		{"value_as_key", `container.env[container.env["DB_PASS"]] == "x"`, portal(), policy.Block, "gave no answer"},
		{"deferred", `spec.root.readonly`, early, policy.Allow, `"gate":"start"`},
		{"not_of_this_kind", `spec.root.readonly`, atRest, policy.Allow, "nothing to judge: no read-only root"},
		{"not_seen", `spec.root.readonly`, blind, policy.Block, "not seen here: read-only root"},
		{"digest_not_known", `image.digest == ""`, portal(), policy.Block, "not seen here: image digest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decided(t, rule(c.condition), c.s)
			out, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			if d.Verdict != c.verdict || !strings.Contains(string(out), c.said) || strings.Contains(string(out), planted) || len(d.Findings) != 0 {
				t.Errorf("got %s, want %s with %q", d.Verdict, c.verdict, c.said)
			}
		})
	}
}

func TestConditionOverFindings(t *testing.T) {
	body := `  failure: {undecided: audit}
  rules:
  - {id: phi-and-writable, title: ePHI lies on a root that can be written to, action: block, condition: 'findings.exists(f, f.rule == "phi-table") && !spec.root.readonly'}
  - {id: dear, title: too dear, action: warn, condition: 'findings.exists(f, f.count / (f.count - 1) > 0)'}
  - {id: phi-table, action: audit}
`
	if d := decided(t, body, portal()); d.Verdict != policy.Allow || len(d.Findings) != 0 {
		t.Errorf("without findings: %s, %+v", d.Verdict, d.Findings)
	}
	d := decided(t, body, portal(), policy.Finding{Rule: "phi-table", Count: 1})
	got := map[string]policy.Action{}
	for _, f := range d.Findings {
		got[f.Rule] = f.Action
	}
	if d.Verdict != policy.Block || got["phi-and-writable"] != policy.Block {
		t.Errorf("with a finding: %s, %v", d.Verdict, got)
	}
	if got["dear"] != policy.Warn {
		t.Error("a condition on findings that gave no answer must count as violated, whatever undecided says")
	}
}

// TestWhen: a selector's expression; what cannot be told selects and tightens.
func TestWhen(t *testing.T) {
	body := func(when, action string) string {
		return "  selector: {when: '" + when + "'}\n  rules:\n  - {id: host-network, action: " + action + "}\n"
	}
	finding := policy.Finding{Rule: "host-network"} // warn by default
	blind := portal()
	blind.Sees = 0
	for _, c := range []struct {
		name, when, action string
		s                  *policy.Subject
		want               policy.Action
	}{
		{"selects_and_tightens", `pod.namespace == "clinic-a"`, "block", portal(), policy.Block},
		{"selects_and_softens", `pod.namespace == "clinic-a"`, "audit", portal(), policy.Audit},
		{"does_not_select", `pod.namespace == "other"`, "block", portal(), policy.Warn},
		{"label_selects", `pod.labels["tier"] == "sandbox"`, "block", portal(), policy.Block},
		{"label_does_not_select", `pod.labels["tier"] != "sandbox"`, "block", portal(), policy.Warn},
		{"unknown_label_tightens", `pod.labels["none"] == "x"`, "block", portal(), policy.Block},
		{"not_seen_tightens", `image.name == "x"`, "block", blind, policy.Block},
		{"not_seen_never_softens", `image.name == "x"`, "audit", blind, policy.Warn},
		{"unknown_digest_never_softens", `image.digest == "x"`, "audit", portal(), policy.Warn},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decided(t, body(c.when, c.action), c.s, finding).Findings[0].Action; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestOverrideRule(t *testing.T) {
	vendor := File{Name: "lib/p.yaml", Data: []byte(ownHead + "spec:\n" + registryRule)}
	mine := File{Name: "etc/p.yaml", Layer: 1, Data: []byte(strings.Replace(ownHead, "clinic", "lab", 1) +
		"spec:\n  rules:\n  - {id: clinic-registries-only, title: x, action: audit, override: true, condition: 'false'}\n")}
	p, problems := Compile([]File{vendor, mine}, catalogue())
	if p == nil || len(p.Documents[0].Conditions) != 0 || len(p.Documents[0].Actions) != 0 || len(p.Documents[1].Conditions) != 1 {
		t.Errorf("got %v", problems)
	}
	mine.Layer = 0
	if p, problems = Compile([]File{vendor, mine}, catalogue()); p != nil || !strings.Contains(problems.Error(), "only a rule of a folder that is read earlier") {
		t.Errorf("in the same folder: got %v", problems)
	}
}
