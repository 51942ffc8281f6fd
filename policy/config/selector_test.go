package config

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
)

func TestMatchExpressions(t *testing.T) {
	head := ownHead + "spec:\n  selector:\n    podLabels:\n      matchLabels: {team: a}\n      matchExpressions:\n"
	p, problems := Compile([]File{{Name: "a.yaml", Data: []byte(head +
		"      - {key: tier, operator: In, values: [phi, lab]}\n      - {key: debug, operator: DoesNotExist}\n")}}, whole())
	if p == nil {
		t.Fatal(problems)
	}
	sel := p.Documents[0].Selector
	for labels, want := range map[string]string{
		"team=a tier=phi": "", "team=a tier=lab": "", "tier=phi": "podLabels", "team=a": "podLabels.matchExpressions",
		"team=a tier=web": "podLabels.matchExpressions", "team=a tier=phi debug=": "podLabels.matchExpressions",
	} {
		s := &policy.Subject{Pod: policy.Pod{Labels: map[string]string{}}}
		for _, pair := range strings.Fields(labels) {
			key, value, _ := strings.Cut(pair, "=")
			s.Pod.Labels[key] = value
		}
		if got := sel.Excludes(s); got != want {
			t.Errorf("%s: excluded by %q, want %q", labels, got, want)
		}
	}
	if !sel.ByLabel() {
		t.Error("it selects by label and does not say so")
	}
	for entry, want := range map[string]string{
		"{operator: Exists}":                       "a.yaml:9:10: key is missing",
		"{key: tier}":                              "a.yaml:9:10: operator is missing",
		"{key: tier, operator: in, values: [a]}":   "(did you mean `In`?)",
		"{key: tier, operator: In}":                "In needs values",
		"{key: tier, operator: NotIn, values: []}": "NotIn needs values",
		"{key: a, operator: Exists, values: [b]}":  "Exists takes no values",
		"{key: a, operator: Exists, value: b}":     "unknown key `value`",
	} {
		_, problems := Compile([]File{{Name: "a.yaml", Data: []byte(head + "      - " + entry + "\n")}}, whole())
		if text := problems.Error(); !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q in it", entry, text, want)
		}
	}
}
