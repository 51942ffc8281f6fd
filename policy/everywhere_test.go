package policy

import (
	"testing"
	"time"
)

// An image is refused where it arrives only for what refuses each of its containers.
func TestEverywhere(t *testing.T) {
	now := time.Unix(1000, 0)
	const audit = AuditOnly
	named := func(name string, action Action) Document {
		return Document{Name: name, Actions: map[string]Action{"phi": action}}
	}
	in := func(d Document, namespace string) Document {
		d.Selector = Selector{MatchNamespace: func(n string) bool { return n == namespace }}
		return d
	}
	mode := func(d Document, m Mode) Document { d.Mode = &m; return d }
	labelled := named("labels", Audit)
	labelled.Selector = Selector{PodLabels: map[string]string{"a": "b"}}
	other := named("digest", Audit)
	other.Selector = Selector{ImageDigests: []string{"sha256:other"}}
	mine := named("digest", Audit)
	mine.Selector = Selector{ImageDigests: []string{"sha256:this"}}
	byName := named("name", Audit)
	byName.Selector = Selector{MatchImage: func(string) bool { return false }}
	byRuntime := named("runtime", Audit)
	byRuntime.Selector = Selector{Runtimes: []string{"docker"}}
	exception := func(digest string, until time.Time) *Exception {
		return &Exception{ID: "e", Policies: []ExceptedRules{{Policy: Baseline, Rules: []string{"phi"}}}, Digests: []string{digest}, ExpiresAt: until, DowngradeTo: Audit,
			MatchNamespace: func(string) bool { return false }, Findings: []Place{{Match: func(Where) bool { return true }}}}
	}
	tests := map[string]struct {
		documents  []Document
		exceptions Exceptions
		rule       string
		want       Action
	}{
		"baseline":                     {rule: "phi", want: Block},
		"baseline_warns":               {rule: "pii", want: Allow},
		"rule_that_is_gone":            {rule: "gone", want: Allow},
		"softened_for_all":             {documents: []Document{named("all", Warn)}, rule: "phi", want: Allow},
		"softened_somewhere":           {documents: []Document{in(named("dev", Audit), "dev")}, rule: "phi", want: Allow},
		"softened_nowhere_else":        {documents: []Document{in(named("dev", Audit), "dev"), named("all", Block)}, rule: "phi", want: Block},
		"audited_somewhere":            {documents: []Document{mode(in(Document{Name: "dev"}, "dev"), audit)}, rule: "phi", want: Allow},
		"audited_for_all":              {documents: []Document{mode(Document{Name: "all"}, audit)}, rule: "phi", want: Allow},
		"tightened_somewhere":          {documents: []Document{in(Document{Name: "c", Actions: map[string]Action{"pii": Block}}, "clinic")}, rule: "pii", want: Allow},
		"tightened_for_all":            {documents: []Document{{Name: "c", Actions: map[string]Action{"pii": Block}}}, rule: "pii", want: Block},
		"labels_only_tighten":          {documents: []Document{labelled}, rule: "phi", want: Block},
		"another_image":                {documents: []Document{other}, rule: "phi", want: Block},
		"this_image":                   {documents: []Document{mine}, rule: "phi", want: Allow},
		"names_differ":                 {documents: []Document{byName}, rule: "phi", want: Allow},
		"a_client":                     {documents: []Document{byRuntime}, rule: "phi", want: Allow},
		"excepted_in_some_namespace":   {exceptions: NewExceptions(exception("sha256:this", now.Add(1))), rule: "phi", want: Allow},
		"excepted_by_its_config":       {exceptions: NewExceptions(exception("sha256:config", now.Add(1))), rule: "phi", want: Allow},
		"excepted_until_now":           {exceptions: NewExceptions(exception("sha256:this", now)), rule: "phi", want: Block},
		"exception_for_another_digest": {exceptions: NewExceptions(exception("sha256:other", now.Add(1))), rule: "phi", want: Block},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := &Policy{Digest: "sha256:p", Documents: test.documents, Exceptions: test.exceptions,
				Catalogue: map[string]Info{"phi": {ID: "phi", Default: Block}, "pii": {ID: "pii", Default: Warn}}}
			s := &Subject{Image: Image{Ref: "i:1", Digest: "sha256:this", Config: "sha256:config"}}
			r := Report{Now: now, Findings: []Finding{{Rule: test.rule, Where: Where{Path: "/p"}}}, Skipped: []Skipped{{Where: "/x"}}}
			v := Everywhere(p, s, r)
			if v.Action != test.want || len(v.Skipped) > 0 || (len(v.Findings) > 0) != (test.want == Block) {
				t.Errorf("got %s with %d findings, want %s", v.Action, len(v.Findings), test.want)
			}
			if v.Action == Block && (Decide(p, s, Report{Now: now, Findings: r.Findings}).Action != Block && name != "another_image") {
				t.Error("it refuses what Decide allows")
			}
		})
	}
}
