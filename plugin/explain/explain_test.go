package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

var now = time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)

// rules are one of each kind of sight: of the arguments, of the user, of what
// an image at rest does not have.
func rules() []policy.Rule {
	rule := func(id string, action policy.Action, needs policy.Facts) policy.Rule {
		return policy.Rule{Info: policy.Info{ID: id, Title: id, Default: action}, Needs: needs}
	}
	return []policy.Rule{
		rule("args", policy.Warn, policy.FactArgs), rule("user", policy.Block, policy.FactUser),
		rule("limits", policy.Audit, policy.FactLimits), rule("clean", policy.Block, policy.FactEnv),
	}
}

func inForce(documents ...policy.Document) *policy.Policy {
	p := &policy.Policy{Digest: "sha256:p", Catalogue: map[string]policy.Info{}, Documents: documents}
	for _, r := range rules() {
		p.Catalogue[r.ID] = r.Info
	}
	return p
}

func ptr[T any](v T) *T { return &v }

// states are the rules of a sheet, in its order.
func states(s *Sheet) (out []string) {
	for _, r := range s.Rules {
		line := fmt.Sprintf("%s %s %s", r.ID, r.State, r.Action)
		if r.Missing != "" {
			line += " " + r.Missing
		}
		out = append(out, line)
	}
	return out
}

func TestOf(t *testing.T) {
	p := inForce(
		policy.Document{Name: "clinic", Source: "a.yaml:1", Mode: ptr(policy.Enforce), Actions: map[string]policy.Action{"args": policy.Block}},
		policy.Document{Name: "docker", Source: "b.yaml:1", Selector: policy.Selector{Runtimes: []string{"docker"}}, Actions: map[string]policy.Action{"args": policy.Block}},
		policy.Document{Name: "labelled", Source: "c.yaml:1", Selector: policy.Selector{PodLabels: map[string]string{"tier": "phi"}}},
	)
	s := &policy.Subject{
		Name: "portal", Runtime: "cri", Pod: policy.Pod{Namespace: "clinic-a", Labels: map[string]string{"tier": "phi"}},
		Sees: policy.FactArgs | policy.FactEnv, Later: policy.FactUser, LaterGate: policy.GateStart, Never: policy.FactLimits,
	}
	report := policy.Report{
		Now:      now,
		Findings: []policy.Finding{{Rule: "args", Where: policy.Where{Field: "process.args[1]"}, Message: "password in an argument"}},
		Deferred: []policy.Deferred{{Rule: "user", Gate: policy.GateStart, Missing: "user"}},
	}
	sheet := Of(s, policy.Explain(p, s, report), rules())
	want := []string{"args found block", "user later block user", "clean clean block", "limits foreign audit resource limits"}
	if diff := cmp.Diff(want, states(sheet)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Document{
		{Name: "clinic", Source: "a.yaml:1", Applies: true},
		{Name: "docker", Source: "b.yaml:1", ExcludedBy: "runtimes"},
		{Name: "labelled", Source: "c.yaml:1", Applies: true, Tightens: true},
	}, sheet.Policies); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	found := sheet.Rules[0].Findings
	if len(found) != 1 || found[0].Where != "process.args[1]" || len(found[0].Reasons) == 0 || found[0].Reasons[0].By != "clinic" || found[0].Reasons[0].Source != "a.yaml:1" {
		t.Errorf("the finding is explained as %+v", found)
	}
	if sheet.Verdict != policy.Block || sheet.Target != "clinic-a/portal" {
		t.Errorf("verdict %s on %s", sheet.Verdict, sheet.Target)
	}
}

// A finding of a rule that no policy has any more is still told.
func TestOfUnknownRule(t *testing.T) {
	s := &policy.Subject{Name: "x"}
	sheet := Of(s, policy.Explain(inForce(), s, policy.Report{Now: now, Findings: []policy.Finding{{Rule: "gone", Where: policy.Where{Field: "f"}, Message: "m"}}}), rules())
	if got := states(sheet); got[0] != "gone found block" {
		t.Errorf("rules are %q", got)
	}
}

// One rule names a bounded number of places.
func TestOfIsBounded(t *testing.T) {
	s := &policy.Subject{Name: "x", Sees: policy.FactArgs}
	report := policy.Report{Now: now}
	for i := range 1000 {
		report.Findings = append(report.Findings, policy.Finding{Rule: "args", Where: policy.Where{Field: fmt.Sprintf("process.args[%d]", i)}, Message: "m"})
	}
	if n := len(Of(s, policy.Explain(inForce(), s, report), rules()).Rules[0].Findings); n != maxFindings {
		t.Errorf("%d places are named, want %d", n, maxFindings)
	}
}

