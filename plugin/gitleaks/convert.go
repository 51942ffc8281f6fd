package gitleaks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

// Options are what a configuration of gitleaks does not say.
type Options struct {
	Name   string // of the policy
	Action string // block, warn or audit
	// Catalogue is what the documents are compiled with, to see that they can be.
	Catalogue []policy.Info
	// Exception is who signs off the allowlists; nil where nobody does, and then
	// they are not converted.
	Exception *SignOff
}

// SignOff is what an exception needs besides its places.
type SignOff struct {
	Reason, Ticket, RequestedBy, ExpiresAt string
	ApprovedBy, Namespaces, Digests        []string
}

// Note is something that could not be converted, or not exactly, and why.
type Note struct {
	What, Why string
}

// conversion collects what comes out.
type conversion struct {
	options Options
	rules   map[string]bool // of the catalogue
	files   []fileRule
	places  map[string][]string // globs that are excepted, by the rule of the catalogue
	notes   []Note
}

type fileRule struct {
	name, description string
	entries           []string
}

// Convert reads gitleaks' configuration and writes documents of phigate, in
// canonical form, which compile. Everything that they do not say, or say
// otherwise, is in the notes.
func Convert(data []byte, o Options) (text string, notes []Note, err error) {
	c, unknown, err := read(data)
	if err != nil {
		return "", nil, err
	}
	v := &conversion{options: o, rules: map[string]bool{}, places: map[string][]string{}}
	for _, key := range unknown {
		v.lost("key "+key, "it is not known")
	}
	v.extend(&c)
	for i := range c.Rules {
		v.rule(&c.Rules[i], c.Extend.DisabledRules)
	}
	for i, a := range c.all() {
		targets := v.everything()
		if len(a.TargetRules) > 0 {
			targets = v.targets(a.TargetRules)
		}
		v.allow(fmt.Sprintf("allowlist %d", i+1), a, targets)
	}
	out, err := v.compiled(v.write())
	return out, v.notes, err
}

// compiled is a text in its canonical form; an error where it does not compile.
func (v *conversion) compiled(text string) (string, error) {
	file := config.File{Name: "converted.yaml", Data: []byte(text)}
	if _, problems := config.Compile([]config.File{file}, v.options.Catalogue); len(problems.Errors()) > 0 {
		return "", fmt.Errorf("what was converted is no policy: %s", problems.Errors()[0].Message)
	}
	out, _, err := config.Format(file)
	return string(out), err
}

// lost notes what did not come out, or not as it was.
func (v *conversion) lost(what, format string, args ...any) {
	v.notes = append(v.notes, Note{What: policy.Printable(what), Why: policy.Printable(fmt.Sprintf(format, args...))})
}

// extend takes the rules that gitleaks brings along.
func (v *conversion) extend(c *configuration) {
	e := c.Extend
	if e.Path != "" || e.URL != "" {
		v.lost("extend.path and extend.url", "another file is not read; convert it on its own")
	}
	if !e.UseDefault {
		return
	}
	v.lost("extend.useDefault", "gitleaks' own rules are those of phigate's detectors here, which look for less or for more")
	for _, id := range catalogued() {
		v.rules[id] = true
	}
	for _, id := range e.DisabledRules {
		if ours := detector(id); ours != "" {
			v.lost("disabled rule "+id, "rule %s looks for other things too, so it stays; `- {id: %s, action: audit}` would only record it", ours, ours)
		}
	}
}

func (v *conversion) rule(r *rule, disabled []string) {
	what := "rule " + r.ID
	if slices.Contains(disabled, r.ID) {
		return
	}
	ours := detector(r.ID)
	switch {
	case ours != "":
		v.rules[ours] = true
		v.lost(what, "phigate's detector %s stands for it, by its own patterns and not by this expression", ours)
	case r.Regex == "" && r.Path != "":
		v.file(what, r)
	case r.Regex != "" && r.Path != "":
		v.lost(what, "no policy can ask for an expression in files of a path")
	default:
		v.lost(what, "no policy can hold an expression on what stands in files; phigate's detectors are in `phigate rules`")
	}
	for i, a := range r.all() {
		name := fmt.Sprintf("%s, allowlist %d", what, i+1)
		if ours == "" {
			v.lost(name, "its rule was not converted to one with exceptions")
			continue
		}
		v.allow(name, a, []string{ours})
	}
}

