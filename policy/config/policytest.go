package config

import (
	"slices"
	"time"

	"github.com/phigate/phigate/policy"
)

// Test is a document of kind PolicyTest: what a policy is expected to decide.
// It is in force nowhere; [Compile] checks it and leaves it out.
type Test struct {
	Name   string
	Source string // file and line, for messages
	File   string // paths of its subjects are meant from this file's folder
	Cases  []Case
}

// Case is one subject and what is expected of it.
type Case struct {
	Name    string
	Source  string
	Subject TestSubject
	// At is the moment at which it is judged, which decides enforceAfter and
	// exceptions; zero: when the test runs.
	At   time.Time
	Want Want
}

// TestSubject is what is judged. Empty fields are empty, not unknown.
type TestSubject struct {
	RootFS    string // a folder, tarball or OCI layout; relative to the test's file
	Spec      string // an OCI runtime spec, config.json; relative to the test's file
	Runtime   string
	Namespace string
	PodLabels map[string]string
	Image     string // reference
	Digest    string // "sha256:..."
}

// Want is what is expected: everything that is said must hold.
type Want struct {
	// Action is the strictest of all findings and of what was skipped; allow
	// where there is none.
	Action policy.Action
	// Rules must each be violated, NotRules must not.
	Rules, NotRules []string
	// Exceptions must each have been used, by ID.
	Exceptions []string
}

// Tests reads the documents of kind PolicyTest. The rules and exceptions that
// they expect may be any of the files' and the catalogue's.
func Tests(files []File, catalogue []policy.Info) ([]Test, Problems) {
	c := newCompiler(catalogue)
	problems := c.read(files)
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	return c.tests, problems
}

// ownTest is kind PolicyTest as it is written.
type ownTest struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Metadata   ownMetadata `json:"metadata"`
	Cases      []ownCase   `json:"cases"`
}

type ownCase struct {
	placed
	Name    located[string] `json:"name" doc:"What is expected, such as: a patient table is refused."`
	Subject ownTestSubject  `json:"subject" doc:"What is judged."`
	At      located[string] `json:"at" doc:"The moment at which it is judged; now where none is said."`
	Want    *ownWant        `json:"want" doc:"What must come of it."`
}

type ownTestSubject struct {
	placed
	RootFS    string            `json:"rootfs" doc:"A folder, tarball or OCI layout, from this file's folder on."`
	Spec      string            `json:"spec" doc:"A config.json, from this file's folder on."`
	Runtime   located[string]   `json:"runtime"`
	Namespace string            `json:"namespace"`
	PodLabels map[string]string `json:"podLabels"`
	Image     string            `json:"image"`
	Digest    located[string]   `json:"digest"`
}

type ownWant struct {
	placed
	Action     *wantedWord       `json:"action" doc:"The strictest action of all findings and of what was skipped; allow where there is none."`
	Rules      []located[string] `json:"rules" doc:"Rules that must be violated." words:"rule"`
	NotRules   []located[string] `json:"notRules" doc:"Rules that must not be." words:"rule"`
	Exceptions []located[string] `json:"exceptions" doc:"Exceptions that must have been used."`
}

// wantedWord is an action that a test may expect, of a verdict too.
type wantedWord struct{ value policy.Action }

func (w *wantedWord) fromNode(d *decoder, name string, n *node) {
	text, ok := d.text(name, n)
	if !ok {
		return
	}
	if err := w.value.UnmarshalText([]byte(text)); err != nil {
		d.suggest(n.at, text, w.words(), "%s must be block, warn, audit or allow, and here is %s", name, shown(text))
	}
}

func (wantedWord) words() []string { return []string{"block", "warn", "audit", "allow"} }

// wanted is a rule or an exception that a test expects, looked for once all
// documents are read.
type wanted struct {
	src        *source
	id         located[string]
	exceptions bool
}

