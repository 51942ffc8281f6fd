package config

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// ownException is kind Exception as it is written.
type ownException struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   ownMetadata    `json:"metadata"`
	Spec       *exceptionSpec `json:"spec"`
}

type exceptionSpec struct {
	placed
	Policies    []exceptedPolicy  `json:"policies" doc:"Whose word is softened, and of which rules."`
	Selector    exceptionSelector `json:"selector" doc:"Whom it concerns: image digests and namespaces, no labels."`
	Findings    []exceptedPlace   `json:"findings" doc:"Where: one of them must fit."`
	Reason      located[string]   `json:"reason" doc:"Why, for an auditor."`
	Ticket      string            `json:"ticket" doc:"Where it was discussed."`
	RequestedBy located[string]   `json:"requestedBy" doc:"Who needs it."`
	ApprovedBy  []located[string] `json:"approvedBy" doc:"Who signed it off: somebody else."`
	ExpiresAt   located[string]   `json:"expiresAt" doc:"When it ends, to the second, with its zone."`
	DowngradeTo softerWord        `json:"downgradeTo" doc:"warn or audit; warn where nothing is said. What is excepted is recorded all the same."`
}

type exceptedPolicy struct {
	placed
	Name  located[string]   `json:"name" doc:"A policy, or hipaa-baseline for the catalogue's defaults."`
	Rules []located[string] `json:"rules" doc:"Their IDs." words:"rule"`
}

// exceptionSelector has no room for what a pod's author writes.
type exceptionSelector struct {
	placed
	Images struct {
		Digests []located[string] `json:"digests"`
		Match   byAuthor          `json:"match"`
	} `json:"images"`
	Namespaces struct {
		In    []located[string] `json:"in"`
		NotIn []located[string] `json:"notIn"`
	} `json:"namespaces"`
	PodLabels byAuthor `json:"podLabels"`
	Runtimes  byAuthor `json:"runtimes"`
	When      byAuthor `json:"when"`
}

type exceptedPlace struct {
	placed
	Path  located[string] `json:"path" doc:"A path in the image, a glob; /opt/a.tgz!data/*.csv goes into archives."`
	Field located[string] `json:"field" doc:"A place of the configuration, in which * stands for anything: process.env[*]."`
	// Package with Advisories is for findings of insecure-software.
	Package    located[string]   `json:"package" doc:"Software, by the name that the finding says, whose advisories are accepted."`
	Advisories []located[string] `json:"advisories" doc:"The accepted advisories' IDs, as the finding has them; another about the package is a finding again."`
}

// byAuthor is a key of policies that exceptions do not have.
type byAuthor struct{}

func (byAuthor) fromNode(d *decoder, name string, n *node) {
	d.problem(n.at, "an exception has no %s: it selects by image digest and namespace alone, since labels and names are whatever their author writes", name)
}

// softerWord is what an exception softens to; not said means warn.
type softerWord struct {
	at    position
	value policy.Action
	set   bool
}

func (w *softerWord) fromNode(d *decoder, name string, n *node) {
	w.at = n.at
	text, ok := d.text(name, n)
	switch {
	case !ok:
	case text == "warn" || text == "audit":
		w.set = true
		if err := w.value.UnmarshalText([]byte(text)); err != nil {
			d.problem(n.at, "%s: %s is not accepted", name, shown(text))
		}
	default:
		d.suggest(n.at, text, []string{"warn", "audit"}, "%s must be warn or audit, since what is excepted is recorded all the same, and here is %s", name, shown(text))
	}
}

// words are the words of the type, for the schema.
func (softerWord) words() []string { return []string{"warn", "audit"} }

// exception is one that was read, checked once all documents are.
type exception struct {
	src  *source
	spec *exceptionSpec
	out  *policy.Exception
}

