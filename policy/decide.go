package policy

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// DefaultPlatform are the namespaces whose pods run the node itself and need
// what isolation rules forbid, unless a policy says otherwise.
var DefaultPlatform = []string{"kube-system"}

// Decide judges a report. It is total and deterministic: the same policy,
// subject and report give the same verdict whatever the order of documents or
// findings, and one more finding never softens it.
//
// For each rule the strictest of the documents that select the subject and
// name the rule wins; where none does, the catalogue's default holds. A
// document that selects by pod label can tighten that and never soften it.
//
// [Explain] is the same with its reasons.
func Decide(p *Policy, s *Subject, r Report) Verdict { return force(p, s, r, false).decide() }

func (in *inForce) decide() Verdict {
	in.conditions()
	r := in.report
	v := Verdict{
		Action: Allow, Mode: in.mode, Deferred: r.Deferred, Coverage: r.Coverage,
		Individuals: r.Individuals, Software: r.Software, Policy: in.policy.Digest, PolicyVersion: in.policy.Version,
	}
	notes := map[string]bool{}
	v.Findings = slices.Grow(v.Findings, len(r.Findings))
	for _, f := range r.Findings {
		if !r.Now.IsZero() && r.Now.Before(f.From) {
			continue // no violation yet
		}
		j := in.judge(f, notes)
		if j.Action == Block {
			v.Action = Block
		}
		v.Findings = append(v.Findings, j)
	}
	for _, skip := range r.Skipped {
		j := in.skip(skip)
		if j.Action == Block {
			v.Action = Block
		}
		v.Skipped = append(v.Skipped, j)
	}
	for note := range notes {
		v.Notes = append(v.Notes, note)
	}
	sort.Strings(v.Notes)
	v.Exceptions = usesOf(in.excepted)
	sortJudged(v.Findings)
	slices.SortStableFunc(v.Skipped, func(a, b JudgedSkip) int {
		return cmpAll(int(a.Action)-int(b.Action), strings.Compare(a.Where, b.Where), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Reason, b.Reason))
	})
	return v
}

// inForce is what a policy means for one subject at one moment.
type inForce struct {
	policy   *Policy
	subject  *Subject
	report   *Report
	open     []*Document // select without labels: their word is the base
	byLabel  []*Document // select by what a pod's author writes: they only tighten
	mode     Mode
	deleted  setting
	failure  [5]setting // by SkipKind
	platform bool
	phi      bool                  // the subject mounts a volume that is declared to hold ePHI
	granted  []granted             // by exceptions, to the finding that is being judged
	excepted map[string]*Exception // used so far, by ID
	reasoner
}

// setting is an action that documents give something else than a rule.
type setting struct {
	action  Action
	reasons []Reason
}

func force(p *Policy, s *Subject, r Report, explain bool) *inForce {
	if r.Host != nil {
		seen := *s // the caller's has nothing of the node
		seen.Host, s = *r.Host, &seen
	}
	in := &inForce{policy: p, subject: s, report: &r, excepted: map[string]*Exception{}, reasoner: reasoner{asked: explain}}
	for _, d := range p.Selected(s) {
		if d.Selector.Tightens(s) {
			in.byLabel = append(in.byLabel, d)
		} else {
			in.open = append(in.open, d)
		}
	}
	in.mode = in.commonMode()
	in.deleted = in.setting(Block, func(d *Document) *Action { return d.Deleted })
	in.failure = [5]setting{
		Undecided:   in.setting(Block, func(d *Document) *Action { return d.Failure.Undecided }),
		Unreadable:  in.setting(Block, func(d *Document) *Action { return d.Failure.Unreadable }),
		Unscannable: in.setting(Warn, func(d *Document) *Action { return d.Failure.Unscannable }),
		Stale:       in.setting(Warn, func(d *Document) *Action { return d.Failure.Stale }),
		OutOfScope:  {action: Audit},
	}
	in.platform = in.isPlatform()
	in.phi = p.mountsPHI(s)
	return in
}

// commonMode is the strictest mode of the open documents, Enforce where none has one.
func (in *inForce) commonMode() Mode {
	mode, said := AuditOnly, false
	for _, d := range in.open {
		if d.Mode != nil {
			mode, said = min(mode, *d.Mode), true
		}
	}
	if !said {
		return Enforce
	}
	return mode
}

// setting is the strictest word of the open documents, else the default, made
// stricter still by what the documents by label say.
func (in *inForce) setting(standard Action, of func(*Document) *Action) setting {
	action, said := Audit, false
	for _, d := range in.open {
		if a := of(d); a != nil {
			action, said = Stricter(action, *a), true
			in.because(Reason{By: d, Said: *a, Action: *a})
		}
	}
	if !said {
		action = standard
		in.because(Reason{Said: standard, Action: standard})
	}
	for _, d := range in.byLabel {
		if a := of(d); a != nil {
			action = Stricter(action, *a)
			in.because(Reason{By: d, Said: *a, Action: *a, Why: whyTightens})
		}
	}
	return setting{action, in.reasons()}
}

// isPlatform: a namespace counts as the node's own only where every open
// document that says anything names it.
func (in *inForce) isPlatform() bool {
	ns := in.subject.Pod.Namespace
	if ns == "" {
		return false
	}
	said := false
	for _, d := range in.open {
		if d.Platform == nil {
			continue
		}
		said = true
		if !slices.Contains(d.Platform, ns) {
			return false
		}
	}
	return said || slices.Contains(DefaultPlatform, ns)
}

