package detect

import (
	"strconv"
	"unicode/utf8"
)

// decoder undoes an encoding, byte by byte.
type decoder struct {
	enc    encoding
	begun  bool   // past what stands before the content
	lead   int    // bytes of that
	marks  int    // line ends in a row, or ends of the tag
	quad   uint32 // digits of base64 that are not whole bytes yet
	digits int    // of them
	word   []byte // an escape or a reference that is not complete
}

// Bounds of what stands between what tells the content and the content itself:
// the rest of a header, of a tag.
const (
	maxHeader = 16 << 10
	maxTag    = 1 << 10
)

// decode takes bytes and says how many, and whether the content goes on.
func (d *decoder) decode(to *pieces, data []byte) (n int, more bool) {
	take := d.base64
	switch d.enc {
	case encJSON:
		take = d.json
	case encXML:
		take = d.xml
	}
	for i, c := range data {
		if !d.begun && !d.leads(c) {
			return i, false
		}
		if d.begun && !take(to, c) {
			return i, false
		}
	}
	return len(data), true
}

// leads takes what stands before the content, until its first byte. False: there
// is no content.
func (d *decoder) leads(c byte) bool {
	d.lead++
	switch d.enc {
	case encMIME:
		switch {
		case c == '\n':
			d.marks++
		case c == '\r':
		case d.marks >= 2:
			d.begun = true
		default:
			d.marks = 0
		}
		return d.lead < maxHeader
	case encTagged:
		d.begun = d.marks > 0
		if c == '>' {
			d.marks++
		}
		return d.lead < maxTag
	}
	d.begun = true
	return true
}

// What a byte is that is no digit of base64.
const (
	foreign = 64 + iota // ends it
	between             // may stand between digits
	escaped             // begins an escape
)

// sixBits are the digits of both alphabets (RFC 4648, 4 and 5).
var sixBits = func() (v [256]byte) {
	for i := range v {
		v[i] = foreign
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		v[c] = byte(i)
	}
	v['-'], v['_'] = 62, 63
	for _, c := range "\r\n\t " {
		v[c] = between
	}
	v['\\'], v['&'] = escaped, escaped
	return v
}()

// base64 takes a digit. Line ends, also as JSON and XML escape them, may stand
// between; anything else ends it.
func (d *decoder) base64(to *pieces, c byte) bool {
	if len(d.word) > 0 {
		r, done := d.unescape(c)
		switch {
		case !done:
			return true
		case r == '\n' || r == '\r' || r == '\t':
			return true
		case r > 0x7F:
			return false
		}
		c = byte(r)
	}
	switch v := sixBits[c]; {
	case v == foreign, c == '-' && d.enc == encMIME: // two begin what parts parts: RFC 2046, 5.1.1
		return false
	case v == between:
	case v == escaped:
		d.word = append(d.word, c)
	default:
		d.quad = d.quad<<6 | uint32(v)
		if d.digits++; d.digits == 4 {
			to.put(byte(d.quad>>16), byte(d.quad>>8), byte(d.quad))
			d.digits = 0
		}
	}
	return true
}

// finish gives the bytes of a last group that is not full.
func (d *decoder) finish(to *pieces) {
	switch {
	case d.enc == encJSON || d.enc == encXML:
	case d.digits == 3:
		to.put(byte(d.quad>>10), byte(d.quad>>2))
	case d.digits == 2:
		to.put(byte(d.quad >> 4))
	}
}

// json takes a byte of a string, which its quote or the end of the line ends.
func (d *decoder) json(to *pieces, c byte) bool {
	switch {
	case len(d.word) > 0:
		if r, done := d.unescape(c); done {
			to.put(utf8.AppendRune(nil, r)...)
		}
	case c == '\\':
		d.word = append(d.word, c)
	case c == '"' || c == '\n':
		return false
	default:
		to.put(c)
	}
	return true
}

// xml takes a byte of an element's text, which a tag ends.
func (d *decoder) xml(to *pieces, c byte) bool {
	switch {
	case len(d.word) > 0:
		if r, done := d.unescape(c); done {
			to.put(utf8.AppendRune(nil, r)...)
		}
	case c == '&':
		d.word = append(d.word, c)
	case c == '<':
		return false
	default:
		to.put(c)
	}
	return true
}

// unescape takes a byte of an escape of JSON or a reference of XML and gives the
// character that it stands for, once it is complete. Of two halves of a UTF-16
// pair each is U+FFFD: nothing that detectors look for is written so.
func (d *decoder) unescape(c byte) (r rune, done bool) {
	const longest = len("&#x10ffff;")
	d.word = append(d.word, c)
	word := d.word
	switch {
	case word[0] == '&' && c != ';' && len(word) < longest:
		return 0, false
	case word[0] == '&':
		d.word = word[:0]
		return reference(string(word[1 : len(word)-1])), true
	case word[1] == 'u' && len(word) < len(`\u0000`):
		return 0, false
	}
	d.word = word[:0]
	if word[1] == 'u' {
		v, err := strconv.ParseUint(string(word[2:]), 16, 16)
		if err != nil {
			return utf8.RuneError, true
		}
		return rune(v), true
	}
	return backslashed(word[1]), true
}

// backslashed is what a letter after a backslash stands for (RFC 8259, 7).
func backslashed(c byte) rune {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b', 'f':
		return ' '
	}
	return rune(c)
}

// reference is the character of a predefined entity or one by number.
func reference(name string) rune {
	switch name {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	digits, base := name, 10
	if len(digits) > 1 && digits[0] == '#' {
		if digits = digits[1:]; digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		if v, err := strconv.ParseUint(digits, base, 21); err == nil {
			return rune(v)
		}
	}
	return utf8.RuneError
}
