package inspect

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/rules"
)

// specRule finds one thing each time it is asked.
func specRule(id string, needs, early policy.Facts) policy.Rule {
	return policy.Rule{
		Info: policy.Info{ID: id}, Needs: needs, Early: early,
		Check: func(*policy.Subject) []policy.Finding {
			return []policy.Finding{{Message: "found", Where: policy.Where{Field: "f"}, Individuals: policy.Individuals{Low: 1, Point: 2, High: 3}}}
		},
	}
}

func specFound(id string) policy.Finding {
	return policy.Finding{Rule: id, Message: "found", Where: policy.Where{Field: "f"}, Individuals: policy.Individuals{Low: 1, Point: 2, High: 3}}
}

var specPeople = policy.Individuals{Low: 1, Point: 2, High: 3}

func TestSpecAsksByWhatIsSeen(t *testing.T) {
	crash := specRule("crash", policy.FactEnv, 0)
	crash.Check = func(s *policy.Subject) []policy.Finding { panic("value of a secret") }
	for _, tt := range []struct {
		name    string
		rule    policy.Rule
		subject policy.Subject
		want    policy.Report
	}{
		{
			"needs_met", specRule("r", policy.FactEnv, 0), policy.Subject{Sees: policy.FactEnv},
			policy.Report{Findings: []policy.Finding{specFound("r")}, Coverage: policy.Coverage{Rules: 1}, Individuals: specPeople},
		},
		{
			"later", specRule("r", policy.FactEnv|policy.FactUser, 0),
			policy.Subject{Sees: policy.FactEnv, Later: policy.FactUser, LaterGate: policy.GateStart},
			policy.Report{Deferred: []policy.Deferred{{Rule: "r", Gate: policy.GateStart, Missing: "user"}}},
		},
		{
			"early_and_later", specRule("r", policy.FactCapabilities, policy.FactMounts),
			policy.Subject{Sees: policy.FactMounts, Later: policy.FactSpec, LaterGate: policy.GateStart},
			policy.Report{
				Findings: []policy.Finding{specFound("r")}, Individuals: specPeople,
				Deferred: []policy.Deferred{{Rule: "r", Gate: policy.GateStart, Missing: "capabilities"}},
			},
		},
		{
			"early_and_never_answered", specRule("r", policy.FactHostPaths, policy.FactMounts), policy.Subject{Sees: policy.FactMounts},
			policy.Report{
				Findings: []policy.Finding{specFound("r")}, Individuals: specPeople,
				Skipped: []policy.Skipped{{Where: "spec", Rule: "r", Reason: "not seen here: host paths", Kind: policy.Undecided}},
			},
		},
		{
			"unseen", specRule("r", policy.FactEnv, 0), policy.Subject{},
			policy.Report{Skipped: []policy.Skipped{{Where: "spec", Rule: "r", Reason: "not seen here: environment", Kind: policy.Undecided}}},
		},
		{
			"later_without_a_gate", specRule("r", policy.FactEnv, 0), policy.Subject{Later: policy.FactEnv},
			policy.Report{Skipped: []policy.Skipped{{Where: "spec", Rule: "r", Reason: "not seen here: environment", Kind: policy.Undecided}}},
		},
		{
			"never", specRule("r", policy.FactEnv, 0), policy.Subject{Never: policy.FactSpec},
			policy.Report{Skipped: []policy.Skipped{{Where: "spec", Rule: "spec", Reason: "nothing to judge: no environment", Kind: policy.OutOfScope}}},
		},
		{
			"crash", crash, policy.Subject{Sees: policy.FactEnv},
			policy.Report{Skipped: []policy.Skipped{{Where: "spec", Rule: "crash", Reason: "rule crashed", Kind: policy.Undecided}}},
		},
		{
			"no_check", policy.Rule{Info: policy.Info{ID: "r"}, Needs: policy.FactEnv}, policy.Subject{Sees: policy.FactEnv},
			policy.Report{Skipped: []policy.Skipped{{Where: "spec", Rule: "r", Reason: "rule crashed", Kind: policy.Undecided}}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &Spec{Rules: []policy.Rule{tt.rule}}
			if diff := cmp.Diff(tt.want, in.Inspect(t.Context(), &tt.subject, nil)); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpecAsksTheDocumentsThatSelect(t *testing.T) {
	own := specRule("own", policy.FactEnv, 0)
	p := &policy.Policy{Documents: []policy.Document{
		{Name: "a", Rules: []policy.Rule{own}},
		{Name: "the same again", Rules: []policy.Rule{own}},
		{Name: "other", Selector: policy.Selector{Runtimes: []string{"docker"}}, Rules: []policy.Rule{specRule("other", policy.FactEnv, 0)}},
	}}
	r := (&Spec{}).Inspect(t.Context(), &policy.Subject{Runtime: "cri", Sees: policy.FactEnv}, p)
	if len(r.Findings) != 1 || r.Findings[0].Rule != "own" {
		t.Errorf("%d findings, want the one of the document that selects", len(r.Findings))
	}
}

func TestSpecStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stop := specRule("stop", policy.FactEnv, 0)
	stop.Check = func(*policy.Subject) []policy.Finding { cancel(); return nil }
	in := &Spec{Rules: []policy.Rule{stop, specRule("late", policy.FactEnv, 0)}}
	want := policy.Report{
		Coverage: policy.Coverage{Rules: 1},
		Skipped:  []policy.Skipped{{Where: "spec", Rule: "late", Reason: "no time left", Kind: policy.Undecided}},
	}
	if diff := cmp.Diff(want, in.Inspect(ctx, &policy.Subject{Sees: policy.FactEnv}, nil)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// TestSpecAnswersForEveryRule holds the real catalogue to its promise at each
// gate: every rule is answered, deferred or skipped, and none passes in silence.
func TestSpecAnswersForEveryRule(t *testing.T) {
	partial := policy.FactMounts | policy.FactArgs | policy.FactEnv | policy.FactNamespaces | policy.FactDevices |
		policy.FactDeviceRules | policy.FactPrivilegedPod | policy.FactHost | policy.FactPorts | policy.FactImage
	catalogue := rules.All()
	for _, tt := range []struct {
		name    string
		subject policy.Subject
		blind   bool // some rules have no answer at all
	}{
		{"validate", policy.Subject{Sees: partial, Later: policy.FactSpec | partial, LaterGate: policy.GateStart, Spec: &specs.Spec{}}, false},
		{"start", policy.Subject{Sees: policy.FactSpec | partial, Spec: &specs.Spec{}}, false},
		{"image_at_rest", policy.Subject{Sees: policy.FactEnv, Never: policy.FactSpec &^ policy.FactEnv, Spec: &specs.Spec{}}, true},
		{"nothing", policy.Subject{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := (&Spec{Rules: catalogue}).Inspect(t.Context(), &tt.subject, nil)
			spoken := map[string]bool{}
			for _, k := range r.Skipped {
				spoken[k.Rule] = true
				if !tt.blind {
					t.Errorf("%s is skipped: %s", k.Rule, k.Reason)
				}
			}
			for _, d := range r.Deferred {
				spoken[d.Rule] = true
			}
			for _, rule := range catalogue {
				if answered := tt.subject.Sees.Has(rule.Needs); answered == spoken[rule.ID] && !(spoken["spec"] && !answered) {
					t.Errorf("%s: answered %t, deferred or skipped %t", rule.ID, answered, spoken[rule.ID])
				}
			}
		})
	}
}

func TestSpecNeverTellsWhyARuleCrashed(t *testing.T) {
	r := policy.Rule{Info: policy.Info{ID: "r"}, Check: func(s *policy.Subject) []policy.Finding { panic(s.Spec.Process.Env[0]) }}
	s := &policy.Subject{Spec: &specs.Spec{Process: &specs.Process{Env: []string{"PASSWORD=planted"}}}}
	for _, k := range (&Spec{Rules: []policy.Rule{r}}).Inspect(t.Context(), s, nil).Skipped {
		if strings.Contains(k.Reason+k.Where+k.Rule, "planted") {
			t.Error("the value that a rule panicked with is told")
		}
	}
}
