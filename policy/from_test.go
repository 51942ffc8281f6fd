package policy_test

import (
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
)

// TestFromIsJudgedByTheReportsTime: a finding that begins with a day is none
// before it, one from it on, and one where no time is known.
func TestFromIsJudgedByTheReportsTime(t *testing.T) {
	from := time.Date(2026, 8, 31, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		now  time.Time
		want policy.Action
	}{
		"before": {from.Add(-time.Second), policy.Allow}, "then": {from, policy.Block}, "after": {from.Add(time.Hour), policy.Block},
		"unknown": {time.Time{}, policy.Block},
	} {
		t.Run(name, func(t *testing.T) {
			r := policy.Report{Now: tt.now, Findings: []policy.Finding{{Rule: "r", From: from}}}
			if v := policy.Decide(&policy.Policy{}, &policy.Subject{}, r); v.Action != tt.want {
				t.Errorf("got %s, want %s", v.Action, tt.want)
			}
		})
	}
}
