package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// tree gathers records out of nested objects, of JSON or XML. An object is a
// record; a name or an address within it belongs to it, an element of a list
// is a record of its own.
type tree struct {
	sink   *detect.Sink
	weight int // of the path
	nodes  []node
	depth  int  // of nodes that are in use; the first stands for what has no start
	over   int  // levels beyond
	deep   bool // something was said there
	join   join
	keys   map[string]column
	joined []byte
}

// node is one open object or list.
type node struct {
	person person
	key    [maxKeyBytes]byte
	keyLen int
	off    int64
	weight int  // of health: its own keys and the objects in it
	list   bool // its elements are records
	skip   bool // of another person, or of a standard's format
	filled bool
	row    bool // its values are attributes: a row of a table
}

// The bounds of what is kept.
const (
	maxKeyBytes = 64
	maxNodes    = 32
	maxKeys     = 4096 // keys whose meaning is remembered
)

func newTree(path string, s *detect.Sink) *tree {
	t := &tree{sink: s, weight: pathContext(path), nodes: make([]node, maxNodes), keys: map[string]column{}, depth: 1}
	t.nodes[0].reset()
	return t
}

func (n *node) reset() {
	n.person.copies = true
	n.person.reset()
	n.keyLen, n.off, n.weight, n.list, n.skip, n.filled, n.row = 0, 0, 0, false, false, false, false
}

func (n *node) name() []byte { return n.key[:n.keyLen] }

// open begins a level; nil where there are too many.
func (t *tree) open(key []byte, off int64) *node {
	if t.depth == maxNodes {
		t.over++
		return nil
	}
	parent := &t.nodes[t.depth-1]
	n := &t.nodes[t.depth]
	t.depth++
	n.reset()
	n.keyLen, n.off, n.skip = copy(n.key[:], key), off, parent.skip
	return n
}

// push begins an object.
func (t *tree) push(key []byte, off int64) {
	n := t.open(key, off)
	if n == nil || len(key) == 0 {
		return
	}
	c := t.column(key)
	n.skip = n.skip || c.stranger || c.provider
	if c.context >= enoughContext && c.kind != dx { // "patient": {
		n.weight = c.context
	}
	n.person.patient = c.patient
}

// array begins a list.
func (t *tree) array(key []byte) {
	if n := t.open(key, 0); n != nil {
		n.list = true
	}
}

// leave marks the object as one that is another detector's.
func (t *tree) leave() { t.object().skip = true }

// object is the innermost open object.
func (t *tree) object() *node {
	for i := t.depth - 1; i > 0; i-- {
		if !t.nodes[i].list {
			return &t.nodes[i]
		}
	}
	return &t.nodes[0]
}

// column is what a key says.
func (t *tree) column(key []byte) column {
	c, known := t.keys[string(key)]
	if !known {
		c = classify(key)
		if len(t.keys) < maxKeys {
			t.keys[string(key)] = c
		}
	}
	return c
}

// tells says that a value of the key could be somebody's.
func (t *tree) tells(key []byte) bool { return t.column(key).kind != other }

// value takes a member of the open object.
func (t *tree) value(key, v []byte, off int64) {
	n := t.object()
	if n.skip || len(key) == 0 || len(v) == 0 {
		return
	}
	if t.over > 0 {
		t.deep = t.deep || t.tells(key)
		return
	}
	if !n.filled {
		n.filled = true
		n.off = min(n.off, off)
		if n == &t.nodes[0] {
			n.off = off
		}
	}
	c := t.column(key)
	if c.kind == other && !c.stranger && n.keyLen > 0 { // "name": {"first": ...}
		t.joined = append(append(append(t.joined[:0], n.name()...), '_'), key...)
		if both := t.column(t.joined); both.kind != other {
			c = both
		}
	}
	if n.keyLen > 0 && t.column(n.name()).kind == dob {
		c.kind = datePart(key)
	}
	valid := n.person.set(c.kind, bytes.TrimSpace(v))
	if valid || c.kind == other && c.context > 0 && c.context < enoughContext {
		n.weight += c.context
	}
}

// pop ends an object or a list.
func (t *tree) pop() {
	if t.over > 0 {
		t.over--
		return
	}
	if t.depth == 1 {
		return
	}
	t.depth--
	n := &t.nodes[t.depth]
	if n.list || n.skip {
		return
	}
	n.person.finish()
	element := t.nodes[t.depth-1].list
	parent := t.object()
	whole := n.alone() >= detect.PII
	switch {
	case t.depth == 1 || element && t.depth == 2:
		t.emit(n)
	case !n.row && t.joins(n.name(), element) && !(whole && parent.alone() >= detect.PII):
		parent.person.take(&n.person)
		parent.weight += n.weight
	case n.row:
		t.emit(n)
	default:
		t.emit(n)
		parent.weight = max(parent.weight, min(enoughContext, parent.weight+n.health()))
	}
}

// finish ends the file.
func (t *tree) finish() {
	t.close()
	t.join.close(t.sink)
	if t.deep {
		t.sink.Skip("records nested more than 32 deep")
	}
}

// close ends what reading began in the middle of.
func (t *tree) close() {
	for t.depth > 1 {
		t.pop()
	}
	n := &t.nodes[0]
	n.person.finish()
	t.emit(n)
	n.reset()
}

// datePart is what a member of a date of birth is.
func datePart(key []byte) kind {
	var buf [maxWord]byte
	switch string(lowerWord(key, &buf)) {
	case "year":
		return birthYear
	case "month":
		return birthMonth
	case "day":
		return birthDay
	case "date", "value", "text":
		return dob
	}
	return other
}

// joins says whether an object belongs to the one around it: it has a part of its
// person, or is that person.
func (t *tree) joins(key []byte, element bool) bool {
	if t.column(key).kind == dob {
		return true
	}
	var buf [maxWord]byte
	switch string(lowerWord(key, &buf)) {
	case "name", "names", "identifier", "identifiers", "ids", "address", "addresses", "telecom", "phones", "emails", "birth":
		return true
	case "patient", "person", "demographics", "demographic", "patientname", "patient_name", "patientinfo", "patient_info", "personal", "personalinfo",
		"personal_info", "identity", "profile", "member", "subscriber", "user", "info", "details", "data", "record", "attributes", "fields", "_source",
		"patientdata", "patient_data", "patientdemographics":
		return !element
	}
	return false
}

// alone is what the person amounts to without context.
func (n *node) alone() detect.Level {
	r := detect.Record{Has: n.person.traits()}
	return r.Level()
}

// health is what an object adds to the context of the one around it: that of a
// list of diagnoses counts, a patient's record is one of its own.
func (n *node) health() int {
	if n.alone() >= detect.PII {
		return 0
	}
	return n.weight
}

// emit reports an object, with what those around it speak of health.
func (t *tree) emit(n *node) {
	weight := t.weight + n.weight
	for i := range t.depth {
		if o := &t.nodes[i]; o != n && !o.list {
			weight += o.weight
		}
	}
	r := n.person.row(n.off, weight)
	r.Rows = n.person.rows()
	t.join.judge(t.sink, &n.person, r, nil)
}

// text takes the text of an element: it is a value of the element around it.
func (t *tree) text(v []byte, off int64) {
	if t.depth < 2 || t.over > 0 {
		return
	}
	n := &t.nodes[t.depth-1]
	var key [maxKeyBytes]byte
	length := copy(key[:], n.name())
	t.depth--
	t.value(key[:length], v, off)
	t.depth++
}
