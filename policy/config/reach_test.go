package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestReach: what can never have an effect is a warning at its place, and what
// may have one is none.
func TestReach(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	doc := func(name, spec string) string {
		return strings.Replace(ownHead, "clinic", name, 1) + "spec:\n" + spec + "---\n"
	}
	selector := func(text string) string { return doc("a", "  selector: "+text+"\n") }
	wide := doc("wide", "  rules: [{id: privileged, action: block}]\n")
	narrow := func(action string) string {
		return doc("narrow", "  selector: {namespaces: {in: [lab]}}\n  rules: [{id: privileged, action: "+action+"}]\n")
	}
	shadowed := "warn has no effect: policy `wide` (x.yaml:1) says block on `privileged` wherever this one applies, and the strictest word counts"
	beside := func(wide, narrow string) string {
		return doc("wide", "  selector: "+wide+"\n  rules: [{id: image-not-pinned, action: block}]\n") +
			doc("narrow", "  selector: "+narrow+"\n  rules: [{id: image-not-pinned, action: warn}]\n")
	}
	idle := "warn has no effect: policy `wide` (x.yaml:1) says block on `image-not-pinned` wherever this one applies, and the strictest word counts"
	condition := func(text string) string {
		return doc("a", "  rules: [{id: x, title: t, action: block, condition: '"+text+"'}]\n")
	}
	never, always := "policy `a` can never apply: `when` is false, whatever container comes", "`when` has no effect: it is true, whatever container comes"
	blind := "rule `x` can never find anything: its condition is false, whatever container comes"
	exception := exceptionText("  policies: [{name: wide, rules: [image-not-pinned]}]")
	tests := map[string]struct{ text, want string }{
		"beginning_in_beginning":   {beside("{namespaces: {in: ['lab-*']}}", "{namespaces: {in: ['lab-a-*', lab-b]}}"), idle},
		"end_in_end":               {beside("{namespaces: {in: ['*-lab']}}", "{namespaces: {in: ['*-x-lab']}}"), idle},
		"alternatives_in_end":      {beside("{namespaces: {in: ['*-lab']}}", "{namespaces: {in: ['{a,b}-lab']}}"), idle},
		"overlapping_globs":        {beside("{namespaces: {in: ['lab-*']}}", "{namespaces: {in: ['*-a']}}"), ""},
		"beginning_of_a_part":      {beside("{namespaces: {in: ['lab-a-*']}}", "{namespaces: {in: ['lab-*']}}"), ""},
		"class_is_no_beginning":    {beside("{namespaces: {in: ['l[ab]*']}}", "{namespaces: {in: ['la*']}}"), ""},
		"images_below_a_folder":    {beside("{images: {match: ['registry.example/**']}}", "{images: {match: ['registry.example/clinic/*']}}"), idle},
		"images_one_star":          {beside("{images: {match: ['registry.example/*']}}", "{images: {match: ['registry.example/clinic/*']}}"), ""},
		"images_beside_a_folder":   {beside("{images: {match: ['registry.example/**']}}", "{images: {match: ['registry.example.org/*']}}"), ""},
		"same_when":                {beside("{when: 'image.tag == \"1\"'}", "{when: 'image.tag == \"1\"', namespaces: {in: [lab]}}"), idle},
		"another_when":             {beside("{when: 'image.tag == \"1\"'}", "{when: 'image.tag == \"2\"'}"), ""},
		"same_labels":              {beside("{podLabels: {matchLabels: {a: b}}}", "{podLabels: {matchLabels: {a: b, c: d}}}"), idle},
		"another_label":            {beside("{podLabels: {matchLabels: {a: b}}}", "{podLabels: {matchLabels: {a: c}}}"), ""},
		"same_expressions":         {beside("{podLabels: {matchExpressions: [{key: a, operator: In, values: [b, c]}]}}", "{podLabels: {matchExpressions: [{key: a, operator: In, values: [c, b]}]}}"), idle},
		"excepted_word":            {beside("{}", "{namespaces: {in: [lab]}}") + exception, ""},
		"when_false":               {selector("{when: 'false'}"), never},
		"when_false_in_part":       {selector("{when: 'false && image.name == \"a\"'}"), never},
		"when_true":                {selector("{when: 'image.name == \"a\" || 1 < 2'}"), always},
		"when_asks":                {selector("{when: 'true && image.name == \"a\"'}"), ""},
		"condition_false":          {condition("1 > 2"), blind},
		"condition_false_in_part":  {condition("image.name == \"a\" && false"), blind},
		"condition_true":           {condition("true"), ""},
		"condition_over_findings":  {condition("findings.exists(f, f.rule == \"a\")"), ""},
		"condition_over_the_time":  {condition("now > timestamp(\"2027-01-01T00:00:00Z\")"), ""},
		"namespace_taken_away":     {selector("{namespaces: {in: [lab], notIn: ['l*']}}"), "policy `a` can never apply: notIn takes away all namespaces that in names"},
		"glob_taken_away":          {selector("{namespaces: {in: ['lab-*'], notIn: ['lab-*']}}"), "policy `a` can never apply: notIn takes away all namespaces that in names"},
		"part_taken_away":          {selector("{namespaces: {in: ['lab-*'], notIn: [lab-1]}}"), ""},
		"one_of_two_taken_away":    {selector("{namespaces: {in: [lab, web], notIn: [lab]}}"), ""},
		"everything_taken_away":    {selector("{namespaces: {notIn: ['**']}}"), "policy `a` can never apply: notIn takes away all namespaces"},
		"namespace_without_pods":   {selector("{runtimes: [docker], namespaces: {in: [lab]}}"), "policy `a` can never apply: pods, and so namespaces, are of runtime cri alone"},
		"any_namespace_or_none":    {selector("{runtimes: [docker], namespaces: {in: ['*']}}"), ""},
		"namespace_of_pods":        {selector("{runtimes: [docker, cri], namespaces: {in: [lab]}}"), ""},
		"labels_without_pods":      {selector("{runtimes: [ctr], podLabels: {matchLabels: {a: b}}}"), "policy `a` can never apply: pods, and so labels, are of runtime cri alone"},
		"label_against_expression": {selector("{podLabels: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}"), "policy `a` can never apply: no pod has labels that fulfil all of podLabels"},
		"expressions":              {selector("{podLabels: {matchExpressions: [{key: a, operator: In, values: [b]}, {key: a, operator: In, values: [c]}]}}"), "policy `a` can never apply: no pod has labels that fulfil all of podLabels"},
		"there_and_not_there":      {selector("{podLabels: {matchExpressions: [{key: a, operator: DoesNotExist}, {key: a, operator: Exists}]}}"), "policy `a` can never apply: no pod has labels that fulfil all of podLabels"},
		"expressions_that_agree":   {selector("{podLabels: {matchExpressions: [{key: a, operator: In, values: [b, c]}, {key: a, operator: NotIn, values: [c]}]}}"), ""},
		"not_there_and_not_in":     {selector("{podLabels: {matchExpressions: [{key: a, operator: DoesNotExist}, {key: a, operator: NotIn, values: [c]}]}}"), ""},
		"date_in_mode_audit":       {doc("a", "  mode: audit\n  enforceAfter: 2027-01-01\n"), "enforceAfter has no effect in mode audit, which caps every action at audit"},
		"shadowed":                 {wide + narrow("warn"), shadowed},
		"as_strict":                {wide + narrow("block"), ""},
		"softer_wide_one":          {strings.Replace(wide, "block", "audit", 1) + narrow("warn"), ""},
		"wide_one_audits":          {strings.Replace(wide, "spec:\n", "spec:\n  mode: audit\n", 1) + narrow("warn"), ""},
		"wide_one_enforces_later":  {strings.Replace(wide, "spec:\n", "spec:\n  enforceAfter: 2026-12-15\n", 1) + narrow("warn"), ""},
		"wide_one_enforces_now":    {strings.Replace(wide, "spec:\n", "spec:\n  enforceAfter: 2026-11-26\n", 1) + narrow("warn"), shadowed},
		"not_as_wide":              {strings.Replace(wide, "spec:\n", "spec:\n  selector: {namespaces: {in: [web]}}\n", 1) + narrow("warn"), ""},
		"wide_by_glob":             {strings.Replace(wide, "spec:\n", "spec:\n  selector: {namespaces: {in: ['la*']}}\n", 1) + narrow("warn"), shadowed},
		"wide_but_for_one":         {strings.Replace(wide, "spec:\n", "spec:\n  selector: {namespaces: {notIn: [lab]}}\n", 1) + narrow("warn"), ""},
		"wide_in_another_runtime":  {strings.Replace(wide, "spec:\n", "spec:\n  selector: {runtimes: [docker]}\n", 1) + narrow("warn"), ""},
		"wide_by_expression":       {strings.Replace(wide, "spec:\n", "spec:\n  selector: {when: 'image.name != \"a\"'}\n", 1) + narrow("warn"), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, problems := Lint([]File{{Name: "x.yaml", Data: []byte(tt.text)}}, whole(), now)
			if p == nil {
				t.Fatal(problems)
			}
			var got []string
			for _, problem := range problems {
				if problem.Line == 0 || problem.Text == "" || !problem.Warning {
					t.Errorf("%s has no place or is no warning", problem.Error())
				}
				got = append(got, problem.Message)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if _, silent := Compile([]File{{Name: "x.yaml", Data: []byte(tt.text)}}, whole()); len(silent) > 0 {
				t.Errorf("the daemon is told too: %v", silent)
			}
		})
	}
}