// file makes a rule on file names of a rule that asks for nothing but a path.
func (v *conversion) file(what string, r *rule) {
	globs, err := Globs(r.Path)
	if err != nil {
		v.lost(what, "its path cannot be written as a glob: %s", err)
		return
	}
	entries, ok := fileEntries(globs)
	if !ok {
		v.lost(what, "rules on files know base names and folders, and its path means more than that")
		return
	}
	f := fileRule{name: r.ID, description: r.Description, entries: entries}
	for _, e := range entries {
		if strings.Trim(e[len("name: "):], " \t\"'") != e[len("name: "):] {
			v.lost(what, "its path begins or ends with a space or a quote")
			return
		}
	}
	trial := &conversion{options: v.options, files: append(slices.Clone(v.files), f)}
	if _, err := v.compiled(trial.write()); err != nil {
		v.lost(what, "%s", err)
		return
	}
	v.files = append(v.files, f)
}

// fileEntries writes globs as entries of the dialect's scanner file.
func fileEntries(globs []string) ([]string, bool) {
	var out []string
	for _, g := range globs {
		rooted := strings.TrimPrefix(g, "/")
		switch {
		case strings.HasPrefix(g, "/**/") && !strings.Contains(g[4:], "/"):
			out = append(out, "name: "+g[4:])
		case strings.HasPrefix(g, "/*/**/") && !strings.Contains(g[6:], "/") && slices.Contains(globs, "/"+g[6:]):
			out = append(out, "name: "+g[6:])
		case !strings.Contains(rooted, "/") && slices.Contains(globs, "/*/**/"+rooted): // said by the one above
		case strings.HasSuffix(g, "/**/*") && !strings.ContainsAny(strings.TrimSuffix(g, "**/*"), `*?[]{}\`):
			out = append(out, "path: "+strings.TrimSuffix(g, "**/*"))
		default:
			return nil, false
		}
	}
	return out, len(out) > 0
}

// allow makes excepted places of an allowlist's paths, for rules of the catalogue.
func (v *conversion) allow(what string, a allowlist, rules []string) {
	others := map[string]int{"commits": len(a.Commits), "regexes": len(a.Regexes), "stopwords": len(a.StopWords)}
	for _, key := range []string{"commits", "regexes", "stopwords"} {
		if others[key] == 0 {
			continue
		}
		if strings.EqualFold(a.Condition, "AND") && len(a.Paths) > 0 {
			v.lost(what, "an exception has places alone, and this one holds only together with its %s", key)
			return
		}
		v.lost(what+", "+key, "an exception names places, and nothing of what stands there")
	}
	for _, p := range a.Paths {
		name := what + ", path " + p
		globs, err := Globs(p)
		switch {
		case err != nil:
			v.lost(name, "it cannot be written as a glob: %s", err)
		case len(rules) == 0:
			v.lost(name, "none of its rules was converted")
		case v.options.Exception == nil:
			v.lost(name, "an exception needs who, why and until when: give --reason, --requested-by, --approved-by, --expires-at, and --namespace or --digest")
		case v.refused(name, globs, rules):
		default:
			for _, rule := range rules {
				v.places[rule] = append(v.places[rule], globs...)
			}
		}
	}
}

// refused says so where an exception for these places does not compile.
func (v *conversion) refused(what string, globs, rules []string) bool {
	trial := &conversion{options: v.options, rules: v.rules, places: map[string][]string{rules[0]: globs}}
	_, err := v.compiled(trial.write())
	if err != nil {
		v.lost(what, "%s", err)
	}
	return err != nil
}

// everything are the rules of the catalogue that came out.
func (v *conversion) everything() []string {
	var out []string
	for _, id := range catalogued() {
		if v.rules[id] {
			out = append(out, id)
		}
	}
	return out
}

func (v *conversion) targets(ids []string) []string {
	var out []string
	for _, id := range ids {
		if ours := detector(id); v.rules[ours] && !slices.Contains(out, ours) {
			out = append(out, ours)
		}
	}
	return out
}

// write is the text of the documents; the caller brings it into canonical form.
func (v *conversion) write() string {
	var documents []string
	quote := strconv.Quote
	if rules := v.everything(); len(rules) > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata:\n  name: %s\nspec:\n  description: Converted from a configuration of gitleaks\n  rules:\n", quote(v.options.Name))
		for _, id := range rules {
			fmt.Fprintf(&b, "  - id: %s\n    action: %s\n", id, v.options.Action)
		}
		documents = append(documents, b.String())
	}
	if len(v.files) > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata:\n  name: %s\nspec:\n  description: Files by name, converted from a configuration of gitleaks\n  rules:\n", quote(v.options.Name+"-files"))
		for _, f := range v.files {
			fmt.Fprintf(&b, "  - name: %s\n", quote(f.name))
			if f.description != "" {
				fmt.Fprintf(&b, "    description: %s\n", quote(policy.Printable(f.description)))
			}
			b.WriteString("    scanner: file\n    match:\n      any:\n")
			for _, e := range f.entries {
				fmt.Fprintf(&b, "      - %s\n", quote(e))
			}
			fmt.Fprintf(&b, "    action: %s\n", v.options.Action)
		}
		documents = append(documents, b.String())
	}
	return strings.Join(append(documents, v.exceptions()...), "---\n")
}

// exceptions are one document for all rules that are excepted at the same places.
func (v *conversion) exceptions() []string {
	byPlaces := map[string][]string{}
	var order []string
	for _, id := range catalogued() {
		if places := v.places[id]; len(places) > 0 {
			slices.Sort(places)
			key := strings.Join(slices.Compact(places), "\n")
			if byPlaces[key] == nil {
				order = append(order, key)
			}
			byPlaces[key] = append(byPlaces[key], id)
		}
	}
	var out []string
	for i, key := range order {
		e := v.options.Exception
		var b strings.Builder
		fmt.Fprintf(&b, "apiVersion: phigate.dev/v1alpha1\nkind: Exception\nmetadata:\n  name: %s\nspec:\n  policies:\n  - name: %s\n    rules: %s\n  selector:\n",
			strconv.Quote(fmt.Sprintf("%s-allowlist-%d", v.options.Name, i+1)), strconv.Quote(v.options.Name), flow(byPlaces[key]))
		if len(e.Digests) > 0 {
			fmt.Fprintf(&b, "    images:\n      digests: %s\n", flow(e.Digests))
		}
		if len(e.Namespaces) > 0 {
			fmt.Fprintf(&b, "    namespaces:\n      in: %s\n", flow(e.Namespaces))
		}
		b.WriteString("  findings:\n")
		for _, place := range strings.Split(key, "\n") {
			fmt.Fprintf(&b, "  - path: %s\n", strconv.Quote(place))
		}
		fmt.Fprintf(&b, "  reason: %s\n", strconv.Quote(e.Reason))
		if e.Ticket != "" {
			fmt.Fprintf(&b, "  ticket: %s\n", strconv.Quote(e.Ticket))
		}
		fmt.Fprintf(&b, "  requestedBy: %s\n  approvedBy: %s\n  expiresAt: %s\n  downgradeTo: audit\n", strconv.Quote(e.RequestedBy), flow(e.ApprovedBy), e.ExpiresAt)
		out = append(out, b.String())
	}
	return out
}

func flow(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
