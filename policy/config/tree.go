package config

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// reader makes the trees of a file's documents from its tokens, in one pass. It
// takes the plain part of YAML that is left once [source.tokens] has refused the
// rest, and of what remains only what can be read in one way: each key and dash
// of a block begins its line, or follows a dash, and stands below its
// neighbours. A token that has no place is a problem, never left out.
type reader struct {
	*source
	all  token.Tokens // comments among them
	next int
}

// indent are the columns beyond which the keys and the dashes of a block must
// stand to belong to what is above them.
type indent struct{ keys, dashes int }

// peek is the next token that is no comment; nil at the end of the document.
func (r *reader) peek() *token.Token {
	for r.next < len(r.all) && r.all[r.next].Type == token.CommentType {
		r.next++
	}
	if r.next == len(r.all) {
		return nil
	}
	if t := r.all[r.next]; t.Type != token.DocumentHeaderType && t.Type != token.DocumentEndType {
		return t
	}
	return nil
}

// accept steps over the next token where it is of this type.
func (r *reader) accept(typ token.Type) *token.Token {
	t := r.peek()
	if t == nil || t.Type != typ {
		return nil
	}
	r.next++
	return t
}

// documents are the trees of all documents that say something; those before a
// problem, where there is one.
func (r *reader) documents() (docs []*node) {
	for {
		t := r.peek()
		switch {
		case t == nil && r.next == len(r.all):
			return docs
		case t == nil: // --- or ...
			r.next++
			continue
		}
		doc := r.value(t, 0, indent{})
		if doc == nil {
			return docs
		}
		if left := r.peek(); left != nil {
			r.misplaced(left)
			return docs
		}
		if doc.kind != null {
			docs = append(docs, doc)
		}
	}
}

// value reads what begins at the next token, t; nil after a problem.
func (r *reader) value(t *token.Token, depth int, in indent) *node {
	if depth > maxDepth {
		r.problem(positionOf(t), "nested too deeply")
		return nil
	}
	if t.Type == token.SequenceEntryType {
		return r.blockList(t, depth, in)
	}
	if n := r.flow(t, depth); n != nil || len(r.problems) > 0 {
		return n
	}
	start := r.next
	n := r.scalar()
	if n == nil {
		return nil
	}
	if colon := r.peek(); colon != nil && colon.Type == token.MappingValueType {
		r.next = start
		return r.blockMap(t, depth, in)
	}
	return n
}

// scalar reads one text, number or word; nil after a problem.
func (r *reader) scalar() *node {
	t := r.peek()
	at := positionOf(t)
	r.next++
	switch t.Type {
	case token.StringType, token.BoolType, token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType,
		token.HexIntegerType, token.FloatType, token.InfinityType, token.NanType:
		return &node{kind: scalar, at: at, text: t.Value}
	case token.SingleQuoteType, token.DoubleQuoteType:
		return &node{kind: quoted, at: at, text: t.Value}
	case token.NullType:
		return &node{kind: null, at: at}
	case token.LiteralType, token.FoldedType:
		n := &node{kind: quoted, at: at}
		if text := r.accept(token.StringType); text != nil {
			n.text = text.Value
		}
		return n
	}
	return r.misplaced(t)
}

// following reads the value that may follow a colon or a dash: on its line, or
// on a later one that is indented further. Where there is none it is null.
func (r *reader) following(sign *token.Token, depth int, inner indent) *node {
	at := positionOf(sign)
	t := r.peek()
	if t == nil {
		return &node{kind: null, at: position{at.line, at.column + 1}}
	}
	beyond := inner.keys
	if t.Type == token.SequenceEntryType {
		beyond = inner.dashes
	}
	if here := positionOf(t); here.line != at.line && here.column <= beyond {
		return &node{kind: null, at: position{at.line, at.column + 1}}
	}
	return r.value(t, depth, inner)
}

// blockList reads entries whose dashes stand below each other.
func (r *reader) blockList(first *token.Token, depth int, in indent) *node {
	out := &node{kind: list, at: positionOf(first)}
	for t := first; t != nil && positionOf(t).column == out.at.column; t = r.peek() {
		if t.Type != token.SequenceEntryType && t != first {
			break // a key below the list of the key above
		}
		if out.at.column <= in.dashes || !r.begins(t, t == first) {
			return r.misplaced(t)
		}
		r.next++
		item := r.following(t, depth+1, indent{out.at.column, out.at.column})
		if item == nil {
			return nil
		}
		out.items = append(out.items, item)
	}
	return r.closed(out)
}

// blockMap reads keys that stand below each other, with their values.
func (r *reader) blockMap(first *token.Token, depth int, in indent) *node {
	out := &node{kind: mapping, at: positionOf(first)}
	for t := first; t != nil && positionOf(t).column == out.at.column; t = r.peek() {
		if out.at.column <= in.keys || !r.begins(t, t == first) {
			return r.misplaced(t)
		}
		key := r.scalar()
		if key == nil {
			return nil
		}
		colon := r.accept(token.MappingValueType)
		if colon == nil || positionOf(colon).line != key.at.line {
			return r.misplaced(t)
		}
		value := r.following(colon, depth+1, indent{key.at.column, key.at.column - 1})
		if value == nil || !r.put(out, key, value) {
			return nil
		}
	}
	return r.closed(out)
}

