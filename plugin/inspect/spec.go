package inspect

import (
	"context"
	"slices"

	"github.com/phigate/phigate/policy"
)

// Spec inspects the OCI runtime spec, the environment and the ports of a
// subject: it asks the rules of the catalogue and those of the documents that
// select the subject. It reads nothing of the host; [Host] did that.
type Spec struct {
	Rules []policy.Rule // the catalogue, see package policy/rules
}

// specWhere is where rules that gave no answer would have looked.
const specWhere = "spec"

// Inspect asks each rule once. A rule whose facts this gate does not see is
// asked nevertheless where it can already prove a violation, and deferred to
// the gate that will see them; without such a gate it is skipped as undecided,
// and so is one that crashes or comes too late. Rules that do not apply to the
// subject by its nature are skipped together, as out of scope.
func (in *Spec) Inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) policy.Report {
	if p != nil {
		s = p.WithPHIVolumes(s)
	}
	run := specRun{subject: s}
	for _, r := range in.Rules {
		run.rule(ctx, r)
	}
	if p != nil {
		for _, d := range p.Selected(s) {
			for _, r := range d.Rules {
				run.rule(ctx, r)
			}
		}
	}
	if run.foreign > 0 {
		run.report.Skipped = append(run.report.Skipped, policy.Skipped{
			Where: specWhere, Rule: specWhere, Kind: policy.OutOfScope, Reason: "nothing to judge: no " + run.absent.String(),
		})
	}
	return run.report
}

// specRun is one inspection under way.
type specRun struct {
	subject *policy.Subject
	report  policy.Report
	foreign int          // rules that do not apply
	absent  policy.Facts // the facts that those would have needed
	asked   []string     // IDs of rules; two documents may hold the same
}

func (run *specRun) rule(ctx context.Context, r policy.Rule) {
	s := run.subject
	sight, missing := r.Sight(s)
	switch {
	case ctx.Err() != nil:
		run.skip(r, "no time left")
	case sight == policy.Clear:
		if run.check(r) {
			run.report.Coverage.Rules++
		}
	default:
		if r.Early != 0 && s.Sees.Has(r.Early) && !run.check(r) {
			return
		}
		run.unseen(r, sight, missing)
	}
}

// unseen says what becomes of a rule that this gate cannot answer completely.
func (run *specRun) unseen(r policy.Rule, sight policy.Sight, missing policy.Facts) {
	switch sight {
	case policy.Later:
		run.report.Deferred = append(run.report.Deferred, policy.Deferred{Rule: r.ID, Gate: run.subject.LaterGate, Missing: missing.String()})
	case policy.Foreign:
		run.foreign++
		run.absent |= missing
	default:
		run.skip(r, "not seen here: "+missing.String())
	}
}

func (run *specRun) skip(r policy.Rule, reason string) {
	run.report.Skipped = append(run.report.Skipped, policy.Skipped{Where: specWhere, Rule: r.ID, Reason: reason, Kind: policy.Undecided})
}

// check asks a rule and keeps what it found. It says whether the rule gave an
// answer; a panic is none, and its text is dropped since it could hold values.
func (run *specRun) check(r policy.Rule) (answered bool) {
	defer func() {
		if recover() != nil {
			run.skip(r, "rule crashed")
			answered = false
		}
	}()
	for _, f := range r.Check(run.subject) {
		f.Rule = r.ID
		if slices.Contains(run.asked, r.ID) && slices.Contains(run.report.Findings, f) {
			continue
		}
		run.report.Findings = append(run.report.Findings, f)
		run.people(f.Individuals)
	}
	run.asked = append(run.asked, r.ID)
	return true
}

func (run *specRun) people(i policy.Individuals) {
	sum := &run.report.Individuals
	sum.Low, sum.Point, sum.High = sum.Low+i.Low, sum.Point+i.Point, sum.High+i.High
}