// exception compiles a document of kind Exception.
func (c *compiler) exception(src *source, doc *node) {
	var e ownException
	before := len(src.problems)
	src.decode(doc, &e)
	named := c.name(src, doc, "exception", e.Metadata)
	if e.Spec == nil {
		if len(src.problems) == before {
			src.problem(doc.at, "spec is missing")
		}
		return
	}
	if len(src.problems) > before {
		return // what is missing would only repeat what could not be read
	}
	spec := e.Spec
	out := &policy.Exception{
		ID: e.Metadata.Name.Value, Source: place(src, doc.at), Reason: spec.Reason.Value, Ticket: spec.Ticket,
		RequestedBy: spec.RequestedBy.Value, ExpiresAt: src.expiry(spec), DowngradeTo: policy.Warn,
	}
	if spec.DowngradeTo.set {
		out.DowngradeTo = spec.DowngradeTo.value
	}
	src.signedOff(spec, out)
	if spec.Selector.at == (position{}) {
		spec.Selector.at = spec.at
	}
	src.exceptedSubjects(&spec.Selector, out)
	src.exceptedPlaces(spec, out)
	if named {
		c.exceptions = append(c.exceptions, exception{src, spec, out})
	}
}

// expiry reads the end, which has no default and no zone of its own.
func (s *source) expiry(spec *exceptionSpec) time.Time {
	if !spec.ExpiresAt.Set {
		s.problem(spec.at, "expiresAt is missing: an exception ends by itself; write the moment, such as 2027-01-31T00:00:00Z")
		return time.Time{}
	}
	end, err := time.Parse(time.RFC3339, spec.ExpiresAt.Value)
	if err != nil {
		s.problem(spec.ExpiresAt.at, "expiresAt must be a moment with its zone, such as 2027-01-31T00:00:00Z or 2027-01-31T18:00:00-05:00, and here is %s", shown(spec.ExpiresAt.Value))
	}
	return end
}

// signedOff demands a reason and two people.
func (s *source) signedOff(spec *exceptionSpec, out *policy.Exception) {
	if strings.TrimSpace(spec.Reason.Value) == "" {
		s.problem(spec.at, "reason is missing: an auditor reads it (45 CFR 164.306(d)(3))")
	}
	if strings.TrimSpace(out.RequestedBy) == "" {
		s.problem(spec.at, "requestedBy is missing: who needs the exception?")
	}
	if len(spec.ApprovedBy) == 0 {
		s.problem(spec.at, "approvedBy is missing: somebody else than who requested it signs it off")
	}
	for _, who := range spec.ApprovedBy {
		switch {
		case strings.TrimSpace(who.Value) == "":
			s.problem(who.at, "approvedBy holds an empty name")
		case strings.EqualFold(strings.TrimSpace(who.Value), strings.TrimSpace(out.RequestedBy)):
			s.problem(who.at, "%s requested the exception and cannot approve it; somebody else signs it off", shown(who.Value))
		}
		out.ApprovedBy = append(out.ApprovedBy, who.Value)
	}
}

func (s *source) exceptedSubjects(sel *exceptionSelector, out *policy.Exception) {
	for _, digest := range sel.Images.Digests {
		if !digestForm.MatchString(digest.Value) {
			s.problem(digest.at, "a digest is sha256: and 64 hexadecimal digits, and here is %s", shown(digest.Value))
		}
		out.Digests = append(out.Digests, digest.Value)
	}
	out.Namespaces, out.NotNamespaces = s.globs(sel.Namespaces.In), s.globs(sel.Namespaces.NotIn)
	out.MatchNamespace = namespaceMatcher(out.Namespaces, out.NotNamespaces)
	switch {
	case len(out.Digests)+len(out.Namespaces) == 0:
		s.problem(sel.at, "selector names no image digest and no namespace: whom does the exception concern?")
	case len(out.Digests) == 0:
		s.warning(sel.Namespaces.In[0].at, "the exception holds for every image in these namespaces; name images.digests, so that another image is not excepted with it")
	}
}

