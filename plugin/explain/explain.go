// Package explain says of each rule what became of it for one subject: what it
// found, whose word its action follows, or which fact was missing and who will
// see it. It decides nothing: the reasons come from [policy.Explain].
package explain

import (
	"cmp"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
)

// States of a rule.
const (
	Found    = "found"    // it found something
	Clean    = "clean"    // it was asked and found nothing
	Later    = "later"    // a later gate will judge it
	Unjudged = "unjudged" // it could not be judged
	Foreign  = "foreign"  // the subject does not have what it asks for
	Unknown  = "unknown"  // a record does not say
)

// Sheet is an explanation, for people and as JSON. Fields may be added, never
// renamed.
type Sheet struct {
	Target   string        `json:"target"`
	Seq      uint64        `json:"seq,omitempty"` // of the decision that is explained
	Verdict  policy.Action `json:"verdict"`
	Mode     policy.Mode   `json:"mode"`
	Policies []Document    `json:"policies"`
	Rules    []Rule        `json:"rules"` // blocks first
	Skipped  []Skip        `json:"skipped"`
	Notes    []string      `json:"notes,omitempty"`
}

// Document is a policy and whether it applies.
type Document struct {
	Name    string `json:"name"`
	Source  string `json:"source"`
	Applies bool   `json:"applies"`
	// Tightens: it selects by what the pod's author writes, or nobody can tell
	// whether it selects, so it can only tighten.
	Tightens bool `json:"tightens,omitempty"`
	// ExcludedBy is the key of its selector that does not choose the subject.
	ExcludedBy string `json:"excludedBy,omitempty"`
}

// Rule is one rule and what became of it.
type Rule struct {
	ID       string        `json:"rule"`
	Title    string        `json:"title"`
	State    string        `json:"state"`
	Action   policy.Action `json:"action"`            // of a finding of it
	Gate     policy.Gate   `json:"gate,omitempty"`    // that will judge it
	Missing  string        `json:"missing,omitempty"` // facts, or why there is no answer
	Findings []Finding     `json:"findings,omitempty"`
	Reasons  []Reason      `json:"reasons"` // of the action, where nothing was found
}

// Finding is a place, its action and whose word that follows.
type Finding struct {
	Where      string        `json:"where"`
	Message    string        `json:"message"`
	Action     policy.Action `json:"action"`
	Exceptions []string      `json:"exceptions,omitempty"`
	Reasons    []Reason      `json:"reasons"`
}

// Reason is one word on an action, and by whom.
type Reason struct {
	By     string        `json:"by"`               // a policy's name, or the baseline
	Source string        `json:"source,omitempty"` // file and line
	Said   policy.Action `json:"said"`
	Action policy.Action `json:"action"`        // after what softens it
	Why    string        `json:"why,omitempty"` // what softens it
}

// Skip is something that could not be looked at.
type Skip struct {
	Where   string        `json:"where"`
	Rule    string        `json:"rule"`
	Reason  string        `json:"reason"`
	Action  policy.Action `json:"action"`
	Reasons []Reason      `json:"reasons"`
}

// maxFindings bounds the places of one rule that a sheet names.
const maxFindings = 20

// Of lays out an explanation of a subject. The rules are those that inspectors
// ask about the subject: the catalogue's, to which those of the documents come.
func Of(s *policy.Subject, e policy.Explanation, catalogue []policy.Rule) *Sheet {
	sheet := &Sheet{
		Target: s.Display(), Verdict: e.Verdict.Action, Mode: e.Verdict.Mode, Notes: slices.Clone(e.Verdict.Notes),
		Policies: []Document{}, Skipped: []Skip{},
	}
	asked := slices.Clone(catalogue)
	for _, c := range e.Documents {
		d := c.Document
		sheet.Policies = append(sheet.Policies, Document{d.Name, d.Source, c.Excluded == "", c.Excluded == "" && d.Selector.Tightens(s), c.Excluded})
		if c.Excluded == "" {
			asked = append(asked, d.Rules...)
			for _, cond := range d.Conditions {
				asked = append(asked, policy.Rule{Info: cond.Info, Needs: cond.Needs})
			}
		}
	}
	for _, k := range e.Verdict.Skipped {
		sheet.Skipped = append(sheet.Skipped, Skip{policy.Printable(k.Where), k.Rule, policy.Printable(k.Reason), k.Action, reasons(k.Reasons)})
	}
	for _, x := range e.Rules {
		r := Rule{ID: x.Info.ID, Title: x.Info.Title, Action: x.Action, Reasons: reasons(x.Reasons)}
		r.find(e.Verdict)
		if len(r.Findings) == 0 {
			r.sight(s, e.Verdict, asked)
		}
		sheet.Rules = append(sheet.Rules, r)
	}
	sheet.unknown(e.Verdict)
	slices.SortStableFunc(sheet.Rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(a.Action, b.Action), strings.Compare(a.ID, b.ID))
	})
	return sheet
}

