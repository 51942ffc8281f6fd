package config

import (
	"path"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
)

// ownPolicy is our own kind as it is written.
type ownPolicy struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Metadata   ownMetadata `json:"metadata"`
	Spec       *ownSpec    `json:"spec"`
}

type ownSpec struct {
	Description  string            `json:"description" doc:"What the policy is for, in a sentence."`
	Mode         modeWord          `json:"mode" doc:"enforce, or audit: every action is capped at audit, for a roll-out."`
	EnforceAfter located[string]   `json:"enforceAfter" doc:"Until then block becomes warn: a date (midnight UTC) or a moment with its zone."`
	Extends      []located[string] `json:"extends" doc:"Built-in policies whose words hold where this policy has none; of several the strictest." words:"profile"`
	Failure      struct {
		Undecided   *actionWord `json:"undecided" doc:"A rule or an inspector gave no answer."`
		Unreadable  *actionWord `json:"unreadable" doc:"Bytes could not be read."`
		Unscannable *actionWord `json:"unscannable" doc:"Bytes were read and not understood: encrypted, damaged, beyond a bound."`
		Stale       *actionWord `json:"stale" doc:"An older version's facts answer for a layer, until it is scanned anew."`
	} `json:"failure" doc:"What happens where something could not be judged."`
	Deleted    *actionWord       `json:"deleted" doc:"What happens on findings in files that an upper layer deletes."`
	Platform   []located[string] `json:"platformNamespaces" doc:"Namespaces of the node itself: the built-in isolation rules are audited there. PHI is blocked there too."`
	Selector   ownSelector       `json:"selector" doc:"Which containers the policy is for: AND between the keys, OR within one."`
	Rules      []ownRule         `json:"rules" doc:"Rules of the catalogue with another action, and rules of your own."`
	PHIVolumes []located[string] `json:"phiVolumes" doc:"Host paths that hold ePHI, for the mount rules; globs."`
	Thresholds struct {
		DistinctIndividuals located[int] `json:"distinctIndividuals" doc:"From how many people on they are very many (164.408); 500 where none is said."`
	} `json:"thresholds" doc:"Numbers from which on rules apply."`
}

// ownRule changes a rule of the catalogue or, with a condition or a scanner, is
// one of its own.
type ownRule struct {
	placed
	ID        located[string]          `json:"id" doc:"A rule of the catalogue (phigate rules), or a name for one of your own." words:"rule"`
	Action    *actionWord              `json:"action" doc:"block refuses, warn lets run and says so, audit records."`
	Title     located[string]          `json:"title" doc:"What your own rule demands, in a sentence."`
	Severity  located[policy.Severity] `json:"severity" doc:"How grave a violation is; by the action where none is said."`
	Cites     []located[string]        `json:"cites" doc:"Paragraphs of 45 CFR part 164 that your own rule supports." words:"paragraph"`
	Condition located[string]          `json:"condition" doc:"CEL over spec, container, pod, image, findings, node and now: true is a violation. It makes the rule one of your own."`
	Scanner   located[string]          `json:"scanner" doc:"Ask as the Aqua-style dialect does, instead of by a condition: file, network or secrets. It makes the rule one of your own." words:"scanner"`
	Match     *dialectMatch            `json:"match" doc:"What the scanner looks for."`
	Message   located[string]          `json:"message" doc:"What a violation says; {{image.name}} and what else identifies a container can stand in it."`
	Fix       located[string]          `json:"fix" doc:"What to do about a violation."`
	Override  located[bool]            `json:"override" doc:"This rule replaces one of the same id of a folder that is read earlier."`
	Params    later                    `json:"parameters"`
}

