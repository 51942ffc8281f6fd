package policy

// Rule is a check on the spec, the environment or the ports of a subject: a
// value with its documentation inside.
type Rule struct {
	Info
	// Needs are the facts for a complete answer. A rule whose needs are not met
	// is deferred or skipped, never passed.
	Needs Facts
	// Early, if not zero, are facts with which Check can already prove a
	// violation, though not its absence: the rule is asked, and still deferred.
	Early Facts
	// Check returns the violations. It must look only at what s.Sees holds.
	Check func(s *Subject) []Finding
}

// Sight is whether a rule can be judged where a subject is looked at.
type Sight uint8

const (
	Blind   Sight = iota // facts are missing and no later gate sees them: undecided
	Clear                // all its facts are seen
	Later                // the subject's later gate sees what is missing
	Foreign              // the subject does not have what it asks for, by its nature
)

// Sight says whether the subject shows what the rule needs, and which facts
// are missing.
func (r *Rule) Sight(s *Subject) (Sight, Facts) {
	missing := r.Needs &^ s.Sees
	switch {
	case missing == 0:
		return Clear, 0
	case (s.Sees | s.Later).Has(r.Needs) && s.LaterGate != "":
		return Later, missing
	case missing&s.Never != 0:
		return Foreign, missing & s.Never
	}
	return Blind, missing
}

// FileRule is a check on the names in a root filesystem, such as the dialect's
// scanner "file". It is applied to facts that were gathered before, so that a
// new policy reads no file again.
type FileRule struct {
	Info
	// Match says whether a regular file violates the rule. The path is absolute
	// within the root.
	Match func(path string) bool
	// Prefixes are the folders that Match asks for, "/data/phi/": they are
	// resolved through the image's symbolic links before matching.
	Prefixes []string
	Message  string
}
