package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	const head = "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: clinic}\nspec:\n"
	const rule = "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: example}\nspec:\n  rules:\n  - name: files\n    scanner: file\n    match: {any: [\"name: *.csv\"]}\n    action: block\n"
	const exception = "---\napiVersion: phigate.dev/v1alpha1\nkind: Exception\nmetadata: {name: EX-1}\nspec: {policies: [{name: clinic, rules: [privileged]}], selector: {namespaces: {in: [etl]}}, findings: [{path: /opt/**}], reason: r, ticket: T-1, requestedBy: a, approvedBy: [b], expiresAt: 2027-01-31T00:00:00Z}\n"
	const policed = head + "  rules: [{id: privileged, action: block}]\n"
	tests := map[string]struct {
		before, after string
		want          []string
	}{
		"exception_prolonged":  {policed + exception, policed + strings.Replace(strings.Replace(exception, "2027-01-31", "2027-03-31", 1), "[etl]", "[etl, lab]", 1), []string{"EX-1: expiresAt: 2027-01-31T00:00:00Z -> 2027-03-31T00:00:00Z", "EX-1: namespaces: + lab"}},
		"condition":            {head + "  selector: {when: 'image.name != \"a\"'}\n  rules: [{id: ours, title: t, condition: 'image.name == \"a\"', action: warn}]\n", head + "  selector: {when: 'image.name != \"b\"'}\n  rules: [{id: ours, title: t, condition: \"image.name == 'a'\", action: warn}]\n", []string{"clinic: selector.when: image.name != \"a\" -> image.name != \"b\"", "ours: condition: image.name == \"a\" -> image.name == 'a'"}},
		"exception_order":      {policed + exception, strings.TrimPrefix(exception, "---\n") + "---\n" + policed, nil},
		"profile":              {head + "  extends: [hipaa-baseline]\n", head + "  extends: [hipaa-strict]\n  rules: [{id: run-as-root, action: warn}]\n", []string{"clinic: deleted: not said -> block", "clinic: extends: + hipaa-strict, - hipaa-baseline", "clinic: failure.undecided: not said -> block", "clinic: failure.unreadable: not said -> block", "clinic: failure.unscannable: not said -> block", "run-as-root: warn (by default) -> warn everywhere"}},
		"action":               {head + "  rules: [{id: privileged, action: warn}]\n  selector: {namespaces: {in: [\"clinic-*\"]}}\n", head + "  selector: {namespaces: {in: [\"clinic-*\"]}}\n  rules: [{id: OCI-001, action: block}]\n", []string{"privileged: warn -> block in namespaces clinic-*"}},
		"from_default":         {head + "  mode: enforce\n", head + "  rules: [{id: privileged, action: warn}]\n", []string{"privileged: block (by default) -> warn everywhere"}},
		"order_and_formatting": {head + "  rules: [{id: privileged, action: warn}, {id: run-as-root, action: block}]\n  selector: {runtimes: [cri, ctr]}\n", "# a comment\n" + head + "  selector:\n    runtimes:\n    - ctr\n    - cri\n  description: x\n  rules:\n  - action: \"block\"\n    id: run-as-root\n  - {action: warn, id: privileged}\n", nil},
		"implied_mode":         {head + "  mode: enforce\n", head + "  description: x\n", nil},
		"mode_and_date":        {head + "  mode: audit\n", head + "  enforceAfter: 2027-01-01\n", []string{"clinic: enforceAfter: not said -> 2027-01-01T00:00:00Z", "clinic: mode: audit -> enforce"}},
		"same_moment":          {head + "  enforceAfter: 2027-01-01\n", head + "  enforceAfter: 2027-01-01T01:00:00+01:00\n", nil},
		"selector":             {head + "  selector: {namespaces: {in: [a, b]}}\n", head + "  selector: {namespaces: {in: [b, c]}, podLabels: {matchLabels: {x: y}}}\n", []string{"clinic: selector.namespaces.in: + c, - a", "clinic: selector.podLabels: + x=y"}},
		"failure":              {head + "  failure: {unscannable: warn}\n", head + "  failure: {unscannable: block}\n  platformNamespaces: []\n", []string{"clinic: failure.unscannable: warn -> block", "clinic: platformNamespaces: not said -> empty"}},
		"own_rule":             {rule, strings.Replace(rule, "*.csv", "*.sql", 1), []string{"files: match: + any: name: *.sql, - any: name: *.csv"}},
		"new_policy":           {head + "  mode: audit\n", head + "  mode: audit\n---\n" + rule, []string{"policy example is new; it applies everywhere", "files: no such rule -> block everywhere", "files: match: + any: name: *.csv", "files: scanner: not said -> file"}},
		"form_of_an_entry":     {rule, strings.Replace(rule, "[\"name: *.csv\"]", "[{name: \"*.csv\"}]", 1), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changes, problems := Diff([]File{{Name: "a.yaml", Data: []byte(test.before)}}, []File{{Name: "b.yaml", Data: []byte(test.after)}}, whole())
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var got []string
			for _, c := range changes {
				got = append(got, c.Text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("other changes (-want +got):\n%s", diff)
			}
		})
	}
}

// What is shipped differs from itself in nothing, formatted or in another order of files.
func TestDiffDeployed(t *testing.T) {
	for _, file := range deployed(t) {
		f := []File{file}
		formatted, _, err := Format(f[0])
		if err != nil {
			t.Fatal(err)
		}
		changes, problems := Diff(f, []File{{Name: "formatted.yaml", Data: formatted}}, wholeCatalogue())
		if len(changes)+len(problems) > 0 {
			t.Errorf("%s: %v %v", file.Name, changes, problems)
		}
	}
}

func TestDiffRefuses(t *testing.T) {
	_, problems := Diff([]File{{Name: "a.yaml", Data: []byte("kind: Policy")}}, nil, catalogue())
	if len(problems) == 0 {
		t.Error("a file that does not compile was compared")
	}
}
