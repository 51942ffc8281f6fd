package config

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config/expr"
	"github.com/phigate/phigate/policy/hipaa"
)

// isOwn says whether an entry of rules defines a rule instead of naming one.
func (r *ownRule) isOwn() bool { return r.Condition.Set || r.isMatch() }

// ownRule compiles a rule of the operator's own into the document.
func (c *compiler) ownRule(src *source, r *ownRule, d *policy.Document) {
	if r.isMatch() {
		c.ownMatch(src, r, d)
		return
	}
	c.ownCondition(src, r, d)
}

// ownCondition compiles a rule that asks an expression.
func (c *compiler) ownCondition(src *source, r *ownRule, d *policy.Document) {
	before := len(src.problems)
	switch {
	case !printableName(r.ID.Value):
		src.problem(r.ID.at, "a rule's id must be 1 to %d printable characters without spaces around them", maxName)
	case c.ruleID(r.ID.Value) != "":
		src.problem(r.ID.at, "%s is a rule of the catalogue, whose condition cannot be changed; give this rule another id", shown(r.ID.Value))
	case r.Action == nil:
		src.problem(r.ID.at, "action is missing: block, warn or audit")
	case strings.TrimSpace(r.Title.Value) == "" || len(r.Title.Value) > maxSentence:
		src.problem(r.ID.at, "title is missing or longer than %d bytes: what does the rule demand, in a sentence?", maxSentence)
	case r.Override.Value && !c.dropRule(src, r):
	}
	program := c.program(src, r.Condition, false)
	message := src.template(r.Message)
	info := policy.Info{
		ID: r.ID.Value, Title: policy.Printable(r.Title.Value), Cites: src.cites(r.Cites), Fix: policy.Printable(r.Fix.Value),
		Rationale: "A rule of the operator's own policy " + policy.Printable(d.Name) + ".",
	}
	if len(src.problems) > before || !c.takeRule(src, r.ID, d) {
		return
	}
	info.Default, info.Severity = r.Action.value, severityOf(r.Action.value)
	if r.Severity.Set {
		info.Severity = r.Severity.Value
	}
	d.Actions[info.ID] = info.Default
	d.Conditions = append(d.Conditions, policy.Condition{
		Info: info, Needs: program.Needs, Field: program.Field, OverFindings: program.OverFindings,
		Judge: func(given policy.Circumstances, budget uint64) (bool, string, uint64, error) {
			violated, spent, err := program.Ask(given, budget)
			if !violated {
				return false, "", spent, err
			}
			return true, message(given.Subject, info.Title), spent, nil
		},
	})
}

// maxSentence bounds a rule's title, message and fix, in bytes.
const maxSentence = 300

// dropRule takes out the rule of this ID in a lower layer.
func (c *compiler) dropRule(src *source, r *ownRule) bool {
	first, ok := c.ownRules[r.ID.Value]
	switch {
	case !ok:
		src.problem(r.Override.at, "there is no earlier rule %s that this one could override; remove `override`", shown(r.ID.Value))
		return false
	case first.layer >= src.layer:
		src.problem(r.Override.at, "only a rule of a folder that is read earlier can be overridden, and %s, first in %s, is of the same; remove one of them", shown(r.ID.Value), first.place)
		return false
	}
	delete(c.ownRules, r.ID.Value)
	for i := range c.documents {
		d := &c.documents[i]
		delete(d.Actions, r.ID.Value)
		delete(d.Inherited, r.ID.Value)
		d.Conditions = slices.DeleteFunc(d.Conditions, func(o policy.Condition) bool { return o.ID == r.ID.Value })
		d.Rules = slices.DeleteFunc(d.Rules, func(o policy.Rule) bool { return o.ID == r.ID.Value })
		d.FileRules = slices.DeleteFunc(d.FileRules, func(o policy.FileRule) bool { return o.ID == r.ID.Value })
	}
	return true
}

// program compiles an expression; nil where it has problems, each of which
// stands at its column in the file.
func (c *compiler) program(src *source, text located[string], when bool) *expr.Program {
	if c.language == nil {
		language, err := expr.New()
		if err != nil {
			src.problem(text.at, "expressions cannot be compiled: %s", err.Error())
			return nil
		}
		c.language = language
	}
	ask := c.language.Condition
	if when {
		ask = c.language.When
	}
	program, problems := ask(text.Value)
	for _, p := range problems {
		suggestion := ""
		if _, word, ok := strings.Cut(p.Message, "undefined field '"); ok {
			suggestion = nearest(strings.TrimRight(word, "'"), expr.Words())
		}
		src.add(src.inside(text, p.Line, p.Column), suggestion, false, "%s", []any{p.Message})
	}
	return program
}

