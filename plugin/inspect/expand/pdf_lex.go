package expand

import (
	"bufio"
	"io"
	"strconv"
)

// pdfLexer reads the tokens and objects of ISO 32000-1, 7.2 and 7.3, from a file
// or a content stream.
type pdfLexer struct {
	r     *bufio.Reader
	pos   int64 // of the next byte
	token []byte
	items int  // of the object being read
	cut   bool // a string was longer than is kept
}

type (
	pdfName string
	pdfWord string // a keyword or an operator
	pdfRef  uint32 // an object's number
	pdfDict map[pdfName]any
)

const (
	pdfDepth  = 32      // arrays and dictionaries in each other
	pdfItems  = 200_000 // of one object
	pdfString = 64 << 10
)

func newPDFLexer(r io.Reader) *pdfLexer {
	return &pdfLexer{r: bufio.NewReaderSize(r, 16<<10)}
}

func (l *pdfLexer) byte() (byte, error) {
	b, err := l.r.ReadByte()
	if err == nil {
		l.pos++
	}
	return b, err
}

func (l *pdfLexer) back() {
	if l.r.UnreadByte() == nil {
		l.pos--
	}
}

// next gives a number, a string as []byte, a name or a word.
func (l *pdfLexer) next() (any, error) {
	for {
		c, err := l.byte()
		if err != nil {
			return nil, err
		}
		switch {
		case pdfSpace(c):
		case c == '%':
			if err := l.comment(); err != nil {
				return nil, err
			}
		case c == '(':
			return l.literal()
		case c == '/':
			err := l.regular()
			return pdfName(pdfUnhex(l.token)), ignore(err, io.EOF)
		case c == '<' || c == '>':
			return l.angle(c)
		case pdfDelimiter(c):
			return pdfWord(c), nil
		default:
			l.back()
			err := l.regular()
			return pdfNumberOrWord(l.token), ignore(err, io.EOF)
		}
	}
}

func (l *pdfLexer) comment() error {
	for {
		c, err := l.byte()
		if err != nil || c == '\r' || c == '\n' {
			return err
		}
	}
}

// regular reads what is no space and no delimiter.
func (l *pdfLexer) regular() error {
	l.token = l.token[:0]
	for {
		c, err := l.byte()
		if err != nil {
			return err
		}
		if pdfSpace(c) || pdfDelimiter(c) {
			l.back()
			return nil
		}
		if len(l.token) < 256 {
			l.token = append(l.token, c)
		}
	}
}

// angle reads what begins with an angle bracket: a string in hexadecimal, or the
// mark of a dictionary.
func (l *pdfLexer) angle(first byte) (any, error) {
	c, err := l.byte()
	if err != nil {
		return nil, err
	}
	if c == first {
		return pdfWord([]byte{c, c}), nil
	}
	l.back()
	if first == '>' {
		return pdfWord(">"), nil
	}
	out := make([]byte, 0, 16)
	digits, half := 0, byte(0)
	for {
		c, err := l.byte()
		if err != nil {
			return out, err
		}
		v, ok := hexDigit(c)
		switch {
		case c == '>':
			if digits%2 == 1 {
				out = append(out, half<<4)
			}
			return out, nil
		case !ok:
		case len(out) >= pdfString:
			l.cut = true
		case digits%2 == 0:
			half, digits = v, digits+1
		default:
			out, digits = append(out, half<<4|v), digits+1
		}
	}
}

// literal reads a string in parentheses.
func (l *pdfLexer) literal() (any, error) {
	out := make([]byte, 0, 16)
	for depth := 1; ; {
		c, err := l.byte()
		if err != nil {
			return out, err
		}
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return out, nil
			}
		case '\\':
			var skip bool
			if c, skip, err = l.escape(); err != nil {
				return out, err
			}
			if skip {
				continue
			}
		}
		if len(out) < pdfString {
			out = append(out, c)
		} else {
			l.cut = true
		}
	}
}

// escape reads what follows a backslash.
func (l *pdfLexer) escape() (c byte, skip bool, err error) {
	if c, err = l.byte(); err != nil {
		return c, false, err
	}
	switch {
	case c == '\n':
		return c, true, nil
	case c == '\r':
		if c, err := l.byte(); err == nil && c != '\n' {
			l.back()
		}
		return c, true, nil
	case c < '0' || c > '7':
		if c == 'v' { // COPY's, not PDF's
			return c, false, nil
		}
		return unescaped(c), false, nil
	}
	v := c - '0'
	for range 2 {
		c, err := l.byte()
		if err != nil {
			return v, false, err
		}
		if c < '0' || c > '7' {
			l.back()
			break
		}
		v = v<<3 | (c - '0')
	}
	return v, false, nil
}

// object reads the object that begins with tok.
func (l *pdfLexer) object(tok any, depth int) (any, error) {
	switch tok {
	case pdfWord("<<"):
		items, err := l.list(">>", depth)
		dict := pdfDict{}
		for i := 0; i+1 < len(items); i += 2 {
			if name, ok := items[i].(pdfName); ok {
				dict[name] = items[i+1]
			}
		}
		return dict, err
	case pdfWord("["):
		return l.list("]", depth)
	}
	return tok, nil
}

// list reads objects up to a mark. What ends an object ends its lists, too.
func (l *pdfLexer) list(end pdfWord, depth int) ([]any, error) {
	items := []any{}
	if depth >= pdfDepth {
		return nil, errDamaged
	}
	for {
		tok, err := l.next()
		if err != nil {
			return items, err
		}
		l.items++
		if s, ok := tok.([]byte); ok {
			l.items += len(s) / 64
		}
		if l.items > pdfItems {
			return items, errDamaged
		}
		switch tok {
		case end:
			return items, nil
		case pdfWord("R"):
			items = pdfReference(items)
			continue
		case pdfWord("endobj"), pdfWord("stream"), pdfWord("endstream"):
			return items, errDamaged
		}
		item, err := l.object(tok, depth+1)
		items = append(items, item)
		if err != nil {
			return items, err
		}
	}
}

// pdfReference makes the two numbers before an R a reference.
func pdfReference(items []any) []any {
	n := len(items) - 2
	if n < 0 {
		return items
	}
	number, ok := items[n].(float64)
	if !ok || number < 0 || number > 1<<31 {
		return append(items[:n], nil)
	}
	return append(items[:n], pdfRef(number))
}

func pdfNumberOrWord(token []byte) any {
	if c := token[0]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' {
		if v, err := strconv.ParseFloat(string(token), 64); err == nil {
			return v
		}
	}
	return pdfWord(token)
}

// pdfUnhex replaces #41 in a name.
func pdfUnhex(token []byte) []byte {
	out := token[:0]
	for i := 0; i < len(token); i++ {
		if token[i] == '#' && i+2 < len(token) {
			hi, ok := hexDigit(token[i+1])
			lo, ok2 := hexDigit(token[i+2])
			if ok && ok2 {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, token[i])
	}
	return out
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func pdfSpace(c byte) bool {
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '
}

func pdfDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}
