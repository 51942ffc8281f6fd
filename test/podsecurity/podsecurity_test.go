package podsecurity

import (
	"bytes"
	"flag"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/rules"
)

var update = flag.Bool("update", false, "write the page that is generated from the outcome")

const (
	data = "testdata/pods.txtar"
	page = "../../deploy/PODSECURITY.md"
)

func read(t *testing.T) *Standard {
	t.Helper()
	text, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAgreement demands that the rules object to what the standards refuse and
// to nothing else, but for what reasons lists: each disagreement has one reason,
// and each reason a disagreement.
func TestAgreement(t *testing.T) {
	s := read(t)
	differ, judged := Compare(t.Context(), s, rules.All())
	if judged < 170 {
		t.Fatalf("%d pods judged: the test would prove little", judged)
	}
	for _, d := range differ {
		if n := count(reasons(), func(r Reason) bool { return r.Explains(d) }); n != 1 {
			t.Errorf("%s: check %s is %s, for %d reasons, want 1", d.Pod, d.Check, d.Kind, n)
		}
	}
	for _, r := range reasons() {
		for _, pattern := range r.Pods {
			one := r
			one.Pods = []string{pattern}
			if !slices.ContainsFunc(differ, one.Explains) {
				t.Errorf("%s: nothing is %s any more in pods %s", r.Check, r.Kind, pattern)
			}
		}
	}
}

func count(all []Reason, holds func(Reason) bool) (n int) {
	for _, r := range all {
		if holds(r) {
			n++
		}
	}
	return n
}

// TestControls demands that each control of a rule is a check of the standards,
// of the level and version that they say.
func TestControls(t *testing.T) {
	s := read(t)
	for _, r := range rules.All() {
		for _, c := range r.Controls {
			if c.Benchmark != benchmark {
				continue
			}
			lvl, id, _ := strings.Cut(c.ID, ": ")
			if s.Level(id) != lvl || c.Version != "1.37" {
				t.Errorf("%s names %s, which the standards do not have", r.ID, c)
			}
		}
	}
}

// TestEveryCheckHasPods: each check refuses a pod, and each but those that no
// rule can see is objected to by a rule in at least one.
func TestEveryCheckHasPods(t *testing.T) {
	s := read(t)
	differ, _ := Compare(t.Context(), s, rules.All())
	for _, c := range s.Checks {
		refused := 0
		for _, p := range s.Pods {
			if slices.Contains(p.Fails, c.ID) {
				refused++
			}
		}
		missed := 0
		for _, d := range differ {
			if d.Check == c.ID && d.Kind == Missed {
				missed++
			}
		}
		mapped := Mapped(rules.All(), c)
		switch {
		case refused == 0:
			t.Errorf("%s refuses no pod", c.ID)
		case len(mapped) > 0 && missed == refused:
			t.Errorf("%s corresponds to %s, which object to none of its %d pods", c.ID, strings.Join(mapped, ", "), refused)
		case len(mapped) == 0 && missed != refused:
			t.Errorf("%s corresponds to no rule, and %d of its %d pods are missed", c.ID, missed, refused)
		}
	}
}

// TestNothingIsUndecided: a gate with the whole spec leaves no rule of the
// standards' without an answer.
func TestNothingIsUndecided(t *testing.T) {
	for _, p := range read(t).Pods {
		for _, c := range p.Containers {
			if c.Refused != "" {
				continue
			}
			s := c.Subject(p)
			for _, r := range rules.All() {
				if sight, missing := r.Sight(s); sight != policy.Clear {
					t.Fatalf("%s, %s: %s is not judged for want of %s", p.Name, c.Name, r.ID, missing)
				}
			}
		}
	}
}

// TestNamesMatchOutcomes: a pod of a level's folder pass has no check of that
// level against it, one of its folder fail has one, that which it is named after.
func TestNamesMatchOutcomes(t *testing.T) {
	s := read(t)
	for _, p := range s.Pods {
		lvl, file, _ := strings.Cut(p.Name, "/")
		outcome, file, _ := strings.Cut(file, "/")
		if got := s.Passes(p, lvl); got != (outcome == "pass") {
			t.Errorf("%s: passes %s: %t", p.Name, lvl, got)
		}
		named := strings.TrimRight(strings.TrimSuffix(file, "+mounted"), "0123456789")
		if outcome == "fail" && !slices.ContainsFunc(p.Fails, func(id string) bool { return strings.EqualFold(id, named) }) {
			t.Errorf("%s is not refused by %s", p.Name, named)
		}
	}
}

// TestPage holds deploy/PODSECURITY.md to the outcome.
func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := Page(t.Context(), &b, read(t), rules.All()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("%s is not what the pods show; run go generate ./test/podsecurity (-want +got):\n%s", path.Base(page), diff)
	}
}
