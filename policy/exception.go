package policy

import (
	"slices"
	"strings"
	"time"
)

// Baseline is the name of the built-in policy: the catalogue with its default
// actions, upon which every document stands.
const Baseline = "hipaa-baseline"

// Exception softens what named policies say of named rules, at named places of
// chosen images or namespaces, until a moment. It never makes a finding
// disappear: the finding is recorded with the exception's ID.
type Exception struct {
	ID     string
	Source string // file and line, for messages
	// Policies are those whose word is softened, and of which rules.
	Policies []ExceptedRules
	// Namespaces and Digests choose subjects: AND between the two, OR within
	// one. Nothing that a pod's author can write is asked: no label, no name of
	// an image.
	Namespaces, NotNamespaces []string          // globs, for messages
	MatchNamespace            func(string) bool // nil: all
	Digests                   []string          // of the image's manifest or its config; empty: all
	Findings                  []Place           // one of them must fit
	Reason, Ticket            string
	RequestedBy               string
	ApprovedBy                []string
	ExpiresAt                 time.Time // the first moment at which it no longer holds
	DowngradeTo               Action    // Warn or Audit
}

// ExceptedRules are rules of one policy. The policy is a document's name, or
// [Baseline] for the catalogue's default.
type ExceptedRules struct {
	Policy string
	Rules  []string // IDs
}

// Place is where an excepted finding lies: a path in the image or a field of
// the spec, both as patterns as they are written, for messages; or what it is
// about: advisories on a package.
type Place struct {
	Path, Field string
	Match       func(Where) bool // of a path or a field
	Package     string
	Advisories  []string
}

// String is the place as people read it.
func (p Place) String() string {
	if p.Package != "" {
		return p.Package + ": " + strings.Join(p.Advisories, ", ")
	}
	return p.Path + p.Field
}

// fits says whether a finding lies there. One about a package fits where all its
// advisories are accepted: the next that is published is a finding again.
func (p Place) fits(f *Finding) bool {
	if p.Package == "" {
		return p.Match(f.Where)
	}
	ids := strings.Fields(f.Advisories)
	return f.Package == p.Package && len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(p.Advisories, id) })
}

// Holds says whether the exception softens what a policy says of a finding, at
// a moment. It is the only place that decides this: [Decide], and through it
// the gates, the re-scan, `scan` and `test`, ask here.
//
// The moment must be [Report].Now, which never runs backwards.
func (e *Exception) Holds(policy string, s *Subject, f *Finding, now time.Time) bool {
	return now.Before(e.ExpiresAt) &&
		slices.ContainsFunc(e.Policies, func(p ExceptedRules) bool { return p.Policy == policy && slices.Contains(p.Rules, f.Rule) }) &&
		e.selects(s) &&
		slices.ContainsFunc(e.Findings, func(p Place) bool { return p.fits(f) })
}

// note is what a verdict says of its use.
func (e *Exception) note(rule string) string {
	return "exception " + e.ID + ": " + rule + " is at most " + e.DowngradeTo.String() + " until " + moment(e.ExpiresAt)
}

// selects never takes an image whose digest is not known for one that was named.
func (e *Exception) selects(s *Subject) bool {
	if e.MatchNamespace != nil && !e.MatchNamespace(s.Pod.Namespace) {
		return false
	}
	if len(e.Digests) == 0 {
		return true
	}
	named := func(digest string) bool { return digest != "" && slices.Contains(e.Digests, digest) }
	return named(s.Image.Digest) || named(s.Image.Config)
}

// Exceptions are all that were given, by the rules that they name, so that a
// finding asks those of its own rule alone.
type Exceptions map[string][]*Exception

// NewExceptions sorts exceptions by the rules that they name.
func NewExceptions(list ...*Exception) Exceptions {
	out := Exceptions{}
	for _, e := range list {
		for _, p := range e.Policies {
			for _, rule := range p.Rules {
				if !slices.Contains(out[rule], e) {
					out[rule] = append(out[rule], e)
				}
			}
		}
	}
	return out
}

// All lists the exceptions, each once, by ID.
func (x Exceptions) All() []*Exception {
	seen := map[*Exception]bool{}
	var out []*Exception
	for _, list := range x {
		for _, e := range list {
			if !seen[e] {
				seen[e] = true
				out = append(out, e)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Exception) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// granted is what an exception made of one word.
type granted struct {
	by   *Exception
	word Action // as it was without it
}

// except softens one word on a finding by the exception that softens it most;
// of several that do, the first by ID. The policies are those whose word it is.
// Why says what softens it.
func (in *inForce) except(f *Finding, word Action, why string, policies ...string) (Action, string) {
	if f == nil || word >= Audit {
		return word, why
	}
	var best *Exception
	for _, e := range in.policy.Exceptions[f.Rule] {
		if e.DowngradeTo <= word || e.DowngradeTo > Audit {
			continue
		}
		if best != nil && (e.DowngradeTo < best.DowngradeTo || e.DowngradeTo == best.DowngradeTo && e.ID >= best.ID) {
			continue
		}
		if slices.ContainsFunc(policies, func(p string) bool { return e.Holds(p, in.subject, f, in.report.Now) }) {
			best = e
		}
	}
	if best == nil {
		return word, why
	}
	in.granted = append(in.granted, granted{best, word})
	return best.DowngradeTo, "exception " + best.ID + " holds until " + moment(best.ExpiresAt)
}

// used names the exceptions without which an action would be stricter. A word
// that something else softens as far anyway (limit) needed none.
func (in *inForce) used(action, limit Action) []*Exception {
	var out []*Exception
	for _, g := range in.granted {
		if max(g.word, limit) < action && !slices.Contains(out, g.by) {
			out = append(out, g.by)
		}
	}
	in.granted = nil
	slices.SortFunc(out, func(a, b *Exception) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// ExceptionUse is what a record says of an exception that was used, so that who
// allowed what, why and until when stands in the log, whatever becomes of the
// policy (164.306(d)(3), 164.316(b)(1)).
type ExceptionUse struct {
	ID          string    `json:"id"`
	Reason      string    `json:"reason"`
	Ticket      string    `json:"ticket,omitempty"`
	RequestedBy string    `json:"requestedBy"`
	ApprovedBy  []string  `json:"approvedBy"`
	ExpiresAt   time.Time `json:"expiresAt"`
}

// usesOf lists exceptions by their IDs.
func usesOf(used map[string]*Exception) []ExceptionUse {
	var out []ExceptionUse
	for _, e := range used {
		use := ExceptionUse{
			ID: Printable(e.ID), Reason: Printable(e.Reason), Ticket: Printable(e.Ticket), RequestedBy: Printable(e.RequestedBy), ExpiresAt: e.ExpiresAt.UTC(),
		}
		for _, who := range e.ApprovedBy {
			use.ApprovedBy = append(use.ApprovedBy, Printable(who))
		}
		out = append(out, use)
	}
	slices.SortFunc(out, func(a, b ExceptionUse) int { return strings.Compare(a.ID, b.ID) })
	return out
}
