package jsontok

import "unicode/utf8"

// What bytes mean outside of strings.
const (
	other = iota
	blank
	structure
	quotes
)

var class = [256]uint8{
	' ': blank, '\t': blank, '\r': blank, '\n': blank, 0: blank, 0x1E: blank, // record separators of RFC 7464
	'{': structure, '}': structure, '[': structure, ']': structure, ':': structure, ',': structure,
	'"': quotes,
}

// special are the bytes that end a run within a string.
var special = [256]bool{'"': true, '\'': true, '\\': true, '\n': true, '\r': true}

// step takes the byte at i, or a run of bytes, and returns where the next is.
func (z *Tokenizer) step(data []byte, i int, off int64) int {
	switch z.state {
	case inString:
		return z.string(data, i, off)
	case inEscape:
		z.unescape(data[i])
	case inHex:
		return z.hex(data[i], i)
	case inLiteral:
		return z.literal(data, i)
	case slash, inLine, inBlock, inStar:
		return z.remark(data[i], i)
	default:
		z.between(data[i], off+int64(i))
	}
	z.last = data[i]
	return i + 1
}

// between takes a byte outside of strings, words and comments.
func (z *Tokenizer) between(c byte, at int64) {
	switch {
	case class[c] == blank:
	case class[c] == quotes, c == '\'' && z.open():
		z.flush()
		z.begin(inString, at)
		z.quote, z.glyphs = c, false
	case class[c] == structure:
		z.structure(c, at)
	case c == '/' && (z.last == 0 || class[z.last] == blank || class[z.last] == structure && z.last != ':'):
		z.state = slash
	default:
		z.flush()
		z.begin(inLiteral, at)
		z.text = append(z.text, c)
	}
}

// open says that a value or key may begin here.
func (z *Tokenizer) open() bool {
	return z.prev == '{' || z.prev == '[' || z.prev == ',' || z.prev == ':'
}

func (z *Tokenizer) begin(s state, at int64) {
	z.state, z.start, z.cut, z.high, z.text = s, at, false, 0, z.text[:0]
}

// structure takes a bracket, colon or comma.
func (z *Tokenizer) structure(c byte, at int64) {
	if c == ':' && z.waits {
		z.key = append(z.key[:0], z.text[:min(len(z.text), MaxKey)]...)
		z.keyed, z.keyCut = true, z.cut || len(z.text) > MaxKey
		z.waits, z.prev = false, c
		return
	}
	z.flush()
	switch c {
	case '{':
		z.push(true, at)
	case '[':
		z.push(false, at)
	case '}':
		z.pop(ObjectEnd, at)
	case ']':
		z.pop(ArrayEnd, at)
	case ',':
		z.keyed = false
	}
	if z.prev = c; c == '}' || c == ']' {
		z.prev = '"'
	}
}

// string takes a run of a string's bytes.
func (z *Tokenizer) string(data []byte, i int, off int64) int {
	from := i
	for i < len(data) && !special[data[i]] {
		i++
	}
	if i > from {
		z.append(data[from:i])
	}
	if i == len(data) {
		z.last = data[i-1]
		return i
	}
	c := data[i]
	z.last = c
	switch {
	case c == '\\':
		z.state = inEscape
	case c == z.quote:
		if z.mistaken(data, i) {
			z.begin(inString, off+int64(i))
			z.glyphs = false
			return i + 1
		}
		z.ends(String)
	case c == '\n' || c == '\r': // JSON has none in strings: it was cut off
		z.cut = true
		z.ends(String)
	default:
		z.append(data[i : i+1])
	}
	return i + 1
}

// mistaken says that the quote at i begins a string although it ends one: that
// happens where reading began within a string, and shows by strings that hold
// structure alone and are followed by text.
func (z *Tokenizer) mistaken(data []byte, i int) bool {
	if !z.guess || z.glyphs || z.quote != '"' || len(z.text) == 0 {
		z.guess = z.guess && !z.glyphs
		return false
	}
	return i+1 < len(data) && class[data[i+1]] == other
}

// append keeps bytes of a string as far as the bound allows.
func (z *Tokenizer) append(b []byte) {
	z.high = 0
	if z.guess && !z.glyphs {
		for _, c := range b {
			if class[c] == other {
				z.glyphs = true
				break
			}
		}
	}
	if room := MaxString - len(z.text); len(b) > room {
		b, z.cut = b[:room], true
	}
	z.text = append(z.text, b...)
}

// unescape takes the byte after a backslash.
func (z *Tokenizer) unescape(c byte) {
	z.state, z.glyphs = inString, true
	switch c {
	case 'u':
		z.state, z.escape, z.unit = inHex, 4, 0
		return
	case 'n':
		c = '\n'
	case 't':
		c = '\t'
	case 'r':
		c = '\r'
	case 'b', 'f':
		c = ' '
	}
	z.append([]byte{c})
}

