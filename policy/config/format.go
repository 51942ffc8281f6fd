package config

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/phigate/phigate/policy"
)

// Format writes a policy file in its canonical form: two spaces for each level,
// dashes below their key, one form of quotes, no spaces at the ends of lines,
// at most one empty line in a row. Comments stay at what they stand with, the
// order of keys and documents is kept, and so is the choice of {} and [] where
// they fit on a line.
//
// It never changes what the file means: what it wrote is read again and
// compared, and where it differs that is an error. A file that is no YAML of
// ours has problems instead; one that does not compile is formatted
// nevertheless. Formatting twice is formatting once.
func Format(f File) ([]byte, Problems, error) {
	src, data := load(f)
	if len(src.problems) > 0 {
		return nil, src.problems, nil
	}
	before := src.parse(data)
	if len(src.problems) > 0 {
		return nil, src.problems, nil
	}
	once, err := src.formatAll(data)
	if err != nil {
		return nil, nil, fmt.Errorf("formatting %s: %w", policy.Printable(f.Name), err)
	}
	again, text := load(File{Name: f.Name, Data: []byte(once)})
	if after := again.parse(text); len(again.problems) > 0 || !sameDocuments(before, after) {
		return nil, nil, fmt.Errorf("formatting %s would change what it means, so it is left as it is; write what is unusual in it in a simpler form", policy.Printable(f.Name))
	}
	if twice, err := again.formatAll(text); err != nil || twice != once {
		return nil, nil, fmt.Errorf("formatting %s twice would change it twice, so it is left as it is; write what is unusual in it in a simpler form", policy.Printable(f.Name))
	}
	return []byte(once), nil, nil
}

// formatAll writes all documents of a file.
func (s *source) formatAll(data []byte) (string, error) {
	var documents []string
	for _, part := range split(s.tokens(data)) {
		text, err := s.format(part)
		if err != nil {
			return "", err
		}
		if text != "" {
			documents = append(documents, text)
		}
	}
	return strings.Join(documents, "---\n"), nil
}

// sameDocuments says whether two files mean the same, down to each value.
func sameDocuments(a, b []*node) bool { return slices.EqualFunc(a, b, sameNode) }

func sameNode(a, b *node) bool {
	return a.kind == b.kind && a.text == b.text && slices.EqualFunc(a.items, b.items, sameNode) &&
		slices.EqualFunc(a.fields, b.fields, func(f, g field) bool { return f.key == g.key && sameNode(f.value, g.value) })
}

// formatter writes one document.
type formatter struct {
	lines    []string // of the source
	tokens   token.Tokens
	index    map[position]int
	comments []*token.Token // still to be written, in their order
	last     int            // token that was written last
	out      bytes.Buffer
}

// format writes one document; empty for one that says nothing.
func (s *source) format(part token.Tokens) (string, error) {
	f := &formatter{lines: s.lines, index: map[position]int{}}
	for _, t := range part {
		if t.Type == token.CommentType {
			f.comments = append(f.comments, t)
		}
		f.index[positionOf(t)] = len(f.tokens)
		f.tokens = append(f.tokens, t)
	}
	file, err := parser.Parse(part, 0)
	if err != nil {
		return "", err
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		f.lead(startOf(doc.Body), 0)
		if text, ok := f.inline(doc.Body); ok {
			f.line(0, text)
		} else {
			f.block(doc.Body, 0, 0)
		}
	}
	f.lead(position{line: len(s.lines) + 2}, 0)
	return f.out.String(), nil
}

func (f *formatter) line(indent int, text string) {
	f.out.WriteString(strings.Repeat("  ", indent) + strings.TrimRight(text, " ") + "\n")
}

// lead writes the comments that stand before a place, each on its own line, and
// keeps an empty line above them or above the place.
func (f *formatter) lead(at position, indent int) {
	for len(f.comments) > 0 && before(positionOf(f.comments[0]), at) {
		f.ownLine(indent)
	}
	f.gap(at.line)
}

func (f *formatter) ownLine(indent int) {
	c := f.comments[0]
	f.comments = f.comments[1:]
	if f.alone(c) {
		f.gap(c.Position.Line)
	}
	f.line(indent, commentText(c))
}

// gap keeps an empty line of the source, but not at the beginning of a block.
func (f *formatter) gap(line int) {
	written := f.out.Bytes()
	if line < 2 || line > len(f.lines) || strings.TrimSpace(f.lines[line-2]) != "" || len(written) == 0 {
		return
	}
	written = written[bytes.LastIndexByte(written[:len(written)-1], '\n')+1:]
	if text := strings.TrimSpace(string(written)); text != "" && !strings.HasSuffix(text, ":") {
		f.out.WriteByte('\n')
	}
}

// alone says whether a comment has a line of its own.
func (f *formatter) alone(c *token.Token) bool {
	return strings.HasPrefix(strings.TrimLeft(f.lines[c.Position.Line-1], " \t"), "#")
}

// trail takes the comments on the line of what was written last.
func (f *formatter) trail() string {
	next, text := f.next(), ""
	for len(f.comments) > 0 && !f.alone(f.comments[0]) && before(positionOf(f.comments[0]), next) {
		text += " " + commentText(f.comments[0])
		f.comments = f.comments[1:]
	}
	return text
}

// next is where the source goes on after what was written last.
func (f *formatter) next() position {
	for _, t := range f.tokens[min(f.last+1, len(f.tokens)):] {
		if t.Type != token.CommentType && t.Type != token.CollectEntryType {
			return positionOf(t)
		}
	}
	return position{line: len(f.lines) + 2}
}

