package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

// excepted is an exception of one rule below /test, from a policy's word.
func excepted(id, of, rule string, to policy.Action) *policy.Exception {
	return &policy.Exception{
		ID: id, Policies: []policy.ExceptedRules{{Policy: of, Rules: []string{rule}}},
		Findings:  []policy.Place{{Path: "/test/**", Match: func(w policy.Where) bool { return strings.HasPrefix(w.Path, "/test/") }}},
		ExpiresAt: later, DowngradeTo: to,
	}
}

// TestExceptions: what an exception softens, whose word it must name, and which
// IDs the record bears.
func TestExceptions(t *testing.T) {
	clinic := policy.Document{Name: "clinic", Actions: actions{"blocks": policy.Block}}
	silent := policy.Document{Name: "clinic"}
	lab := policy.Document{Name: "lab", Actions: actions{"blocks": policy.Block}}
	strict := policy.Document{Name: "clinic", Inherited: map[string]policy.Inherited{"audits": {Action: policy.Block, Profile: "hipaa-strict"}}}
	label := policy.Document{Name: "labelled", Selector: byLabel, Actions: actions{"audits": policy.Block}}
	list := func(es ...*policy.Exception) []*policy.Exception { return es }
	for _, c := range []struct {
		name       string
		documents  []policy.Document
		exceptions []*policy.Exception
		rule       string
		want       policy.Action
		ids        string
	}{
		{"from_the_document", []policy.Document{clinic}, list(excepted("EX", "clinic", "blocks", policy.Audit)), "blocks", policy.Audit, "EX"},
		{"from_the_baseline", nil, list(excepted("EX", policy.Baseline, "blocks", policy.Warn)), "blocks", policy.Warn, "EX"},
		{"from_the_baseline_below_a_document", []policy.Document{silent}, list(excepted("EX", "clinic", "blocks", policy.Warn)), "blocks", policy.Warn, "EX"},
		{"baseline_where_a_document_speaks", []policy.Document{clinic}, list(excepted("EX", policy.Baseline, "blocks", policy.Warn)), "blocks", policy.Block, ""},
		{"from_a_profile", []policy.Document{strict}, list(excepted("EX", "clinic", "audits", policy.Warn)), "audits", policy.Warn, "EX"},
		{"one_of_two_documents", []policy.Document{clinic, lab}, list(excepted("EX", "clinic", "blocks", policy.Audit)), "blocks", policy.Block, ""},
		{"two_exceptions_of_two_documents", []policy.Document{clinic, lab}, list(excepted("EX-2", "lab", "blocks", policy.Warn), excepted("EX-1", "clinic", "blocks", policy.Audit)), "blocks", policy.Warn, "EX-1, EX-2"},
		{"the_softest_of_two", []policy.Document{clinic}, list(excepted("EX-1", "clinic", "blocks", policy.Warn), excepted("EX-2", "clinic", "blocks", policy.Audit)), "blocks", policy.Audit, "EX-2"},
		{"the_first_of_equals", []policy.Document{clinic}, list(excepted("EX-2", "clinic", "blocks", policy.Audit), excepted("EX-1", "clinic", "blocks", policy.Audit)), "blocks", policy.Audit, "EX-1"},
		{"from_a_document_by_label", []policy.Document{label}, list(excepted("EX", "labelled", "audits", policy.Warn)), "audits", policy.Warn, "EX"},
		{"another_rule", []policy.Document{clinic}, list(excepted("EX", "clinic", "warns", policy.Audit)), "blocks", policy.Block, ""},
		{"soft_anyway", []policy.Document{clinic}, list(excepted("EX", "clinic", "warns", policy.Warn)), "warns", policy.Warn, ""},
		{"never_allows", []policy.Document{clinic}, list(excepted("EX", "clinic", "blocks", policy.Allow)), "blocks", policy.Block, ""},
		{"not_a_rule_that_nobody_knows", nil, list(excepted("EX", policy.Baseline, "nobody-knows", policy.Audit)), "nobody-knows", policy.Block, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &policy.Policy{Digest: "sha256:p", Catalogue: catalogue(), Documents: c.documents, Exceptions: policy.NewExceptions(c.exceptions...)}
			r := policy.Report{Now: now, Findings: []policy.Finding{{Rule: c.rule, Where: policy.Where{Path: "/test/a.csv"}}}}
			d := policy.NewDecision(subject(), policy.Decide(p, subject(), r), now, 0)
			if got := d.Findings[0]; got.Action != c.want || got.Exception != c.ids {
				t.Errorf("got %s by exception %q, want %s by %q", got.Action, got.Exception, c.want, c.ids)
			}
			if c.ids != "" && len(d.Notes) != len(strings.Split(c.ids, ", ")) {
				t.Errorf("notes %q do not tell of %s", d.Notes, c.ids)
			}
		})
	}
}

