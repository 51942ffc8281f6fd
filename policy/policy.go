package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is everything that is in force: the built-in baseline (the catalogue
// with its default actions) and the operator's documents on top. The zero
// value has no catalogue and blocks every finding.
type Policy struct {
	Digest    string // "sha256:..." over all sources, in order
	Version   string // of the documents, as [VersionOf] has it
	Catalogue map[string]Info
	Documents []Document
	// Exceptions soften single findings for a time; see [NewExceptions].
	Exceptions Exceptions
}

// maxVersion bounds the text that names a policy's documents, in bytes.
const maxVersion = 160

// VersionOf names documents and the versions that their authors give them,
// "clinic 1.4, research"; those that the text has no room for are counted.
func VersionOf(documents []Document) string {
	var b strings.Builder
	for i, d := range documents {
		part := Printable(strings.TrimSpace(d.Name + " " + d.Version))
		if i > 0 {
			part = ", " + part
		}
		if b.Len()+len(part) > maxVersion {
			fmt.Fprintf(&b, "%s%d more", map[bool]string{true: ", "}[i > 0], len(documents)-i)
			break
		}
		b.WriteString(part)
	}
	return b.String()
}

// Document is one policy of the operator's, compiled.
type Document struct {
	Name    string
	Version string
	Source  string // file and line, for messages
	// Mode is nil where the document's kind knows none (the dialect); it then
	// follows the other documents of the subject.
	Mode         *Mode
	EnforceAfter time.Time // until then block becomes warn; zero: at once
	Selector     Selector
	Actions      map[string]Action // rule ID -> action, for rules of the catalogue and its own
	// Inherited is what the profiles that the document extends say of rules that
	// it does not name itself. In platform namespaces and build steps it is
	// softened as the baseline is.
	Inherited  map[string]Inherited
	Extends    []string    // the profiles' names
	Rules      []Rule      // its own, over the subject
	FileRules  []FileRule  // its own, over file names
	Conditions []Condition // its own, as expressions
	Failure    Failure
	Deleted    *Action  // for files that an upper layer deletes; nil: not said
	Platform   []string // namespaces whose pods may need isolation rules audited; nil: not said
	PHIVolumes []string // patterns of host paths that hold ePHI
	// DistinctIndividuals is the number of people from which on they are very
	// many; 0: not said.
	DistinctIndividuals int
}

// Inherited is an action that a profile gives a rule.
type Inherited struct {
	Action  Action
	Profile string
}

// Failure says what happens when something could not be judged; nil: not said.
type Failure struct {
	Undecided, Unreadable, Unscannable, Stale *Action
}

// Selector chooses subjects: AND between its keys, OR within one; empty
// selects all. Globs are doublestar patterns, checked when compiled.
type Selector struct {
	Runtimes       []string
	Namespaces     []string
	NotNamespaces  []string
	ImageGlobs     []string
	ImageDigests   []string
	PodLabels      map[string]string
	PodExpressions []LabelExpression           // AND between them, and with PodLabels
	MatchNamespace func(namespace string) bool // nil: all
	MatchImage     func(ref string) bool       // nil: all
	When           *When                       // nil: always
}

// When is an expression over the subject that a selector asks.
type When struct {
	// Selects says whether the subject is chosen. Where that cannot be told
	// (facts that this gate does not see, an error, too dear) sure is false.
	Selects func(s *Subject) (selects, sure bool)
	// ByAuthor says that it reads what the pod's author writes: labels, names,
	// arguments, environment, mounts.
	ByAuthor bool
}

// ByLabel says whether the selector asks for pod labels or for anything else
// that the pod's author controls: what it selects may only tighten.
func (s Selector) ByLabel() bool {
	return len(s.PodLabels)+len(s.PodExpressions) > 0 || s.When != nil && s.When.ByAuthor
}

// Tightens says whether the document of this selector can only tighten what is
// said of a subject that it selects: by label, or because it selects only since
// nobody can tell whether it does.
func (s Selector) Tightens(sub *Subject) bool {
	if s.ByLabel() {
		return true
	}
	if s.When == nil {
		return false
	}
	_, sure := s.When.Selects(sub)
	return !sure
}

// Selects says whether the selector chooses the subject.
func (s Selector) Selects(sub *Subject) bool { return s.Excludes(sub) == "" }

// Excludes names the first key of the selector that does not choose the
// subject, "namespaces"; empty where it is chosen.
func (s Selector) Excludes(sub *Subject) (key string) {
	switch {
	case len(s.Runtimes) > 0 && !slices.Contains(s.Runtimes, sub.Runtime):
		return "runtimes"
	case s.MatchNamespace != nil && !s.MatchNamespace(sub.Pod.Namespace):
		return "namespaces"
	case s.MatchImage != nil && !s.MatchImage(sub.Image.Ref):
		return "images.match"
	case len(s.ImageDigests) > 0 && !slices.Contains(s.ImageDigests, sub.Image.Digest):
		return "images.digests"
	}
	for key, want := range s.PodLabels {
		if got, ok := sub.Pod.Labels[key]; !ok || got != want {
			return "podLabels"
		}
	}
	for _, e := range s.PodExpressions {
		if !e.Holds(sub.Pod.Labels) {
			return "podLabels.matchExpressions"
		}
	}
	if s.When != nil {
		// What cannot be told selects: the document then tightens.
		if selects, sure := s.When.Selects(sub); sure && !selects {
			return "when"
		}
	}
	return ""
}

// Selected returns the documents that apply to the subject.
func (p *Policy) Selected(sub *Subject) []*Document {
	var out []*Document
	for i := range p.Documents {
		if d := &p.Documents[i]; d.Selector.Selects(sub) {
			out = append(out, d)
		}
	}
	return out
}

// PHIVolumes are the patterns of host paths that hold ePHI, of all documents
// that select the subject; [Subject].PHIVolume asks them.
func (p *Policy) PHIVolumes(sub *Subject) []string {
	return p.WithPHIVolumes(sub).PHIVolumes
}

// WithPHIVolumes is the subject with what the documents say of volumes that hold
// ePHI: those of all documents that select it, those that are granted to it,
// and those that are others'.
func (p *Policy) WithPHIVolumes(sub *Subject) *Subject {
	mine := *sub // other inspectors read the caller's
	mine.PHIVolumes, mine.GrantedPHIVolumes, mine.ForeignPHIVolumes = nil, nil, nil
	add := func(to *[]string, patterns []string) {
		for _, pattern := range patterns {
			if !slices.Contains(*to, pattern) {
				*to = append(*to, pattern)
			}
		}
	}
	for i := range p.Documents {
		d := &p.Documents[i]
		selects := len(d.PHIVolumes) > 0 && d.Selector.Selects(sub)
		if selects {
			add(&mine.PHIVolumes, d.PHIVolumes)
		}
		if selects && !d.Selector.Tightens(sub) {
			add(&mine.GrantedPHIVolumes, d.PHIVolumes)
		} else {
			add(&mine.ForeignPHIVolumes, d.PHIVolumes)
		}
	}
	return &mine
}

// DistinctIndividuals is from how many people on they are very many: the lowest
// number of the documents that select the subject without its labels, else the
// standard; a document by label can only lower it.
func (p *Policy) DistinctIndividuals(sub *Subject, standard int) int {
	lowest := 0
	lower := func(n int) {
		if n > 0 && (lowest == 0 || n < lowest) {
			lowest = n
		}
	}
	selected := p.Selected(sub)
	for _, d := range selected {
		if !d.Selector.Tightens(sub) {
			lower(d.DistinctIndividuals)
		}
	}
	if lowest == 0 {
		lowest = standard
	}
	for _, d := range selected {
		lower(d.DistinctIndividuals)
	}
	return lowest
}
