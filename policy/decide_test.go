package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

var (
	now   = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	later = now.Add(time.Hour)
)

// catalogue is a small baseline: one rule for each default, an isolation rule.
func catalogue() map[string]policy.Info {
	cites := []hipaa.Citation{hipaa.AccessControl}
	return map[string]policy.Info{
		"blocks": {ID: "blocks", Default: policy.Block, Severity: policy.Critical, Cites: cites},
		"warns":  {ID: "warns", Default: policy.Warn, Severity: policy.Medium, Cites: cites},
		"audits": {ID: "audits", Default: policy.Audit, Severity: policy.Low, Cites: cites},
		"host":   {ID: "host", Default: policy.Block, Severity: policy.High, Isolation: true, Cites: cites},
		"tools":  {ID: "tools", Default: policy.Warn, Severity: policy.Low, Building: true, Cites: cites},
		"phi":    {ID: "phi", Default: policy.Warn, WithPHI: ptr(policy.Block), Severity: policy.High, Cites: cites},
	}
}

func ptr[T any](v T) *T { return &v }

type actions = map[string]policy.Action

func subject() *policy.Subject {
	return &policy.Subject{
		Name: "portal", Runtime: "cri",
		Pod:   policy.Pod{Namespace: "clinic-a", Labels: map[string]string{"tier": "phi"}},
		Image: policy.Image{Ref: "registry.example/clinic/portal:1", Digest: "sha256:00"},
	}
}

var byLabel = policy.Selector{PodLabels: map[string]string{"tier": "phi"}}

func TestDecideActions(t *testing.T) {
	enforce, audit := ptr(policy.Enforce), ptr(policy.AuditOnly)
	for _, c := range []struct {
		name string
		docs []policy.Document
		rule string
		want policy.Action
	}{
		{"default_block", nil, "blocks", policy.Block},
		{"default_warn", nil, "warns", policy.Warn},
		{"default_audit", nil, "audits", policy.Audit},
		{"unknown_rule_blocks", nil, "nobody-knows", policy.Block},
		{"unknown_rule_blocks_in_audit_mode", []policy.Document{{Mode: audit}}, "nobody-knows", policy.Block},
		{"document_softens", []policy.Document{{Actions: actions{"blocks": policy.Warn}}}, "blocks", policy.Warn},
		{"document_tightens", []policy.Document{{Actions: actions{"audits": policy.Block}}}, "audits", policy.Block},
		{"strictest_document_wins", []policy.Document{{Actions: actions{"blocks": policy.Audit}}, {Actions: actions{"blocks": policy.Warn}}}, "blocks", policy.Warn},
		{"other_namespace_has_no_say", []policy.Document{{Selector: policy.Selector{MatchNamespace: func(string) bool { return false }}, Actions: actions{"blocks": policy.Audit}}}, "blocks", policy.Block},
		{"other_runtime_has_no_say", []policy.Document{{Selector: policy.Selector{Runtimes: []string{"docker"}}, Actions: actions{"blocks": policy.Audit}}}, "blocks", policy.Block},
		{"other_image_has_no_say", []policy.Document{{Selector: policy.Selector{MatchImage: func(string) bool { return false }}, Actions: actions{"blocks": policy.Audit}}}, "blocks", policy.Block},
		{"other_digest_has_no_say", []policy.Document{{Selector: policy.Selector{ImageDigests: []string{"sha256:11"}}, Actions: actions{"blocks": policy.Audit}}}, "blocks", policy.Block},
		{"chosen_by_digest", []policy.Document{{Selector: policy.Selector{ImageDigests: []string{"sha256:00"}}, Actions: actions{"blocks": policy.Audit}}}, "blocks", policy.Audit},
		{"audit_mode_caps_the_baseline", []policy.Document{{Mode: audit}}, "blocks", policy.Audit},
		{"audit_mode_caps_its_own_actions", []policy.Document{{Mode: audit, Actions: actions{"warns": policy.Block}}}, "warns", policy.Audit},
		{"one_enforcing_document_ends_audit_mode", []policy.Document{{Mode: audit}, {Mode: enforce}}, "blocks", policy.Block},
		{"audit_document_stays_capped_beside_an_enforcing_one", []policy.Document{{Mode: audit, Actions: actions{"blocks": policy.Block}}, {Mode: enforce}}, "blocks", policy.Audit},
		{"dialect_follows_audit_mode", []policy.Document{{Mode: audit}, {Actions: actions{"own": policy.Block}, Rules: []policy.Rule{{Info: policy.Info{ID: "own"}}}}}, "own", policy.Audit},
		{"dialect_alone_enforces", []policy.Document{{Actions: actions{"own": policy.Block}, Rules: []policy.Rule{{Info: policy.Info{ID: "own"}}}}}, "own", policy.Block},
		{"label_tightens", []policy.Document{{Selector: byLabel, Actions: actions{"warns": policy.Block}}}, "warns", policy.Block},
		{"label_never_softens", []policy.Document{{Selector: byLabel, Actions: actions{"blocks": policy.Audit}}}, "blocks", policy.Block},
		{"label_never_softens_by_mode", []policy.Document{{Selector: byLabel, Mode: audit}}, "blocks", policy.Block},
		{"label_never_softens_another_document", []policy.Document{{Actions: actions{"audits": policy.Warn}}, {Selector: byLabel, Actions: actions{"audits": policy.Audit}}}, "audits", policy.Warn},
		{"label_enforces_within_audit_mode", []policy.Document{{Mode: audit}, {Selector: byLabel, Mode: enforce, Actions: actions{"blocks": policy.Block}}}, "blocks", policy.Block},
		{"roll_out_warns", []policy.Document{{EnforceAfter: later, Actions: actions{"warns": policy.Block}}}, "warns", policy.Warn},
		{"roll_out_keeps_audit", []policy.Document{{EnforceAfter: later, Actions: actions{"warns": policy.Audit}}}, "warns", policy.Audit},
		{"roll_out_is_over", []policy.Document{{EnforceAfter: now, Actions: actions{"warns": policy.Block}}}, "warns", policy.Block},
		{"roll_out_leaves_the_baseline", []policy.Document{{EnforceAfter: later}}, "blocks", policy.Block},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &policy.Policy{Catalogue: catalogue(), Documents: c.docs}
			v := policy.Decide(p, subject(), policy.Report{Now: now, Findings: []policy.Finding{{Rule: c.rule}}})
			if got := v.Findings[0].Action; got != c.want {
				t.Errorf("action: got %s, want %s", got, c.want)
			}
			if want := verdictOf(c.want); v.Action != want {
				t.Errorf("verdict: got %s, want %s", v.Action, want)
			}
		})
	}
}