func (s *source) exceptedPlaces(spec *exceptionSpec, out *policy.Exception) {
	if len(spec.Findings) == 0 {
		s.problem(spec.at, "findings is missing: name the excepted places by path or field, since a whole rule is not excepted")
	}
	for _, p := range spec.Findings {
		said := 0
		for _, set := range []bool{p.Path.Set, p.Field.Set, p.Package.Set || p.Advisories != nil} {
			if set {
				said++
			}
		}
		switch {
		case said != 1:
			s.problem(p.at, "an entry of findings has either path, a place in the image, or field, a place in the container's configuration, or package and advisories, known flaws of its software")
		case !p.Path.Set && !p.Field.Set:
			s.exceptedAdvisories(p, out)
		case p.Path.Set:
			s.exceptedPath(p.Path, out)
		default:
			s.exceptedField(p.Field, out)
		}
	}
}

// exceptedPath is a glob on paths in the image. With an exclamation mark it goes
// into archives: "/opt/a.tar.gz!data/*.csv". Without one it means the archive
// and all that it holds.
func (s *source) exceptedPath(at located[string], out *policy.Exception) {
	glob := at.Value
	switch {
	case !strings.HasPrefix(glob, "/"):
		s.problem(at.at, "path: must be absolute, and here is %s; begin it with /", shown(glob))
		return
	case !s.glob(at.at, glob):
		return
	}
	outside, _, inside := strings.Cut(glob, "!")
	if first, _, _ := strings.Cut(strings.TrimPrefix(outside, "/"), "/"); strings.ContainsAny(first, globSigns) && strings.Contains(outside, "**") {
		s.warning(at.at, "%s reaches over the whole image, and so does the exception; name the folder", shown(glob))
	}
	out.Findings = append(out.Findings, policy.Place{Path: glob, Match: func(w policy.Where) bool {
		if w.Path == "" {
			return false
		}
		if inside {
			return anyGlob([]string{glob}, path.Clean(w.Path)+strings.TrimPrefix(w.Full(), w.Path))
		}
		return anyGlob([]string{glob}, path.Clean(w.Path))
	}})
}

// exceptedAdvisories are flaws of a package that are accepted, one by one.
func (s *source) exceptedAdvisories(p exceptedPlace, out *policy.Exception) {
	place := policy.Place{Package: p.Package.Value}
	if !printableName(p.Package.Value) {
		s.problem(p.at, "package is missing, or not 1 to %d printable characters: whose advisories are accepted?", maxName)
		return
	}
	if len(p.Advisories) == 0 {
		s.problem(p.at, "advisories is missing: name each that is accepted, such as CVE-2024-3094, so that the next one is seen")
	}
	for _, id := range p.Advisories {
		if !advisoryForm.MatchString(id.Value) {
			s.problem(id.at, "an advisory is named as the finding does, such as CVE-2024-3094, and here is %s", shown(id.Value))
		}
		place.Advisories = append(place.Advisories, id.Value)
	}
	out.Findings = append(out.Findings, place)
}

