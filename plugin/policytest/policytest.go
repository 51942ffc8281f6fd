// Package policytest runs documents of kind PolicyTest: it compares what the
// engine makes of a subject with what a policy's author expects of it.
package policytest

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

// Judge decides about a case's subject, at the moment that the case says.
type Judge func(ctx context.Context, test config.Test, c config.Case) (policy.Verdict, error)

// Result is what became of one case.
type Result struct {
	Test     string        `json:"test"`
	Case     string        `json:"case"`
	Source   string        `json:"source"` // file and line
	Pass     bool          `json:"pass"`
	Failures []string      `json:"failures,omitempty"` // what is otherwise than expected
	Got      []string      `json:"got,omitempty"`      // what was found, of a case that failed
	Error    string        `json:"error,omitempty"`    // why it could not be judged
	Took     time.Duration `json:"-"`
}

// Run judges all cases, in their order.
func Run(ctx context.Context, tests []config.Test, judge Judge, now func() time.Time) []Result {
	var out []Result
	for _, t := range tests {
		for _, c := range t.Cases {
			began := now()
			r := Result{Test: t.Name, Case: c.Name, Source: c.Source}
			v, err := judge(ctx, t, c)
			if err != nil {
				r.Error = err.Error()
			} else {
				r.compare(c.Want, v)
			}
			r.Pass = r.Error == "" && len(r.Failures) == 0
			r.Took = now().Sub(began)
			out = append(out, r)
		}
	}
	return out
}

// compare says what is otherwise than expected.
func (r *Result) compare(want config.Want, v policy.Verdict) {
	if got := strictest(v); got != want.Action {
		r.Failures = append(r.Failures, fmt.Sprintf("action: want %s, got %s", want.Action, got))
	}
	var rules, exceptions []string
	for _, f := range v.Findings {
		rules = append(rules, f.Rule)
		exceptions = append(exceptions, f.Exceptions...)
	}
	missing := func(what string, wants, got []string, otherwise string) {
		for _, w := range wants {
			if !slices.Contains(got, w) {
				r.Failures = append(r.Failures, fmt.Sprintf("%s: want %s, %s", what, policy.Printable(w), otherwise))
			}
		}
	}
	missing("rules", want.Rules, rules, "which found nothing")
	missing("exceptions", want.Exceptions, exceptions, "which softened nothing")
	for _, w := range want.NotRules {
		if slices.Contains(rules, w) {
			r.Failures = append(r.Failures, fmt.Sprintf("notRules: want nothing of %s, and it found something", policy.Printable(w)))
		}
	}
	if len(r.Failures) > 0 {
		r.Got = found(v)
	}
}

// strictest is the strictest action of a verdict, allow where there is none.
// What is out of scope by the subject's nature is never held against it.
func strictest(v policy.Verdict) policy.Action {
	action := policy.Allow
	for _, f := range v.Findings {
		action = policy.Stricter(action, f.Action)
	}
	for _, k := range v.Skipped {
		if k.Kind != policy.OutOfScope {
			action = policy.Stricter(action, k.Action)
		}
	}
	return action
}

// maxFound bounds what a failed case shows.
const maxFound = 20

// found is what a verdict holds, for people: the gravest first.
func found(v policy.Verdict) []string {
	var out []string
	for _, f := range v.Findings {
		line := fmt.Sprintf("%-5s  %s: %s in %s", f.Action, f.Rule, policy.Printable(f.Message), f.Where.String())
		if len(f.Exceptions) > 0 {
			line += ", by exception " + strings.Join(f.Exceptions, ", ")
		}
		out = append(out, line)
	}
	for _, k := range v.Skipped {
		if k.Kind != policy.OutOfScope {
			out = append(out, fmt.Sprintf("%-5s  not looked at: %s: %s", k.Action, policy.Printable(k.Where), policy.Printable(k.Reason)))
		}
	}
	if len(out) > maxFound {
		out = append(out[:maxFound], fmt.Sprintf("and %d more", len(out)-maxFound))
	}
	return out
}

// Set gives a subject the identity that a case asks for. Where there is a spec,
// it also takes the host for what the spec says of it: that paths lead where
// they are written, and that a namespace with a path is another container's. So
// a test can expect what the rules on mounts and namespaces say on a node.
func Set(s *policy.Subject, c config.TestSubject) {
	s.Pod.Namespace, s.Pod.Labels, s.Runtime = c.Namespace, c.PodLabels, c.Runtime
	if c.Image != "" {
		s.Image.Ref = c.Image
		see(s, policy.FactImage)
	}
	if c.Digest != "" {
		s.Image.Digest = c.Digest
	}
	if c.Spec == "" || s.Spec == nil {
		return
	}
	s.Host.RealPath, s.Host.BlockDevice = map[string]string{}, map[string]bool{}
	for _, m := range s.Spec.Mounts {
		if strings.HasPrefix(m.Source, "/") {
			s.Host.RealPath[m.Source] = path.Clean(m.Source)
		}
	}
	s.Host.OwnNamespace = map[specs.LinuxNamespaceType]bool{}
	see(s, policy.FactHostPaths|policy.FactHostNamespaces)
}

// see adds facts to those that the subject shows.
func see(s *policy.Subject, facts policy.Facts) {
	s.Sees |= facts
	s.Never &^= facts
}
