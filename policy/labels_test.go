package policy_test

import (
	"testing"

	"github.com/phigate/phigate/policy"
)

func TestLabelExpression(t *testing.T) {
	labels := map[string]string{"tier": "phi", "empty": ""}
	tests := map[string]struct {
		key      string
		operator policy.LabelOperator
		values   []string
		holds    bool
		text     string
	}{
		"in":                   {"tier", policy.LabelIn, []string{"phi", "lab"}, true, "tier in (lab, phi)"},
		"in_another_set":       {"tier", policy.LabelIn, []string{"web"}, false, "tier in (web)"},
		"in_without_label":     {"team", policy.LabelIn, []string{""}, false, "team in ()"},
		"in_empty_value":       {"empty", policy.LabelIn, []string{""}, true, "empty in ()"},
		"not_in":               {"tier", policy.LabelNotIn, []string{"web"}, true, "tier notin (web)"},
		"not_in_its_own":       {"tier", policy.LabelNotIn, []string{"phi"}, false, "tier notin (phi)"},
		"not_in_without_label": {"team", policy.LabelNotIn, []string{"web"}, true, "team notin (web)"},
		"exists":               {"empty", policy.LabelExists, nil, true, "empty"},
		"exists_not":           {"team", policy.LabelExists, nil, false, "team"},
		"does_not_exist":       {"team", policy.LabelDoesNotExist, nil, true, "!team"},
		"does_not_exist_not":   {"tier", policy.LabelDoesNotExist, nil, false, "!tier"},
		"unknown_operator":     {"tier", "Near", nil, false, "tier"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := policy.LabelExpression{Key: tt.key, Operator: tt.operator, Values: tt.values}
			if got := e.Holds(labels); got != tt.holds {
				t.Errorf("holds: %t, want %t", got, tt.holds)
			}
			if got := e.String(); got != tt.text {
				t.Errorf("text %q, want %q", got, tt.text)
			}
			s := policy.Selector{PodExpressions: []policy.LabelExpression{e}}
			sub := subject()
			sub.Pod.Labels = labels
			if got := s.Excludes(sub) == ""; got != tt.holds || !s.ByLabel() {
				t.Errorf("a selector with it selects: %t, by label: %t", got, s.ByLabel())
			}
		})
	}
}
