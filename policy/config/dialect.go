package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// dialectPolicy is the Aqua-style dialect as it is written. It knows no mode
// and no selector: it applies to every subject, in the mode of the documents
// of our own kind that do.
type dialectPolicy struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name located[string] `json:"name"`
	} `json:"metadata"`
	Spec *dialectSpec `json:"spec"`
}

type dialectSpec struct {
	Description string        `json:"description"`
	Rules       []dialectRule `json:"rules"`
}

type dialectRule struct {
	placed
	Name        located[string] `json:"name" doc:"The rule's ID in every output."`
	Description string          `json:"description"`
	Scanner     located[string] `json:"scanner" doc:"What the entries are about." words:"scanner"`
	Match       *dialectMatch   `json:"match" doc:"any: each entry is a violation; all: only where every entry holds."`
	Action      *actionWord     `json:"action" doc:"block, warn or audit."`
}

// dialectMatch holds either list. Any: each thing that one entry fits is a
// violation. All: a violation only where every entry holds.
type dialectMatch struct {
	at     position
	broken bool    // what is wrong was said when it was read
	Any    []entry `json:"any"`
	All    []entry `json:"all"`
}

func (m *dialectMatch) fromNode(d *decoder, name string, n *node) {
	m.at = n.at
	before := len(d.problems)
	d.structure(name, n, reflect.ValueOf(m).Elem())
	m.broken = len(d.problems) > before
}

// entry is one "key: value", written as text or as a mapping with one key:
// people leave the quotes out.
type entry struct {
	at         position
	key, value string
}

func (e *entry) fromNode(d *decoder, name string, n *node) {
	e.at = n.at
	switch {
	case n.kind == mapping && len(n.fields) == 1:
		e.key = n.fields[0].key
		e.value, _ = d.text(shown(e.key), n.fields[0].value)
	case n.kind == mapping:
		d.problem(n.at, "%s holds %d keys; write each as an entry of its own", name, len(n.fields))
	default:
		text, ok := d.text(name, n)
		if !ok {
			return
		}
		key, value, ok := strings.Cut(text, ":")
		if !ok {
			d.problem(n.at, "%s must be \"key: value\", such as \"name: *.csv\" or \"port: 23\", and here is %s", name, shown(text))
			return
		}
		e.key, e.value = strings.TrimSpace(key), unquote(strings.TrimSpace(value))
	}
}

// unquote takes one pair of quotes off a value within an entry.
func unquote(s string) string {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		return s[1 : n-1]
	}
	return s
}

// scanner is one of the dialect's three.
type scanner struct {
	name    string
	keys    []string
	cite    hipaa.Citation
	title   string
	fix     string
	compile func(src *source, r *parsedRule, d *policy.Document)
}

func scanners() []scanner {
	return []scanner{
		{"file", []string{"name", "path"}, hipaa.AccessControl, "A file or folder that the policy forbids",
			"Take the file out of the image, or the mount out of the container.", compileFile},
		{"network", []string{"port"}, hipaa.TransmissionSecurity, "A port that the policy forbids",
			"Stop offering the port, or offer the service over TLS on another.", compileNetwork},
		{"secrets", []string{"secrets.provider"}, hipaa.Authentication, "A secret handed over in a way that the policy forbids",
			"Hand the secret over by a way that the policy allows.", compileSecrets},
	}
}

// parsedRule is a rule of the dialect, checked but for the values of its entries.
type parsedRule struct {
	info    policy.Info
	entries []entry
	all     bool // every entry must hold
}

// dialect compiles a document of the Aqua-style dialect.
func (c *compiler) dialect(src *source, doc *node) {
	var p dialectPolicy
	before := len(src.problems)
	src.decode(doc, &p)
	named := c.name(src, doc, "policy", ownMetadata{Name: p.Metadata.Name})
	if p.Spec == nil || len(p.Spec.Rules) == 0 {
		if len(src.problems) == before {
			src.problem(doc.at, "spec.rules is missing or empty; a policy needs a rule")
		}
		return
	}
	d := policy.Document{Name: p.Metadata.Name.Value, Source: place(src, doc.at), Actions: map[string]policy.Action{}}
	for i := range p.Spec.Rules {
		c.dialectRule(src, &p.Spec.Rules[i], &d)
	}
	if named {
		c.documents = append(c.documents, d)
	}
}

