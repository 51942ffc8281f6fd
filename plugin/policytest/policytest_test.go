package policytest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

func verdict() policy.Verdict {
	return policy.Verdict{
		Findings: []policy.Judged{{Finding: policy.Finding{Rule: "warns", Message: "m", Where: policy.Where{Path: "/a"}}, Action: policy.Warn, Exceptions: []string{"EX-1"}}},
		Skipped: []policy.JudgedSkip{
			{Skipped: policy.Skipped{Where: "spec", Kind: policy.OutOfScope}, Action: policy.Audit},
			{Skipped: policy.Skipped{Where: "/z", Reason: "encrypted", Kind: policy.Unscannable}, Action: policy.Audit},
		},
	}
}

func TestCompare(t *testing.T) {
	tests := map[string]struct {
		want     config.Want
		failures []string
	}{
		"holds":     {config.Want{Action: policy.Warn, Rules: []string{"warns"}, NotRules: []string{"other"}, Exceptions: []string{"EX-1"}}, nil},
		"action":    {config.Want{Action: policy.Block}, []string{"action: want block, got warn"}},
		"rule":      {config.Want{Action: policy.Warn, Rules: []string{"other"}}, []string{"rules: want other, which found nothing"}},
		"not_rule":  {config.Want{Action: policy.Warn, NotRules: []string{"warns"}}, []string{"notRules: want nothing of warns, and it found something"}},
		"exception": {config.Want{Action: policy.Warn, Exceptions: []string{"EX-2"}}, []string{"exceptions: want EX-2, which softened nothing"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var r Result
			r.compare(test.want, verdict())
			if diff := cmp.Diff(test.failures, r.Failures); diff != "" {
				t.Errorf("other failures (-want +got):\n%s", diff)
			}
		})
	}
}

// What a subject does not have by its nature is never held against it, and what
// could not be looked at is.
func TestStrictest(t *testing.T) {
	v := verdict()
	v.Findings = nil
	if got := strictest(v); got != policy.Audit {
		t.Errorf("something skipped: %s, want audit", got)
	}
	v.Skipped = v.Skipped[:1]
	if got := strictest(v); got != policy.Allow {
		t.Errorf("only what is out of scope: %s, want allow", got)
	}
}

func results(t *testing.T) []Result {
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	now := func() time.Time { at = at.Add(time.Second); return at }
	tests := []config.Test{
		{Name: "one", Cases: []config.Case{{Name: "holds", Want: config.Want{Action: policy.Warn}}, {Name: "fails\x1b", Want: config.Want{Action: policy.Block}}}},
		{Name: "two", Cases: []config.Case{{Name: "breaks"}}},
	}
	return Run(t.Context(), tests, func(_ context.Context, test config.Test, c config.Case) (policy.Verdict, error) {
		if test.Name == "two" {
			return policy.Verdict{}, errors.New("not there")
		}
		return verdict(), nil
	}, now)
}

func TestReports(t *testing.T) {
	all := results(t)
	var text bytes.Buffer
	if err := Text(&text, all, true); err != nil {
		t.Fatal(err)
	}
	want := "ok    one: holds\nFAIL  one: fails\\x1b ()\n      action: want block, got warn\n      found:\n        warn   warns: m in file /a, by exception EX-1\n        audit  not looked at: /z: encrypted\n" +
		"FAIL  two: breaks ()\n      not there\n2 of 3 cases failed\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("other text (-want +got):\n%s", diff)
	}
	var out bytes.Buffer
	if err := JUnit(&out, all); err != nil {
		t.Fatal(err)
	}
	var read junitSuites
	if err := xml.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Suites) != 2 || read.Suites[0].Tests != 2 || read.Suites[0].Failures != 1 || read.Suites[1].Errors != 1 || read.Suites[0].Time != "2.000" {
		t.Errorf("JUnit counts otherwise:\n%s", out.String())
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Error("a control character in the XML")
	}
	if !Failed(all) || Failed(all[:1]) {
		t.Error("failed cases are not told from those that hold")
	}
}

func TestSet(t *testing.T) {
	s := &policy.Subject{Spec: &specs.Spec{Mounts: []specs.Mount{{Source: "/var/run/../run/docker.sock"}, {Source: "proc"}}}, Never: policy.FactHost | policy.FactImage}
	Set(s, config.TestSubject{Namespace: "n", Runtime: "cri", Image: "i", Digest: "d", Spec: "config.json"})
	if s.Pod.Namespace != "n" || s.Runtime != "cri" || s.Image.Ref != "i" || s.Image.Digest != "d" {
		t.Errorf("identity %+v of runtime %s", s.Pod, s.Runtime)
	}
	if want := policy.FactHostPaths | policy.FactHostNamespaces | policy.FactImage; !s.Sees.Has(want) || s.Never&want != 0 {
		t.Errorf("sees %s, never %s", s.Sees, s.Never)
	}
	if diff := cmp.Diff(map[string]string{"/var/run/../run/docker.sock": "/var/run/docker.sock"}, s.Host.RealPath); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}
