package xmltok

import (
	"bytes"
	"unicode/utf8"
)

// maxEntity is the longest that is known: &#1114111; and &#x0010ffff;.
const maxEntity = 10

// ampersand takes a byte of an entity.
func (z *Tokenizer) ampersand(c byte, i int) int {
	switch {
	case c == ';':
		z.state = z.into
		var buf [utf8.UTFMax]byte
		if r, ok := character(z.entity); ok {
			z.put(buf[:utf8.EncodeRune(buf[:], r)])
		} else if z.declares {
			z.unexpanded()
		}
		return i + 1
	case len(z.entity) < maxEntity && (nameByte[c] || c == '#'):
		z.entity = append(z.entity, c)
		return i + 1
	}
	z.unfinished()
	return i
}

// unfinished takes an ampersand for itself.
func (z *Tokenizer) unfinished() {
	z.state = z.into
	if len(z.entity) == maxEntity && z.declares && begins(z.entity[0]) {
		z.unexpanded()
	}
	z.put([]byte{'&'})
	z.put(z.entity)
}

// unexpanded notes an entity that is none of the predefined ones.
func (z *Tokenizer) unexpanded() {
	z.missed[unknownEntity] = true
	if z.into == outside {
		z.ownInText = true
	} else {
		z.ownInTag = true
	}
}

// put adds to the text or value that an entity stands in.
func (z *Tokenizer) put(b []byte) {
	if z.into == inValue {
		z.keepValue(b)
		return
	}
	z.keep(b)
}

// character is what a predefined entity, or one by number, stands for.
func character(name []byte) (rune, bool) {
	switch string(name) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	base, digits := rune(10), name[1:]
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	r := rune(0)
	for _, c := range digits {
		d := rune(99)
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = rune(c|0x20-'a') + 10
		}
		if r = r*base + d; d >= base || r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, r > 0
}

// declarations are what may follow <!.
var declarations = [...]struct {
	word string
	then state
}{{"--", inComment}, {"[CDATA[", inCDATA}, {"DOCTYPE", inDoctype}, {"doctype", inDoctype}}

// declaration takes a byte after <! until it is known what it begins.
func (z *Tokenizer) declaration(c byte, i int) int {
	z.word = append(z.word, c)
	z.skip, z.tail, z.square = 0, 0, 0
	for _, d := range declarations {
		switch {
		case string(z.word) == d.word:
			z.state = d.then
			return i + 1
		case bytes.HasPrefix([]byte(d.word), z.word):
			return i + 1
		}
	}
	z.state = outside
	return i
}

// section takes what begins with <! or <?, whose end is looked for.
func (z *Tokenizer) section(data []byte, i int) int {
	switch z.state {
	case inCDATA:
		return z.cdata(data, i)
	case inComment:
		z.until(data[i], '-', 2)
	case inPI:
		z.until(data[i], '?', 1)
	case inDoctype:
		z.doctype(data[i])
	case inDoctypeQuote:
		if data[i] == z.quote {
			z.state = inDoctype
		}
	}
	if z.skip++; z.skip > maxSkip {
		z.state = outside
	}
	return i + 1
}

// until ends a section at > after n bytes of a kind.
func (z *Tokenizer) until(c, of byte, n int) {
	switch {
	case c == of:
		z.tail++
	case c == '>' && z.tail >= n:
		z.state = outside
	default:
		z.tail = 0
	}
}

// doctype passes over a DOCTYPE with its declarations.
func (z *Tokenizer) doctype(c byte) {
	z.last = z.last<<8 | uint64(c)
	switch c {
	case '"', '\'':
		z.state, z.quote = inDoctypeQuote, c
	case '[':
		z.square++
	case ']':
		z.square--
	case '>':
		if z.square <= 0 {
			z.state = outside
		}
	case 'Y':
		const entity = '<'<<56 | '!'<<48 | 'E'<<40 | 'N'<<32 | 'T'<<24 | 'I'<<16 | 'T'<<8 | 'Y'
		z.declares = z.declares || z.last == entity
	}
}

// cdata takes a byte or run of a CDATA section.
//
// One that begins an element's text and begins with a tag holds a document, as messages hold
// others: it is read as if it stood there by itself.
func (z *Tokenizer) cdata(data []byte, i int) int {
	if z.skip == 0 && z.tail == 0 && !z.solid {
		if blank(data[i]) {
			return i + 1
		}
		if z.skip = 1; data[i] == '<' {
			z.state = outside
			return i
		}
	}
	switch c := data[i]; {
	case c == ']':
		z.tail++
		return i + 1
	case c == '>' && z.tail >= 2:
		z.brackets(z.tail - 2)
		z.state = outside
		return i + 1
	}
	z.brackets(z.tail)
	from := i
	for i < len(data) && data[i] != ']' {
		i++
	}
	z.keep(data[from:i])
	return i
}

// brackets puts back those that did not end the section.
func (z *Tokenizer) brackets(n int) {
	for ; n > 0 && len(z.text) < MaxText; n-- {
		z.keep([]byte{']'})
	}
	z.tail = 0
}
