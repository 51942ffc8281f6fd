package config

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
)

// written is a document of our own kind with its places, kept while linting.
type written struct {
	name string
	src  *source
	spec *ownSpec
}

// checkReach warns of what can never have an effect, whatever container comes:
// a selector that chooses none, a date that mode audit makes idle, and a word on
// a rule that is softer than another policy's which is in force wherever it is,
// since [policy.Decide] takes the strictest. It says nothing where it cannot be
// sure, such as of globs that overlap.
func (c *compiler) checkReach() {
	for _, w := range c.written {
		if at, why := w.spec.Selector.contradiction(); why != "" {
			w.src.warning(at, "policy %s can never apply: %s", shown(w.name), why)
			continue
		}
		if date := w.spec.EnforceAfter; date.Set && w.spec.Mode.value == policy.AuditOnly {
			w.src.warning(date.at, "enforceAfter has no effect in mode audit, which caps every action at audit")
		}
		c.checkConstant(w)
		c.checkShadowed(w)
	}
}

// checkConstant looks for expressions that are the same whatever container comes.
// A condition that is always true is none of them: it refuses all that the policy
// selects.
func (c *compiler) checkConstant(w written) {
	when := w.spec.Selector.When
	if always, constant := c.constant(when, true); constant && !always {
		w.src.warning(when.at, "policy %s can never apply: `when` is false, whatever container comes", shown(w.name))
	} else if constant {
		w.src.warning(when.at, "`when` has no effect: it is true, whatever container comes")
	}
	for _, r := range w.spec.Rules {
		if always, constant := c.constant(r.Condition, false); constant && !always {
			w.src.warning(r.Condition.at, "rule %s can never find anything: its condition is false, whatever container comes", shown(r.ID.Value))
		}
	}
}

// constant says what an expression is whatever it reads, where that is one thing.
func (c *compiler) constant(text located[string], when bool) (value, constant bool) {
	if !text.Set || c.language == nil {
		return false, false
	}
	return c.language.Constant(text.Value, when)
}

// contradiction is why a selector chooses nothing, and where it says so.
func (o *ownSelector) contradiction() (at position, why string) {
	in, not := values(o.Namespaces.In), values(o.Namespaces.NotIn)
	excluded := func(ns string) bool {
		return slices.Contains(not, ns) || !strings.ContainsAny(ns, globSigns) && anyGlob(not, ns)
	}
	switch {
	case len(in) > 0 && !slices.ContainsFunc(in, func(ns string) bool { return !excluded(ns) }):
		return o.Namespaces.NotIn[0].at, "notIn takes away all namespaces that in names"
	case len(in) == 0 && slices.ContainsFunc(not, matchesAll):
		return o.Namespaces.NotIn[0].at, "notIn takes away all namespaces"
	case len(o.Runtimes) == 0 || slices.Contains(values(o.Runtimes), "cri"):
	case len(in) > 0 && !anyGlob(in, ""):
		return o.Runtimes[0].at, "pods, and so namespaces, are of runtime cri alone"
	case len(o.PodLabels.MatchLabels) > 0:
		return o.Runtimes[0].at, "pods, and so labels, are of runtime cri alone"
	}
	for _, r := range o.PodLabels.MatchExpressions {
		if o.impossible(r) {
			return r.Operator.at, "no pod has labels that fulfil all of podLabels"
		}
	}
	return position{}, ""
}

func matchesAll(glob string) bool { return glob == "*" || glob == "**" }

func values(from []located[string]) (out []string) {
	for _, v := range from {
		out = append(out, v.Value)
	}
	return out
}

// impossible says whether one requirement contradicts matchLabels or another one.
func (o *ownSelector) impossible(r labelRequirement) bool {
	expression := func(r labelRequirement) policy.LabelExpression {
		return policy.LabelExpression{Key: r.Key.Value, Operator: policy.LabelOperator(r.Operator.Value), Values: values(r.Values)}
	}
	mine := expression(r)
	if value, said := o.PodLabels.MatchLabels[mine.Key]; said && !mine.Holds(map[string]string{mine.Key: value}) {
		return true
	}
	for _, other := range o.PodLabels.MatchExpressions {
		e := expression(other)
		if e.Key != mine.Key {
			continue
		}
		switch {
		case mine.Operator == policy.LabelDoesNotExist && (e.Operator == policy.LabelExists || e.Operator == policy.LabelIn):
			return true
		case mine.Operator == policy.LabelIn && !slices.ContainsFunc(mine.Values, func(v string) bool { return e.Holds(map[string]string{e.Key: v}) }):
			return true
		}
	}
	return false
}