// own compiles a document of our own kind.
func (c *compiler) own(src *source, doc *node) {
	var p ownPolicy
	before := len(src.problems)
	src.decode(doc, &p)
	named := c.name(src, doc, "policy", p.Metadata)
	if p.Spec == nil {
		if len(src.problems) == before {
			src.problem(doc.at, "spec is missing")
		}
		return
	}
	spec := p.Spec
	d := policy.Document{
		Name: p.Metadata.Name.Value, Version: p.Metadata.Version, Source: place(src, doc.at),
		Mode: &spec.Mode.value, EnforceAfter: src.moment("enforceAfter", spec.EnforceAfter),
		Selector: spec.Selector.compile(src),
		Failure: policy.Failure{
			Undecided: spec.Failure.Undecided.action(), Unreadable: spec.Failure.Unreadable.action(),
			Unscannable: spec.Failure.Unscannable.action(), Stale: spec.Failure.Stale.action(),
		},
		Deleted: spec.Deleted.action(), Platform: src.platform(spec.Platform),
		PHIVolumes: src.volumes(spec.PHIVolumes), DistinctIndividuals: src.people(spec.Thresholds.DistinctIndividuals),
	}
	c.extend(src, spec.Extends, &d)
	c.when(src, spec.Selector.When, &d.Selector)
	d.Actions = c.actions(src, spec.Rules, &d)
	for i := range spec.Rules {
		if r := &spec.Rules[i]; r.ID.Set && r.isOwn() {
			c.ownRule(src, r, &d)
		}
	}
	for rule := range d.Actions {
		delete(d.Inherited, rule)
	}
	if d.Selector.ByLabel() {
		c.labelled = append(c.labelled, labelled{d.Name, src, spec, d.Actions})
	}
	if named {
		c.documents = append(c.documents, d)
		if !c.now.IsZero() {
			c.written = append(c.written, written{d.Name, src, spec})
		}
	}
}

// actions reads the rules that a document names: by ID or row number one of the
// catalogue, by ID one that it has from a profile.
func (c *compiler) actions(src *source, rules []ownRule, d *policy.Document) map[string]policy.Action {
	actions := map[string]policy.Action{}
	for _, r := range rules {
		if !r.ID.Set {
			src.problem(r.at, "id is missing: which rule of the catalogue is meant?")
			continue
		}
		if r.isOwn() {
			continue
		}
		src.ownOnly(r)
		id := c.ruleID(r.ID.Value)
		if _, inherited := d.Inherited[r.ID.Value]; inherited {
			id = r.ID.Value
		}
		switch _, twice := actions[id]; {
		case id == "":
			src.suggest(r.ID.at, r.ID.Value, c.allRules(), "rule %s is not in the catalogue; `phigate rules` lists it", shown(r.ID.Value))
		case twice:
			src.problem(r.ID.at, "rule %s stands twice in this policy", shown(id))
		case r.Action == nil:
			src.problem(r.ID.at, "action is missing: block, warn or audit")
		default:
			actions[id] = r.Action.value
		}
	}
	return actions
}

// ownOnly refuses on a rule of the catalogue what it brings along itself.
func (s *source) ownOnly(r ownRule) {
	for _, key := range []struct {
		name string
		set  bool
		at   position
	}{
		{"title", r.Title.Set, r.Title.at}, {"severity", r.Severity.Set, r.Severity.at}, {"cites", r.Cites != nil, r.at},
		{"message", r.Message.Set, r.Message.at}, {"fix", r.Fix.Set, r.Fix.at}, {"override", r.Override.Set, r.Override.at},
	} {
		if key.set {
			s.problem(key.at, "`%s` belongs to rules of your own, which have a condition; rule %s brings its own along", key.name, shown(r.ID.Value))
		}
	}
}

// when compiles the expression of a selector.
func (c *compiler) when(src *source, text located[string], sel *policy.Selector) {
	if !text.Set {
		return
	}
	program := c.program(src, text, true)
	if program == nil {
		return
	}
	rule := policy.Rule{Needs: program.Needs}
	sel.When = &policy.When{ByAuthor: program.ByAuthor, Selects: func(s *policy.Subject) (selects, sure bool) {
		if sight, _ := rule.Sight(s); sight != policy.Clear {
			return false, false
		}
		selects, _, err := program.Ask(policy.Circumstances{Subject: s}, 1)
		return selects, err == nil
	}}
}

// ruleID finds a rule of the catalogue; empty where there is none.
func (c *compiler) ruleID(name string) string {
	if _, ok := c.catalogue[name]; ok {
		return name
	}
	return c.byAlias[name]
}

