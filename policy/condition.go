package policy

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Condition is a rule of the operator's own that is an expression over the
// subject. It is judged by [Decide], when all inspectors have answered.
type Condition struct {
	Info
	Needs Facts // what it reads of the subject
	// Field is the place that its finding names: the first thing that it reads.
	Field string
	// OverFindings says that it reads what the others found. It can become true
	// by a finding more and never false; package config sees to that. Where it
	// gives no answer it counts as violated.
	OverFindings bool
	// Judge must be deterministic and bounded by the budget, in units of cost. It
	// says what it spent. An error is no answer; its text is shown and must hold
	// nothing of the subject.
	Judge func(c Circumstances, budget uint64) (violated bool, message string, spent uint64, err error)
}

// Circumstances are what a condition may read.
type Circumstances struct {
	Subject  *Subject
	Findings []Found // in an order of their own; nil unless it reads them
	Now      time.Time
}

// Found is a finding with what is known of its rule.
type Found struct {
	*Finding
	Severity Severity
}

// conditionBudget bounds what all conditions of one decision may cost together,
// in the units of CEL's cost model, of which a machine does some ten million in
// a second.
const conditionBudget = 5_000_000

// conditions asks the conditions of the documents that select the subject:
// first those on the subject itself, then those on what was found, which see
// what all inspectors found and no other condition's answer.
func (in *inForce) conditions() {
	var all []*Condition
	for _, d := range slices.Concat(in.open, in.byLabel) {
		for i := range d.Conditions {
			all = append(all, &d.Conditions[i])
		}
	}
	if len(all) == 0 {
		return
	}
	// What conditions on findings cost depends on what was found, so they come last.
	slices.SortFunc(all, func(a, b *Condition) int {
		return cmpAll(boolInt(a.OverFindings)-boolInt(b.OverFindings), strings.Compare(a.ID, b.ID))
	})
	all = slices.CompactFunc(all, func(a, b *Condition) bool { return a.ID == b.ID })
	run := conditionRun{inForce: in, budget: conditionBudget, circumstances: Circumstances{Subject: in.subject, Now: in.report.Now}}
	run.found = in.found(all)
	for _, c := range all {
		run.ask(c)
	}
	r := *in.report // the caller's is not ours to change
	r.Findings = slices.Concat(r.Findings, run.findings)
	r.Skipped = slices.Concat(r.Skipped, run.skipped)
	r.Deferred = slices.Concat(r.Deferred, run.deferred)
	r.Coverage.Rules += run.answered
	in.report = &r
}

// found are the findings as conditions read them, in a total order.
func (in *inForce) found(all []*Condition) []Found {
	if !slices.ContainsFunc(all, func(c *Condition) bool { return c.OverFindings }) {
		return nil
	}
	out := make([]Found, len(in.report.Findings))
	for i := range in.report.Findings {
		f := &in.report.Findings[i]
		info, _ := in.info(f.Rule)
		out[i] = Found{f, info.Severity}
	}
	slices.SortFunc(out, func(a, b Found) int { return compareFindings(a.Finding, b.Finding) })
	return out
}

// ErrNothing says that a condition asks for what the subject does not have by its
// nature. That is said, and never held against it.
var ErrNothing = errors.New("nothing to judge")

// conditionRun is one round of questions.
type conditionRun struct {
	*inForce
	circumstances Circumstances
	found         []Found
	budget        uint64
	findings      []Finding
	skipped       []Skipped
	deferred      []Deferred
	answered      int
}

func (run *conditionRun) ask(c *Condition) {
	rule := Rule{Needs: c.Needs}
	switch sight, missing := rule.Sight(run.subject); sight {
	case Later:
		run.deferred = append(run.deferred, Deferred{Rule: c.ID, Gate: run.subject.LaterGate, Missing: missing.String()})
	case Foreign:
		run.skip(c, OutOfScope, "nothing to judge: no "+missing.String())
	case Blind:
		run.skip(c, Undecided, "not seen here: "+missing.String())
	default:
		run.judge(c)
	}
}

func (run *conditionRun) judge(c *Condition) {
	defer func() {
		if recover() != nil {
			run.undecided(c, "the condition crashed")
		}
	}()
	given := run.circumstances
	if c.OverFindings {
		given.Findings = run.found
	}
	violated, message, spent, err := c.Judge(given, run.budget)
	run.budget -= min(spent, run.budget)
	if errors.Is(err, ErrNothing) {
		run.skip(c, OutOfScope, err.Error())
		return
	}
	if err != nil {
		run.undecided(c, err.Error())
		return
	}
	run.answered++
	if violated {
		run.findings = append(run.findings, Finding{Rule: c.ID, Message: message, Where: Where{Field: c.Field}})
	}
}

// undecided says that a condition gave no answer, which is never a pass. One on
// findings counts as violated too, so that a finding more, which could make it
// too dear, never softens a verdict.
func (run *conditionRun) undecided(c *Condition, reason string) {
	run.skip(c, Undecided, reason)
	if c.OverFindings {
		run.findings = append(run.findings, Finding{Rule: c.ID, Message: "taken as violated, since it could not be decided", Where: Where{Field: c.Field}})
	}
}

func (run *conditionRun) skip(c *Condition, kind SkipKind, reason string) {
	run.skipped = append(run.skipped, Skipped{Where: "condition", Rule: c.ID, Reason: reason, Kind: kind})
}
