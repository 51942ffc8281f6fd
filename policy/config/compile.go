package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/phigate/phigate/policy"
)

// File is a policy file: its name for messages and its bytes.
type File struct {
	Name string
	Data []byte
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
	c := newCompiler(catalogue)
	var problems Problems
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
	for _, src := range c.sources {
		slices.SortStableFunc(src.problems, func(a, b Problem) int { return a.Line - b.Line })
		problems = append(problems, src.problems...)
	}
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	return &policy.Policy{Digest: digest(files), Catalogue: c.catalogue, Documents: c.documents}, problems
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
	catalogue map[string]policy.Info
	byAlias   map[string]string
	ids       []string // of the catalogue, for suggestions
	names     map[string]string
	ownRules  map[string]string
	documents []policy.Document
	labelled  []labelled
	sources   []*source
}

func newCompiler(catalogue []policy.Info) *compiler {
	c := &compiler{
		catalogue: map[string]policy.Info{}, byAlias: map[string]string{},
		names: map[string]string{}, ownRules: map[string]string{},
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
	case word != "Policy":
		src.problem(doc.at, "kind %s is not supported by this version yet; remove the document, since it would not be enforced", word)
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

// name takes a policy's name, which must be its own over all files.
func (c *compiler) name(src *source, doc *node, name located[string]) bool {
	switch {
	case !name.Set:
		src.problem(doc.at, "metadata.name is missing; give the policy a name, it stands in every decision")
		return false
	case !printableName(name.Value):
		src.problem(name.at, "metadata.name must be 1 to %d printable characters without spaces around them", maxName)
		return false
	}
	if first, twice := c.names[name.Value]; twice {
		src.problem(name.at, "policy %s stands twice, first in %s; rename one of them", shown(name.Value), first)
		return false
	}
	c.names[name.Value] = place(src, name.at)
	return true
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
