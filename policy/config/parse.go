package config

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	yamlscan "github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Limits of a file. A parser of foreign bytes recurses as deep as they nest, so
// depth is bounded on the tokens, before it runs.
const (
	MaxSize   = 256 << 10 // bytes of one file
	maxLine   = 16 << 10  // bytes of one line
	maxTokens = 20_000    // the parser takes about 1.5 KB for each, and longer than linear time
	maxFlow   = 32        // brackets and braces within each other
	maxColumn = 128       // of a key or dash that opens a block
	maxDepth  = 40        // of the tree
)

// kind tells the nodes apart.
type kind uint8

const (
	scalar  kind = iota // plain text, numbers and booleans
	quoted              // text that is certainly text
	null                // nothing, or the word null
	list                // a sequence
	mapping             // keys and values
)

func (k kind) String() string {
	return [...]string{"a plain value", "a text", "nothing", "a list", "a mapping"}[k]
}

// node is a piece of a document. It keeps a scalar's text as it is written, so
// that a version 1.20 stays 1.20.
type node struct {
	kind   kind
	at     position
	text   string
	items  []*node
	fields []field
}

type field struct {
	key   string
	at    position // of the key
	value *node
}

// load prepares a file: checks what can be checked on bytes, cuts it in lines.
func load(f File) (*source, []byte) {
	src := &source{name: f.Name, layer: f.Layer}
	if len(f.Data) > MaxSize {
		src.problem(position{}, "the file has more than %d bytes, which is the most that is accepted; split it into several files", MaxSize)
		return src, nil
	}
	data := bytes.TrimPrefix(f.Data, []byte("\ufeff"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	src.lines = strings.Split(string(data), "\n")
	for i, line := range src.lines {
		if len(line) > maxLine {
			src.problem(position{i + 1, 1}, "the line has more than %d bytes; break it up", maxLine)
			return src, nil
		}
		for at := 0; at < len(line); {
			r, size := utf8.DecodeRuneInString(line[at:])
			if r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' || r == 0x7f {
				src.problem(position{i + 1, utf8.RuneCountInString(line[:at]) + 1}, "byte %#02x is not text; the file must be UTF-8 without control characters", line[at])
				return src, nil
			}
			at += size
		}
	}
	return src, data
}

// parse reads the documents of a file; nil where it has problems.
func (s *source) parse(data []byte) (docs []*node) {
	defer func() {
		if recover() != nil {
			s.problem(position{}, "the YAML parser gave up on this file; rewrite it in a simpler form")
			docs = nil
		}
	}()
	tokens := s.tokens(data)
	if len(s.problems) > 0 {
		return nil
	}
	for _, part := range split(tokens) {
		s.scalars = scalarsIn(part)
		file, err := parser.Parse(part, 0)
		if err != nil {
			s.syntax(err)
			return nil
		}
		for _, doc := range file.Docs {
			if doc.Body == nil {
				continue
			}
			if n := s.convert(doc.Body, 0, indent{}); n != nil && n.kind != null {
				docs = append(docs, n)
			}
		}
		if len(s.problems) == 0 && s.scalars != 0 {
			s.problem(positionOf(part[0]), "the YAML parser does not account for all of this document; rewrite it in a simpler form")
		}
	}
	if len(s.problems) > 0 {
		return nil
	}
	return docs
}

// split cuts the tokens up into documents. Left to itself the parser drops
// what follows an empty document, and a dropped policy would enforce nothing.
func split(tokens token.Tokens) []token.Tokens {
	var parts []token.Tokens
	for i, t := range tokens {
		if i == 0 || t.Type == token.DocumentHeaderType && tokens[i-1].Type != token.DirectiveType || tokens[i-1].Type == token.DocumentEndType {
			parts = append(parts, nil)
			t.Prev = nil
		}
		parts[len(parts)-1].Add(t)
	}
	for _, part := range parts {
		part[len(part)-1].Next = nil
	}
	return parts
}

// scalarsIn counts the values of a document. Each must come out of the parser
// again, so that nothing that was written is silently left out.
func scalarsIn(tokens token.Tokens) (n int) {
	for _, t := range tokens {
		switch t.Type {
		case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.BoolType, token.NullType,
			token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType,
			token.FloatType, token.InfinityType, token.NanType:
			n++
		}
	}
	return n
}

func (s *source) syntax(err error) {
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		s.problem(positionOf(located.GetToken()), "not valid YAML: %s", located.GetMessage())
		return
	}
	s.problem(position{}, "not valid YAML")
}

// tokens cuts the text up and refuses what no policy needs.
func (s *source) tokens(data []byte) token.Tokens {
	var scan yamlscan.Scanner
	scan.Init(string(data))
	var tokens token.Tokens
	flow := 0
	for {
		some, err := scan.Scan()
		if errors.Is(err, io.EOF) {
			return tokens
		}
		for _, t := range some {
			flow += s.check(t, flow)
		}
		tokens.Add(some...)
		if len(tokens) > maxTokens {
			s.problem(position{}, "the file has more than %d words and signs; split it into several files", maxTokens)
		}
		if len(s.problems) > 0 {
			return nil
		}
	}
}