func (c *compiler) dialectRule(src *source, r *dialectRule, d *policy.Document) {
	nameOK := c.dialectName(src, r, d)
	sc := findScanner(src, r)
	entries, all := src.entries(r)
	if r.Action == nil {
		src.problem(r.at, "action is missing: block, warn or audit")
	}
	if !nameOK || sc == nil || len(entries) == 0 || r.Action == nil {
		return
	}
	if !src.entryKeys(entries, sc) {
		return
	}
	info := sc.info(r.Name.Value, r.Description, r.Action.value)
	d.Actions[info.ID] = info.Default
	sc.compile(src, &parsedRule{info: info, entries: entries, all: all}, d)
}

// info documents a rule of the scanner.
func (sc *scanner) info(id, title string, action policy.Action) policy.Info {
	if title = policy.Printable(strings.Join(strings.Fields(title), " ")); title == "" {
		title = sc.title
	}
	return policy.Info{
		ID: id, Title: title, Cites: []hipaa.Citation{sc.cite}, Severity: severityOf(action), Default: action,
		Rationale: "A rule of the operator's own policy; it takes the citation of its scanner, " + sc.name + ".", Fix: sc.fix,
	}
}

// entryKeys says whether all entries are the scanner's, and explains the first
// that is not.
func (s *source) entryKeys(entries []entry, sc *scanner) bool {
	for _, e := range entries {
		if !slices.Contains(sc.keys, e.key) {
			s.entryKey(e, sc)
			return false
		}
	}
	return true
}

// severityOf ranks a rule of the dialect, which has no severity of its own, by
// what it does.
func severityOf(a policy.Action) policy.Severity {
	switch a {
	case policy.Block:
		return policy.High
	case policy.Warn:
		return policy.Medium
	default:
		return policy.Low
	}
}

// dialectName takes a rule's name, which is its ID in every output.
func (c *compiler) dialectName(src *source, r *dialectRule, d *policy.Document) bool {
	name := r.Name.Value
	switch {
	case !r.Name.Set:
		src.problem(r.at, "name is missing; a rule's name stands in every decision")
		return false
	case !printableName(name):
		src.problem(r.Name.at, "a rule's name must be 1 to %d printable characters without spaces around them", maxName)
		return false
	case c.ruleID(name) != "":
		src.problem(r.Name.at, "%s is a rule of the catalogue; give this rule another name", shown(name))
		return false
	}
	return c.takeRule(src, r.Name, d)
}

// takeRule takes the ID of a document's own rule, which must be the only one.
func (c *compiler) takeRule(src *source, id located[string], d *policy.Document) bool {
	if first, twice := c.ownRules[id.Value]; twice {
		src.problem(id.at, "rule %s stands twice, first in %s; rename one of them", shown(id.Value), first.place)
		return false
	}
	c.ownRules[id.Value] = taken{place: place(src, id.at), layer: src.layer, owner: d.Name}
	return true
}

func findScanner(src *source, r *dialectRule) *scanner {
	var names []string
	for _, sc := range scanners() {
		if sc.name == r.Scanner.Value {
			return &sc
		}
		names = append(names, sc.name)
	}
	if !r.Scanner.Set {
		src.problem(r.at, "scanner is missing: %s", listed(names, "or"))
		return nil
	}
	src.suggest(r.Scanner.at, r.Scanner.Value, names, "scanner must be %s, and here is %s", listed(names, "or"), shown(r.Scanner.Value))
	return nil
}

// entries are those of any or of all: one of the two, and not empty.
func (s *source) entries(r *dialectRule) (entries []entry, all bool) {
	switch m := r.Match; {
	case m == nil:
		s.problem(r.at, "match is missing: give it any or all, with a list of entries")
	case m.broken:
	case m.Any != nil && m.All != nil:
		s.problem(m.at, "match has any and all; write two rules")
	case len(m.Any)+len(m.All) == 0:
		s.problem(m.at, "match needs any or all, with at least one entry")
	case m.All != nil:
		return m.All, true
	default:
		return m.Any, false
	}
	return nil, false
}

// entryKey explains a key that the rule's scanner does not have.
func (s *source) entryKey(e entry, sc *scanner) {
	if e.key == "" {
		return // said when it was read
	}
	for _, other := range scanners() {
		if other.name != sc.name && slices.Contains(other.keys, e.key) {
			s.problem(e.at, "key `%s` belongs to scanner %s, and this rule's is %s", e.key, other.name, sc.name)
			return
		}
	}
	if e.key == "provider" {
		s.add(e.at, "secrets.provider", false, "unknown key `provider`", nil)
		return
	}
	s.suggest(e.at, e.key, sc.keys, "scanner %s has no key %s; it has %s", sc.name, shown(e.key), listed(sc.keys, "and"))
}
