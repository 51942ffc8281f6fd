package podsecurity

import (
	"context"
	"slices"

	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/policy"
)

// benchmark is the name of the standards among the rules' controls.
const benchmark = "Kubernetes Pod Security Standards"

// Mapped are the rules that name a check as one that they correspond to.
func Mapped(rules []policy.Rule, c Check) (ids []string) {
	for _, r := range rules {
		if slices.ContainsFunc(r.Controls, func(o policy.Control) bool {
			return o.Benchmark == benchmark && o.ID == c.Level+": "+c.ID
		}) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// Missed is a pod that a check refuses and no rule of that check objects to;
// Stricter one that passes the check's level, and a rule of it objects.
const (
	Missed   = "missed"
	Stricter = "stricter"
)

// Disagreement is a pod on which a check and its rules differ.
type Disagreement struct{ Check, Kind, Pod string }

// Compare judges each pod and returns where the standard and the rules differ,
// and which pods could be judged.
func Compare(ctx context.Context, s *Standard, rules []policy.Rule) (differ []Disagreement, judged int) {
	for _, p := range s.Pods {
		if p.Refused != "" {
			continue
		}
		judged++
		violated := violations(ctx, p, rules)
		for _, c := range s.Checks {
			objects := slices.ContainsFunc(Mapped(rules, c), func(id string) bool { return violated[id] })
			switch refused := slices.Contains(p.Fails, c.ID); {
			case refused && !objects:
				differ = append(differ, Disagreement{c.ID, Missed, p.Name})
			case objects && s.Passes(p, c.Level):
				differ = append(differ, Disagreement{c.ID, Stricter, p.Name})
			}
		}
	}
	return differ, judged
}

// ofThePod are the controls whose fields are the pod's and not a container's:
// what CRI makes of them stands in the spec of the pod's own container. Its
// other settings are the runtime's, and no pod's.
var ofThePod = []string{"baseline: sysctls", "baseline: hostNamespaces"}

// violations are the rules that one of the pod's containers violates.
func violations(ctx context.Context, p Pod, rules []policy.Rule) map[string]bool {
	out := map[string]bool{}
	for i := range p.Containers {
		c := &p.Containers[i]
		if c.Refused != "" {
			continue
		}
		asked := rules
		if c.Name == sandbox {
			asked = slices.DeleteFunc(slices.Clone(rules), func(r policy.Rule) bool {
				return !slices.ContainsFunc(r.Controls, func(o policy.Control) bool { return o.Benchmark == benchmark && slices.Contains(ofThePod, o.ID) })
			})
		}
		report := (&inspect.Spec{Rules: asked}).Inspect(ctx, c.Subject(p), nil)
		for _, f := range report.Findings {
			out[f.Rule] = true
		}
	}
	return out
}
