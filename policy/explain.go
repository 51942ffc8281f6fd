package policy

import (
	"slices"
	"strings"
)

// Reason is one word that was said on an action, and by whom. The strictest of
// an action's reasons is the action.
type Reason struct {
	By     *Document // nil: the built-in baseline
	Said   Action    // as it is written
	Action Action    // after what softens it
	Why    string    // what softens it, or what else is to be known of it
}

// What several places say.
const (
	whyAudit    = "in mode audit"
	whyPHI      = "a volume with ePHI is mounted"
	whyTightens = "selects by pod label or what else its author writes, so it can only tighten"
)

// Explanation is a verdict with its reasons.
type Explanation struct {
	Verdict   Verdict // its findings and what was skipped have their reasons
	Documents []Chosen
	Rules     []Explained // all that could apply, by ID
}

// Chosen is a document and what its selector says of the subject.
type Chosen struct {
	Document *Document
	Excluded string // the selector's key that does not choose the subject; empty: the document applies
}

// Explained is a rule with the action that a finding of it has, and why.
type Explained struct {
	Info    Info
	Own     bool // the operator wrote it
	Action  Action
	Reasons []Reason
}

// Explain is Decide with its reasons: it decides by the same code, which says
// meanwhile whose word it follows.
func Explain(p *Policy, s *Subject, r Report) Explanation {
	in := force(p, s, r, true)
	e := Explanation{Verdict: in.decide()}
	for i := range p.Documents {
		d := &p.Documents[i]
		e.Documents = append(e.Documents, Chosen{d, d.Selector.Excludes(s)})
	}
	for _, id := range in.ruleIDs() {
		info, own := in.info(id)
		action := in.action(id, info, nil, map[string]bool{})
		e.Rules = append(e.Rules, Explained{info, own, action, in.reasons()})
	}
	return e
}

// ruleIDs are the rules of the catalogue and of the documents that apply, each once.
func (in *inForce) ruleIDs() []string {
	var ids []string
	for id := range in.policy.Catalogue {
		ids = append(ids, id)
	}
	for _, d := range slices.Concat(in.open, in.byLabel) {
		for _, r := range d.Rules {
			ids = append(ids, r.ID)
		}
		for _, r := range d.FileRules {
			ids = append(ids, r.ID)
		}
		for _, r := range d.Conditions {
			ids = append(ids, r.ID)
		}
	}
	slices.SortFunc(ids, strings.Compare)
	return slices.Compact(ids)
}

// reasoner collects the reasons of one action, where they are asked for: a gate
// does not pay for them.
type reasoner struct {
	asked bool
	heard []Reason
}

func (w *reasoner) because(r Reason) {
	if w.asked {
		w.heard = append(w.heard, r)
	}
}

// reasons are those heard since they were last taken.
func (w *reasoner) reasons() []Reason {
	out := w.heard
	w.heard = nil
	return out
}

// softened are reasons whose actions something else makes at most as strict as
// a limit, and what that is.
func softened(reasons []Reason, limit Action, why string) []Reason {
	out := slices.Clone(reasons)
	for i := range out {
		r := &out[i]
		if r.Action >= limit {
			continue
		}
		if r.Why != "" {
			r.Why += "; "
		}
		r.Action, r.Why = limit, r.Why+why
	}
	return out
}
