package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

const testHead = "apiVersion: phigate.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: clinic}\n"

func TestTests(t *testing.T) {
	files := []File{{Name: "dir/p.yaml", Data: []byte(testHead + `cases:
- name: a patient table is refused
  subject: {rootfs: testdata/patients/, spec: testdata/config.json, namespace: clinic-a, runtime: cri, podLabels: {tier: phi}, image: "r/x:1", digest: "` + digest1 + `"}
  at: 2027-01-30T00:00:00Z
  want: {action: block, rules: [PHI-007], notRules: [privileged], exceptions: [EX-2026-014]}
---
` + exceptionText())}}
	tests, problems := Tests(files, catalogue())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []Test{{Name: "clinic", Source: "dir/p.yaml:1", File: "dir/p.yaml", Cases: []Case{{
		Name: "a patient table is refused", Source: "dir/p.yaml:5", At: time.Date(2027, 1, 30, 0, 0, 0, 0, time.UTC),
		Subject: TestSubject{
			RootFS: "testdata/patients/", Spec: "testdata/config.json", Runtime: "cri", Namespace: "clinic-a",
			PodLabels: map[string]string{"tier": "phi"}, Image: "r/x:1", Digest: digest1,
		},
		Want: Want{Action: policy.Block, Rules: []string{"phi-table"}, NotRules: []string{"privileged"}, Exceptions: []string{"EX-2026-014"}},
	}}}}
	if diff := cmp.Diff(want, tests); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p, problems := Compile(files, catalogue()); p == nil || len(p.Documents) != 1 {
		t.Errorf("a test among the policies: %v", problems)
	}
}

func TestTestProblems(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"no_cases", "", "1:1: cases is missing or empty"},
		{"no_name", "- {subject: {spec: c.json}, want: {action: warn}}", "5:4: name of the case is missing"},
		{"twice", "- {name: a, subject: {spec: c.json}, want: {action: warn}}\n- {name: a, subject: {spec: c.json}, want: {action: warn}}", "6:10: case `a` stands twice"},
		{"no_subject", "- {name: a, want: {action: warn}}", "5:4: subject needs a rootfs"},
		{"no_want", "- {name: a, subject: {spec: c.json}}", "5:4: want.action is missing"},
		{"action", "- {name: a, subject: {spec: c.json}, want: {action: allowed}}", "5:53: `action` must be block, warn, audit or allow, and here is `allowed` (did you mean `allow`?)"},
		{"at", "- {name: a, subject: {spec: c.json}, at: 2027-01-30T00:00:00, want: {action: warn}}", "5:42: at must be a date"},
		{"runtime", "- {name: a, subject: {spec: c.json, runtime: dokcer}, want: {action: warn}}", "5:46: runtime `dokcer` is not known"},
		{"digest", "- {name: a, subject: {spec: c.json, digest: x}, want: {action: warn}}", "5:45: a digest is"},
		{"unknown_rule", "- {name: a, subject: {spec: c.json}, want: {action: warn, rules: [privilegd]}}", "5:67: warning: rule `privilegd` is neither in the catalogue nor in these files (did you mean `privileged`?)"},
		{"unknown_exception", "- {name: a, subject: {spec: c.json}, want: {action: warn, exceptions: [EX]}}", "5:72: warning: exception `EX` is none of these files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := testHead
			if c.body != "" {
				text += "cases:\n" + c.body + "\n"
			}
			_, problems := Tests([]File{{Name: "p.yaml", Data: []byte(text)}}, catalogue())
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), "p.yaml:"+c.want) {
				t.Errorf("got %v\nwant p.yaml:%s", problems, c.want)
			}
		})
	}
}
