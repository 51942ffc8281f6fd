package config

import (
	"bytes"
	"fmt"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// catalogue is a small one, with the words that the tests use.
func catalogue() []policy.Info {
	info := func(id, alias string, action policy.Action) policy.Info {
		return policy.Info{ID: id, Aliases: []string{alias}, Title: id, Cites: []hipaa.Citation{hipaa.AccessControl}, Default: action}
	}
	return []policy.Info{
		info("privileged", "OCI-001", policy.Block), info("runtime-socket-mounted", "OCI-003", policy.Block),
		info("host-network", "OCI-012", policy.Warn), info("run-as-root", "OCI-014", policy.Warn),
		info("writable-root-filesystem", "OCI-018", policy.Audit), info("phi-table", "PHI-007", policy.Block),
	}
}

const ownHead = "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: clinic}\n"

func compile(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, problems := Compile([]File{{Name: "dir/p.yaml", Data: []byte(text)}}, catalogue())
	if p == nil {
		t.Fatalf("compiling: %v", problems)
	}
	return p
}

func TestCompileOwnKind(t *testing.T) {
	p := compile(t, ownHead[:len(ownHead)-1]+`
spec:
  description: What may run
  mode: audit
  enforceAfter: 2026-12-15
  extends: [hipaa-baseline]
  failure: {undecided: warn, unreadable: block}
  deleted: audit
  platformNamespaces: []
  selector:
    runtimes: [cri]
    namespaces: {in: ["clinic-*"], notIn: [clinic-lab]}
    images: {match: ["registry.example/clinic/**"]}
  rules:
  - {id: OCI-003, action: warn}
  - id: "run-as-root"
    action: block
`)
	d := p.Documents[0]
	if d.Mode == nil || *d.Mode != policy.AuditOnly {
		t.Error("mode is not audit")
	}
	if want := time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC); !d.EnforceAfter.Equal(want) {
		t.Errorf("enforceAfter: got %v, want %v", d.EnforceAfter, want)
	}
	want := map[string]policy.Action{"runtime-socket-mounted": policy.Warn, "run-as-root": policy.Block}
	if diff := cmp.Diff(want, d.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if d.Failure.Undecided == nil || *d.Failure.Undecided != policy.Warn || d.Failure.Unscannable != nil || *d.Deleted != policy.Audit {
		t.Errorf("failure and deleted are not as written: %+v", d.Failure)
	}
	if d.Platform == nil || len(d.Platform) != 0 {
		t.Error("an empty list of platform namespaces must differ from none")
	}
	for _, c := range []struct {
		name, namespace, image, runtime string
		want                            bool
	}{
		{"chosen", "clinic-a", "registry.example/clinic/portal:1", "cri", true},
		{"chosen_by_digest_reference", "clinic-a", "registry.example/clinic/x/y@sha256:00", "cri", true},
		{"other_namespace", "default", "registry.example/clinic/portal:1", "cri", false},
		{"excluded_namespace", "clinic-lab", "registry.example/clinic/portal:1", "cri", false},
		{"other_image", "clinic-a", "evil.example/registry.example/clinic/portal", "cri", false},
		{"other_runtime", "clinic-a", "registry.example/clinic/portal:1", "docker", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &policy.Subject{Runtime: c.runtime, Pod: policy.Pod{Namespace: c.namespace}, Image: policy.Image{Ref: c.image}}
			if got := d.Selector.Selects(s); got != c.want {
				t.Errorf("selects: got %v, want %v", got, c.want)
			}
		})
	}
}