// checkShadowed looks for a policy whose word on a rule is stricter wherever
// this one's holds.
func (c *compiler) checkShadowed(w written) {
	mine := c.compiledAs(w.name)
	if mine == nil {
		return
	}
	for _, r := range w.spec.Rules {
		id := c.ruleID(r.ID.Value)
		action, said := mine.Actions[id]
		if !said || r.Action == nil {
			continue
		}
		for i := range c.documents {
			other := &c.documents[i]
			if stricter, ok := other.Actions[id]; ok && stricter < action && other.Name != mine.Name && c.alwaysBeside(other, mine) && !c.isExcepted(other.Name, id) {
				w.src.warning(r.Action.at, "%s has no effect: policy %s (%s) says %s on %s wherever this one applies, and the strictest word counts",
					action, shown(other.Name), other.Source, stricter, shown(id))
				break
			}
		}
	}
}

func (c *compiler) compiledAs(name string) *policy.Document {
	for i := range c.documents {
		if c.documents[i].Name == name {
			return &c.documents[i]
		}
	}
	return nil
}

// isExcepted says whether an exception softens a policy's word on a rule: then a
// softer one of another policy can count.
func (c *compiler) isExcepted(name, rule string) bool {
	return slices.ContainsFunc(c.exceptions, func(e exception) bool {
		return slices.ContainsFunc(e.spec.Policies, func(p exceptedPolicy) bool {
			return p.Name.Value == name && slices.ContainsFunc(p.Rules, func(r located[string]) bool { return c.anyRule(r.Value) == rule })
		})
	})
}

// alwaysBeside says whether a policy enforces its words wherever another one
// applies: its selector is empty or as wide in each key, and nothing softens it.
func (c *compiler) alwaysBeside(wide, narrow *policy.Document) bool {
	w, n := wide.Selector, narrow.Selector
	same := func(wide, narrow string) bool { return wide == narrow }
	excludes := slices.ContainsFunc(w.NotNamespaces, func(ns string) bool { return !slices.Contains(n.NotNamespaces, ns) })
	enforces := wide.Mode != nil && *wide.Mode == policy.Enforce && !c.now.Before(wide.EnforceAfter)
	return enforces && !excludes && (w.When == nil || c.whenOf(wide.Name) == c.whenOf(narrow.Name)) && labelsWithin(w, n) &&
		within(w.Namespaces, n.Namespaces, namespaceWithin) && within(w.Runtimes, n.Runtimes, same) &&
		within(w.ImageGlobs, n.ImageGlobs, imageWithin) && within(w.ImageDigests, n.ImageDigests, same)
}

// within says whether each word of a selector's key is within one of a wider one.
func within(wide, narrow []string, holds func(wide, narrow string) bool) bool {
	return len(wide) == 0 || len(narrow) > 0 && !slices.ContainsFunc(narrow, func(n string) bool {
		return !slices.ContainsFunc(wide, func(w string) bool { return holds(w, n) })
	})
}

// labelsWithin says whether labels that a narrow selector asks for are at least
// those of a wider one.
func labelsWithin(wide, narrow policy.Selector) bool {
	for key, value := range wide.PodLabels {
		if has, ok := narrow.PodLabels[key]; !ok || has != value {
			return false
		}
	}
	return !slices.ContainsFunc(wide.PodExpressions, func(e policy.LabelExpression) bool {
		return !slices.ContainsFunc(narrow.PodExpressions, func(o policy.LabelExpression) bool {
			return e.Key == o.Key && e.Operator == o.Operator && slices.Equal(slices.Sorted(slices.Values(e.Values)), slices.Sorted(slices.Values(o.Values)))
		})
	})
}

// whenOf is the expression of a policy's selector as it is written.
func (c *compiler) whenOf(name string) string {
	for _, w := range c.written {
		if w.name == name {
			return w.spec.Selector.When.Value
		}
	}
	return ""
}

// namespaceWithin says whether all namespaces that a glob fits fit another one,
// where that is plain: it is the same, all of them, or a beginning or an end that
// the narrow one has, too. Names of namespaces hold no slash.
func namespaceWithin(wide, narrow string) bool {
	if wide == narrow || matchesAll(wide) || !strings.ContainsAny(narrow, globSigns) && anyGlob([]string{wide}, narrow) {
		return true
	}
	head, tail := plainEnds(narrow)
	begin, star := strings.CutSuffix(wide, "*")
	if star && begin != "" && !strings.ContainsAny(begin, globSigns) {
		return strings.HasPrefix(head, begin)
	}
	end, star := strings.CutPrefix(wide, "*")
	return star && end != "" && !strings.ContainsAny(end, globSigns) && strings.HasSuffix(tail, end)
}

// imageWithin is the same of images, whose names hold slashes: only two stars at
// the end take in all that follows.
func imageWithin(wide, narrow string) bool {
	if wide == narrow || wide == "**" {
		return true
	}
	head, _ := plainEnds(narrow)
	begin, star := strings.CutSuffix(wide, "/**")
	return star && begin != "" && !strings.ContainsAny(begin, globSigns) && strings.HasPrefix(head, begin+"/")
}

// plainEnds are what a glob begins and ends with, up to its first and from its
// last sign.
func plainEnds(glob string) (head, tail string) {
	first := strings.IndexAny(glob, globSigns)
	if first < 0 {
		return glob, glob
	}
	return glob[:first], glob[strings.LastIndexAny(glob, globSigns)+1:]
}