// foot writes the comments that stand below a block and within it, as their
// column says.
func (f *formatter) foot(column, indent int) {
	next := f.next()
	if column <= next.column {
		return
	}
	for len(f.comments) > 0 && before(positionOf(f.comments[0]), next) && f.comments[0].Position.Column >= column {
		f.ownLine(indent)
	}
}

func commentText(c *token.Token) string { return "#" + strings.TrimRight(c.Value, " \t") }

func before(a, b position) bool { return a.line < b.line || a.line == b.line && a.column < b.column }

// startOf is where a piece of the source begins.
func startOf(n ast.Node) position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return startOf(n.Values[0])
		}
	case *ast.MappingValueNode:
		return positionOf(n.Key.GetToken())
	case *ast.LiteralNode:
		return positionOf(n.Start)
	}
	return positionOf(n.GetToken())
}

// block writes a mapping or a list on lines of its own, the first of them
// behind so many dashes.
func (f *formatter) block(n ast.Node, indent, dashes int) {
	switch n := n.(type) {
	case *ast.MappingNode:
		f.mapping(n.Values, indent, dashes)
		f.end(n, n.IsFlowStyle, n.End, indent)
	case *ast.MappingValueNode:
		f.mapping([]*ast.MappingValueNode{n}, indent, dashes)
		f.end(n, n.IsFlowStyle, nil, indent)
	case *ast.SequenceNode:
		f.list(n, indent, dashes)
		f.end(n, n.IsFlowStyle, n.End, indent)
	}
}

// end writes the comments at the end of a block: of what was in brackets, those
// within them.
func (f *formatter) end(n ast.Node, flow bool, end *token.Token, indent int) {
	if !flow {
		f.foot(startOf(n).column, indent)
		return
	}
	if end == nil {
		return
	}
	for len(f.comments) > 0 && before(positionOf(f.comments[0]), positionOf(end)) {
		f.ownLine(indent)
	}
	f.seen(end)
}

func (f *formatter) seen(t *token.Token) {
	if i, ok := f.index[positionOf(t)]; ok {
		f.last = max(f.last, i)
	}
}

func (f *formatter) mapping(values []*ast.MappingValueNode, indent, dashes int) {
	for i, kv := range values {
		if i > 0 { // what stands before the first was written by whoever holds the block
			f.lead(startOf(kv), indent)
			dashes = 0
		}
		f.entry(kv, indent, dashes)
	}
}

// entry writes one key with its value.
func (f *formatter) entry(kv *ast.MappingValueNode, indent, dashes int) {
	key := strings.Repeat("- ", dashes) + f.scalar(kv.Key) + ":"
	f.seen(kv.Start)
	f.value(kv.Value, key, indent-dashes, indent, indent+1)
}

func (f *formatter) list(n *ast.SequenceNode, indent, dashes int) {
	for i, value := range n.Values {
		if i > 0 {
			at := startOf(value)
			if !n.IsFlowStyle {
				at = positionOf(n.Entries[i].Start)
			}
			f.lead(at, indent)
			dashes = 0
		}
		if !n.IsFlowStyle {
			f.seen(n.Entries[i].Start)
		}
		head := strings.Repeat("- ", dashes) + "-"
		if isBlock(value) {
			if _, inline := f.inline(value); !inline {
				f.lead(startOf(value), indent)
				f.block(value, indent+1, dashes+1)
				continue
			}
		}
		f.value(value, head, indent-dashes, indent+1, indent+1)
	}
}

func isBlock(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		return true
	}
	return false
}

// value writes what stands behind a key or a dash: on the same line where it
// fits, else below, lists at one indentation and mappings at another.
func (f *formatter) value(n ast.Node, head string, indent, list, mapping int) {
	if empty(n) {
		f.line(indent, head+f.trail())
		return
	}
	if literal, ok := n.(*ast.LiteralNode); ok {
		f.literal(literal, head, indent, mapping)
		return
	}
	if text, ok := f.inline(n); ok {
		for len(f.comments) > 0 && before(positionOf(f.comments[0]), startOf(n)) {
			f.ownLine(indent)
		}
		f.line(indent, head+" "+text+f.trail())
		return
	}
	f.line(indent, head+f.trail())
	below := mapping
	if _, ok := n.(*ast.SequenceNode); ok {
		below = list
	}
	f.lead(startOf(n), below)
	f.block(n, below, 0)
}

// empty says whether nothing stands there, not even a word for it.
func empty(n ast.Node) bool {
	if n == nil {
		return true
	}
	null, ok := n.(*ast.NullNode)
	return ok && null.GetToken().Type != token.NullType
}

// literal writes a text of several lines as it is.
func (f *formatter) literal(n *ast.LiteralNode, head string, indent, below int) {
	f.seen(n.Start)
	exact := strings.ContainsAny(n.Start.Value, "+0123456789") // spaces count that nobody sees
	if exact {
		head += " " + strconv.Quote(n.Value.Value) + f.trail()
	} else {
		head += " " + n.Start.Value + f.trail()
	}
	if i, ok := f.index[positionOf(n.Start)]; ok { // its text is the token behind, and behind a comment
		for i++; i < len(f.tokens) && f.tokens[i].Type == token.CommentType; i++ {
		}
		f.last = max(f.last, i)
	}
	f.line(indent, head)
	if exact {
		return
	}
	lines := strings.Split(strings.TrimRight(n.Value.GetToken().Origin, "\n"), "\n")
	margin := 0
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			margin = len(line) - len(strings.TrimLeft(line, " "))
			break
		}
	}
	for _, line := range lines {
		if line = line[min(margin, len(line)):]; strings.TrimSpace(line) == "" {
			f.out.WriteByte('\n')
			continue
		}
		f.out.WriteString(strings.Repeat("  ", below) + line + "\n")
	}
}

// split cuts the tokens up into documents. Left to itself the parser drops
// what follows an empty document.
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