// TestCompileProblems gives each mistake its place, its words and, where a
// known word is near, the suggestion.
func TestCompileProblems(t *testing.T) {
	spec := func(body string) string { return ownHead + "spec:\n" + body }
	for _, c := range []struct {
		name, text   string
		line, column int
		message      string
		suggestion   string
	}{
		{"unknown_key", spec("  descripton: x\n"), 5, 3, "unknown key", "description"},
		{"lost_indentation", ownHead + "spec:\n  mode: audit\nrules: []\n", 6, 1, "belongs below `spec`", ""},
		{"unknown_rule", spec("  rules:\n  - {id: priviledged, action: warn}\n"), 6, 10, "not in the catalogue", "privileged"},
		{"unknown_row", spec("  rules:\n  - {id: OCI-0012, action: warn}\n"), 6, 10, "not in the catalogue", "OCI-001"},
		{"rule_twice_by_alias", spec("  rules:\n  - {id: privileged, action: warn}\n  - {id: OCI-001, action: warn}\n"), 7, 10, "twice", ""},
		{"action_typo", spec("  rules:\n  - {id: privileged, action: blok}\n"), 6, 30, "block, warn or audit", "block"},
		{"action_allow", spec("  rules:\n  - {id: privileged, action: allow}\n"), 6, 30, "block, warn or audit", ""},
		{"action_missing", spec("  rules:\n  - id: privileged\n"), 6, 9, "action is missing", ""},
		{"id_missing", spec("  rules:\n  - action: warn\n"), 6, 5, "id is missing", ""},
		{"mode_typo", spec("  mode: enforced\n"), 5, 9, "enforce or audit", "enforce"},
		{"date", spec("  enforceAfter: soon\n"), 5, 17, "must be a date", ""},
		{"extends_twice", spec("  extends: [hipaa-baseline, hipaa-baseline]\n"), 5, 29, "stands twice", ""},
		{"name_of_the_baseline", strings.Replace(spec("  mode: audit\n"), "clinic", "hipaa-baseline", 1), 3, 18, "is built in", ""},
		{"extends_typo", spec("  extends: [hipaa-basline]\n"), 5, 13, "no built-in policy", "hipaa-baseline"},
		{"when", spec("  selector:\n    when: 'image.nmae == \"a\"'\n"), 6, 17, "undefined field", "name"},
		{"when_softens", spec("  selector: {when: 'pod.labels[\"a\"] == \"b\"'}\n  rules:\n  - {id: privileged, action: warn}\n"), 7, 30, "only tighten", ""},
		{"condition_of_the_catalogue", spec("  rules:\n  - {id: privileged, action: warn, condition: 'true'}\n"), 6, 10, "whose condition cannot be changed", ""},
		{"title_of_the_catalogue", spec("  rules:\n  - {id: privileged, action: warn, title: x}\n"), 6, 43, "belongs to rules of your own", ""},
		{"parameters", spec("  rules:\n  - {id: privileged, action: warn, parameters: {}}\n"), 6, 36, "not supported by this version yet", ""},
		{"own_title", spec("  rules:\n  - {id: x, action: warn, condition: 'true'}\n"), 6, 10, "title is missing", ""},
		{"own_action", spec("  rules:\n  - {id: x, title: x, condition: 'true'}\n"), 6, 10, "action is missing", ""},
		{"own_severity", spec("  rules:\n  - {id: x, title: x, severity: hihg, action: warn, condition: 'true'}\n"), 6, 33, "is not accepted", ""},
		{"own_cite", spec("  rules:\n  - {id: x, title: x, cites: ['164.308(b)(2)'], action: warn, condition: 'true'}\n"), 6, 31, "no paragraph", "164.308(b)(1)"},
		{"own_condition", spec("  rules:\n  - id: x\n    title: x\n    action: warn\n    condition: |\n      true &&\n        image.nmae == \"x\"\n"), 11, 14, "undefined field", "name"},
		{"own_condition_quoted", spec("  rules:\n  - {id: x, title: x, action: warn, condition: 'image.name == ''a'' && image.nmae == ''b'''}\n"), 6, 77, "undefined field", "name"},
		{"own_message", spec("  rules:\n  - {id: x, title: x, action: warn, condition: 'true', message: 'uses {{container.env}}'}\n"), 6, 65, "cannot show `container.env`", "container.id"},
		{"own_message_open", spec("  rules:\n  - {id: x, title: x, action: warn, condition: 'true', message: 'uses {{image.name'}\n"), 6, 65, "without }}", ""},
		{"own_override", spec("  rules:\n  - {id: x, title: x, action: warn, condition: 'true', override: true}\n"), 6, 66, "no earlier rule", ""},
		{"own_twice", spec("  rules:\n  - {id: x, title: x, action: warn, condition: 'true'}\n  - {id: x, title: x, action: warn, condition: 'true'}\n"), 7, 10, "rule `x` stands twice", ""},
		{"phi_volume_relative", spec("  phiVolumes: [srv]\n"), 5, 16, "absolute host paths", ""},
		{"phi_volume_braces", spec("  phiVolumes: ['/{srv,data/a}/x']\n"), 5, 16, "braces in phiVolumes", ""},
		{"phi_volume_glob", spec("  phiVolumes: ['/srv/[a']\n"), 5, 16, "not a valid glob", ""},
		{"individuals", spec("  thresholds: {distinctIndividuals: 0}\n"), 5, 37, "from 1 on", ""},
		{"date_without_zone", spec("  enforceAfter: 2026-12-15T06:00:00\n"), 5, 17, "with its zone", ""},
		{"override_of_nothing", strings.Replace(spec("  mode: audit\n"), "clinic", "clinic, override: true", 1), 3, 36, "no earlier policy", ""},
		{"kind_typo", "apiVersion: phigate.dev/v1alpha1\nkind: Polcy\n", 2, 7, "not known", "Policy"},
		{"version_typo", "apiVersion: phigate.dev/v1alpha\nkind: Policy\n", 1, 13, "not known", "phigate.dev/v1alpha1"},
		{"version_key_typo", "apiversion: phigate.dev/v1alpha1\nkind: Policy\n", 1, 1, "unknown key", "apiVersion"},
		{"name_missing", "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nspec: {mode: audit}\n", 1, 1, "metadata.name is missing", ""},
		{"name_of_control", "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: \"a\\nb\"}\nspec: {mode: audit}\n", 3, 18, "printable", ""},
		{"no_spec", ownHead, 1, 1, "spec is missing", ""},
		{"empty_value", spec("  rules:\n"), 5, 3, "has no value", ""},
		{"wrong_type", spec("  rules: {id: privileged}\n"), 5, 11, "must be a list", ""},
		{"glob", spec("  selector: {namespaces: {in: ['[a']}}\n"), 5, 32, "not a valid glob", ""},
		{"runtime", spec("  selector: {runtimes: [dokcer]}\n"), 5, 25, "not known", "docker"},
		{"digest", spec("  selector: {images: {digests: [abc]}}\n"), 5, 33, "64 hexadecimal", ""},
		{"platform_glob", spec("  platformNamespaces: ['kube-*']\n"), 5, 24, "whole names", ""},
		{"label_softens_mode", spec("  mode: audit\n  selector: {podLabels: {matchLabels: {a: b}}}\n"), 5, 9, "only tighten", ""},
		{"label_softens_rule", spec("  selector: {podLabels: {matchLabels: {a: b}}}\n  rules:\n  - {id: privileged, action: warn}\n"), 7, 30, "only tighten", ""},
		{"label_platform", spec("  selector: {podLabels: {matchLabels: {a: b}}}\n  platformNamespaces: [x]\n"), 6, 24, "only tighten", ""},
		{"key_twice", ownHead + "spec: {mode: audit}\nspec: {mode: audit}\n", 5, 1, "stands here twice", ""},
		{"alias", spec("  description: *x\n"), 5, 16, "alias", ""},
		{"anchor", spec("  description: &x y\n"), 5, 16, "anchor", ""},
		{"tag", spec("  description: !!str y\n"), 5, 16, "tag", ""},
		{"merge", ownHead + "<<: {a: b}\n", 4, 1, "merge keys", ""},
		{"not_yaml", ownHead + "spec: [\n", 4, 7, "not valid YAML", ""},
		{"list", "- a\n", 1, 1, "a policy is a mapping", ""},
		{"word", "hello\n", 1, 1, "a policy is a mapping", ""},
		{"control_character", ownHead + "spec: \x01\n", 4, 7, "not text", ""},
		{"not_utf8", ownHead + "sp\xffec: 1\n", 4, 3, "not text", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(c.text)}}, catalogue())
			if p != nil || len(problems) == 0 {
				t.Fatalf("compiled with %d problems, want none compiled", len(problems))
			}
			got := problems[0]
			if got.Line != c.line || got.Column != c.column || !strings.Contains(got.Message, c.message) || got.Suggestion != c.suggestion {
				t.Errorf("got %d problems, the first %q, want %d:%d %q (%q)", len(problems), got.Error(), c.line, c.column, c.message, c.suggestion)
			}
			if got.Text == "" || got.Caret < 1 {
				t.Errorf("the problem shows no source line: %+v", got)
			}
		})
	}
}

