package expand

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// xmlScanner reads the XML of documents as a stream. It is lenient, knows no
// namespaces and no entities but the five predefined ones and numbers, so that
// nothing expands, and holds one tag or one piece of text, never an element;
// encoding/xml holds a whole text.
type xmlScanner struct {
	r     *bufio.Reader
	tag   []byte // of the last start or end, from the name on
	text  []byte // of the last text
	ended bool   // an empty element's end is to come
	cdata bool   // within a CDATA section
	bytes []byte // of an attribute with references
}

type xmlKind uint8

const (
	xmlStart xmlKind = iota
	xmlEnd
	xmlText // a piece of it: more may follow
)

const (
	xmlPiece = 32 << 10 // bytes of a piece of text
	xmlTag   = 64 << 10 // bytes kept of a tag
)

func newXML(r io.Reader) *xmlScanner {
	b := bufio.NewReaderSize(r, xmlPiece)
	if mark, _ := b.Peek(2); len(mark) == 2 && (mark[0] == 0xFF && mark[1] == 0xFE || mark[0] == 0xFE && mark[1] == 0xFF) {
		b = bufio.NewReaderSize(&utf16Reader{r: b, big: mark[0] == 0xFE}, xmlPiece)
	}
	return &xmlScanner{r: b}
}

// next gives the next start, end or text; io.EOF at the end.
func (s *xmlScanner) next() (xmlKind, error) {
	if s.ended {
		s.ended = false
		return xmlEnd, nil
	}
	if s.cdata {
		return xmlText, s.section()
	}
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if c != '<' {
			_ = s.r.UnreadByte() // a byte was just read
			return xmlText, s.chars()
		}
		kind, found, err := s.markup()
		if err != nil || found {
			return kind, err
		}
	}
}

// chars reads text up to the next tag or to the end of a piece.
func (s *xmlScanner) chars() error {
	piece, err := s.r.ReadSlice('<')
	switch {
	case err == nil:
		piece = piece[:len(piece)-1]
		_ = s.r.UnreadByte()
	case errors.Is(err, bufio.ErrBufferFull):
		err = nil
	case errors.Is(err, io.EOF) && len(piece) > 0:
		err = nil // it comes again
	}
	s.text = unescape(s.text[:0], piece)
	return err
}

// markup reads what begins with the '<' before.
func (s *xmlScanner) markup() (kind xmlKind, found bool, err error) {
	mark, _ := s.r.Peek(8)
	switch {
	case bytes.HasPrefix(mark, []byte("!--")):
		return 0, false, s.past("-->")
	case bytes.HasPrefix(mark, []byte("![CDATA[")):
		_, _ = s.r.Discard(8)
		s.cdata = true
		return xmlText, true, s.section()
	case bytes.HasPrefix(mark, []byte("?")):
		return 0, false, s.past("?>")
	case bytes.HasPrefix(mark, []byte("!")):
		return 0, false, s.declaration()
	}
	if err := s.readTag(); err != nil {
		return 0, false, err
	}
	if bytes.HasPrefix(s.tag, []byte("/")) {
		s.tag = s.tag[1:]
		return xmlEnd, true, nil
	}
	s.ended = bytes.HasSuffix(s.tag, []byte("/"))
	s.tag = bytes.TrimSuffix(s.tag, []byte("/"))
	return xmlStart, true, nil
}

// section reads a CDATA section, or a piece of it.
func (s *xmlScanner) section() error {
	s.text = s.text[:0]
	for len(s.text) < xmlPiece || s.text[len(s.text)-1] == ']' && len(s.text) < 2*xmlPiece {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		s.text = append(s.text, c)
		if c == '>' && bytes.HasSuffix(s.text, []byte("]]>")) {
			s.text = s.text[:len(s.text)-3]
			s.cdata = false
			return nil
		}
	}
	return nil
}

// past reads to the end of a mark of at most three bytes.
func (s *xmlScanner) past(mark string) error {
	var last [3]byte
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		last = [3]byte{last[1], last[2], c}
		if bytes.HasSuffix(last[:], []byte(mark)) {
			return nil
		}
	}
}

// declaration reads past a DOCTYPE with all that it declares.
func (s *xmlScanner) declaration() error {
	depth := 1
	for depth > 0 {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		switch c {
		case '<':
			depth++
		case '>':
			depth--
		}
	}
	return nil
}

// readTag reads to the '>' that is in no quotes.
func (s *xmlScanner) readTag() error {
	s.tag = s.tag[:0]
	quote := byte(0)
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		switch {
		case quote == 0 && c == '>':
			return nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
		if len(s.tag) < xmlTag {
			s.tag = append(s.tag, c)
		}
	}
}

// name is the local name of the last start or end.
func (s *xmlScanner) name() string {
	name := s.tag
	if i := bytes.IndexAny(name, " \t\r\n"); i >= 0 {
		name = name[:i]
	}
	if i := bytes.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	return string(name)
}

// attr is the value of an attribute of the last start, by its local name; valid
// until the next call.
func (s *xmlScanner) attr(name string) []byte {
	rest := s.tag
	for {
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			return nil
		}
		key := bytes.TrimRight(rest[:eq], " \t\r\n")
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if len(rest) == 0 {
			return nil
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return nil
		}
		value := rest[1 : 1+end]
		rest = rest[end+2:]
		key = key[bytes.LastIndexAny(key, " \t\r\n:")+1:]
		if string(key) == name {
			s.bytes = unescape(s.bytes[:0], value)
			return s.bytes
		}
	}
}

// unescape appends src with its references replaced.
func unescape(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, '&')
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		src = src[i:]
		end := bytes.IndexByte(src[:min(len(src), 12)], ';')
		if end < 0 {
			dst, src = append(dst, '&'), src[1:]
			continue
		}
		dst = appendReference(dst, src[:end+1])
		src = src[end+1:]
	}
}

// appendReference appends what "&amp;" or "&#65;" stands for; an unknown one as it is.
func appendReference(dst, ref []byte) []byte {
	name := ref[1 : len(ref)-1]
	switch string(name) {
	case "amp":
		return append(dst, '&')
	case "lt":
		return append(dst, '<')
	case "gt":
		return append(dst, '>')
	case "quot":
		return append(dst, '"')
	case "apos":
		return append(dst, '\'')
	}
	if len(name) < 2 || name[0] != '#' {
		return append(dst, ref...)
	}
	digits, base := string(name[1:]), 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	if n, err := strconv.ParseUint(digits, base, 21); err == nil {
		return utf8.AppendRune(dst, rune(n))
	}
	return append(dst, ref...)
}

// utf16Reader reads UTF-16 as UTF-8.
type utf16Reader struct {
	r    io.Reader
	big  bool
	in   [4096]byte
	held int // bytes at the beginning of in that wait for more
	out  []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		n, err := u.r.Read(u.in[u.held:])
		n += u.held
		whole := n &^ 3 // a pair of surrogates is rarely cut, and then two marks
		if err != nil {
			whole = n
		}
		u.out = appendUTF16(u.out[:0], u.in[:whole], u.big)
		u.held = copy(u.in[:], u.in[whole:n])
		if len(u.out) == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}