// inside is the place in the file of a place in a text, both in characters from
// 1. Where the text is not written in the file as it is read (escapes, folded
// lines) it is the text's own place.
func (s *source) inside(text located[string], line, column int) position {
	if line < 1 {
		return text.at
	}
	want := strings.Split(text.Value, "\n")
	if line > len(want) {
		return text.at
	}
	written := want[line-1]
	for _, form := range []string{written, strings.ReplaceAll(written, "'", "''"), strings.ReplaceAll(written, `"`, `\"`)} {
		for at := text.at.line; at > 0 && at <= min(len(s.lines), text.at.line+len(want)); at++ {
			raw := s.lines[at-1]
			from := 0
			if at == text.at.line {
				from = len(string([]rune(raw)[:min(max(text.at.column-1, 0), utf8.RuneCountInString(raw))]))
			}
			if i := strings.Index(raw[from:], form); i >= 0 && form != "" {
				before := string([]rune(written)[:min(column-1, utf8.RuneCountInString(written))])
				doubled := 0
				if form != written {
					doubled = strings.Count(before, "'")*boolInt(strings.Contains(form, "''")) + strings.Count(before, `"`)*boolInt(strings.Contains(form, `\"`))
				}
				return position{at, utf8.RuneCountInString(raw[:from+i]) + column + doubled}
			}
		}
	}
	return text.at
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cites reads paragraphs, which must be among those of the Security Rule that
// package hipaa knows.
func (s *source) cites(from []located[string]) (out []hipaa.Citation) {
	var known []string
	for _, c := range hipaa.All() {
		known = append(known, c.Paragraph())
	}
	for _, at := range from {
		paragraph := strings.TrimPrefix(strings.TrimPrefix(at.Value, "45 CFR "), "§ ")
		if i := slices.Index(known, paragraph); i >= 0 {
			out = append(out, hipaa.All()[i])
			continue
		}
		s.suggest(at.at, paragraph, known, "%s is no paragraph of 45 CFR part 164 that rules cite; `phigate rules` shows those that there are", shown(at.Value))
	}
	return out
}

// rendered are what a message may hold: what identifies a container in each
// record anyway. Arguments, environment, labels and annotations may hold what
// must never be printed, so they are not among them.
func rendered() map[string]func(*policy.Subject) string {
	image := func(s *policy.Subject) expr.ImageName { return expr.NameOf(s.Image.Ref) }
	return map[string]func(*policy.Subject) string{
		"image.ref":         func(s *policy.Subject) string { return s.Image.Ref },
		"image.name":        func(s *policy.Subject) string { return image(s).Name },
		"image.registry":    func(s *policy.Subject) string { return image(s).Registry },
		"image.tag":         func(s *policy.Subject) string { return image(s).Tag },
		"image.digest":      func(s *policy.Subject) string { return s.Image.Digest },
		"container.id":      func(s *policy.Subject) string { return s.ID },
		"container.name":    func(s *policy.Subject) string { return s.Name },
		"container.runtime": func(s *policy.Subject) string { return s.Runtime },
		"pod.namespace":     func(s *policy.Subject) string { return s.Pod.Namespace },
		"pod.name":          func(s *policy.Subject) string { return s.Pod.Name },
		"node.name":         func(s *policy.Subject) string { return s.Host.Name },
	}
}

// template reads a message; its variables stand in double braces.
func (s *source) template(at located[string]) func(*policy.Subject, string) string {
	if !at.Set {
		return func(_ *policy.Subject, title string) string { return title }
	}
	if len(at.Value) > maxSentence {
		s.problem(at.at, "message is longer than %d bytes", maxSentence)
	}
	table := rendered()
	var parts []func(*policy.Subject) string
	for rest := at.Value; rest != ""; {
		text, after, found := strings.Cut(rest, "{{")
		if text != "" {
			parts = append(parts, func(*policy.Subject) string { return text })
		}
		if !found {
			break
		}
		name, after, found := strings.Cut(after, "}}")
		if !found {
			s.problem(at.at, "message has {{ without }}")
			break
		}
		value, ok := table[strings.TrimSpace(name)]
		if !ok {
			var names []string
			for known := range table {
				names = append(names, known)
			}
			slices.Sort(names)
			s.suggest(at.at, strings.TrimSpace(name), names, "message cannot show %s, which could hold what must not be printed; it can show %s", shown(strings.TrimSpace(name)), listed(names, "and"))
			break
		}
		parts = append(parts, value)
		rest = after
	}
	return func(subject *policy.Subject, _ string) string {
		var b strings.Builder
		for _, part := range parts {
			b.WriteString(policy.Printable(part(subject)))
		}
		return b.String()
	}
}
