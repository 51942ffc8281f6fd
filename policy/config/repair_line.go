package config

import (
	"regexp"
	"strconv"
	"strings"
)

// piece is one line of a text whose indentation is not believed, or several
// where brackets or quotes hold them together.
type piece struct {
	at      position
	kind    pieceKind
	dash    bool
	key     string // as written; empty: the line has none
	name    string // the key without quotes
	value   string // behind the key or the dash, without a comment
	comment string
	raw     string // as it stands in the file, but for the spaces around it
}

type pieceKind uint8

const (
	pieceContent pieceKind = iota
	pieceBlank
	pieceComment
	pieceSeparator
)

// keyForm is a key with what follows it; a quoted text as a whole is none.
var keyForm = regexp.MustCompile(`^("[^"]*"|'[^']*'|[^\s"'#\[\]{},&*!|>%@` + "`" + `-][^\s:"'{}\[\],#]*)\s*:(?:\s+(.*))?$`)

// spaces are what web pages put for indentation.
const spaces = " \t\u00a0\u2002\u2003\u2007\u2009\u3000"

// pieces cuts a text up.
func pieces(lines []string) []piece {
	var out []piece
	for i := 0; i < len(lines); i++ {
		text := strings.Trim(lines[i], spaces)
		p := piece{at: position{i + 1, strings.Index(lines[i], text) + 1}}
		switch {
		case text == "":
			p.kind = pieceBlank
		case text[0] == '#':
			p.kind, p.comment = pieceComment, text
		case text == "---" || text == "...":
			p.kind = pieceSeparator
		default:
			for more := i + 1; open(text) && more < len(lines) && more <= i+maxJoined; more++ {
				if joined := text + " " + strings.Trim(lines[more], spaces); !open(joined) {
					text, i = joined, more
				}
			}
			p.read(text)
		}
		out = append(out, p)
	}
	return out
}

// maxJoined bounds the lines that brackets or quotes hold together.
const maxJoined = 50

func (p *piece) read(text string) {
	p.raw = text
	if rest, ok := strings.CutPrefix(text, "-"); ok && (rest == "" || strings.Trim(rest[:1], spaces) == "") {
		p.dash, text = true, strings.Trim(rest, spaces)
	}
	p.value = text
	if m := keyForm.FindStringSubmatch(text); m != nil {
		p.key, p.name, p.value = m[1], unquote(m[1]), m[2]
	}
	p.value, p.comment = cutComment(p.value)
	p.value = strings.TrimRight(p.value, spaces)
}

// cutComment splits a value from the comment behind it.
func cutComment(text string) (value, comment string) {
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && (i == 0 || strings.IndexByte(" \t[{,:", text[i-1]) >= 0):
			quote = c
		case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return strings.TrimRight(text[:i], spaces), text[i:]
		}
	}
	return text, ""
}

// open says whether brackets or quotes of the value on a line are still open.
func open(text string) bool {
	var p piece
	p.read(text)
	if p.value == "" || strings.IndexByte(`{["'`, p.value[0]) < 0 {
		return false
	}
	depth, quote := 0, byte(0)
	for i := 0; i < len(p.value); i++ {
		switch c := p.value[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return depth > 0 || quote != 0
}

// flow says whether the value is a mapping or a list in brackets.
func (p *piece) flow() bool { return p.value != "" && strings.IndexByte("{[", p.value[0]) >= 0 }

// block says whether the value begins a text of several lines.
func (p *piece) block() bool {
	return p.key != "" && p.value != "" && strings.IndexByte("|>", p.value[0]) >= 0 && strings.Trim(p.value[1:], "+-0123456789") == ""
}

// plain says whether the value is a text without quotes.
func (p *piece) plain() bool {
	return p.value != "" && strings.IndexByte(`{["'|>`, p.value[0]) < 0
}

// text is the line as it is written anew, without its indentation. A value that
// YAML would not read as the text that it is gets quotes.
func (p *piece) text() string {
	value := p.value
	if p.plain() && (strings.IndexByte("*&!%@`", value[0]) >= 0 || strings.Contains(value, ": ") || strings.HasSuffix(value, ":")) {
		value = strconv.Quote(value)
	}
	var parts []string
	if p.dash {
		parts = append(parts, "-")
	}
	if p.key != "" {
		parts = append(parts, p.key+":")
	}
	for _, s := range []string{value, p.comment} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}
