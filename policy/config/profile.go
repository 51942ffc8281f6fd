package config

import (
	"embed"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
)

//go:embed profiles/*.yaml
var profileFiles embed.FS

// Profiles lists the built-in policies as files, in the order of their names,
// as operators read them. A document that extends one takes its words where it
// has none of its own.
func Profiles() []File {
	entries, err := profileFiles.ReadDir("profiles")
	if err != nil {
		return nil // a folder that is embedded can be read
	}
	var files []File
	for _, e := range entries {
		if data, err := profileFiles.ReadFile("profiles/" + e.Name()); err == nil {
			files = append(files, File{Name: e.Name(), Data: data})
		}
	}
	return files
}

// Profile is a built-in policy by its name, "hipaa-strict", for whoever takes a
// policy file. The baseline is what is in force without any document, so its file
// holds none.
func Profile(name string) (f File, known bool) {
	if name == policy.Baseline {
		return File{Name: name, Data: []byte("# Nothing but the catalogue with its default actions.\n")}, true
	}
	files := Profiles()
	i := slices.IndexFunc(files, func(f File) bool { return f.Name == name+".yaml" })
	if i < 0 {
		return File{}, false
	}
	return files[i], true
}

// profileNames are the names that `extends` knows.
func profileNames() (names []string) {
	for _, f := range Profiles() {
		names = append(names, strings.TrimSuffix(f.Name, ".yaml"))
	}
	return names
}

// extend gives a document what the profiles say that it names, and it does not
// say itself; of several profiles the strictest. The baseline is beneath every
// document, so naming it adds nothing: a document's word on a rule replaces the
// baseline's, and what no document says it says.
func (c *compiler) extend(src *source, names []located[string], d *policy.Document) {
	base := policy.Document{Inherited: map[string]policy.Inherited{}}
	for _, name := range names {
		switch known := profileNames(); {
		case slices.Contains(d.Extends, name.Value):
			src.problem(name.at, "%s stands twice", shown(name.Value))
			continue
		case !slices.Contains(known, name.Value):
			src.suggest(name.at, name.Value, known, "%s is no built-in policy; there are %s", shown(name.Value), listed(known, "and"))
			continue
		}
		d.Extends = append(d.Extends, name.Value)
		if name.Value == policy.Baseline {
			continue
		}
		if p := c.profile(src, name); p != nil {
			gather(p, &base)
		}
	}
	inherit(&base, d)
}

// profile compiles a built-in policy, once.
func (c *compiler) profile(src *source, name located[string]) *policy.Document {
	if p, done := c.profiles[name.Value]; done {
		return p
	}
	c.profiles[name.Value] = nil
	files := Profiles()
	i := slices.IndexFunc(files, func(f File) bool { return f.Name == name.Value+".yaml" })
	inner := newCompiler(c.infos)
	inner.builtIn = true
	problems := inner.read(files[i : i+1])
	for _, problem := range problems.Errors() {
		src.problem(name.at, "the built-in policy does not fit this catalogue: %s", problem.Error())
	}
	if len(problems.Errors()) > 0 || len(inner.documents) != 1 {
		return nil
	}
	for id, t := range inner.ownRules {
		if first, twice := c.ownRules[id]; twice {
			src.problem(name.at, "rule %s of %s stands in %s too; rename that one", shown(id), name.Value, first.place)
		}
		t.layer, t.owner = -1, ""
		c.ownRules[id] = t
	}
	c.profiles[name.Value] = &inner.documents[0]
	return c.profiles[name.Value]
}

// gather adds a profile's words to those of others: the strictest of each.
func gather(p, base *policy.Document) {
	for rule, action := range p.Actions {
		if old, ok := base.Inherited[rule]; !ok || action < old.Action {
			base.Inherited[rule] = policy.Inherited{Action: action, Profile: p.Name}
		}
	}
	base.Rules = append(base.Rules, p.Rules...)
	base.FileRules = append(base.FileRules, p.FileRules...)
	strictest := func(a **policy.Action, b *policy.Action) {
		if b != nil && (*a == nil || *b < **a) {
			*a = b
		}
	}
	strictest(&base.Failure.Undecided, p.Failure.Undecided)
	strictest(&base.Failure.Unreadable, p.Failure.Unreadable)
	strictest(&base.Failure.Unscannable, p.Failure.Unscannable)
	strictest(&base.Failure.Stale, p.Failure.Stale)
	strictest(&base.Deleted, p.Deleted)
	if n := p.DistinctIndividuals; n > 0 && (base.DistinctIndividuals == 0 || n < base.DistinctIndividuals) {
		base.DistinctIndividuals = n
	}
}

// inherit fills in what a document does not say itself. The profiles' own rules
// become the document's, so that they are judged where it applies.
func inherit(base, d *policy.Document) {
	d.Inherited = base.Inherited
	d.Rules = append(d.Rules, base.Rules...)
	d.FileRules = append(d.FileRules, base.FileRules...)
	fill := func(mine **policy.Action, theirs *policy.Action) {
		if *mine == nil {
			*mine = theirs
		}
	}
	fill(&d.Failure.Undecided, base.Failure.Undecided)
	fill(&d.Failure.Unreadable, base.Failure.Unreadable)
	fill(&d.Failure.Unscannable, base.Failure.Unscannable)
	fill(&d.Failure.Stale, base.Failure.Stale)
	fill(&d.Deleted, base.Deleted)
	if d.DistinctIndividuals == 0 {
		d.DistinctIndividuals = base.DistinctIndividuals
	}
}
