package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// turtle reads FHIR in Turtle (FHIR R5, 2.1.0; R4, 2.6.2), one resource after the
// other. A value is a node with the value alone: `fhir:family [ fhir:v "Doe" ]`, in
// R4 `fhir:HumanName.family [ fhir:value "Doe" ]`; other nodes are objects.
type turtle struct {
	tree   *fhirTree
	state  turtleState
	quote  byte
	quotes int    // in a row
	long   bool   // the string has three at each end
	text   []byte // of the token
	at     int64  // where it begins
	cut    bool   // a value that may identify somebody was longer than is kept

	bound  bool   // a prefix is, or is about to be
	prefix []byte // that the name space is bound to, with its colon
	binds  []byte // the prefix that @prefix is about to bind
	want   turtlePart
	verb   []byte       // of the node that is open
	nodes  []turtleNode // that are open
	over   int          // nodes within that are deeper than is kept
	open   bool         // a resource
}

// turtleNode is a node in brackets.
type turtleNode struct {
	under  []byte // the predicate that it is the object of
	pushed bool   // it is an object: it has more than a value
}

type turtleState uint8

const (
	turtleBetween turtleState = iota
	turtleName
	turtleIRI
	turtleComment
	turtleOpening // after quotes that begin a string
	turtleString
	turtleEscape
)

// turtlePart is what comes next in a statement.
type turtlePart uint8

const (
	turtleSubject turtlePart = iota
	turtlePredicate
	turtleObject
	turtleDeclared // the rest of @prefix
)

// Bounds of nodes in nodes, and of a string.
const (
	turtleDepth = 64
	turtleText  = 4 << 10
)

// turtleSpace is the name space as it stands behind @prefix.
var turtleSpace = []byte("<http://hl7.org/fhir/>")

// declares is where the line begins that binds a prefix to the name space, or the
// last one where it may; -1: there is none.
func (t *turtle) declares(data []byte) int {
	at := bytes.Index(data, turtleSpace)
	if at < 0 {
		last := data[bytes.LastIndexByte(data, '\n')+1:]
		if !bytes.Contains(last, []byte("@prefix")) && !bytes.Contains(last, []byte("PREFIX")) {
			return -1
		}
		at = len(data)
	}
	return bytes.LastIndexByte(data[:at], '\n') + 1
}

// asleep says that what comes at off need not be read: no prefix is bound, or no
// resource has begun for long.
func (t *turtle) asleep(off int64) bool { return !t.bound || t.tree.asleep(false, off) }

// window takes bytes. Until a prefix is bound there is none of Turtle.
func (t *turtle) window(w detect.Window) {
	from := 0
	if t.tree.skipped(w.Off, w.Off+int64(len(w.Data))) || t.asleep(w.Off) {
		if from = t.declares(w.Data); from < 0 {
			t.bound = false
			return
		}
		t.tree.reset()
		*t = turtle{tree: t.tree, cut: t.cut, bound: true}
		t.tree.last = w.Off + int64(from)
	}
	for i := from; i < len(w.Data); i++ {
		t.step(w.Data[i], w.Off+int64(i))
	}
}

func (t *turtle) step(c byte, off int64) {
	switch t.state {
	case turtleName:
		if !blankByte(c) && bytes.IndexByte([]byte(`[](),;"'<#`), c) < 0 {
			t.keep(c)
			return
		}
		t.state = turtleBetween
		t.name()
		t.between(c, off)
	case turtleIRI:
		t.keep(c)
		if c == '>' {
			t.state = turtleBetween
			t.name()
		} else if blankByte(c) { // none: they have no blanks
			t.state = turtleBetween
		}
	case turtleComment:
		if c == '\n' {
			t.state = turtleBetween
		}
	case turtleOpening, turtleString, turtleEscape:
		t.inString(c, off)
	default:
		t.between(c, off)
	}
}

func blankByte(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == 0 }

func (t *turtle) keep(c byte) {
	if len(t.text) < turtleText {
		t.text = append(t.text, c)
	}
}

// between takes a byte between tokens, or the first of one.
func (t *turtle) between(c byte, off int64) {
	t.text, t.at = t.text[:0], off
	switch {
	case blankByte(c):
	case c == '<':
		t.state = turtleIRI
		t.keep(c)
	case c == '#':
		t.state = turtleComment
	case c == '"' || c == '\'':
		t.state, t.quote, t.quotes, t.long = turtleOpening, c, 1, false
	case c == '[':
		t.enter()
	case c == ']':
		t.leave()
	case c == ';':
		t.want = turtlePredicate
	case c == ',' || c == '(' || c == ')':
	case c == '.':
		t.end()
	default:
		t.state = turtleName
		t.keep(c)
	}
}