func TestCompileSeveralFiles(t *testing.T) {
	doc := func(name string) []byte {
		return []byte(strings.Replace(ownHead, "clinic", name, 1) + "spec: {mode: enforce}\n")
	}
	a, b := File{Name: "x/a.yaml", Data: doc("a")}, File{Name: "x/b.yaml", Data: doc("b")}
	p, problems := Compile([]File{a, b}, catalogue())
	if len(problems) != 0 || len(p.Documents) != 2 || p.Documents[1].Source != "x/b.yaml:1" {
		t.Fatalf("got %v", problems)
	}
	moved, _ := Compile([]File{{Name: "y/a.yaml", Data: a.Data}, {Name: "y/b.yaml", Data: b.Data}}, catalogue())
	turned, _ := Compile([]File{b, a}, catalogue())
	if moved.Digest != p.Digest || turned.Digest == p.Digest {
		t.Error("the digest must hold base name, bytes and order, and no folder")
	}
	_, problems = Compile([]File{a, {Name: "x/c.yaml", Data: a.Data}}, catalogue())
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "stands twice, first in x/a.yaml:3") {
		t.Errorf("a name in two files: got %v", problems)
	}
	two := File{Name: "x/two.yaml", Data: append(append(doc("a"), "---\n# nothing\n---\n"...), doc("b")...)}
	if p, problems = Compile([]File{two}, catalogue()); p == nil || len(p.Documents) != 2 {
		t.Errorf("two documents in one file: got %v", problems)
	}
	if p, problems = Compile(nil, catalogue()); p == nil || len(p.Catalogue) != 6 {
		t.Errorf("no file is the baseline alone: got %v", problems)
	}
}

