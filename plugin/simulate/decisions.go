package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/explain"
	"github.com/phigate/phigate/policy"
)

// Decisions is how past decisions would have been made under another policy.
type Decisions struct {
	Total    int       `json:"total"` // verdicts in the log
	Same     int       `json:"same"`
	Refused  []Flip    `json:"refused"`  // were admitted, and would be refused
	Admitted []Flip    `json:"admitted"` // were refused, and would be admitted
	Unknown  []Unknown `json:"unknown"`  // what the record holds does not decide it
	ByRule   []Count   `json:"byRule"`   // of those that would newly refuse
	// NotAsked are rules of the new policy that no record can answer, since they
	// were not asked then.
	NotAsked []string `json:"notAsked,omitempty"`
	Notes    []string `json:"notes,omitempty"`

	policy, before *policy.Policy
	counts         map[string]int
}

// Flip is a decision that would have been another.
type Flip struct {
	Seq    uint64        `json:"seq"`
	Time   time.Time     `json:"time"`
	Target string        `json:"target"`
	Image  string        `json:"image,omitempty"`
	Before policy.Action `json:"before"`
	After  policy.Action `json:"after"`
	Why    []string      `json:"why"` // "privileged: warn -> block"
}

// NewDecisions begins a simulation of p. Before is the policy in force, or nil:
// of decisions that it made, what was skipped can be told by its actions.
func NewDecisions(p, before *policy.Policy) *Decisions {
	d := &Decisions{policy: p, before: before, counts: map[string]int{}, Refused: []Flip{}, Admitted: []Flip{}, Unknown: []Unknown{}}
	for i := range p.Documents {
		doc := &p.Documents[i]
		for _, r := range doc.Rules {
			d.NotAsked = append(d.NotAsked, r.ID)
		}
		for _, r := range doc.FileRules {
			d.NotAsked = append(d.NotAsked, r.ID)
		}
	}
	slices.Sort(d.NotAsked)
	d.NotAsked = slices.Compact(d.NotAsked)
	if explain.ByLabel(p) {
		d.Notes = append(d.Notes, "a record holds no pod labels: policies that select by them are not simulated, and could refuse more")
	}
	return d
}

// Add decides one record anew. Records that are no verdicts are passed over.
func (d *Decisions) Add(rec *policy.Decision) {
	if rec.Kind != "verdict" {
		return
	}
	d.Total++
	if rec.Policy != "" && rec.Policy == d.policy.Digest {
		d.Same++ // the same policy, at the same moment
		return
	}
	v, why := d.again(rec)
	after := v.Action
	switch {
	case after != policy.Block && why != "":
		d.Unknown = append(d.Unknown, Unknown{Seq: rec.Seq, Image: policy.Printable(rec.Image), Why: why})
	case (after == policy.Block) == (rec.Verdict == policy.Block):
		d.Same++
	case after == policy.Block:
		f := d.flip(rec, v)
		for _, w := range f.Why {
			rule, _, _ := strings.Cut(w, ":")
			d.counts[rule]++
		}
		d.Refused = append(d.Refused, f)
	default:
		d.Admitted = append(d.Admitted, d.flip(rec, v))
	}
	d.ByRule = ranked(d.counts)
}

// again is what is certain under the new policy, and, where that does not
// block, why something else still could.
func (d *Decisions) again(rec *policy.Decision) (v policy.Verdict, why string) {
	s, report := explain.Subject(rec), explain.Report(rec)
	if name := d.unsure(s); name != "" {
		return policy.Verdict{Action: policy.Allow}, "whether policy " + name + " applies is said by an expression over what a record does not hold"
	}
	own := map[string]bool{}
	report.Findings = slices.DeleteFunc(report.Findings, func(f policy.Finding) bool {
		if _, builtIn := d.policy.Catalogue[f.Rule]; builtIn {
			return false
		}
		own[f.Rule] = d.hasOwn(f.Rule)
		return true
	})
	v = d.certain(policy.Decide(d.policy, s, report))
	if v.Action == policy.Block {
		if id := d.excepted(rec, v); id != "" {
			v.Action = policy.Allow
			return v, "exception " + id + " chooses by digest, and the record does not hold all digests of the image"
		}
		return v, ""
	}
	for rule, asked := range own {
		if asked {
			return v, "rule " + rule + " found something then; whether it would as it is written now is not known"
		}
	}
	if rule := d.strictWithPHI(s, v); rule != "" {
		return v, "rule " + rule + " blocks where a volume with ePHI is mounted, and a record holds no mounts"
	}
	for _, k := range rec.Skipped {
		if d.couldBlock(rec, s, k) {
			return v, fmt.Sprintf("%s was not looked at, and the record does not say which failure setting that falls under", policy.Printable(k.Where))
		}
	}
	if rec.FindingsTotal > len(rec.Findings) || rec.SkippedTotal > len(rec.Skipped) {
		return v, "the record holds only the gravest findings"
	}
	return v, ""
}

// unsure names a document of which a record does not tell whether it applies.
func (d *Decisions) unsure(s *policy.Subject) string {
	for i := range d.policy.Documents {
		doc := &d.policy.Documents[i]
		if doc.Selector.When == nil || doc.Selector.ByLabel() || !doc.Selector.Selects(s) {
			continue
		}
		if doc.Selector.Tightens(s) {
			return policy.Printable(doc.Name)
		}
	}
	return ""
}

