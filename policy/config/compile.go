package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config/expr"
)

// File is a policy file: its name for messages and its bytes.
type File struct {
	Name string
	Data []byte
	// Layer is the place of the file's folder among those that are read, from 0.
	// A document may override one of a lower layer.
	Layer int
}

// Kinds of document, by apiVersion.
const (
	ownVersion     = "phigate.dev/v1alpha1"
	dialectVersion = "xray.aqua.security/v1"
)

// Compile makes one policy of all files, in their order: the catalogue as the
// baseline and each document on top. The policy is nil when a problem is more
// than a warning, so that a part of what was written is never in force alone.
//
// The digest covers the base name and the bytes of every file in order, not
// their folder: the same files in the same order have the same digest on every
// node.
func Compile(files []File, catalogue []policy.Info) (*policy.Policy, Problems) {
	return Lint(files, catalogue, time.Time{})
}

// Lint is Compile, which also warns of exceptions that have ended at a moment
// or end soon after it, and of what can never have an effect. Where the moment is
// zero it does not.
func Lint(files []File, catalogue []policy.Info, now time.Time) (*policy.Policy, Problems) {
	c := newCompiler(catalogue)
	c.now = now
	problems := c.read(files)
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	out := &policy.Policy{Digest: digest(files), Version: policy.VersionOf(c.documents), Catalogue: c.catalogue, Documents: c.documents}
	var exceptions []*policy.Exception
	for _, e := range c.exceptions {
		exceptions = append(exceptions, e.out)
	}
	out.Exceptions = policy.NewExceptions(exceptions...)
	return out, problems
}

// read compiles all documents of the files and checks what holds between them.
func (c *compiler) read(files []File) (problems Problems) {
	for _, f := range files {
		src, data := load(f)
		c.sources = append(c.sources, src)
		if len(src.problems) > 0 {
			continue
		}
		for _, doc := range src.parse(data) {
			c.document(src, doc)
		}
	}
	c.checkLabelled()
	c.checkReach()
	c.checkExceptions()
	c.checkTests()
	for _, src := range c.sources {
		slices.SortStableFunc(src.problems, func(a, b Problem) int { return a.Line - b.Line })
		problems = append(problems, src.problems...)
	}
	return problems
}

