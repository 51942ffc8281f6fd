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