// certain takes out of a verdict the conditions that a record cannot answer,
// and remembers them.
func (d *Decisions) certain(v policy.Verdict) policy.Verdict {
	open := map[string]bool{}
	for _, k := range v.Skipped {
		open[k.Rule] = true
		if !slices.Contains(d.NotAsked, k.Rule) {
			d.NotAsked = append(d.NotAsked, k.Rule)
			slices.Sort(d.NotAsked)
		}
	}
	v.Skipped, v.Action = nil, policy.Allow
	v.Findings = slices.DeleteFunc(v.Findings, func(f policy.Judged) bool { return open[f.Rule] })
	for _, f := range v.Findings {
		v.Action = policy.Stricter(v.Action, f.Action)
	}
	if v.Action != policy.Block {
		v.Action = policy.Allow
	}
	return v
}

// strictWithPHI names a rule that would block if the container mounts a volume
// that the new policy declares to hold ePHI, where that policy does not say itself
// what the rule does.
func (d *Decisions) strictWithPHI(s *policy.Subject, v policy.Verdict) string {
	if len(d.policy.PHIVolumes(s)) == 0 {
		return ""
	}
	for _, f := range v.Findings {
		said := slices.ContainsFunc(d.policy.Selected(s), func(doc *policy.Document) bool { _, ok := doc.Actions[f.Rule]; return ok })
		if with := f.Info.WithPHI; with != nil && *with == policy.Block && !said {
			return f.Rule
		}
	}
	return ""
}

// hasOwn says whether the new policy has a rule of its own of this name.
func (d *Decisions) hasOwn(rule string) bool {
	for i := range d.policy.Documents {
		doc := &d.policy.Documents[i]
		if slices.ContainsFunc(doc.Rules, func(r policy.Rule) bool { return r.ID == rule }) ||
			slices.ContainsFunc(doc.FileRules, func(r policy.FileRule) bool { return r.ID == rule }) ||
			slices.ContainsFunc(doc.Conditions, func(c policy.Condition) bool { return c.ID == rule }) {
			return true
		}
	}
	return false
}

// excepted names an exception that could lift every block of the verdict.
func (d *Decisions) excepted(rec *policy.Decision, v policy.Verdict) (id string) {
	for _, f := range v.Findings {
		if f.Action != policy.Block {
			continue
		}
		i := slices.IndexFunc(d.policy.Exceptions[f.Rule], func(e *policy.Exception) bool {
			return len(e.Digests) > 0 && !slices.Contains(e.Digests, rec.ImageDigest) && v.Action == policy.Block
		})
		if i < 0 {
			return ""
		}
		id = d.policy.Exceptions[f.Rule][i].ID
	}
	return id
}

// couldBlock says whether something that was skipped could block now. What kind
// of skip it was is not recorded; where the policy that decided is known, the
// action that it gave tells which kinds it can have been.
func (d *Decisions) couldBlock(rec *policy.Decision, s *policy.Subject, k policy.SkipEntry) bool {
	now := kinds(d.policy, s, rec.Time)
	var then []policy.Action
	if d.before != nil && rec.Policy != "" && d.before.Digest == rec.Policy {
		then = kinds(d.before, s, rec.Time)
	}
	for kind, action := range now {
		if action == policy.Block && (then == nil || then[kind] == k.Action) {
			return true
		}
	}
	return false
}

// kinds is what a policy does for a subject with each kind of what is skipped.
func kinds(p *policy.Policy, s *policy.Subject, at time.Time) []policy.Action {
	out := make([]policy.Action, policy.Stale+1)
	for kind := range out {
		v := policy.Decide(p, s, policy.Report{Now: at, Skipped: []policy.Skipped{{Kind: policy.SkipKind(kind)}}})
		out[kind] = v.Skipped[0].Action
	}
	return out
}

// flip says which rules make the difference.
func (d *Decisions) flip(rec *policy.Decision, v policy.Verdict) Flip {
	f := Flip{
		Seq: rec.Seq, Time: rec.Time, Target: policy.Printable(rec.Target), Image: policy.Printable(rec.Image),
		Before: rec.Verdict, After: v.Action, Why: []string{},
	}
	then, now := map[string]policy.Action{}, map[string]policy.Action{}
	for _, r := range rec.Findings {
		keep(then, r.Rule, r.Action)
	}
	for _, j := range v.Findings {
		keep(now, j.Rule, j.Action)
	}
	for rule, action := range then {
		after, asked := now[rule]
		switch {
		case !asked && action == policy.Block:
			f.Why = append(f.Why, fmt.Sprintf("%s: block -> not a rule any more", rule))
		case asked && after != action && (after == policy.Block || action == policy.Block):
			f.Why = append(f.Why, fmt.Sprintf("%s: %s -> %s", rule, action, after))
		}
	}
	for _, k := range rec.Skipped {
		if k.Action == policy.Block && v.Action != policy.Block {
			f.Why = append(f.Why, fmt.Sprintf("%s: block -> not held against it", policy.Printable(k.Where)))
		}
	}
	slices.Sort(f.Why)
	f.Why = slices.Compact(f.Why)
	return f
}

// keep keeps the stricter action of a rule.
func keep(actions map[string]policy.Action, rule string, a policy.Action) {
	if old, ok := actions[rule]; !ok || a < old {
		actions[rule] = a
	}
}