// closed is a block after which nothing stands that is indented further.
func (r *reader) closed(block *node) *node {
	if t := r.peek(); t != nil && positionOf(t).column > block.at.column {
		return r.misplaced(t)
	}
	return block
}

// begins says whether only spaces stand before a token on its line, or, for the
// first of a block, the dash of the entry whose value the block is.
func (r *reader) begins(t *token.Token, first bool) bool {
	at := positionOf(t)
	if at.line < 1 || at.line > len(r.lines) || at.column < 1 || len(r.lines[at.line-1]) < at.column {
		return false
	}
	if first && t.Prev != nil && t.Prev.Type == token.SequenceEntryType && positionOf(t.Prev).line == at.line {
		return true
	}
	return strings.Trim(r.lines[at.line-1][:at.column-1], " ") == ""
}

// put adds a key to a mapping, in which it must be new.
func (r *reader) put(to *node, key, value *node) bool {
	if key.kind != scalar && key.kind != quoted {
		r.problem(key.at, "a key must be a word")
		return false
	}
	for _, f := range to.fields {
		if f.key == key.text {
			r.problem(key.at, "key %s stands here twice", shown(key.text))
			return false
		}
	}
	to.fields = append(to.fields, field{key: key.text, at: key.at, value: value})
	return true
}

// flow reads a list in brackets or a mapping in braces; nil where t begins
// neither, or after a problem.
func (r *reader) flow(t *token.Token, depth int) *node {
	var n *node
	switch t.Type {
	case token.SequenceStartType:
		n = r.flowItems(t, list, token.SequenceEndType, depth)
	case token.MappingStartType:
		n = r.flowItems(t, mapping, token.MappingEndType, depth)
	}
	if colon := r.peek(); n != nil && colon != nil && colon.Type == token.MappingValueType {
		r.problem(n.at, "a key must be a word")
		return nil
	}
	return n
}

// flowItems reads what stands between a pair of signs.
func (r *reader) flowItems(start *token.Token, k kind, end token.Type, depth int) *node {
	out := &node{kind: k, at: positionOf(start)}
	r.next++
	for r.accept(end) == nil {
		if len(out.items)+len(out.fields) > 0 {
			if r.accept(token.CollectEntryType) == nil {
				return r.unended(start)
			}
			if r.accept(end) != nil {
				break
			}
		}
		if r.peek() == nil {
			return r.unended(start)
		}
		if !r.flowItem(out, depth+1) {
			return nil
		}
	}
	if len(out.fields) > 0 {
		out.at = out.fields[0].at
	}
	return out
}

// unended says what is wrong where neither a comma nor the closing sign follows.
func (r *reader) unended(start *token.Token) *node {
	if t := r.peek(); t != nil {
		r.problem(positionOf(t), "not valid YAML: a comma is missing, or the sign that closes the `%s` of line %d", start.Value, positionOf(start).line)
	} else {
		r.problem(positionOf(start), "not valid YAML: the sign that closes this `%s` is missing", start.Value)
	}
	return nil
}

// flowItem reads an entry of a list in brackets, which can be a pair without
// braces, or a pair of a mapping in braces.
func (r *reader) flowItem(out *node, depth int) bool {
	t := r.peek()
	if depth > maxDepth {
		r.problem(positionOf(t), "nested too deeply")
		return false
	}
	item := r.flow(t, depth)
	if item == nil && len(r.problems) == 0 {
		item = r.scalar()
	}
	if item == nil {
		return false
	}
	colon := r.accept(token.MappingValueType)
	if out.kind == list && colon == nil {
		out.items = append(out.items, item)
		return true
	}
	sign := colon
	if sign == nil {
		sign = t
	}
	value := &node{kind: null, at: position{positionOf(sign).line, positionOf(sign).column + 1}}
	if after := r.peek(); colon != nil && after != nil && after.Type != token.CollectEntryType && after.Type != token.MappingEndType && after.Type != token.SequenceEndType {
		if value = r.flow(after, depth); value == nil && len(r.problems) == 0 {
			value = r.scalar()
		}
		if value == nil {
			return false
		}
	}
	if out.kind == mapping {
		return r.put(out, item, value)
	}
	pair := &node{kind: mapping, at: item.at}
	out.items = append(out.items, pair)
	return r.put(pair, item, value)
}

// misplaced says why a token has no place here: what begins a line is indented
// wrongly, and what does not was probably meant as text.
func (r *reader) misplaced(t *token.Token) *node {
	if r.begins(t, false) {
		r.problem(positionOf(t), "the indentation does not say what this belongs to; line it up with what it belongs to")
	} else {
		r.problem(positionOf(t), "not valid YAML: this cannot stand here on the line; put a text in quotes that holds a sign of YAML, such as a colon before a space")
	}
	return nil
}

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}
