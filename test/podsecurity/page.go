package podsecurity

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
)

// Page writes the outcome for people.
func Page(ctx context.Context, w io.Writer, s *Standard, rules []policy.Rule) error {
	differ, judged := Compare(ctx, s, rules)
	var b strings.Builder
	fmt.Fprintf(&b, "# The rules beside the Kubernetes Pod Security Standards\n\n"+
		"Generated from the test's own outcome: `go generate ./test/podsecurity`. The %d test pods of the standards 1.37\n"+
		"(k8s.io/pod-security-admission), made into what containerd 2.4.2's CRI gives the runtime, were judged by the rules that name the\n"+
		"check as theirs. \"Refused\" are the pods that the check refuses, \"agree\" those of them that a rule objects to; \"missed\" are the\n"+
		"others, and \"stricter\" are pods that pass the check's level and a rule objects nevertheless. %d pods were judged. An image's user is\n"+
		"taken for root where the pod allows it, and for each volume there is a second pod (`+mounted`) whose containers mount it.\n\n"+
		"| check | level | rules | refused | agree | missed | stricter |\n| --- | --- | --- | ---: | ---: | ---: | ---: |\n", len(s.Pods), judged)
	for _, c := range s.Checks {
		refused := 0
		for _, p := range s.Pods {
			if p.Refused == "" && slices.Contains(p.Fails, c.ID) {
				refused++
			}
		}
		missed, stricter := len(of(differ, c.ID, Missed)), len(of(differ, c.ID, Stricter))
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d | %d |\n", c.ID, c.Level, ticked(Mapped(rules, c)), refused, refused-missed, missed, stricter)
	}
	b.WriteString("\n## Where they differ\n")
	for _, r := range reasons() {
		var pods []string
		for _, d := range differ {
			if r.Explains(d) {
				pods = append(pods, d.Pod)
			}
		}
		fmt.Fprintf(&b, "\n- %s, %s. %s\n  Pods: %s\n", r.Check, r.Kind, r.Why, ticked(pods))
	}
	b.WriteString("\n## What never runs\n\n")
	for _, p := range s.Pods {
		if p.Refused != "" {
			fmt.Fprintf(&b, "- `%s`: refused by %s\n", p.Name, p.Refused)
		}
		for _, c := range p.Containers {
			if c.Refused != "" {
				fmt.Fprintf(&b, "- `%s`, `%s`: refused by %s\n", p.Name, c.Name, c.Refused)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// of are the disagreements of one kind on a check.
func of(all []Disagreement, check, kind string) (out []Disagreement) {
	for _, d := range all {
		if d.Check == check && d.Kind == kind {
			out = append(out, d)
		}
	}
	return out
}

func ticked(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