// inString takes a byte of a string, or of the quotes around it (Turtle, 2.5.1).
func (t *turtle) inString(c byte, off int64) {
	switch {
	case t.state == turtleEscape:
		t.state = turtleString
		t.keep(c)
	case t.state == turtleOpening && c == t.quote && t.quotes < 3:
		t.quotes++
		if t.quotes == 3 {
			t.state, t.long, t.quotes = turtleString, true, 0
		}
	case t.state == turtleOpening && t.quotes == 2: // an empty string has ended
		t.state = turtleBetween
		t.between(c, off)
	case c == '\\':
		t.state, t.quotes = turtleEscape, 0
	case c == '\n' && !t.long: // it has no end
		t.state = turtleBetween
	case c == t.quote:
		if t.quotes++; !t.long || t.quotes == 3 {
			t.state = turtleBetween
			t.literal()
		}
	default:
		if t.state == turtleOpening {
			t.state = turtleString
		}
		t.quotes = 0
		t.keep(c)
	}
}

// local is the part of a name behind the name space, nil for other names: of
// "fhir:HumanName.family" and "fhir:family" it is "family".
func (t *turtle) local(name []byte) []byte {
	in := turtleSpace[:len(turtleSpace)-1]
	switch {
	case bytes.HasPrefix(name, in):
		name = bytes.TrimSuffix(name[len(in):], []byte(">"))
	case len(t.prefix) > 0 && bytes.HasPrefix(name, t.prefix):
		name = name[len(t.prefix):]
	default:
		return nil
	}
	return name[bytes.LastIndexByte(name, '.')+1:]
}

// name takes a name, an IRI, a number or a word.
func (t *turtle) name() {
	name, ends := bytes.TrimPrefix(t.text, []byte("\xEF\xBB\xBF")), false
	if n := len(name); n > 1 && name[0] != '<' && name[n-1] == '.' {
		name, ends = name[:n-1], true
	}
	switch {
	case len(name) == 0: // a byte order mark
	case string(name) == "@prefix" || bytes.EqualFold(name, []byte("PREFIX")):
		t.want, t.binds = turtleDeclared, t.binds[:0]
	case t.want == turtleDeclared && name[0] != '<':
		t.binds = append(t.binds[:0], name[:min(len(name), maxFHIRKey)]...)
	case t.want == turtleDeclared:
		if bytes.Equal(name, turtleSpace) {
			t.prefix = append(t.prefix[:0], t.binds...)
		}
		t.want = turtleSubject
	case t.want == turtleSubject:
		t.want = turtlePredicate
	case t.want == turtlePredicate:
		t.want = turtleObject
		if t.verb = append(t.verb[:0], t.local(name)...); string(name) == "a" {
			t.verb = append(t.verb[:0], 'a')
		}
	case string(t.verb) == "a":
		t.typed(t.local(name))
	}
	if ends {
		t.end()
	}
}

// typed takes the type of a subject: a resource is one, or stands in one.
func (t *turtle) typed(name []byte) {
	if len(name) == 0 || t.over > 0 {
		return
	}
	switch n := len(t.nodes); {
	case n > 0 && (string(t.nodes[n-1].under) == "contained" || string(t.nodes[n-1].under) == "resource"):
		t.object(n - 1)
	case n > 0:
		return
	case !t.open:
		t.tree.push(nil, t.at)
		t.open = true
	}
	t.tree.set(fhirKey, name, t.at)
}

// object makes the node one of the tree's.
func (t *turtle) object(i int) {
	if n := &t.nodes[i]; !n.pushed {
		n.pushed = true
		t.tree.push(n.under, t.at)
	}
}

// enter opens a node: the one around it is an object.
func (t *turtle) enter() {
	n := len(t.nodes)
	if n == turtleDepth || t.over > 0 {
		t.over++
		return
	}
	if n > 0 {
		t.object(n - 1)
	}
	if n < cap(t.nodes) {
		t.nodes = t.nodes[:n+1] // with the buffer of an earlier one
	} else {
		t.nodes = append(t.nodes, turtleNode{})
	}
	o := &t.nodes[n]
	o.under, o.pushed = append(o.under[:0], t.verb[:min(len(t.verb), maxFHIRKey)]...), false
	t.want, t.verb = turtlePredicate, t.verb[:0]
}

// leave ends a node; more of the same predicate may follow, in a list.
func (t *turtle) leave() {
	n := len(t.nodes) - 1
	switch {
	case t.over > 0:
		t.over--
		return
	case n < 0:
		return
	case t.nodes[n].pushed:
		t.tree.pop()
	}
	t.verb, t.want = append(t.verb[:0], t.nodes[n].under...), turtleObject
	t.nodes = t.nodes[:n]
}

// literal takes a string: that of a value belongs to the object around its node.
func (t *turtle) literal() {
	n := len(t.nodes) - 1
	if n < 0 || t.over > 0 || t.nodes[n].pushed || string(t.verb) != "v" && string(t.verb) != "value" {
		return
	}
	under := t.nodes[n].under
	t.cut = t.cut || len(t.text) == turtleText && t.tree.begun && fhirIdentity(under)
	t.tree.set(under, t.text, t.at)
}

// end ends a statement, and the resource that it is about.
func (t *turtle) end() {
	for len(t.nodes) > 0 { // a bracket is missing
		t.over = 0
		t.leave()
	}
	if t.open {
		t.tree.pop()
	}
	t.open, t.over, t.want = false, 0, turtleSubject
}