// test compiles a document of kind PolicyTest.
func (c *compiler) test(src *source, doc *node) {
	var t ownTest
	before := len(src.problems)
	src.decode(doc, &t)
	named := c.name(src, doc, "test", t.Metadata)
	if len(t.Cases) == 0 && len(src.problems) == before {
		src.problem(doc.at, "cases is missing or empty; a test needs a case")
	}
	if len(src.problems) > before || !named {
		return
	}
	out := Test{Name: t.Metadata.Name.Value, Source: place(src, doc.at), File: src.name}
	for i := range t.Cases {
		c.testCase(src, &t.Cases[i], &out)
	}
	c.tests = append(c.tests, out)
}

func (c *compiler) testCase(src *source, oc *ownCase, out *Test) {
	s := oc.Subject
	switch {
	case !oc.Name.Set || !printableName(oc.Name.Value):
		src.problem(oc.at, "name of the case is missing or not printable; it says what is expected, such as: a patient table is refused")
		return
	case slices.ContainsFunc(out.Cases, func(other Case) bool { return other.Name == oc.Name.Value }):
		src.problem(oc.Name.at, "case %s stands twice in this test", shown(oc.Name.Value))
		return
	case s.RootFS == "" && s.Spec == "":
		src.problem(oc.at, "subject needs a rootfs (a folder, tarball or OCI layout) or a spec (a config.json), or both")
		return
	case oc.Want == nil || oc.Want.Action == nil:
		src.problem(oc.at, "want.action is missing: block, warn, audit or allow")
		return
	}
	if s.Runtime.Set && !slices.Contains(runtimes[:], s.Runtime.Value) {
		src.suggest(s.Runtime.at, s.Runtime.Value, runtimes[:], "runtime %s is not known; known are %s", shown(s.Runtime.Value), listed(runtimes[:], "and"))
	}
	if s.Digest.Set && !digestForm.MatchString(s.Digest.Value) {
		src.problem(s.Digest.at, "a digest is sha256: and 64 hexadecimal digits, and here is %s", shown(s.Digest.Value))
	}
	tc := Case{
		Name: oc.Name.Value, Source: place(src, oc.at), At: src.moment("at", oc.At),
		Subject: TestSubject{
			RootFS: s.RootFS, Spec: s.Spec, Runtime: s.Runtime.Value, Namespace: s.Namespace,
			PodLabels: s.PodLabels, Image: s.Image, Digest: s.Digest.Value,
		},
		Want: Want{Action: oc.Want.Action.value},
	}
	tc.Want.Rules = c.want(src, oc.Want.Rules, false)
	tc.Want.NotRules = c.want(src, oc.Want.NotRules, false)
	tc.Want.Exceptions = c.want(src, oc.Want.Exceptions, true)
	out.Cases = append(out.Cases, tc)
}

// want remembers what a test expects, and says rules by ID.
func (c *compiler) want(src *source, ids []located[string], exceptions bool) (out []string) {
	for _, id := range ids {
		c.wanted = append(c.wanted, wanted{src, id, exceptions})
		if rule := c.ruleID(id.Value); rule != "" && !exceptions {
			out = append(out, rule)
			continue
		}
		out = append(out, id.Value)
	}
	return out
}

// checkTests refuses expectations that can never come true by their names. A
// test may lie apart from the policy that it tests, so unknown exceptions and
// rules are warnings.
func (c *compiler) checkTests() {
	for _, w := range c.wanted {
		if w.exceptions {
			if names := c.namesOf("exception"); !slices.Contains(names, w.id.Value) {
				w.src.doubt(w.id.at, w.id.Value, names, "exception %s is none of these files", shown(w.id.Value))
			}
			continue
		}
		if c.anyRule(w.id.Value) == "" {
			w.src.doubt(w.id.at, w.id.Value, c.allRules(), "rule %s is neither in the catalogue nor in these files", shown(w.id.Value))
		}
	}
}