func TestExceptionHolds(t *testing.T) {
	inTest := policy.Finding{Rule: "blocks", Where: policy.Where{Path: "/test/a"}}
	change := func(f func(*policy.Exception)) *policy.Exception {
		e := excepted("EX", "clinic", "blocks", policy.Audit)
		f(e)
		return e
	}
	for _, c := range []struct {
		name    string
		e       *policy.Exception
		finding policy.Finding
		now     time.Time
		want    bool
	}{
		{"holds", change(func(e *policy.Exception) {}), inTest, now, true},
		{"to_its_last_nanosecond", change(func(e *policy.Exception) {}), inTest, later.Add(-1), true},
		{"ends_at_its_second", change(func(e *policy.Exception) {}), inTest, later, false},
		{"without_an_end_it_never_held", change(func(e *policy.Exception) { e.ExpiresAt = time.Time{} }), inTest, now, false},
		{"another_place", change(func(e *policy.Exception) {}), policy.Finding{Rule: "blocks", Where: policy.Where{Path: "/data/a"}}, now, false},
		{"no_place_at_all", change(func(e *policy.Exception) { e.Findings = nil }), inTest, now, false},
		{"manifest_digest", change(func(e *policy.Exception) { e.Digests = []string{"sha256:00"} }), inTest, now, true},
		{"config_digest", change(func(e *policy.Exception) { e.Digests = []string{"sha256:c0"} }), inTest, now, true},
		{"another_digest", change(func(e *policy.Exception) { e.Digests = []string{"sha256:11"} }), inTest, now, false},
		{"no_digest_is_not_the_empty_one", change(func(e *policy.Exception) { e.Digests = []string{""} }), inTest, now, false},
		{"another_namespace", change(func(e *policy.Exception) { e.MatchNamespace = func(ns string) bool { return ns == "etl" } }), inTest, now, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject()
			s.Image.Config = "sha256:c0"
			if c.name == "no_digest_is_not_the_empty_one" {
				s.Image = policy.Image{}
			}
			if got := c.e.Holds("clinic", s, &c.finding, c.now); got != c.want {
				t.Errorf("holds: got %v, want %v", got, c.want)
			}
		})
	}
}

// TestExceptionOfADeletedFile: what the policy says of deleted files softens
// without the exception, which then was not used.
func TestExceptionOfADeletedFile(t *testing.T) {
	p := &policy.Policy{Digest: "sha256:p", Catalogue: catalogue(), Exceptions: policy.NewExceptions(excepted("EX", policy.Baseline, "blocks", policy.Warn))}
	r := policy.Report{Now: now, Findings: []policy.Finding{{Rule: "blocks", Where: policy.Where{Path: "/test/a", Deleted: true}}}}
	for deleted, want := range map[policy.Action]string{policy.Block: "EX", policy.Warn: "", policy.Audit: ""} {
		p.Documents = []policy.Document{{Name: "clinic", Deleted: ptr(deleted)}}
		p.Exceptions = policy.NewExceptions(excepted("EX", "clinic", "blocks", policy.Warn))
		f := policy.Decide(p, subject(), r).Findings[0]
		if got := strings.Join(f.Exceptions, ", "); got != want || f.Action != max(policy.Warn, deleted) {
			t.Errorf("deleted: %s: got %s by %q, want %s by %q", deleted, f.Action, got, max(policy.Warn, deleted), want)
		}
	}
}

func TestInheritedIsSoftenedAsTheBaseline(t *testing.T) {
	d := policy.Document{Name: "clinic", Inherited: map[string]policy.Inherited{"host": {Action: policy.Block, Profile: "hipaa-strict"}}}
	p := &policy.Policy{Digest: "sha256:p", Catalogue: catalogue(), Documents: []policy.Document{d}}
	r := policy.Report{Now: now, Findings: []policy.Finding{{Rule: "host"}}}
	s := subject()
	s.Pod.Namespace = "kube-system"
	if f := policy.Decide(p, s, r).Findings[0]; f.Action != policy.Audit {
		t.Errorf("in a platform namespace: got %s, want audit", f.Action)
	}
	p.Documents[0].Actions = actions{"host": policy.Block}
	if f := policy.Decide(p, s, r).Findings[0]; f.Action != policy.Block {
		t.Errorf("the document's own word in a platform namespace: got %s, want block", f.Action)
	}
}

