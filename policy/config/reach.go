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
// sure: globs that overlap, expressions, images.
func (c *compiler) checkReach() {
	for _, w := range c.written {
		if at, why := w.spec.Selector.contradiction(); why != "" {
			w.src.warning(at, "policy %s can never apply: %s", shown(w.name), why)
			continue
		}
		if date := w.spec.EnforceAfter; date.Set && w.spec.Mode.value == policy.AuditOnly {
			w.src.warning(date.at, "enforceAfter has no effect in mode audit, which caps every action at audit")
		}
		c.checkShadowed(w)
	}
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
	if mine == nil || mine.Selector.ByLabel() {
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
			if stricter, ok := other.Actions[id]; ok && stricter < action && other.Name != mine.Name && c.alwaysBeside(other, mine) {
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

// alwaysBeside says whether a policy enforces its words wherever another one
// applies: its selector is empty or as wide in each key, and nothing softens it.
func (c *compiler) alwaysBeside(wide, narrow *policy.Document) bool {
	w, n := wide.Selector, narrow.Selector
	within := func(wide, narrow []string) bool {
		return len(wide) == 0 || len(narrow) > 0 && !slices.ContainsFunc(narrow, func(word string) bool { return !slices.Contains(wide, word) })
	}
	namespaces := len(w.Namespaces) == 0 || len(n.Namespaces) > 0 && !slices.ContainsFunc(n.Namespaces, func(ns string) bool {
		return !slices.Contains(w.Namespaces, ns) && (strings.ContainsAny(ns, globSigns) || !anyGlob(w.Namespaces, ns))
	})
	excludes := slices.ContainsFunc(w.NotNamespaces, func(ns string) bool { return !slices.Contains(n.NotNamespaces, ns) })
	enforces := wide.Mode != nil && *wide.Mode == policy.Enforce && !c.now.Before(wide.EnforceAfter)
	return enforces && !w.ByLabel() && w.When == nil && namespaces && !excludes &&
		within(w.Runtimes, n.Runtimes) && within(w.ImageGlobs, n.ImageGlobs) && within(w.ImageDigests, n.ImageDigests)
}