// verdictOf is the verdict on a single finding.
func verdictOf(a policy.Action) policy.Action {
	if a == policy.Block {
		return policy.Block
	}
	return policy.Allow
}

func TestDecidePlatformNamespaces(t *testing.T) {
	for _, c := range []struct {
		name, namespace string
		docs            []policy.Document
		rule            string
		want            policy.Action
	}{
		{"isolation_is_audited", "kube-system", nil, "host", policy.Audit},
		{"other_rules_are_not", "kube-system", nil, "blocks", policy.Block},
		{"other_namespaces_are_not", "clinic-a", nil, "host", policy.Block},
		{"no_namespace_is_none", "", nil, "host", policy.Block},
		{"named", "cni", []policy.Document{{Platform: []string{"cni"}}}, "host", policy.Audit},
		{"named_instead_of_the_default", "kube-system", []policy.Document{{Platform: []string{"cni"}}}, "host", policy.Block},
		{"an_empty_list_names_none", "kube-system", []policy.Document{{Platform: []string{}}}, "host", policy.Block},
		{"all_documents_must_agree", "cni", []policy.Document{{Platform: []string{"cni"}}, {Platform: []string{"kube-system"}}}, "host", policy.Block},
		{"a_document_by_label_has_no_say", "cni", []policy.Document{{Selector: byLabel, Platform: []string{"cni"}}}, "host", policy.Block},
		{"a_document_that_names_the_rule_wins", "kube-system", []policy.Document{{Actions: actions{"host": policy.Block}}}, "host", policy.Block},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject()
			s.Pod.Namespace = c.namespace
			v := policy.Decide(&policy.Policy{Catalogue: catalogue(), Documents: c.docs}, s, policy.Report{Findings: []policy.Finding{{Rule: c.rule}}})
			if got := v.Findings[0].Action; got != c.want {
				t.Errorf("action: got %s, want %s", got, c.want)
			}
			if softened := c.want == policy.Audit; softened != (len(v.Notes) == 1) {
				t.Errorf("notes: got %d, softened is %v", len(v.Notes), softened)
			}
		})
	}
}

func TestDecideDeletedFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		docs []policy.Document
		rule string
		want policy.Action
	}{
		{"like_visible_ones", nil, "blocks", policy.Block},
		{"softened", []policy.Document{{Deleted: ptr(policy.Audit)}}, "blocks", policy.Audit},
		{"never_tightened", []policy.Document{{Deleted: ptr(policy.Block)}}, "audits", policy.Audit},
		{"strictest_document_wins", []policy.Document{{Deleted: ptr(policy.Audit)}, {Deleted: ptr(policy.Warn)}}, "blocks", policy.Warn},
		{"label_does_not_soften", []policy.Document{{Selector: byLabel, Deleted: ptr(policy.Audit)}}, "blocks", policy.Block},
		{"label_tightens", []policy.Document{{Deleted: ptr(policy.Audit)}, {Selector: byLabel, Deleted: ptr(policy.Block)}}, "blocks", policy.Block},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &policy.Policy{Catalogue: catalogue(), Documents: c.docs}
			v := policy.Decide(p, subject(), policy.Report{Findings: []policy.Finding{{Rule: c.rule, Where: policy.Where{Path: "/a", Deleted: true}}}})
			if got := v.Findings[0].Action; got != c.want {
				t.Errorf("action: got %s, want %s", got, c.want)
			}
		})
	}
}

func TestDecideSkipped(t *testing.T) {
	audit := ptr(policy.AuditOnly)
	soft := policy.Failure{Undecided: ptr(policy.Audit), Unreadable: ptr(policy.Warn)}
	for _, c := range []struct {
		name string
		docs []policy.Document
		want []policy.Action // undecided, unreadable, unscannable, out of scope, stale
	}{
		{"defaults", nil, []policy.Action{policy.Block, policy.Block, policy.Warn, policy.Audit, policy.Warn}},
		{"as_the_document_says", []policy.Document{{Failure: soft}}, []policy.Action{policy.Audit, policy.Warn, policy.Warn, policy.Audit, policy.Warn}},
		{"strictest_document_wins", []policy.Document{{Failure: soft}, {Failure: policy.Failure{Undecided: ptr(policy.Warn)}}}, []policy.Action{policy.Warn, policy.Warn, policy.Warn, policy.Audit, policy.Warn}},
		{"label_tightens", []policy.Document{{Selector: byLabel, Failure: policy.Failure{Unscannable: ptr(policy.Block)}}}, []policy.Action{policy.Block, policy.Block, policy.Block, policy.Audit, policy.Warn}},
		{"label_does_not_soften", []policy.Document{{Selector: byLabel, Failure: soft}}, []policy.Action{policy.Block, policy.Block, policy.Warn, policy.Audit, policy.Warn}},
		{"no_stale_facts", []policy.Document{{Failure: policy.Failure{Stale: ptr(policy.Block)}}}, []policy.Action{policy.Block, policy.Block, policy.Warn, policy.Audit, policy.Block}},
		{"audit_mode", []policy.Document{{Mode: audit}}, []policy.Action{policy.Audit, policy.Audit, policy.Audit, policy.Audit, policy.Audit}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &policy.Policy{Catalogue: catalogue(), Documents: c.docs}
			for kind, want := range c.want {
				v := policy.Decide(p, subject(), policy.Report{Skipped: []policy.Skipped{{Where: "/a", Rule: "files", Kind: policy.SkipKind(kind)}}})
				if got := v.Skipped[0].Action; got != want || v.Action != verdictOf(want) {
					t.Errorf("kind %d: got %s, verdict %s, want %s", kind, got, v.Action, want)
				}
			}
		})
	}
	t.Run("a_kind_that_nobody_knows_blocks", func(t *testing.T) {
		v := policy.Decide(&policy.Policy{Documents: []policy.Document{{Mode: audit}}}, subject(), policy.Report{Skipped: []policy.Skipped{{Kind: 200}}})
		if v.Action != policy.Block {
			t.Errorf("verdict: got %s, want block", v.Action)
		}
	})
}

func TestZeroValuesBlock(t *testing.T) {
	if (policy.Verdict{}).Action != policy.Block {
		t.Error("the zero verdict must block")
	}
	v := policy.Decide(&policy.Policy{}, &policy.Subject{}, policy.Report{Findings: []policy.Finding{{Rule: "blocks"}}})
	if v.Action != policy.Block {
		t.Error("the zero policy must block every finding")
	}
	v = policy.Decide(&policy.Policy{}, &policy.Subject{}, policy.Report{Skipped: []policy.Skipped{{}}})
	if v.Action != policy.Block {
		t.Error("the zero policy must block what could not be judged")
	}
}

