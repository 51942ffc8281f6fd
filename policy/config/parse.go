package config

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	yamlscan "github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Limits of a file. A parser of foreign bytes recurses as deep as they nest, so
// depth is bounded on the tokens, before it runs.
const (
	MaxSize   = 256 << 10 // bytes of one file
	maxLine   = 16 << 10  // bytes of one line
	maxTokens = 20_000    // of the scanner, which takes about 400 bytes for each
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
			s.problem(position{}, "the YAML scanner gave up on this file; rewrite it in a simpler form")
			docs = nil
		}
	}()
	tokens := s.tokens(data)
	if len(s.problems) > 0 {
		return nil
	}
	r := reader{source: s, all: tokens}
	docs = r.documents()
	if len(s.problems) > 0 {
		return nil
	}
	return docs
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
	case token.InvalidType:
		s.problem(at, "not valid YAML: %s", t.Error)
	}
	return 0
}