// Redact changes all that came from outside: names, places and what is said of
// them. What the operator called policies and rules stays.
func (s *Sheet) Redact(text func(string) string) {
	s.Target = text(s.Target)
	for i, note := range s.Notes {
		s.Notes[i] = text(note)
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		r.Missing = text(r.Missing)
		redact(text, r.Reasons)
		for j := range r.Findings {
			f := &r.Findings[j]
			f.Where, f.Message = text(f.Where), text(f.Message)
			redact(text, f.Reasons)
		}
	}
	for i := range s.Skipped {
		k := &s.Skipped[i]
		k.Where, k.Reason = text(k.Where), text(k.Reason)
		redact(text, k.Reasons)
	}
}

func redact(text func(string) string, reasons []Reason) {
	for i := range reasons {
		reasons[i].Why = text(reasons[i].Why)
	}
}

// rank orders the states as people read them.
func rank(state string) int {
	return slices.Index([]string{Found, Unjudged, Later, Unknown, Clean, Foreign}, state)
}

// find takes the rule's findings from a verdict, the gravest first.
func (r *Rule) find(v policy.Verdict) {
	for _, f := range v.Findings {
		if f.Rule != r.ID {
			continue
		}
		if r.State != Found {
			r.State, r.Action = Found, f.Action
		}
		if len(r.Findings) < maxFindings {
			r.Findings = append(r.Findings, Finding{f.Where.String(), policy.Printable(f.Message), f.Action, f.Exceptions, reasons(f.Reasons)})
		}
	}
}

// unknown adds the rules that found something and that nobody knows any more.
func (s *Sheet) unknown(v policy.Verdict) {
	for _, f := range v.Findings {
		if !slices.ContainsFunc(s.Rules, func(r Rule) bool { return r.ID == f.Rule }) {
			r := Rule{ID: f.Rule, Title: "not a rule of these policies", Reasons: []Reason{}}
			r.find(v)
			s.Rules = append(s.Rules, r)
		}
	}
}

// sight says why a rule that found nothing did not.
func (r *Rule) sight(s *policy.Subject, v policy.Verdict, asked []policy.Rule) {
	r.State = Clean
	for _, d := range v.Deferred {
		if d.Rule == r.ID {
			r.State, r.Gate, r.Missing = Later, d.Gate, d.Missing
			return
		}
	}
	for _, k := range v.Skipped {
		if k.Rule == r.ID {
			r.State, r.Missing = Unjudged, policy.Printable(k.Reason)
			return
		}
	}
	needs, ofSpec := policy.FactFiles, false
	for i := range asked {
		rule := &asked[i]
		if rule.ID != r.ID {
			continue
		}
		ofSpec = true
		if sight, missing := rule.Sight(s); sight == policy.Foreign {
			r.State, r.Missing = Foreign, missing.String()
			return
		}
	}
	if ofSpec || s.Sees.Has(needs) {
		return
	}
	// Detectors and rules on file names answer together.
	switch {
	case s.Later.Has(needs):
		r.State, r.Gate, r.Missing = Later, s.LaterGate, needs.String()
	case s.Never.Has(needs):
		r.State, r.Missing = Foreign, needs.String()
	default:
		r.State, r.Missing = Unjudged, needs.String()
	}
}

func reasons(from []policy.Reason) []Reason {
	out := []Reason{}
	for _, f := range from {
		r := Reason{By: policy.Baseline, Said: f.Said, Action: f.Action, Why: f.Why}
		if f.By != nil {
			r.By, r.Source = f.By.Name, f.By.Source
		}
		out = append(out, r)
	}
	return out
}
