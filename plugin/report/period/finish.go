package period

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// Finish is the report on what was added, made at a time by a version of the
// program. The collector takes no more after it.
func (c *Collector) Finish(now time.Time, version string) *Report {
	r := &c.out
	r.Made, r.Version = now.UTC(), version
	for _, name := range c.order {
		l := *c.logs[name]
		l.Proof = c.proofs[name]
		r.Logs = append(r.Logs, l)
	}
	r.Totals.Containers = len(c.containers)
	r.Unit, r.Timeline = c.time.bars()
	r.Violations = c.sortedViolations()
	r.Safeguards = c.sortedSafeguards()
	r.Exceptions = sorted(c.exceptions, func(a, b Exception) int { return strings.Compare(a.Name, b.Name) })
	r.Policies = sorted(c.policies, func(a, b PolicyVersion) int {
		return cmp.Or(a.First.Compare(b.First), strings.Compare(a.Digest, b.Digest))
	})
	r.Coverage.Reasons = sorted(c.reasons, func(a, b NotSeen) int {
		return cmp.Or(b.Blocked-a.Blocked, b.Times-a.Times, strings.Compare(a.Rule, b.Rule), strings.Compare(a.Reason, b.Reason))
	})
	slices.SortStableFunc(r.Incidents, func(a, b Incident) int { return a.Time.Compare(b.Time) })
	r.People = c.people.sum()
	return r
}

func sorted[T any](rows map[string]*T, by func(a, b T) int) []T {
	out := []T{}
	for _, row := range rows {
		out = append(out, *row)
	}
	slices.SortFunc(out, by)
	return out
}

// sortedViolations puts what must be mended first first.
func (c *Collector) sortedViolations() []Violation {
	return sorted(c.violations, func(a, b Violation) int {
		return cmp.Or(int(a.Action)-int(b.Action), int(a.Severity)-int(b.Severity), b.Individuals.Point-a.Individuals.Point,
			strings.Compare(a.Rule, b.Rule), strings.Compare(a.Image, b.Image), strings.Compare(a.ImageDigest, b.ImageDigest), a.First.Compare(b.First),
			strings.Compare(strings.Join(a.Targets, " "), strings.Join(b.Targets, " ")))
	})
}

// citations are a record's, each once; a record without one stands under "".
func (c *Collector) citations(r policy.Record) []string {
	if len(r.Citations) == 0 {
		return []string{""}
	}
	var out []string
	for _, cite := range r.Citations {
		out = withName(out, cite, len(r.Citations))
	}
	return out
}

func (c *Collector) safeguard(citation string) *Safeguard {
	if _, ok := hipaa.Parse(citation); !ok {
		citation = "" // an operator may write anything; it is told in the violation
	}
	s := c.safeguards[citation]
	if s == nil {
		s = &Safeguard{Citation: citation, Title: "Rules that name no paragraph known here"}
		c.safeguards[citation] = s
	}
	return s
}

// sortedSafeguards are the paragraphs that a rule of the catalogue supports or a
// finding cites, in the order of the law; what cites none comes last.
func (c *Collector) sortedSafeguards() []Safeguard {
	out := []Safeguard{}
	for _, cite := range hipaa.All() {
		s := Safeguard{Citation: cite.String()}
		if found := c.safeguards[cite.String()]; found != nil {
			s = *found
		}
		s.Title, s.Kind = cite.Title(), cite.Kind().String()
		for _, info := range c.infos {
			if slices.Contains(info.Cites, cite) {
				s.Rules = append(s.Rules, info.ID)
			}
		}
		if len(s.Rules) > 0 || s.Findings > 0 {
			out = append(out, s)
		}
	}
	if none := c.safeguards[""]; none != nil {
		out = append(out, *none)
	}
	return out
}