// TestDeployedPolicies compiles what deploy/policies and deploy/examples hold,
// each folder as one policy.
func TestDeployedPolicies(t *testing.T) {
	folders := map[string][]File{}
	for _, file := range deployed(t) {
		folders[path.Dir(file.Name)] = append(folders[path.Dir(file.Name)], file)
	}
	for folder, files := range folders {
		if p, problems := Compile(files, wholeCatalogue()); p == nil || len(p.Documents) == 0 {
			t.Errorf("compiling %s: %v", folder, problems)
		}
	}
}

// TestHostileFiles: each is answered in a clear message, soon, without a panic.
func TestHostileFiles(t *testing.T) {
	many := func(s string) string { // in lines of a length that is accepted
		line := strings.Repeat(s, 8000/len(s)) + "\n"
		return strings.Repeat(line, (MaxSize-100)/len(line))
	}
	bomb := "a: &a [x,x]\n"
	for i := 'b'; i < 'k'; i++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c]\n", i, i, i-1, i-1, i-1)
	}
	nested := ""
	for i := range 100 {
		nested += strings.Repeat(" ", i) + "a:\n"
	}
	for name, text := range map[string]string{
		"ten_megabytes": strings.Repeat("# comment\n", 1<<20), "one_line": strings.Repeat("[", MaxSize-1), "brackets": many("["), "braces": many("{a: "),
		"dashes": many("- "), "question_marks": many("? "), "colons": many("a: "), "quotes": many(`"`),
		"tags": many("!a "), "anchors": many("&a "), "alias_bomb": bomb, "indentation": nested,
		"long_key": many("k") + ": 1", "long_value": ownHead + "spec: {mode: " + many("k")[:MaxSize/2] + "}",
		"many_keys": manyKeys(), "many_documents": many("---\na: 1\n"), "literal": "a: |\n" + many(" b\n"),
		"thousand_deep": thousandDeep(), "tabs": ownHead + "spec:\n\tmode: audit\n", "bom_within": ownHead + "\ufeffspec: {mode: [}\n",
		"windows_1252":     ownHead + "spec: {description: Praxis M\xfcller}\n",
		"stars":            ownHead + "spec: {selector: {namespaces: {in: ['" + strings.Repeat("*a", 5000) + "']}}}\n",
		"expression_deep":  ownHead + "spec: {rules: [{id: x, title: x, action: warn, condition: '" + strings.Repeat("(", 3000) + "true" + strings.Repeat(")", 3000) + "'}]}\n",
		"expression_loops": ownHead + "spec: {rules: [{id: x, title: x, action: warn, condition: 'container.args.all(a, container.args.all(b, container.args.all(c, a == b || b == c)))'}]}\n",
		"expression_grows": ownHead + "spec: {rules: [{id: x, title: x, action: warn, condition: '" + strings.Repeat("[1,2,3,4,5,6,7,8].map(x, ", 12) + "x" + strings.Repeat(")", 12) + ".size() > 0'}]}\n",
		"percent":          many("%A\n"), "nul": many("\x00"), "carriage_returns": many("a\r"),
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(text)}}, catalogue())
			if p != nil || len(problems) == 0 || len(problems) > maxProblems+1 {
				t.Errorf("got %d problems, want some and no policy", len(problems))
			}
			if len(problems.Error()) > 200_000 {
				t.Errorf("the message has %d bytes", len(problems.Error()))
			}
			runtime.ReadMemStats(&after)
			// All that was ever allocated, so that the collector has no say in it.
			if used := after.TotalAlloc - before.TotalAlloc; used > 400<<20 {
				t.Errorf("allocated %d MiB", used>>20)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// thousandDeep nests 1,000 mappings in each other.
func thousandDeep() string {
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return ownHead + "spec:\n" + b.String()[:MaxSize/2]
}

func manyKeys() string {
	var b bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	return b.String()
}