func TestPHIVolume(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/srv/ephi", "/srv/ephi", true},
		{"/srv/ephi", "/srv/ephi/a/b", true},
		{"/srv/ephi", "/srv", true},
		{"/srv/ephi", "/", true},
		{"/srv/ephi", "/srv/ephi2", false},
		{"/srv/ephi", "/srv/other", false},
		{"/srv/ephi/**", "/srv/ephi", true},
		{"/srv/*/ephi", "/srv/a/ephi/x", true},
		{"/srv/*/ephi", "/srv/a", true},
		{"/srv/*/ephi", "/srv/a/logs", false},
		{"/srv/{a,b}/ephi", "/srv/c/ephi", false},
		{"/srv/**/ephi", "/srv/a/b", true},
		{"/srv/ephi", "/srv/../srv/ephi/", true},
	} {
		s := policy.Subject{PHIVolumes: []string{c.pattern}}
		if got := s.PHIVolume(c.path); got != c.want {
			t.Errorf("%s of %s: got %v, want %v", c.path, c.pattern, got, c.want)
		}
	}
	if (&policy.Subject{}).PHIVolume("/") {
		t.Error("a volume where none was named")
	}
}

func TestSelectedSettings(t *testing.T) {
	p := &policy.Policy{Documents: []policy.Document{
		{PHIVolumes: []string{"/a", "/b"}, DistinctIndividuals: 300},
		{PHIVolumes: []string{"/b", "/c"}, DistinctIndividuals: 900, Selector: byLabel},
		{PHIVolumes: []string{"/d"}, DistinctIndividuals: 1, Selector: policy.Selector{Runtimes: []string{"none"}}},
	}}
	if diff := cmp.Diff([]string{"/a", "/b", "/c"}, p.PHIVolumes(subject())); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	for _, c := range []struct{ open, label, want int }{{0, 0, 500}, {300, 0, 300}, {900, 0, 900}, {900, 100, 100}, {0, 900, 500}, {300, 900, 300}} {
		p.Documents[0].DistinctIndividuals, p.Documents[1].DistinctIndividuals = c.open, c.label
		if got := p.DistinctIndividuals(subject(), 500); got != c.want {
			t.Errorf("%d and by label %d: got %d, want %d", c.open, c.label, got, c.want)
		}
	}
}

// TestExceptionOfAdvisories: flaws of a package are accepted one by one; another
// about the same package, or the same of another, is a finding as before.
func TestExceptionOfAdvisories(t *testing.T) {
	e := excepted("EX", policy.Baseline, "warns", policy.Audit)
	e.Findings = []policy.Place{{Package: "xz-utils", Advisories: []string{"CVE-2024-3094", "CVE-2025-31115"}}}
	p := &policy.Policy{Catalogue: catalogue(), Exceptions: policy.NewExceptions(e)}
	for _, c := range []struct {
		name, pkg, advisories string
		want                  policy.Action
	}{
		{"one", "xz-utils", "CVE-2024-3094", policy.Audit},
		{"both", "xz-utils", "CVE-2024-3094 CVE-2025-31115", policy.Audit},
		{"one_more", "xz-utils", "CVE-2024-3094 CVE-2026-1", policy.Warn},
		{"another_package", "xz", "CVE-2024-3094", policy.Warn},
		{"none_named", "xz-utils", "", policy.Warn},
		{"no_software", "", "", policy.Warn},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := policy.Finding{Rule: "warns", Where: policy.Where{Path: "/var/lib/dpkg/status"}, Package: c.pkg, Advisories: c.advisories}
			d := policy.NewDecision(subject(), policy.Decide(p, subject(), policy.Report{Now: now, Findings: []policy.Finding{f}}), now, 0)
			if got := d.Findings[0]; got.Action != c.want || strings.Join(got.Advisories, " ") != c.advisories || got.Package != c.pkg {
				t.Errorf("got %s of %s: %v", got.Action, got.Package, got.Advisories)
			}
		})
	}
}