// check looks at one token and says how it changes the depth of brackets.
func (s *source) check(t *token.Token, flow int) (change int) {
	at := positionOf(t)
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		if flow >= maxFlow {
			s.problem(at, "nested too deeply")
		}
		return 1
	case token.SequenceEndType, token.MappingEndType:
		return -1
	case token.MappingKeyType:
		s.problem(at, "a key after ? is not accepted; write key: value")
	case token.SequenceEntryType:
		if flow == 0 && at.column > maxColumn {
			s.problem(at, "nested too deeply")
		}
	case token.MappingValueType:
		// The key stands before the colon; where it begins says how deep it is.
		if key := t.Prev; flow == 0 && key != nil && positionOf(key).column > maxColumn {
			s.problem(at, "nested too deeply")
		}
	case token.AliasType:
		s.problem(at, "an unquoted value that begins with * is an alias in YAML; put the entry in quotes, as in - \"name: *.csv\" (aliases are not accepted)")
	case token.AnchorType:
		s.problem(at, "an unquoted value that begins with & is an anchor in YAML; put it in quotes (anchors are not accepted)")
	case token.TagType:
		s.problem(at, "an unquoted value that begins with ! is a tag in YAML; put it in quotes (tags are not accepted)")
	case token.MergeKeyType:
		s.problem(at, "merge keys are not accepted; write the keys out")
	case token.DirectiveType:
		s.problem(at, "YAML directives are not accepted; remove the line")
	}
	return 0
}

// indent are the columns beyond which the keys and the dashes of a block must
// stand to belong to what is above them. The parser is checked for that too: it
// reads a key after an empty list entry as that entry's.
type indent struct{ keys, dashes int }

// convert turns the parser's tree into ours; nil after a problem.
func (s *source) convert(n ast.Node, depth int, in indent) *node {
	at := positionOf(n.GetToken())
	if depth > maxDepth {
		s.problem(at, "nested too deeply")
		return nil
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return s.convertMap(at, n.Values, n.IsFlowStyle, depth, in)
	case *ast.MappingValueNode:
		return s.convertMap(at, []*ast.MappingValueNode{n}, n.IsFlowStyle, depth, in)
	case *ast.SequenceNode:
		return s.convertList(at, n, depth, in)
	case *ast.StringNode:
		k := scalar
		if n.Token.Type == token.DoubleQuoteType || n.Token.Type == token.SingleQuoteType {
			k = quoted
		}
		s.scalars--
		return &node{kind: k, at: at, text: n.Value}
	case *ast.LiteralNode:
		s.scalars--
		return &node{kind: quoted, at: positionOf(n.Start), text: n.Value.Value}
	case *ast.NullNode:
		if n.Token.Type == token.NullType {
			s.scalars--
		}
		return &node{kind: null, at: at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		s.scalars--
		return &node{kind: scalar, at: at, text: n.GetToken().Value}
	}
	s.problem(at, "this form of YAML is not accepted here")
	return nil
}

func (s *source) convertList(at position, n *ast.SequenceNode, depth int, in indent) *node {
	out := &node{kind: list, at: at}
	for i, value := range n.Values {
		var inner indent
		if !n.IsFlowStyle && i < len(n.Entries) {
			dash := positionOf(n.Entries[i].Start)
			if dash.column <= in.dashes || dash.column != out.at.column {
				return s.misplaced(dash)
			}
			inner = indent{dash.column, dash.column}
		}
		item := s.convert(value, depth+1, inner)
		if item == nil {
			return nil
		}
		out.items = append(out.items, item)
	}
	return out
}

func (s *source) convertMap(at position, values []*ast.MappingValueNode, flow bool, depth int, in indent) *node {
	out := &node{kind: mapping, at: at}
	seen := map[string]bool{}
	for i, kv := range values {
		key := s.convert(kv.Key, depth+1, indent{})
		if key == nil {
			return nil
		}
		if i == 0 {
			out.at = key.at
		}
		var inner indent
		if !flow {
			if key.at.column <= in.keys || key.at.column != out.at.column {
				return s.misplaced(key.at)
			}
			inner = indent{key.at.column, key.at.column - 1}
		}
		switch {
		case key.kind != scalar && key.kind != quoted:
			s.problem(key.at, "a key must be a word")
			return nil
		case seen[key.text]:
			s.problem(key.at, "key %s stands here twice", shown(key.text))
			return nil
		}
		seen[key.text] = true
		value := &node{kind: null, at: key.at}
		if kv.Value != nil {
			if value = s.convert(kv.Value, depth+1, inner); value == nil {
				return nil
			}
		}
		out.fields = append(out.fields, field{key: key.text, at: key.at, value: value})
	}
	return out
}

func (s *source) misplaced(at position) *node {
	s.problem(at, "the indentation does not say what this belongs to; line it up with what it belongs to")
	return nil
}

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}
