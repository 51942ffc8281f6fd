package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
)

// Change is one difference in meaning between two sets of policy files.
type Change struct {
	Policy string `json:"policy"`           // or the exception
	Rule   string `json:"rule,omitempty"`   // where it is about one rule
	What   string `json:"what"`             // the setting: "action", "selector.namespaces.in"
	Before string `json:"before,omitempty"` // empty: not said
	After  string `json:"after,omitempty"`
	Scope  string `json:"scope,omitempty"` // which containers the policy is about, in words
	Text   string `json:"text"`            // the change in words
}

// Diff compares what two sets of files mean: the order of files, documents,
// keys and entries makes no difference, nor do formatting, comments, versions
// and descriptions. The changes are in the order of policy, rule and setting.
// Problems are those of the files that do not compile.
func Diff(before, after []File, catalogue []policy.Info) ([]Change, Problems) {
	a, problems := meaningOf(before, catalogue)
	b, more := meaningOf(after, catalogue)
	if a == nil || b == nil {
		return nil, Problems(append(problems.Errors(), more.Errors()...))
	}
	if len(a.policy.Documents) == 1 && len(b.policy.Documents) == 1 {
		b.rename(b.policy.Documents[0].Name, a.policy.Documents[0].Name)
	}
	d := differ{before: a, after: b}
	for key := range a.facts {
		d.compare(key)
	}
	for key := range b.facts {
		if _, both := a.facts[key]; !both {
			d.compare(key)
		}
	}
	slices.SortFunc(d.changes, func(x, y Change) int {
		return cmp.Or(strings.Compare(x.Policy, y.Policy), strings.Compare(x.Rule, y.Rule), strings.Compare(x.What, y.What))
	})
	return d.changes, nil
}

// factKey is what something is said about.
type factKey struct{ policy, rule, what string }

// fact is what is said: the words of a set, or one word.
type fact struct {
	words []string // sorted
	set   bool
}

func (f fact) String() string { return strings.Join(f.words, ", ") }

func (f fact) equal(g fact) bool { return slices.Equal(f.words, g.words) }

// meaning is a compiled policy as facts that can be compared.
type meaning struct {
	policy *policy.Policy
	facts  map[factKey]fact
	scope  map[string]string // by policy
}

func meaningOf(files []File, catalogue []policy.Info) (*meaning, Problems) {
	p, problems := Compile(files, catalogue)
	if p == nil {
		return nil, problems
	}
	m := &meaning{policy: p, facts: map[factKey]fact{}, scope: map[string]string{}}
	m.compiled()
	for _, f := range files {
		src, data := load(f)
		for _, doc := range src.parse(data) {
			m.written(doc)
		}
	}
	return m, nil
}

// rename files what is said of a policy under another name, so that two can be
// compared that are called differently; that they are is a fact of its own.
func (m *meaning) rename(name, as string) {
	if name == as {
		return
	}
	said := m.facts
	m.facts = map[factKey]fact{}
	for key, f := range said {
		if key.policy == name {
			key.policy = as
		}
		m.facts[key] = f
	}
	m.facts[factKey{as, "", whatName}] = fact{words: []string{name}}
	m.scope[as] = m.scope[name]
	m.policy.Documents[0].Name = as
}

// differ collects the changes between two meanings.
type differ struct {
	before, after *meaning
	changes       []Change
}

func (d *differ) compare(key factKey) {
	a, said := d.before.facts[key]
	b, says := d.after.facts[key]
	if said == says && a.equal(b) {
		return
	}
	c := Change{Policy: key.policy, Rule: key.rule, What: key.what, Before: a.String(), After: b.String()}
	c.Scope = cmp.Or(d.after.scope[key.policy], d.before.scope[key.policy])
	switch {
	case key.what == whatPolicy && says:
		c.Text = fmt.Sprintf("policy %s is new; it applies %s", key.policy, c.Scope)
	case key.what == whatPolicy:
		c.Text = fmt.Sprintf("policy %s is gone; it applied %s", key.policy, c.Scope)
	case key.what == whatException && says:
		c.Text = fmt.Sprintf("exception %s is new; it holds %s", key.policy, c.Scope)
	case key.what == whatException:
		c.Text = fmt.Sprintf("exception %s is gone; it held %s", key.policy, c.Scope)
	case key.what == whatName:
		c.Before, c.Text = key.policy, fmt.Sprintf("policy %s is called %s", key.policy, b)
	case key.what == whatAction:
		c.Text = fmt.Sprintf("%s: %s -> %s %s", key.rule, d.action(d.before, key, said), d.action(d.after, key, says), c.Scope)
	default:
		c.Text = subject(key) + ": " + change(a, b, said, says)
	}
	d.changes = append(d.changes, c)
}

// action is a rule's action in words: said by the policy, or by the baseline.
func (d *differ) action(m *meaning, key factKey, said bool) string {
	if said {
		return m.facts[key].String()
	}
	i := slices.IndexFunc(m.policy.Documents, func(d policy.Document) bool { return d.Name == key.policy })
	if i >= 0 {
		if inherited, ok := m.policy.Documents[i].Inherited[key.rule]; ok {
			return inherited.Action.String() + " (by " + inherited.Profile + ")"
		}
	}
	if info, ok := m.policy.Catalogue[key.rule]; ok {
		return info.Default.String() + " (by default)"
	}
	return "no such rule"
}

func subject(key factKey) string {
	if key.rule != "" {
		return key.rule + ": " + key.what
	}
	return key.policy + ": " + key.what
}

// change is what became of a setting.
func change(a, b fact, said, says bool) string {
	if a.set || b.set {
		var parts []string
		for _, w := range b.words {
			if !slices.Contains(a.words, w) {
				parts = append(parts, "+ "+w)
			}
		}
		for _, w := range a.words {
			if !slices.Contains(b.words, w) {
				parts = append(parts, "- "+w)
			}
		}
		if len(parts) > 0 {
			return strings.Join(parts, ", ")
		}
	}
	return word(a, said) + " -> " + word(b, says)
}

func word(f fact, said bool) string {
	switch {
	case !said:
		return "not said"
	case len(f.words) == 0:
		return "empty"
	}
	return f.String()
}

// scopeOf says in words which containers a selector chooses.
func scopeOf(s policy.Selector) string {
	var parts []string
	add := func(form string, words []string) {
		if len(words) > 0 {
			parts = append(parts, fmt.Sprintf(form, listed(words, "and")))
		}
	}
	add("in namespaces %s", s.Namespaces)
	add("outside namespaces %s", s.NotNamespaces)
	add("for images %s", s.ImageGlobs)
	add("for image digests %s", s.ImageDigests)
	add("for runtimes %s", s.Runtimes)
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(s.PodLabels)) {
		labels = append(labels, key+"="+s.PodLabels[key])
	}
	for _, e := range s.PodExpressions {
		labels = append(labels, e.String())
	}
	add("for pods with %s", labels)
	if len(parts) == 0 {
		return "everywhere"
	}
	return strings.Join(parts, ", ")
}