func (in *inForce) judge(f Finding, notes map[string]bool) Judged {
	info, own := in.info(f.Rule)
	action := in.action(f.Rule, info, &f, notes)
	reasons, limit := in.reasons(), Block
	if f.Where.Deleted {
		limit = in.deleted.action
	}
	var exceptions []string
	for _, e := range in.used(max(action, limit), limit) {
		exceptions = append(exceptions, e.ID)
		in.excepted[e.ID] = e
		notes[e.note(f.Rule)] = true
	}
	if action < limit {
		action = limit
		note := fmt.Sprintf("deleted files: %s by policy", action)
		notes[note] = true
		reasons = append(softened(reasons, action, note), in.deleted.reasons...)
	}
	return Judged{Finding: f, Info: info, Action: action, OwnRule: own, Exceptions: exceptions, Reasons: reasons}
}

// action is what the documents say of a rule, and of a finding of it where one
// is given: exceptions are about findings.
func (in *inForce) action(rule string, info Info, f *Finding, notes map[string]bool) Action {
	action, said := Audit, false
	for _, d := range in.open {
		if a, ok := in.word(d, rule, info, f, notes); ok {
			action, said = Stricter(action, a), true
		}
	}
	if !said {
		action = in.standard(info, f, notes)
	}
	for _, d := range in.byLabel {
		if a, ok := in.word(d, rule, info, f, notes); ok {
			action = Stricter(action, a)
		}
	}
	return action
}

// word is what one document says of a rule: its own word, else that of a
// profile which it extends.
func (in *inForce) word(d *Document, rule string, info Info, f *Finding, notes map[string]bool) (Action, bool) {
	said, own := d.Actions[rule]
	inherited, ok := d.Inherited[rule]
	if !own && !ok {
		return 0, false
	}
	why := ""
	if !own {
		said = inherited.Action
		why = "of profile " + inherited.Profile
	}
	action := said
	if !own {
		var note string
		if action, note = in.builtIn(info, action, notes); note != "" {
			why = note
		}
	}
	action, capped := in.cap(d, action, notes)
	if capped != "" {
		why = capped
	}
	action, why = in.except(f, action, why, d.Name)
	in.because(Reason{By: d, Said: said, Action: action, Why: why})
	return action, true
}

// cap applies a document's mode and roll-out date to one of its actions.
func (in *inForce) cap(d *Document, said Action, notes map[string]bool) (action Action, why string) {
	mode := in.mode
	if d.Mode != nil {
		mode = *d.Mode
	}
	switch {
	case mode == AuditOnly && said < Audit:
		return Audit, whyAudit
	case said == Block && in.report.Now.Before(d.EnforceAfter):
		why = fmt.Sprintf("policy %s enforces from %s on", Printable(d.Name), moment(d.EnforceAfter))
		notes[why] = true
		return Warn, why
	case d.Selector.ByLabel():
		return said, whyTightens
	}
	return said, ""
}

// moment is a time as notes and reasons write it.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (in *inForce) skip(k Skipped) JudgedSkip {
	judged := JudgedSkip{Skipped: k}
	if int(k.Kind) < len(in.failure) {
		set := in.failure[k.Kind]
		judged.Action, judged.Reasons = set.action, set.reasons
		if in.mode == AuditOnly && set.action < Audit {
			judged.Action, judged.Reasons = Audit, softened(set.reasons, Audit, whyAudit)
		}
	}
	return judged
}

// info finds a rule's documentation, and whether it is the operator's own.
func (in *inForce) info(rule string) (info Info, own bool) {
	if info, ok := in.policy.Catalogue[rule]; ok {
		return info, false
	}
	for i := range in.policy.Documents {
		d := &in.policy.Documents[i]
		for _, r := range d.Rules {
			if r.ID == rule {
				return r.Info, true
			}
		}
		for _, r := range d.FileRules {
			if r.ID == rule {
				return r.Info, true
			}
		}
		for _, r := range d.Conditions {
			if r.ID == rule {
				return r.Info, true
			}
		}
	}
	return Info{}, false
}

// sortJudged puts what a person must read first first: blocks, the operator's
// own rules, the gravest, the most people.
func sortJudged(js []Judged) {
	slices.SortFunc(js, func(a, b Judged) int {
		return cmpAll(
			int(a.Action)-int(b.Action),
			boolInt(b.OwnRule)-boolInt(a.OwnRule),
			int(a.Info.Severity)-int(b.Info.Severity),
			compareFindings(&a.Finding, &b.Finding),
		)
	})
}

// compareFindings is a total order, so that the order in which inspectors found
// things never shows in a record.
func compareFindings(a, b *Finding) int {
	return cmpAll(
		b.Individuals.Point-a.Individuals.Point,
		strings.Compare(a.Rule, b.Rule),
		strings.Compare(a.Where.Path, b.Where.Path),
		strings.Compare(a.Where.Inside, b.Where.Inside),
		strings.Compare(a.Where.Field, b.Where.Field),
		strings.Compare(a.Where.Layer, b.Where.Layer),
		cmp.Compare(a.Where.Offset, b.Where.Offset),
		strings.Compare(a.Message, b.Message),
		boolInt(a.Where.Deleted)-boolInt(b.Where.Deleted),
		cmp.Compare(b.Count, a.Count),
		cmp.Compare(b.Individuals.High, a.Individuals.High),
		cmp.Compare(b.Individuals.Low, a.Individuals.Low),
		boolInt(a.Synthetic)-boolInt(b.Synthetic),
		strings.Compare(a.Fingerprint, b.Fingerprint),
		strings.Compare(a.Package, b.Package),
		strings.Compare(a.Advisories, b.Advisories),
	)
}

func cmpAll(cmps ...int) int {
	for _, c := range cmps {
		if c != 0 {
			return c
		}
	}
	return 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
