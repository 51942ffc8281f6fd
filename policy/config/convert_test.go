package config

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

const dialectRules = `apiVersion: xray.aqua.security/v1
kind: Policy
metadata: {name: all}
spec:
  description: Each form
  rules:
  - {name: any-file, scanner: file, match: {any: ["name: *.csv", "path: /data/phi/", "path: /etc/x"]}, action: block}
  - {name: both, description: "A  dump", scanner: file, match: {all: ["name: '*.sql'", {path: /srv/}]}, action: warn}
  - {name: ports, scanner: network, match: {any: ["port: 20-23", "port: 161/udp"]}, action: warn}
  - {name: both-ports, scanner: network, match: {all: ["port: 21", "port: 22"]}, action: block}
  - {name: env, scanner: secrets, match: {any: ["secrets.provider: env"]}, action: audit}
  - {name: every-secret, scanner: secrets, match: {all: ["secrets.provider: env", "secrets.provider: kubernetes"]}, action: block}
`

// What is converted decides as it did: over all subjects, the rules find the
// same and get the same verdict.
func TestFromDialect(t *testing.T) {
	example, err := os.ReadFile("../../deploy/policies/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"every_form": dialectRules, "example": string(example)} {
		t.Run(name, func(t *testing.T) {
			f := File{Name: "p.yaml", Data: []byte(text)}
			out, notes, problems, err := FromDialect(f, policy.Enforce, catalogue())
			if err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
			if len(notes) == 0 {
				t.Error("nothing is said of the mode")
			}
			before, _ := Compile([]File{f}, catalogue())
			after, problems := Compile([]File{{Name: "p.yaml", Data: out}}, catalogue())
			if after == nil {
				t.Fatalf("what came out does not compile: %v", problems)
			}
			if strings.Contains(string(out), "xray.aqua") {
				t.Error("what came out is still of the dialect")
			}
			for i, s := range corpusOfSubjects() {
				a, b := judgedAlike(t, before, s), judgedAlike(t, after, s)
				if diff := cmp.Diff(a, b); diff != "" {
					t.Errorf("subject %d is decided otherwise (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// corpusOfSubjects has all combinations of what the dialect's rules ask for.
func corpusOfSubjects() []*policy.Subject {
	var out []*policy.Subject
	for _, env := range [][]string{{"PATH=/bin"}, {"DB_PASSWORD=correct-horse-battery-9"}} {
		for _, mount := range []specs.Mount{
			{Destination: "/proc", Source: "proc"}, {Destination: "/data/phi/x", Source: "/srv/a"}, {Destination: "/x", Source: "/data/phi"},
			{Destination: "/s", Source: "/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/s"}, {Destination: "/srv/a.sql", Source: "/b"},
		} {
			for _, ports := range [][]policy.Port{nil, {{Number: 21, Protocol: "tcp"}}, {{Number: 21}, {Number: 22}}, {{Number: 161, Protocol: "udp"}}} {
				out = append(out, &policy.Subject{
					Sees: policy.FactSpec | policy.FactPorts | policy.FactHostPaths, Ports: ports,
					Spec: &specs.Spec{Process: &specs.Process{Env: env, Args: []string{"/bin/vsftpd"}}, Mounts: []specs.Mount{mount}},
				})
			}
		}
	}
	return out
}

// judgedAlike is what a policy makes of a subject with a few files, for comparison:
// its rules' findings are collected as the inspectors do.
func judgedAlike(t *testing.T, p *policy.Policy, s *policy.Subject) string {
	r := policy.Report{Now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	for _, d := range p.Documents {
		for _, rule := range d.Rules {
			for _, f := range rule.Check(s) {
				f.Rule = rule.ID
				r.Findings = append(r.Findings, f)
			}
		}
		for _, rule := range d.FileRules {
			for _, file := range []string{"/a.csv", "/A.CSV", "/data/phi", "/data/phi/x", "/etc/x", "/etc/x/y", "/srv/a.sql", "/a.sql", "/b"} {
				if rule.Match(file) {
					r.Findings = append(r.Findings, policy.Finding{Rule: rule.ID, Message: rule.Message, Where: policy.Where{Path: file}})
				}
			}
		}
	}
	v := policy.Decide(p, s, r)
	v.Policy = ""
	out, err := json.MarshalIndent(policy.NewDecision(s, v, r.Now, 0), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestFromDialectNotes(t *testing.T) {
	own := "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: own}\nspec: {mode: audit}\n"
	_, notes, problems, err := FromDialect(File{Name: "p.yaml", Data: []byte("# a comment\n" + own + "---\n" + dialectRules)}, policy.AuditOnly, catalogue())
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	want := []string{
		"line 2: a document of phigate.dev/v1alpha1 is no policy of the dialect, and is not written",
		"policy all: mode audit is said now; before, it followed the other policies", "comments are not carried over",
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if _, _, problems, _ := FromDialect(File{Name: "p.yaml", Data: []byte(own)}, policy.Enforce, catalogue()); len(problems) == 0 {
		t.Error("a file without a policy of the dialect was converted")
	}
}

// A rule of our own kind with a scanner takes the scanner's citation and fix
// unless it says its own, and has no condition beside it.
func TestOwnMatch(t *testing.T) {
	const head = "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n"
	p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(head + "  - {id: no-csv, title: No tables, severity: low, cites: [\"164.312(b)\"], fix: Remove it., scanner: file, match: {any: [\"name: *.csv\"]}, action: block}\n")}}, catalogue())
	if p == nil {
		t.Fatal(problems)
	}
	info := p.Documents[0].FileRules[0].Info
	got := fmt.Sprint(info.ID, info.Title, info.Severity, info.Cites, info.Fix, info.Default, p.Documents[0].Actions["no-csv"])
	if want := "no-csvNo tableslow [45 CFR 164.312(b)]Remove it.block block"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for text, want := range map[string]string{
		"{id: x, title: t, condition: 'true', scanner: file, match: {any: [\"name: a\"]}, action: block}": "a rule has a condition or a scanner with its match",
		"{id: x, title: t, scanner: file, action: block}":                                                 "match is missing",
		"{id: x, title: t, match: {any: [\"name: a\"]}, action: block}":                                   "scanner is missing",
		"{id: x, scanner: file, match: {any: [\"name: a\"]}, action: block}":                              "title is missing",
		"{id: x, title: t, scanner: file, match: {any: [\"port: 1\"]}, action: block}":                    "belongs to scanner network",
		"{id: privileged, title: t, scanner: file, match: {any: [\"name: a\"]}, action: block}":           "is a rule of the catalogue",
		"{id: x, title: t, message: m, scanner: file, match: {any: [\"name: a\"]}, action: block}":        "`message` belongs to rules with a condition",
		"{id: x, title: t, scanner: file, match: {any: [\"name: a\"]}}":                                   "action is missing",
	} {
		p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(head + "  - " + text + "\n")}}, catalogue())
		if p != nil || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, problems, want)
		}
	}
	if _, ok := shapeOf(reflect.TypeFor[ownRule]()).fields["match"]; !ok {
		t.Error("the schema lacks match")
	}
}
