package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flatten takes all indentation away, as web pages do.
func flatten(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeft(line, " ")
	}
	return strings.Join(lines, "\n")
}

// TestRepairDeployed flattens everything that is shipped: the repaired text
// must say the same, to the last value.
func TestRepairDeployed(t *testing.T) {
	for _, file := range deployed(t) {
		got, problems, err := Repair(File{Name: file.Name, Data: []byte(flatten(string(file.Data)))}, wholeCatalogue())
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v %v", file.Name, err, problems)
			continue
		}
		want, _, err := Format(file)
		if err != nil {
			t.Fatal(err)
		}
		src, text := load(File{Data: want})
		again, repaired := load(File{Data: got})
		if !sameDocuments(src.parse(text), again.parse(repaired)) {
			t.Errorf("%s: repaired to something else (-want +got):\n%s", file.Name, cmp.Diff(string(want), string(got)))
		}
		if a, b := comments(want), comments(got); a != b {
			t.Errorf("%s: %d comments became %d", file.Name, a, b)
		}
	}
}

const flatOwn = "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata:\nname: p\nspec:\n"

const flatDialect = "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata:\nname: p\nspec:\nrules:\n"

func TestRepair(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"quotes_are_added": {
			flatDialect + "- name: r\nscanner: file\nmatch:\nany:\n- name: *.csv\n- path: /data/phi/\naction: block\n",
			"apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  rules:\n  - name: r\n    scanner: file\n    match:\n      any:\n      - name: \"*.csv\"\n      - path: /data/phi/\n    action: block\n",
		},
		"several_rules": {
			flatDialect + "- name: r\n\u00a0\u00a0description: One: two\n\tscanner: network\nmatch:\nall:\n- \"port: 23\" # telnet\naction: warn\n# the second\n- name: q\nscanner: secrets\nmatch:\nany:\n- secrets.provider: env\naction: audit\n",
			"apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  rules:\n  - name: r\n    description: \"One: two\"\n    scanner: network\n    match:\n      all:\n      - \"port: 23\" # telnet\n    action: warn\n  # the second\n  - name: q\n    scanner: secrets\n    match:\n      any:\n      - secrets.provider: env\n    action: audit\n",
		},
		"own_kind": {
			flatOwn + "mode: enforce\nfailure:\nunscannable: block\nselector:\nnamespaces:\nin: [\"clinic-*\",\n\"lab\"]\nimages:\nmatch:\n- registry.example/**\nrules:\n- {id: privileged,\naction: warn}\n- id: run-as-root\naction: block\n",
			"apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  mode: enforce\n  failure:\n    unscannable: block\n  selector:\n    namespaces:\n      in: [\"clinic-*\", \"lab\"]\n    images:\n      match:\n      - registry.example/**\n  rules:\n  - {id: privileged, action: warn}\n  - id: run-as-root\n    action: block\n",
		},
		"a_text_goes_on": {
			flatOwn + "description: What the clinic\nmay run\nmode: audit\n",
			"apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  description: What the clinic may run\n  mode: audit\n",
		},
		"exception_and_test": {
			flatOwn + "mode: enforce\n---\napiVersion: phigate.dev/v1alpha1\nkind: Exception\nmetadata:\nname: EX-1\nspec:\npolicies:\n- name: p\nrules:\n- privileged\nselector:\nnamespaces:\nin:\n- etl\nfindings:\n- path: /opt/**\nreason: Synthetic data\nticket: SEC-1\nrequestedBy: a@clinic.example\napprovedBy:\n- b@clinic.example\nexpiresAt: 2027-01-31T00:00:00Z\n" +
				"---\napiVersion: phigate.dev/v1alpha1\nkind: PolicyTest\nmetadata:\nname: p\ncases:\n- name: refused\nsubject:\nrootfs: a\nnamespace: etl\nwant:\naction: block\nrules:\n- privileged\n- name: admitted\nsubject:\nspec: c.json\nwant:\naction: allow\n",
			"apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  mode: enforce\n---\napiVersion: phigate.dev/v1alpha1\nkind: Exception\nmetadata:\n  name: EX-1\nspec:\n  policies:\n  - name: p\n    rules:\n    - privileged\n  selector:\n    namespaces:\n      in:\n      - etl\n  findings:\n  - path: /opt/**\n  reason: Synthetic data\n  ticket: SEC-1\n  requestedBy: a@clinic.example\n  approvedBy:\n  - b@clinic.example\n  expiresAt: 2027-01-31T00:00:00Z\n" +
				"---\napiVersion: phigate.dev/v1alpha1\nkind: PolicyTest\nmetadata:\n  name: p\ncases:\n- name: refused\n  subject:\n    rootfs: a\n    namespace: etl\n  want:\n    action: block\n    rules:\n    - privileged\n- name: admitted\n  subject:\n    spec: c.json\n  want:\n    action: allow\n",
		},
		"nothing_to_repair": {
			"apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec:\n    mode: enforce\n",
			"apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec:\n  mode: enforce\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, problems, err := Repair(File{Name: "p.yaml", Data: []byte(test.in)}, catalogue())
			if err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("repaired otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepairRefuses(t *testing.T) {
	rule := "- name: r\nscanner: file\nmatch:\nany:\n- name: a.csv\naction: block\n"
	tests := map[string]struct{ in, want string }{
		"two_readings":        {flatOwn + "selector:\npodLabels:\nmatchLabels:\ntier: phi\nmode: enforce\n", "p.yaml:10:1: `mode: enforce` can be read in two ways: as part of `spec.selector.podLabels.matchLabels`, or of `spec`"},
		"a_text_of_lines":     {flatOwn + "description: |\nfor the clinic\nmode: audit\n", "p.yaml:8:1: `mode: audit` can be read in two ways"},
		"a_comment_in_a_text": {flatOwn + "description: |\nfor the clinic\n# not a comment\nmode: audit\n", "p.yaml:8:1: this line can be a comment or part of the text above it"},
		"unknown_key":         {flatDialect + "- name: r\nscaner: file\n", "p.yaml:8:1: `scaner: file` fits nowhere in the document, `spec`, `spec.rules` or `spec.rules[1]` (did you mean `scanner`?)"},
		"key_twice":           {flatDialect + strings.Replace(rule, "action", "scanner", 1), "p.yaml:12:1: `scanner: block` fits nowhere"},
		"missing_key":         {flatDialect + strings.TrimSuffix(rule, "action: block\n"), "the document ends, and `spec.rules[1]` has no `action`"},
		"wrong_value":         {flatDialect + strings.Replace(rule, "file", "files", 1), "p.yaml:8:14: scanner must be file, network or secrets, and here is `files` (did you mean `file`?)"},
		"no_header":           {"spec:\nrules:\n", "p.yaml:1:1: apiVersion is missing"},
		"unknown_kind":        {"apiVersion: v1\nkind: Pod\n", "p.yaml:1:1: apiVersion `v1` with kind `Pod` is not known"},
		"two_without_a_line":  {flatDialect + rule + flatDialect + rule, "p.yaml:13:1: a second document begins here; put a line --- above it"},
		"nothing":             {"# nothing\n", "the file holds no policy"},
		"empty_rules":         {flatDialect, "the document ends, and `spec.rules` is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, problems, err := Repair(File{Name: "p.yaml", Data: []byte(test.in)}, catalogue())
			if err != nil || len(got) > 0 || !strings.Contains(problems.Error(), test.want) {
				t.Errorf("got %q, %v, %v\nwant %q", got, problems, err, test.want)
			}
		})
	}
}

// FuzzRepair: what is printed compiles, or it is refused with a reason.
func FuzzRepair(f *testing.F) {
	for _, file := range deployed(f) {
		f.Add([]byte(flatten(string(file.Data))))
	}
	f.Add([]byte(flatOwn + "selector:\npodLabels:\nmatchLabels:\ntier: phi\nmode: enforce\n"))
	f.Add([]byte(flatOwn + "description: |\nfor the clinic\nmode: audit\n---\n" + flatDialect + "- name: r\nscanner: file\nmatch:\nany:\n- name: *.csv\naction: block\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, problems, err := Repair(File{Name: "p.yaml", Data: data}, catalogue())
		if err != nil {
			return // formatting refused
		}
		if len(problems) > 0 {
			if len(got) > 0 {
				t.Error("printed something although it was refused")
			}
			return
		}
		if p, wrong := Compile([]File{{Name: "p.yaml", Data: got}}, catalogue()); p == nil {
			t.Errorf("what was printed does not compile: %d problems", len(wrong))
		}
	})
}
