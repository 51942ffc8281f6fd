package policy

import (
	"time"

	"github.com/phigate/phigate/policy/hipaa"
)

// Finding is one violation at one place. It has no field for the bytes that
// were matched, so that none can ever be printed.
type Finding struct {
	Rule    string // the ID of the rule or detector
	Where   Where
	Message string // what was found, a noun phrase without any matched value: "patient table"
	Count   int    // how often, at this place; 0 means once
	// Individuals estimates the people affected; all zero where it means nothing.
	Individuals Individuals
	// From is the moment from which on it is a violation, such as the end of a
	// release's support; zero: always. Decide passes over what is yet to come.
	From time.Time
	// Synthetic: all of it is marked as test data. It counts nevertheless.
	Synthetic bool
	// Package is the software that advisories are about, and Advisories are their
	// IDs, all of them, with a blank between: an exception can name those that it accepts.
	Package    string
	Advisories string
	// Fingerprint is a keyed HMAC of what was matched, hex, or empty.
	Fingerprint string
}

// Where is the place of a finding: a path within the subject's root, or a
// field of its spec.
type Where struct {
	Path    string // absolute within the root; raw bytes, see [Printable]
	Inside  string // where the file is a container: what holds it in there, "data/b.csv"
	Offset  int64  // of the first byte matched; in a table, the row
	Layer   string // the layer that holds the file; empty for a directory at rest
	Deleted bool   // an upper layer deletes or replaces the file; it is still in the image
	Field   string // "process.env[3]", "mounts[2].source"; empty for files
}

// String is the place as people read it.
func (w Where) String() string {
	switch {
	case w.Path == "":
		return w.Field
	case w.Deleted:
		return "deleted image file " + Printable(w.Full())
	default:
		return "file " + Printable(w.Full())
	}
}

// Full is the path, with what is inside of a container behind an exclamation
// mark: "/opt/a.tar.gz!data/b.csv".
func (w Where) Full() string {
	if w.Inside == "" {
		return w.Path
	}
	return w.Path + "!" + w.Inside
}

// Individuals is an estimate of the people affected (45 CFR 164.408).
type Individuals struct {
	Low   int `json:"low"`
	Point int `json:"point"`
	High  int `json:"high"`
}

// SkipKind says why something could not be looked at, which decides how the
// policy's failure section treats it. The zero value is the strictest.
type SkipKind uint8

const (
	Undecided   SkipKind = iota // a rule or an inspector that gave no answer: a fault, a timeout, facts missing
	Unreadable                  // bytes that could not be read
	Unscannable                 // bytes that were read and not understood: encrypted, damaged, beyond a bound
	OutOfScope                  // nothing to judge by the subject's nature; said, never held against it
	Stale                       // judged by what older detectors found: the newer ones have not looked yet
)

// Skipped is something that could not be looked at, and why.
type Skipped struct {
	Where  string // a path or a field
	Rule   string // the rule that had no answer, or "files"
	Reason string // without any matched value
	Kind   SkipKind
}

// Deferred is a rule that this gate cannot judge and a named later gate of the
// same container will.
type Deferred struct {
	Rule    string `json:"rule"`
	Gate    Gate   `json:"gate"`
	Missing string `json:"missing"` // the facts, for people
}

// Coverage is how much was looked at.
type Coverage struct {
	Files int64 `json:"files"` // regular files
	Bytes int64 `json:"bytes"` // their size
	Rules int   `json:"rules"` // rules that gave an answer
	// Stale counts the layers that were judged by what older detectors found.
	Stale int `json:"stale,omitempty"`
}

// Add sums two coverages.
func (c Coverage) Add(o Coverage) Coverage {
	return Coverage{Files: c.Files + o.Files, Bytes: c.Bytes + o.Bytes, Rules: c.Rules + o.Rules, Stale: c.Stale + o.Stale}
}

// Info documents a rule or a detector: everything about it but how it works.
// Lists, RULES.md, the `rules` command and every report render this value.
type Info struct {
	ID       string   // stable, kebab-case
	Aliases  []string // row numbers of the catalogue: "OCI-003"
	Title    string   // a sentence without its period
	Cites    []hipaa.Citation
	Relation Relation  // how it serves the paragraphs that it cites
	Controls []Control // what other catalogues ask that corresponds to it
	Proposed []hipaa.Proposal
	Severity Severity
	Default  Action // under the built-in baseline
	// WithPHI is the built-in action, where it is another, on a container that mounts
	// a volume which the operator declared to hold ePHI (phiVolumes); nil: the same.
	WithPHI *Action
	// Visible: it is about what the container sees, so that a file which an upper
	// layer deletes or replaces no longer counts.
	Visible bool
	// Building: it is about what a build needs, so that it is softened to audit in a
	// build's steps.
	Building  bool
	Isolation bool   // softened to audit in platform namespaces
	Rationale string // why it matters, with the normative text
	Fix       string // what to do about it, one sentence
}

// Actions are the built-in actions in words: "warn, block with ePHI".
func (i Info) Actions() string {
	if i.WithPHI == nil {
		return i.Default.String()
	}
	return i.Default.String() + ", " + i.WithPHI.String() + " with ePHI"
}
