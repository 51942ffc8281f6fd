package policy

import "fmt"

// standard is the baseline's action; a rule that nobody knows blocks. An
// exception from a document's word is one from the baseline beneath it too.
func (in *inForce) standard(info Info, f *Finding, notes map[string]bool) Action {
	if info.ID == "" {
		in.because(Reason{Said: Block, Action: Block, Why: "no rule of this name is known"})
		return Block
	}
	action, why := in.builtIn(info, info.Default, notes)
	if in.mode == AuditOnly && action < Audit {
		action, why = Audit, whyAudit
	}
	policies := []string{Baseline}
	for _, d := range in.open {
		policies = append(policies, d.Name)
	}
	action, why = in.except(f, action, why, policies...)
	in.because(Reason{Said: info.Default, Action: action, Why: why})
	return action
}

// builtIn is the built-in word on a rule, which is stricter where ePHI is
// mounted.
func (in *inForce) builtIn(info Info, said Action, notes map[string]bool) (action Action, note string) {
	raised := in.phi && info.WithPHI != nil && *info.WithPHI < said
	if raised {
		said = *info.WithPHI
	}
	if action, note = in.isolated(info, said, notes); note == "" && raised {
		note = whyPHI
	}
	return action, note
}

// isolated softens the built-in word on an isolation rule where the node itself
// or a build could not work under it.
func (in *inForce) isolated(info Info, said Action, notes map[string]bool) (action Action, note string) {
	switch {
	case said >= Audit || !info.Isolation && !info.Building:
		return said, ""
	case info.Building && in.subject.Runtime == RuntimeBuildKit:
		note = "tools audited: a step of a build"
	case info.Isolation && in.platform:
		note = fmt.Sprintf("isolation rules audited: namespace %s is the platform's", Printable(in.subject.Pod.Namespace))
	case info.Isolation && in.subject.Runtime == RuntimeBuildKit:
		note = "isolation rules audited: a step of a build, whose container ends with it"
	default:
		return said, ""
	}
	notes[note] = true
	return Audit, note
}