// What a record does not hold is unknown, and that the policy is another is said.
func TestDecided(t *testing.T) {
	d := &policy.Decision{
		Seq: 7, Time: now, Target: "clinic-a/portal", Namespace: "clinic-a", Verdict: policy.Block, Policy: "sha256:old",
		Findings: []policy.Record{{Rule: "args", Action: policy.Block, Path: "/a.tar!b.csv", Message: "m"}},
		Skipped:  []policy.SkipEntry{{Where: "files", Rule: "files", Reason: "too large", Action: policy.Block}},
	}
	p := inForce(policy.Document{Name: "labelled", Selector: policy.Selector{PodLabels: map[string]string{"tier": "phi"}}})
	sheet := Decided(d, p)
	if diff := cmp.Diff([]string{"args found warn", "clean unknown block", "user unknown block", "limits unknown audit"}, states(sheet)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if where := sheet.Rules[0].Findings[0].Where; where != "file /a.tar!b.csv" {
		t.Errorf("the finding is at %q", where)
	}
	notes := strings.Join(sheet.Notes, "\n")
	if sheet.Seq != 7 || sheet.Verdict != policy.Block || len(sheet.Skipped) != 1 ||
		!strings.Contains(notes, "decided under another policy (sha256:old)") || !strings.Contains(notes, "no pod labels") {
		t.Errorf("sheet %d, %s, %d skipped, notes %q", sheet.Seq, sheet.Verdict, len(sheet.Skipped), notes)
	}
}

// No text that came from outside is passed by; the operator's words stay.
func TestRedact(t *testing.T) {
	const planted = "mrn-00482913"
	p := inForce(policy.Document{Name: "clinic", Mode: ptr(policy.AuditOnly), Actions: map[string]policy.Action{"args": policy.Block}})
	s := &policy.Subject{Name: planted, Pod: policy.Pod{Namespace: planted}, Sees: policy.FactArgs}
	report := policy.Report{
		Now:      now,
		Findings: []policy.Finding{{Rule: "args", Where: policy.Where{Path: "/" + planted}, Message: "file of " + planted}},
		Skipped:  []policy.Skipped{{Where: "/" + planted, Rule: "user", Reason: planted + " is no file"}},
	}
	e := policy.Explain(p, s, report)
	e.Verdict.Notes = append(e.Verdict.Notes, "exception for "+planted)
	sheet := Of(s, e, rules())
	sheet.Redact(func(text string) string { return strings.ReplaceAll(text, planted, "[record]") })
	data, err := json.Marshal(sheet)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Text(&text, sheet); err != nil {
		t.Fatal(err)
	}
	for form, out := range map[string]string{"json": string(data), "text": text.String()} {
		if strings.Contains(out, planted) {
			t.Errorf("%s still holds the planted value", form)
		}
		if strings.Count(out, "[record]") < 6 || !strings.Contains(out, "clinic") {
			t.Errorf("%s holds %d marks, or lost the policy's name", form, strings.Count(out, "[record]"))
		}
	}
	if strings.Contains(strings.Join(e.Verdict.Notes, ""), "[record]") {
		t.Error("the caller's own notes were changed")
	}
}

// The text says each state in its own part, blocks first.
func TestText(t *testing.T) {
	s := &policy.Subject{Name: "a\nb", Sees: policy.FactArgs, Later: policy.FactUser, LaterGate: policy.GateStart}
	report := policy.Report{Now: now, Deferred: []policy.Deferred{{Rule: "user", Gate: policy.GateStart, Missing: "user"}},
		Skipped: []policy.Skipped{{Where: "process.env", Rule: "clean", Reason: "no answer"}}}
	var b bytes.Buffer
	if err := Text(&b, Of(s, policy.Explain(inForce(), s, report), rules())); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"BLOCKED  a\\nb", "rules that could not be judged", "  block  clean: no answer", "rules that a later gate judges",
		"  block  user: gate start will see user", "rules that found nothing", "  warn   args", "not looked at",
	} {
		if !strings.Contains(b.String(), line+"\n") && !strings.HasPrefix(b.String(), line) {
			t.Errorf("no line %q in:\n%s", line, b.String())
		}
	}
}