// moment reads a date (midnight UTC) or a moment with its zone.
func (s *source) moment(key string, at located[string]) time.Time {
	if !at.Set || at.Value == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, at.Value); err == nil {
			return t
		}
	}
	s.problem(at.at, "%s must be a date such as 2026-12-15, which begins at midnight UTC, or a moment with its zone such as 2026-12-15T06:00:00Z, and here is %s", key, shown(at.Value))
	return time.Time{}
}

// volumes reads patterns of host paths, which are compared part by part, and
// paths of the container; see [policy.CheckPHIVolume].
func (s *source) volumes(patterns []located[string]) (out []string) {
	for _, p := range patterns {
		_, braced, _ := strings.Cut(p.Value, "{")
		at, readOnly := strings.CutSuffix(p.Value, ":ro")
		switch {
		case strings.HasPrefix(p.Value, "container:"):
			if err := policy.CheckPHIVolume(p.Value); err != nil {
				s.problem(p.at, "phiVolumes entry %s: %v", shown(p.Value), err)
				continue
			}
			out = append(out, p.Value)
		case !strings.HasPrefix(p.Value, "/"):
			s.problem(p.at, "phiVolumes takes absolute host paths, and here is %s; begin it with /", shown(p.Value))
		case strings.Contains(braced, "}") && strings.Contains(braced[:strings.LastIndexByte(braced, '}')], "/"):
			s.problem(p.at, "braces in phiVolumes hold no slash; write each path as an entry of its own")
		case s.glob(p.at, at) && readOnly:
			out = append(out, path.Clean(at)+":ro")
		case s.glob(p.at, at):
			out = append(out, path.Clean(at))
		}
	}
	return out
}

// people reads a number of people; 0 where none is said.
func (s *source) people(n located[int]) int {
	if n.Set && n.Value < 1 {
		s.problem(n.at, "distinctIndividuals is a number of people from 1 on, and here is %d", n.Value)
	}
	return n.Value
}

// platform reads the namespaces of the node's own pods. It keeps an empty list
// apart from none: that says that no namespace is the platform's.
func (s *source) platform(names []located[string]) []string {
	if names == nil {
		return nil
	}
	out := []string{}
	for _, name := range names {
		if !plainNamespace(name.Value) {
			s.problem(name.at, "platformNamespaces takes whole names of namespaces, and here is %s", shown(name.Value))
			continue
		}
		out = append(out, name.Value)
	}
	return out
}

// plainNamespace: RFC 1123 labels, as Kubernetes demands of namespaces.
func plainNamespace(name string) bool {
	if name == "" || len(name) > 63 {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

// labelled is a document that selects by pod label, checked once all are read.
type labelled struct {
	name    string
	src     *source
	spec    *ownSpec
	actions map[string]policy.Action
}

// checkLabelled refuses what looks like softening by pod label. Labels are the
// pod author's, so [policy.Decide] lets them tighten alone; saying so here
// spares the operator a policy that does nothing.
func (c *compiler) checkLabelled() {
	base := map[string]policy.Action{}
	for id, info := range c.catalogue {
		base[id] = info.Default
	}
	for _, d := range c.documents {
		for id, action := range d.Actions {
			if !d.Selector.ByLabel() {
				base[id] = max(base[id], action)
			}
		}
	}
	for _, l := range c.labelled {
		if l.spec.Mode.value == policy.AuditOnly {
			l.src.problem(l.spec.Mode.at, "a policy that selects by pod label, or what else a pod's author writes, can only tighten, so mode audit has no effect; select by namespace or image")
		}
		if len(l.spec.Platform) > 0 {
			l.src.problem(l.spec.Platform[0].at, "a policy that selects by pod label, or what else a pod's author writes, can only tighten, so it cannot name platformNamespaces")
		}
		for _, r := range l.spec.Rules {
			id := c.ruleID(r.ID.Value)
			if action, ok := l.actions[id]; ok && action > base[id] {
				l.src.problem(r.Action.at, "a policy that selects by pod label, or what else a pod's author writes, can only tighten, and rule %s has action %s without it", shown(id), base[id])
			}
		}
	}
}