// advisoryForm is an ID of OSV's: a database's prefix and what it numbers by
// (ossf.github.io/osv-schema, "id").
var advisoryForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*[-:][A-Za-z0-9:._-]{1,60}$`)

// exceptedField is a field of the spec, in which * stands for anything; brackets
// mean themselves: "process.env[*]".
func (s *source) exceptedField(at located[string], out *policy.Exception) {
	pattern := at.Value
	switch {
	case pattern == "" || len(pattern) > maxGlob || strings.Count(pattern, "*") > maxStars:
		s.problem(at.at, "field: is the place that a finding names, such as process.env[3] or mounts[*].source, in at most %d bytes with %d stars", maxGlob, maxStars)
		return
	case strings.Trim(pattern, "*") == "":
		s.warning(at.at, "%s is every field, and so is the exception; name the field", shown(pattern))
	}
	out.Findings = append(out.Findings, policy.Place{Field: pattern, Match: func(w policy.Where) bool {
		return w.Path == "" && w.Field != "" && wildcard(pattern, w.Field)
	}})
}

// maxStars bounds the wildcards of one pattern.
const maxStars = 16

// wildcard matches text in which * stands for anything, in time linear in both
// for each star.
func wildcard(pattern, text string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == text
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, piece := range pieces[1 : len(pieces)-1] {
		at := strings.Index(text, piece)
		if at < 0 {
			return false
		}
		text = text[at+len(piece):]
	}
	return true
}

// checkExceptions resolves the policies and rules that exceptions name, once
// all documents are read.
func (c *compiler) checkExceptions() {
	for _, e := range c.exceptions {
		if len(e.spec.Policies) == 0 {
			e.src.problem(e.spec.at, "policies is missing: whose word is excepted? name a policy, or %s for the catalogue's defaults, and its rules", policy.Baseline)
		}
		for _, p := range e.spec.Policies {
			c.exceptedPolicy(e, p)
		}
		c.checkEnd(e)
	}
}

func (c *compiler) exceptedPolicy(e exception, p exceptedPolicy) {
	if _, known := c.names["policy "+p.Name.Value]; !known && p.Name.Value != policy.Baseline {
		names := append(c.namesOf("policy"), policy.Baseline)
		at := p.at
		if p.Name.Set {
			at = p.Name.at
		}
		e.src.suggest(at, p.Name.Value, names, "%s is no policy of these files; the catalogue's defaults are %s", shown(p.Name.Value), policy.Baseline)
		return
	}
	if len(p.Rules) == 0 {
		e.src.problem(p.at, "rules is missing: which rules of %s are excepted?", shown(p.Name.Value))
	}
	excepted := policy.ExceptedRules{Policy: p.Name.Value}
	for _, r := range p.Rules {
		id := c.anyRule(r.Value)
		if id == "" {
			e.src.suggest(r.at, r.Value, c.allRules(), "rule %s does not exist, so it cannot be excepted; `phigate rules` lists the catalogue", shown(r.Value))
			continue
		}
		excepted.Rules = append(excepted.Rules, id)
		for _, cite := range c.catalogue[id].Cites {
			if cite.Kind() == hipaa.Required {
				e.src.warning(r.at, "rule %s supports a required specification, %s %s: an exception documents a deviation and does not lift the duty (164.306(d)(2))", shown(id), cite, cite.Title())
				break
			}
		}
	}
	e.out.Policies = append(e.out.Policies, excepted)
}

// soon is how long before an exception's end lint and the daemon say so.
const soon = 14 * 24 * time.Hour

// longest is the time from now after which an end is one in name alone.
const longest = 366 * 24 * time.Hour

// checkEnd warns of an exception that has ended, ends soon or hardly ever. It
// never refuses one: a policy that compiled must not stop compiling by itself.
func (c *compiler) checkEnd(e exception) {
	end := e.out.ExpiresAt
	if c.now.IsZero() || end.IsZero() {
		return
	}
	switch left := end.Sub(c.now); {
	case left <= 0:
		e.src.warning(e.spec.ExpiresAt.at, "exception %s has ended and excepts nothing; remove it, or have it approved again", shown(e.out.ID))
	case left <= soon:
		e.src.warning(e.spec.ExpiresAt.at, "exception %s ends in %s; mend what it excepts, or have it approved again", shown(e.out.ID), days(left))
	case left > longest:
		e.src.warning(e.spec.ExpiresAt.at, "exception %s ends in more than a year; a shorter one is looked at again", shown(e.out.ID))
	}
}

// days is a time for people, rounded up.
func days(d time.Duration) string {
	n := int((d + 24*time.Hour - 1) / (24 * time.Hour))
	if n == 1 {
		return "less than a day"
	}
	return fmt.Sprintf("less than %d days", n)
}
