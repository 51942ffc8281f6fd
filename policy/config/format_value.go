package config

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxFlowText is how long what stands in {} or [] may be on one line, in bytes.
const maxFlowText = 100

// inline writes a value that fits on a line. What was written as a block, what
// holds comments and what is too long does not.
func (f *formatter) inline(n ast.Node) (string, bool) {
	if f.holdsComment(n) {
		return "", false
	}
	mark := f.last
	text, ok := f.flow(n)
	if !ok || isBlock(n) && len(text) > maxFlowText {
		f.last = mark
		return "", false
	}
	return text, true
}

// holdsComment says whether a comment that is still to be written stands
// within brackets.
func (f *formatter) holdsComment(n ast.Node) bool {
	var end *token.Token
	switch n := n.(type) {
	case *ast.MappingNode:
		end = n.End
	case *ast.SequenceNode:
		end = n.End
	}
	return end != nil && slices.ContainsFunc(f.comments, func(c *token.Token) bool {
		return before(startOf(n), positionOf(c)) && before(positionOf(c), positionOf(end))
	})
}

func (f *formatter) flow(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle {
			return "", false
		}
		var parts []string
		for _, kv := range n.Values {
			text, ok := f.flowPair(kv)
			if !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		f.seen(n.End)
		return "{" + strings.Join(parts, ", ") + "}", true
	case *ast.SequenceNode:
		if !n.IsFlowStyle {
			return "", false
		}
		var parts []string
		for _, value := range n.Values {
			text, ok := f.flow(value)
			if !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		f.seen(n.End)
		return "[" + strings.Join(parts, ", ") + "]", true
	case *ast.MappingValueNode, *ast.LiteralNode:
		return "", false
	}
	return f.scalar(n), true
}

func (f *formatter) flowPair(kv *ast.MappingValueNode) (string, bool) {
	f.seen(kv.Start)
	value, ok := "null", true
	if kv.Value != nil {
		value, ok = f.flow(kv.Value)
	}
	return f.scalar(kv.Key) + ": " + value, ok
}

// scalar writes a single value: plain text as it is, quoted text in double
// quotes unless that needs more signs than single ones.
func (f *formatter) scalar(n ast.Node) string {
	t := n.GetToken()
	f.seen(t)
	text, isText := "", false
	if s, ok := n.(*ast.StringNode); ok {
		text, isText = s.Value, true
	}
	switch {
	case empty(n):
		return "null"
	case !isText:
		return strings.TrimSpace(t.Value)
	case t.Type != token.SingleQuoteType && t.Type != token.DoubleQuoteType:
		return text
	case strings.ContainsAny(text, `"\`) && !strings.ContainsFunc(text, func(r rune) bool { return r == '\'' || !unicode.IsPrint(r) }):
		return "'" + text + "'"
	}
	return strconv.Quote(text)
}