func TestDecideKeepsWhatWasFound(t *testing.T) {
	p := &policy.Policy{Digest: "sha256:p", Catalogue: catalogue()}
	r := policy.Report{
		Now: now, Coverage: policy.Coverage{Files: 2, Bytes: 3, Rules: 4}, Individuals: policy.Individuals{Low: 1, Point: 2, High: 3},
		Deferred: []policy.Deferred{{Rule: "host", Gate: policy.GateStart, Missing: "devices"}},
	}
	v := policy.Decide(p, subject(), r)
	if v.Action != policy.Allow || v.Policy != p.Digest || v.Coverage != r.Coverage || v.Individuals != r.Individuals || len(v.Deferred) != 1 {
		t.Errorf("got %+v", v)
	}
}

func TestDecideOrder(t *testing.T) {
	p := &policy.Policy{Catalogue: catalogue(), Documents: []policy.Document{{
		Actions: actions{"own": policy.Block}, FileRules: []policy.FileRule{{Info: policy.Info{ID: "own", Severity: policy.Low}}},
	}}}
	at := func(rule, path string, people int) policy.Finding {
		return policy.Finding{Rule: rule, Where: policy.Where{Path: path}, Individuals: policy.Individuals{Point: people}}
	}
	r := policy.Report{Findings: []policy.Finding{
		at("audits", "/a", 0), at("warns", "/a", 0), at("host", "/a", 0), at("blocks", "/b", 0), at("blocks", "/a", 0), at("blocks", "/z", 9), at("own", "/a", 0),
	}}
	var got []string
	for _, f := range policy.Decide(p, subject(), r).Findings {
		got = append(got, f.Rule+f.Where.Path)
	}
	want := []string{"own/a", "blocks/z", "blocks/a", "blocks/b", "host/a", "warns/a", "audits/a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what a person must read first stands first (-want +got):\n%s", diff)
	}
}

// A step of a build is isolated otherwise than a service; what it would leak is the same.
func TestBuildStep(t *testing.T) {
	at := func(runtime string, documents ...policy.Document) map[string]policy.Action {
		s := subject()
		s.Runtime = runtime
		got := map[string]policy.Action{}
		for _, f := range policy.Decide(&policy.Policy{Catalogue: catalogue(), Documents: documents}, s, policy.Report{Findings: []policy.Finding{{Rule: "host"}, {Rule: "blocks"}, {Rule: "tools"}}}).Findings {
			got[f.Rule] = f.Action
		}
		return got
	}
	if got := at("buildkit"); got["host"] != policy.Audit || got["blocks"] != policy.Block || got["tools"] != policy.Audit {
		t.Errorf("a step of a build: %v", got)
	}
	if got := at("docker"); got["host"] != policy.Block || got["tools"] != policy.Warn {
		t.Errorf("another container: %v", got)
	}
	profile := map[string]policy.Inherited{"tools": {Action: policy.Warn, Profile: "hipaa-strict"}}
	if got := at("buildkit", policy.Document{Inherited: profile}); got["tools"] != policy.Audit {
		t.Errorf("a step of a build under a profile: %v", got)
	}
	if got := at("buildkit", policy.Document{Actions: actions{"host": policy.Block}}); got["host"] != policy.Block {
		t.Errorf("a step of a build, where a policy names the rule: %v", got)
	}
}

func TestNotesSayWhy(t *testing.T) {
	p := &policy.Policy{Catalogue: catalogue(), Documents: []policy.Document{{
		Name: "clinic\n", EnforceAfter: later, Deleted: ptr(policy.Audit), Actions: actions{"blocks": policy.Block},
	}}}
	s := subject()
	s.Pod.Namespace = "kube-system"
	v := policy.Decide(p, s, policy.Report{Now: now, Findings: []policy.Finding{{Rule: "host"}, {Rule: "blocks"}, {Rule: "blocks", Where: policy.Where{Path: "/a", Deleted: true}}}})
	want := []string{
		"deleted files: audit by policy", "isolation rules audited: namespace kube-system is the platform's",
		`policy clinic\n enforces from 2026-11-01T13:00:00Z on`,
	}
	if !slices.Equal(v.Notes, want) {
		t.Errorf("got %s", strings.Join(v.Notes, "; "))
	}
}