func digest(files []File) string {
	h := sha256.New()
	part := func(b []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	for _, f := range files {
		part([]byte(filepath.Base(f.Name)))
		part(f.Data)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// compiler holds what the documents of all files share.
type compiler struct {
	infos     []policy.Info // the catalogue as it was given
	builtIn   bool          // what is compiled is a profile
	catalogue map[string]policy.Info
	byAlias   map[string]string
	ids       []string         // of the catalogue, for suggestions
	names     map[string]taken // by kind and name
	ownRules  map[string]taken // by ID
	profiles  map[string]*policy.Document
	documents []policy.Document
	labelled  []labelled
	written   []written // of our own kind, while linting
	// exceptions and tests, to be checked once all documents are read.
	exceptions []exception
	tests      []Test
	wanted     []wanted
	sources    []*source
	language   *expr.Language // made when the first expression is met
	now        time.Time      // zero: not known
}

// taken is who has a name already.
type taken struct {
	place string // for messages
	layer int
	owner string // of a rule: the document
}

func newCompiler(catalogue []policy.Info) *compiler {
	c := &compiler{
		infos: catalogue, catalogue: map[string]policy.Info{}, byAlias: map[string]string{},
		names: map[string]taken{}, ownRules: map[string]taken{}, profiles: map[string]*policy.Document{},
	}
	for _, info := range catalogue {
		c.catalogue[info.ID] = info
		c.ids = append(c.ids, info.ID)
		for _, alias := range info.Aliases {
			c.byAlias[alias] = info.ID
		}
	}
	return c
}

// document compiles one document by its apiVersion and kind.
func (c *compiler) document(src *source, doc *node) {
	if doc.kind != mapping {
		src.problem(doc.at, "a policy is a mapping that begins with apiVersion and kind, and here is %s", doc.kind)
		return
	}
	version, ok := c.header(src, doc, "apiVersion", []string{ownVersion, dialectVersion})
	if !ok {
		return
	}
	kinds := []string{"Policy"}
	if version == ownVersion {
		kinds = append(kinds, "Exception", "PolicyTest")
	}
	switch word, ok := c.header(src, doc, "kind", kinds); {
	case !ok:
	case word == "Exception":
		c.exception(src, doc)
	case word == "PolicyTest":
		c.test(src, doc)
	case version == ownVersion:
		c.own(src, doc)
	default:
		c.dialect(src, doc)
	}
}

// header reads one of the two words that say what a document is.
func (c *compiler) header(src *source, doc *node, key string, known []string) (string, bool) {
	for _, f := range doc.fields {
		if f.key != key {
			continue
		}
		if slices.Contains(known, f.value.text) {
			return f.value.text, true
		}
		src.suggest(f.value.at, f.value.text, known, "%s %s is not known; known here: %s", key, shown(f.value.text), listed(known, "and"))
		return "", false
	}
	var keys []string
	for _, f := range doc.fields {
		keys = append(keys, f.key)
	}
	if wrong := nearest(key, keys); wrong != "" {
		i := slices.Index(keys, wrong)
		src.suggest(doc.fields[i].at, wrong, []string{key}, "unknown key %s", shown(wrong))
		return "", false
	}
	src.problem(doc.at, "%s is missing; write one of: %s", key, listed(known, "or"))
	return "", false
}

// ownMetadata is the metadata of our own kinds.
type ownMetadata struct {
	Name    located[string] `json:"name" doc:"Stands in every decision."`
	Version string          `json:"version" doc:"Yours, for messages."`
	// Override says that the document replaces one of a lower layer.
	Override located[bool] `json:"override" doc:"The document replaces one of the same name of a folder that is read earlier."`
}

// name takes a document's name, which must be its own among those of its kind
// over all files. A document that overrides takes it from one of a lower layer.
func (c *compiler) name(src *source, doc *node, kind string, meta ownMetadata) bool {
	name := meta.Name
	switch {
	case !name.Set:
		src.problem(doc.at, "metadata.name is missing; give the %s a name, it stands in every decision", kind)
		return false
	case !printableName(name.Value):
		src.problem(name.at, "metadata.name must be 1 to %d printable characters without spaces around them", maxName)
		return false
	case !c.builtIn && kind == "policy" && name.Value == policy.Baseline:
		src.problem(name.at, "%s is built in and always in force; give the policy a name of its own", shown(name.Value))
		return false
	}
	key := kind + " " + name.Value
	switch first, twice := c.names[key]; {
	case twice && !meta.Override.Value:
		src.problem(name.at, "%s %s stands twice, first in %s; rename one of them, or write `override: true` in the metadata of the one that replaces it", kind, shown(name.Value), first.place)
		return false
	case twice && first.layer >= src.layer:
		src.problem(meta.Override.at, "only a document of a folder that is read earlier can be overridden, and %s, first in %s, is of the same; remove one of them", shown(name.Value), first.place)
		return false
	case twice:
		c.drop(kind, name.Value)
	case meta.Override.Value:
		src.suggest(meta.Override.at, name.Value, c.namesOf(kind), "there is no earlier %s %s that this one could override; remove `override`, or mend the name", kind, shown(name.Value))
		return false
	}
	c.names[key] = taken{place: place(src, name.at), layer: src.layer}
	return true
}

// drop takes out a document that is overridden, with its rules.
func (c *compiler) drop(kind, name string) {
	switch kind {
	case "policy":
		c.documents = slices.DeleteFunc(c.documents, func(d policy.Document) bool { return d.Name == name })
		c.labelled = slices.DeleteFunc(c.labelled, func(l labelled) bool { return l.name == name })
		c.written = slices.DeleteFunc(c.written, func(w written) bool { return w.name == name })
		maps.DeleteFunc(c.ownRules, func(_ string, t taken) bool { return t.owner == name })
	case "exception":
		c.exceptions = slices.DeleteFunc(c.exceptions, func(e exception) bool { return e.out.ID == name })
	case "test":
		c.tests = slices.DeleteFunc(c.tests, func(t Test) bool { return t.Name == name })
	}
}

// namesOf are the names of one kind, for suggestions.
func (c *compiler) namesOf(kind string) (names []string) {
	for key := range c.names {
		if name, ok := strings.CutPrefix(key, kind+" "); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// maxName bounds the names of policies and rules, in bytes.
const maxName = 100

func printableName(name string) bool {
	return name != "" && len(name) <= maxName && name[0] != ' ' && name[len(name)-1] != ' ' && policy.Printable(name) == name
}

// place names a position for messages and for [policy.Document].
func place(src *source, at position) string {
	return fmt.Sprintf("%s:%d", policy.Printable(src.name), at.line)
}

// placed is embedded by structs that must know where they began.
type placed struct{ at position }

func (p *placed) place(at position) { p.at = at }

// actionWord is an action that a document may give.
type actionWord struct {
	at    position
	value policy.Action
}

var actionWords = [...]string{"block", "warn", "audit"}

func (w *actionWord) fromNode(d *decoder, name string, n *node) {
	w.at = n.at
	text, ok := d.text(name, n)
	if !ok {
		return
	}
	if !slices.Contains(actionWords[:], text) {
		d.suggest(n.at, text, actionWords[:], "%s must be block, warn or audit, and here is %s", name, shown(text))
		return
	}
	if err := w.value.UnmarshalText([]byte(text)); err != nil {
		d.problem(n.at, "%s: %s is not accepted", name, shown(text))
	}
}

func (actionWord) words() []string { return actionWords[:] }

// action is what a pointer to the word says, nil where nothing was said.
func (w *actionWord) action() *policy.Action {
	if w == nil {
		return nil
	}
	return &w.value
}

// modeWord is a policy's mode; not said means enforce.
type modeWord struct {
	at    position
	value policy.Mode
}

func (modeWord) words() []string { return []string{"enforce", "audit"} }

func (w *modeWord) fromNode(d *decoder, name string, n *node) {
	w.at = n.at
	text, ok := d.text(name, n)
	if !ok {
		return
	}
	if err := w.value.UnmarshalText([]byte(text)); err != nil {
		d.suggest(n.at, text, []string{"enforce", "audit"}, "%s must be enforce or audit, and here is %s", name, shown(text))
	}
}

// anyRule finds a rule of the catalogue, by ID or row number, or one of the
// documents' own; empty where there is none.
func (c *compiler) anyRule(name string) string {
	if id := c.ruleID(name); id != "" {
		return id
	}
	if _, ok := c.ownRules[name]; ok {
		return name
	}
	return ""
}

// allRules are all words that anyRule knows, for suggestions.
func (c *compiler) allRules() []string {
	return slices.Concat(c.ids, slices.Sorted(maps.Keys(c.byAlias)), slices.Sorted(maps.Keys(c.ownRules)))
}
