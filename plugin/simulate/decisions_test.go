package simulate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

var at = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// rulebook is a policy with one document on a small catalogue.
func rulebook(digest string, d policy.Document) *policy.Policy {
	d.Name = "p"
	return &policy.Policy{Digest: digest, Documents: []policy.Document{d}, Catalogue: map[string]policy.Info{
		"blocks": {ID: "blocks", Default: policy.Block}, "warns": {ID: "warns", Default: policy.Warn},
		"phi": {ID: "phi", Default: policy.Warn, WithPHI: ptr(policy.Block)},
	}}
}

func record(seq uint64, verdict policy.Action, findings ...policy.Record) *policy.Decision {
	return &policy.Decision{Seq: seq, Time: at, Kind: "verdict", Target: "clinic-a/app", Namespace: "clinic-a", Verdict: verdict, Policy: "sha256:old", Findings: findings}
}

func found(rule string, a policy.Action) policy.Record {
	return policy.Record{Rule: rule, Action: a, Path: "/a", Message: "m"}
}

type actions = map[string]policy.Action

func TestDecisions(t *testing.T) {
	skipped := record(1, policy.Allow)
	skipped.Skipped = []policy.SkipEntry{{Where: "/a.zip", Rule: "files", Reason: "encrypted", Action: policy.Warn}}
	truncated := record(1, policy.Allow, found("warns", policy.Warn))
	truncated.FindingsTotal = 2
	old := rulebook("sha256:old", policy.Document{})
	byDigest := rulebook("sha256:new", policy.Document{})
	byDigest.Exceptions = policy.NewExceptions(&policy.Exception{ID: "EX-1", Digests: []string{"sha256:1"}, Policies: []policy.ExceptedRules{{Policy: "p", Rules: []string{"blocks"}}}})
	own := policy.Document{Actions: actions{"mine": policy.Block}, Rules: []policy.Rule{{Info: policy.Info{ID: "mine", Default: policy.Block}}}}
	tests := map[string]struct {
		rec    *policy.Decision
		policy *policy.Policy
		before *policy.Policy
		want   string // same, refused, admitted, unknown or none
		why    string
	}{
		"same":                         {record(1, policy.Block, found("blocks", policy.Block)), rulebook("sha256:new", policy.Document{}), old, "same", ""},
		"no_verdict":                   {&policy.Decision{Kind: "start"}, old, old, "none", ""},
		"now_refused":                  {record(1, policy.Allow, found("warns", policy.Warn)), rulebook("sha256:new", policy.Document{Actions: actions{"warns": policy.Block}}), old, "refused", "warns: warn -> block"},
		"now_admitted":                 {record(1, policy.Block, found("blocks", policy.Block)), rulebook("sha256:new", policy.Document{Actions: actions{"blocks": policy.Audit}}), old, "admitted", "blocks: block -> audit"},
		"in_the_roll_out":              {record(1, policy.Block, found("blocks", policy.Block)), rulebook("sha256:new", policy.Document{Mode: ptr(policy.AuditOnly)}), old, "admitted", "blocks: block -> audit"},
		"rule_is_gone":                 {record(1, policy.Block, found("mine", policy.Block)), rulebook("sha256:new", policy.Document{}), old, "admitted", "mine: block -> not a rule any more"},
		"own_rule_found_something":     {record(1, policy.Block, found("mine", policy.Block)), rulebook("sha256:new", own), old, "unknown", "rule mine found something then; whether it would as it is written now is not known"},
		"own_rule_of_the_same_policy":  {record(1, policy.Block, found("mine", policy.Block)), rulebook("sha256:old", own), old, "same", ""},
		"skip_that_could_block":        {skipped, rulebook("sha256:new", policy.Document{}), nil, "unknown", "/a.zip was not looked at, and the record does not say which failure setting that falls under"},
		"skip_told_by_its_action":      {skipped, rulebook("sha256:new", policy.Document{}), old, "same", ""},
		"skip_that_would_block_now":    {skipped, rulebook("sha256:new", policy.Document{Failure: policy.Failure{Unscannable: ptr(policy.Block)}}), old, "unknown", "/a.zip was not looked at, and the record does not say which failure setting that falls under"},
		"ephi_may_be_mounted":          {record(1, policy.Block, found("phi", policy.Block)), rulebook("sha256:new", policy.Document{PHIVolumes: []string{"/srv/ephi"}}), old, "unknown", "rule phi blocks where a volume with ePHI is mounted, and a record holds no mounts"},
		"ephi_of_no_weight":            {record(1, policy.Block, found("phi", policy.Block)), rulebook("sha256:new", policy.Document{PHIVolumes: []string{"/srv/ephi"}, Actions: actions{"phi": policy.Warn}}), old, "admitted", "phi: block -> warn"},
		"no_ephi_declared":             {record(1, policy.Allow, found("phi", policy.Warn)), rulebook("sha256:new", policy.Document{}), old, "same", ""},
		"truncated":                    {truncated, rulebook("sha256:new", policy.Document{}), old, "unknown", "the record holds only the gravest findings"},
		"exception_by_unknown_digest":  {record(1, policy.Block, found("blocks", policy.Block)), byDigest, old, "unknown", "exception EX-1 chooses by digest, and the record does not hold all digests of the image"},
		"certain_in_spite_of_the_rest": {truncatedBlock(), rulebook("sha256:new", policy.Document{}), old, "same", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := NewDecisions(test.policy, test.before)
			d.Add(test.rec)
			got, why := outcome(d)
			if got != test.want || why != test.why {
				t.Errorf("got %s, %q; want %s, %q", got, why, test.want, test.why)
			}
		})
	}
}

func truncatedBlock() *policy.Decision {
	d := record(1, policy.Block, found("blocks", policy.Block))
	d.FindingsTotal = 2000
	return d
}

func outcome(d *Decisions) (what, why string) {
	switch {
	case len(d.Refused) == 1:
		return "refused", d.Refused[0].Why[0]
	case len(d.Admitted) == 1:
		return "admitted", d.Admitted[0].Why[0]
	case len(d.Unknown) == 1:
		return "unknown", d.Unknown[0].Why
	case d.Same == 1:
		return "same", ""
	}
	return "none", ""
}

func TestNotAsked(t *testing.T) {
	p := rulebook("sha256:new", policy.Document{
		Selector: policy.Selector{PodLabels: map[string]string{"a": "b"}},
		Rules:    []policy.Rule{{Info: policy.Info{ID: "mine"}}}, FileRules: []policy.FileRule{{Info: policy.Info{ID: "files"}}},
	})
	d := NewDecisions(p, nil)
	if diff := cmp.Diff([]string{"files", "mine"}, d.NotAsked); diff != "" {
		t.Errorf("rules that no record answers (-want +got):\n%s", diff)
	}
	if len(d.Notes) != 1 {
		t.Errorf("%d notes; want the one on pod labels", len(d.Notes))
	}
}