// hex takes a digit of \u; another byte ends the escape.
func (z *Tokenizer) hex(c byte, i int) int {
	digit := rune(-1)
	switch {
	case c >= '0' && c <= '9':
		digit = rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		digit = rune(c|0x20-'a') + 10
	}
	if digit < 0 {
		z.state = inString
		return i
	}
	z.last, z.unit = c, z.unit<<4|digit
	if z.escape--; z.escape == 0 {
		z.state = inString
		z.rune(z.unit)
	}
	return i + 1
}

// rune keeps a UTF-16 unit; the two halves of a pair make one character.
func (z *Tokenizer) rune(r rune) {
	const high, low, end = 0xD800, 0xDC00, 0xE000
	if r >= high && r < low {
		z.append(nil)
		z.high = r
		return
	}
	if r >= low && r < end {
		if z.high == 0 {
			return
		}
		r = (z.high-high)<<10 | (r - low) + 0x10000
	}
	var buf [utf8.UTFMax]byte
	z.append(buf[:utf8.EncodeRune(buf[:], r)])
}

// literal takes a run of a bare word.
func (z *Tokenizer) literal(data []byte, i int) int {
	from := i
	for i < len(data) && class[data[i]] == other {
		i++
	}
	z.append(data[from:i])
	if i > from {
		z.last = data[i-1]
	}
	if i < len(data) {
		z.ends(Literal)
	}
	return i
}

// remark takes a byte of what may be a comment.
func (z *Tokenizer) remark(c byte, i int) int {
	if z.state == slash {
		switch c {
		case '/':
			z.state = inLine
		case '*':
			z.state = inBlock
		default:
			z.state, z.last = outside, '/'
			return i
		}
		z.comment, z.last = 0, ' '
		return i + 1
	}
	z.comment++
	switch {
	case z.state == inLine && (c == '\n' || c == '\r'), z.state == inStar && c == '/', z.comment > maxComment:
		z.state = outside
	case z.state != inLine && c == '*':
		z.state = inStar
	case z.state == inStar:
		z.state = inBlock
	}
	return i + 1
}

// ends completes a string or word; what follows says whether it is a key.
func (z *Tokenizer) ends(k Kind) {
	z.state, z.pending, z.waits, z.high = outside, k, true, 0
	z.prev = '"'
}

// flush emits the string or word that waits: it is no key.
func (z *Tokenizer) flush() {
	if !z.waits {
		return
	}
	z.waits = false
	z.send(Token{Kind: z.pending, Off: z.start, Value: z.text, Cut: z.cut})
	z.keyed = false
}

// send emits a value under its key.
func (z *Tokenizer) send(t Token) {
	if z.over > 0 {
		return
	}
	t.Depth = len(z.levels)
	switch {
	case z.keyed:
		t.Key, t.Cut = z.key, t.Cut || z.keyCut
	case t.Depth > 0 && !z.levels[t.Depth-1].object:
		t.Key = z.name(t.Depth - 1)
	}
	z.tok = t
	z.emit(&z.tok)
}

// push opens a container. Where none can stand, what is open is a document that
// was cut off, and another begins.
func (z *Tokenizer) push(object bool, at int64) {
	if len(z.levels) > 0 && z.broken() {
		z.unwind(at)
	}
	if len(z.levels) == MaxDepth {
		z.over++
		z.deep = true
		z.keyed = false
		return
	}
	t := Token{Kind: ArrayStart, Off: at}
	if object {
		t.Kind = ObjectStart
	}
	z.send(t)
	l := level{object: object, name: len(z.names)}
	z.names = append(z.names, z.tok.Key...)
	z.levels = append(z.levels, l)
	z.keyed = false
}

// broken says that the container that begins cannot stand in what is open: it
// follows a value, or has no key in an object. Where the innermost container is
// not known any more, one at a line's beginning is taken for a new document.
func (z *Tokenizer) broken() bool {
	if z.over > 0 {
		return z.last == '\n' || !z.keyed && z.prev == '"'
	}
	return !z.keyed && (z.prev == '"' || z.levels[len(z.levels)-1].object)
}

// pop closes the innermost container.
func (z *Tokenizer) pop(k Kind, at int64) {
	z.keyed = false
	switch n := len(z.levels) - 1; {
	case z.over > 0:
		z.over--
	case n < 0:
		z.send(Token{Kind: k, Off: at, Unopened: true})
	default:
		z.close(Token{Kind: k, Off: at})
	}
}

// close emits the end of the innermost container that is kept.
func (z *Tokenizer) close(t Token) {
	n := len(z.levels) - 1
	t.Kind = ArrayEnd
	if z.levels[n].object {
		t.Kind = ObjectEnd
	}
	t.Depth, t.Key = n, z.name(n)
	z.tok = t
	z.levels = z.levels[:n]
	z.names = z.names[:len(z.names)-len(t.Key)]
	z.emit(&z.tok)
}

// unwind closes all that is open, with ends that are not in the file.
func (z *Tokenizer) unwind(at int64) {
	z.over, z.keyed = 0, false
	for len(z.levels) > 0 {
		z.close(Token{Off: at, Broken: true})
	}
}
