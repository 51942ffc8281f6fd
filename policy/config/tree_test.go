package config

import (
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/google/go-cmp/cmp"
)

// TestTree: each policy that the repository ships is read as YAML's parser reads it.
func TestTree(t *testing.T) {
	for _, file := range deployed(t) {
		if !compareTrees(t, file.Data) {
			t.Errorf("%s: one of the two does not accept it", file.Name)
		}
	}
}

// TestTreeForms: the same for the forms that YAML has.
func TestTreeForms(t *testing.T) {
	for _, text := range []string{
		"a: |\nb: 1\n", "a: |\n\n  x\n  y\nb: >-\n  p\n\n  q\n# c\nc: ~\n", "- a: | # c\n    x\n  b: 1\n", "--- |\n x\n", "- \n- a\n",
		"a:\n- b\n-  c: 1\n   d: 2\ne: f\n", "- - a\n  - b\n-\n  - c\n", "[a: b, c, [], {}, ]\n", "{a, b: , c: [d, {e: f}], }\n",
		"\"q\": 1\n'ü': 2\n", "{\"a\":1,'b':2}\n", "a: x\n  y\n  z\nb: \"a\n  b\"\n", "a: [1,\n2\n]\nb: 1\n", "a:\n\n  # c\n\n  b: 1 # d\n", "---\n---\na: 1\n...\n---\nb: 0x1F\n",
	} {
		if !compareTrees(t, []byte(text)) {
			t.Errorf("%q: one of the two does not accept it", text)
		}
	}
}

// FuzzTree: what is accepted is read as YAML's parser reads it.
func FuzzTree(f *testing.F) {
	for _, file := range deployed(f) {
		f.Add(file.Data)
	}
	for _, text := range []string{
		"a: |\n  b\n", "{a: [1, {b: c}]}", "- - - a", "a: 'b''c'", "a: 0x1F\nb: .inf\nc: ~\nd: null\ne:", " a: \"x\n\"b: 2\n", "a:\n-\nb: 1\n", "--- a: b\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { compareTrees(t, data) })
}

// compareTrees says whether both accept a file, and fails where they read it
// differently.
func compareTrees(t *testing.T, data []byte) (both bool) {
	t.Helper()
	src, text := load(File{Name: "p.yaml", Data: data})
	if len(src.problems) > 0 {
		return false
	}
	got := src.parse(text)
	again, _ := load(File{Name: "p.yaml", Data: data})
	want, ok := (&parsed{again}).documents(text)
	if len(src.problems) > 0 || !ok {
		return false
	}
	unplaced(want)
	unplaced(got)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(node{}, field{}, position{})); diff != "" {
		t.Errorf("%q (-parser +ours):\n%s", data, diff)
	}
	return true
}

// unplaced takes away where nothing stands: the parser has several ideas of it.
func unplaced(nodes []*node) {
	for _, n := range nodes {
		if n.kind == null {
			n.at = position{}
		}
		unplaced(n.items)
		for _, f := range n.fields {
			unplaced([]*node{f.value})
		}
	}
}

// parsed reads by the library's parser, which is slower and knows all of YAML.
// It is checked for what it gets wrong: what follows an empty document is left
// out, and a key after an empty list entry becomes that entry's.
type parsed struct{ *source }

func (s *parsed) documents(data []byte) (docs []*node, ok bool) {
	for _, part := range split(s.tokens(data)) {
		file, err := parser.Parse(part, 0)
		if err != nil {
			return nil, false
		}
		for _, doc := range file.Docs {
			if doc.Body == nil {
				continue
			}
			if n := s.convert(doc.Body, 0, indent{}); n != nil && n.kind != null {
				docs = append(docs, n)
			}
		}
	}
	return docs, len(s.problems) == 0
}

// convert turns the parser's tree into ours; nil after a problem.
func (s *parsed) convert(n ast.Node, depth int, in indent) *node {
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
		return &node{kind: k, at: at, text: n.Value}
	case *ast.LiteralNode:
		return &node{kind: quoted, at: positionOf(n.Start), text: n.Value.Value}
	case *ast.NullNode:
		if n.Token.Type == token.NullType {
		}
		return &node{kind: null, at: at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: scalar, at: at, text: n.GetToken().Value}
	}
	s.problem(at, "this form of YAML is not accepted here")
	return nil
}

func (s *parsed) convertList(at position, n *ast.SequenceNode, depth int, in indent) *node {
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

func (s *parsed) convertMap(at position, values []*ast.MappingValueNode, flow bool, depth int, in indent) *node {
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

func (s *parsed) misplaced(at position) *node {
	s.problem(at, "misplaced")
	return nil
}
