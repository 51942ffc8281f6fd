package xmltok

type state uint8

const (
	outside  state = iota // text
	inEntity              // after &
	tagOpen               // after <
	inName                // of a tag
	inTag                 // between attributes
	inAttr                // an attribute's name
	afterAttr
	beforeValue
	inValue
	inWord // after <!
	inComment
	inPI
	inCDATA
	inDoctype
	inDoctypeQuote
)

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == 0 }

// begins says that a name may begin with the byte.
func begins(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }

// nameByte are the bytes that a name may go on with.
var nameByte = func() (set [256]bool) {
	for i := range set {
		c := byte(i)
		set[c] = begins(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':'
	}
	return set
}()

// step takes the byte at i, or a run of bytes, and returns where the next is.
func (z *Tokenizer) step(data []byte, i int, off int64) int {
	switch z.state {
	case outside:
		return z.outside(data, i, off)
	case inValue:
		return z.value(data, i, off)
	case inEntity:
		return z.ampersand(data[i], i)
	case inComment, inPI, inCDATA, inDoctype, inDoctypeQuote:
		return z.section(data, i)
	case inWord:
		return z.declaration(data[i], i)
	default:
		return z.tagByte(data, i, off)
	}
}

// outside takes a run of text.
func (z *Tokenizer) outside(data []byte, i int, off int64) int {
	from := i
	for i < len(data) && data[i] != '<' && data[i] != '&' {
		i++
	}
	z.keep(data[from:i])
	if i == len(data) {
		return i
	}
	if data[i] == '&' {
		z.state, z.into, z.entity = inEntity, outside, z.entity[:0]
		return i + 1
	}
	z.open(off + int64(i))
	return i + 1
}

// keep adds to the text as far as the bound allows. Blanks at its beginning are
// left out.
func (z *Tokenizer) keep(b []byte) {
	if !z.solid {
		n := 0
		for n < len(b) && blank(b[n]) {
			n++
		}
		if b = b[n:]; len(b) == 0 {
			return
		}
		z.solid = true
	}
	if room := MaxText - len(z.text); len(b) > room {
		b, z.cut = b[:room], true
	}
	z.text = append(z.text, b...)
}

// open begins a tag.
func (z *Tokenizer) open(at int64) {
	z.state, z.mark, z.ended, z.empty, z.ownInTag, z.cutInTag = tagOpen, at, false, false, false, false
	z.tag, z.spans = z.tag[:0], z.spans[:0]
}

// tagByte takes a byte of a tag, or a run of a name, outside of values.
func (z *Tokenizer) tagByte(data []byte, i int, off int64) int {
	c := data[i]
	if c == '<' { // no tag holds one: the last was none, or was cut off
		z.open(off + int64(i))
		return i + 1
	}
	switch z.state {
	case tagOpen:
		return z.tagOpen(c, i)
	case inName:
		end := nameEnd(data, i)
		z.tag = append(z.tag, data[i:min(end, i+2*MaxName-len(z.tag))]...)
		if end < len(data) {
			z.state, z.nameTo = inTag, len(z.tag)
		}
		return end
	case inTag:
		z.between(c)
	case inAttr:
		end := nameEnd(data, i)
		z.attrName(data[i:end])
		if end < len(data) {
			z.state = afterAttr
		}
		return end
	case afterAttr:
		switch {
		case c == '=':
			z.state, z.escaped = beforeValue, false
		case !blank(c):
			z.drop()
			return i
		}
	case beforeValue:
		return z.beforeValue(c, i)
	}
	return i + 1
}

func (z *Tokenizer) tagOpen(c byte, i int) int {
	switch {
	case c == '/' && !z.ended:
		z.ended = true
		return i + 1
	case c == '?' && !z.ended:
		z.state, z.skip, z.tail = inPI, 0, 0
		return i + 1
	case c == '!' && !z.ended:
		z.state, z.word = inWord, z.word[:0]
		return i + 1
	case begins(c):
		z.state = inName
		return i
	}
	z.state = outside // a < in text
	z.keep([]byte{'<'})
	return i
}

// between takes a byte between attributes.
func (z *Tokenizer) between(c byte) {
	switch {
	case c == '>':
		z.close()
	case c == '/':
		z.empty = true
	case begins(c):
		z.empty, z.state = false, inAttr
		z.spans = append(z.spans, span{name: len(z.tag)})
		z.attrName([]byte{c})
	}
}

// nameEnd is where the name ends that goes on at i.
func nameEnd(data []byte, i int) int {
	for i < len(data) && nameByte[data[i]] {
		i++
	}
	return i
}

// attrName keeps bytes of an attribute's name.
func (z *Tokenizer) attrName(b []byte) {
	room := MaxName - (len(z.tag) - z.spans[len(z.spans)-1].name)
	z.tag = append(z.tag, b[:min(len(b), room)]...)
}

func (z *Tokenizer) beforeValue(c byte, i int) int {
	switch {
	case blank(c):
		return i + 1
	case c == '\\': // within a string of a program or of JSON
		z.escaped = true
		return i + 1
	case c == '"' || c == '\'':
		z.endName()
		z.state, z.quote = inValue, c
		return i + 1
	}
	z.drop()
	return i
}

// drop forgets an attribute that has no value in quotes.
func (z *Tokenizer) drop() {
	n := len(z.spans) - 1
	z.tag, z.spans, z.state = z.tag[:z.spans[n].name], z.spans[:n], inTag
}

// endName: what follows in tag is the attribute's value.
func (z *Tokenizer) endName() {
	s := &z.spans[len(z.spans)-1]
	s.value, s.end = len(z.tag), len(z.tag)
}

// value takes a run of an attribute's value.
func (z *Tokenizer) value(data []byte, i int, off int64) int {
	from := i
	for i < len(data) && data[i] != z.quote && data[i] != '<' && data[i] != '&' {
		i++
	}
	z.keepValue(data[from:i])
	if i == len(data) {
		return i
	}
	switch data[i] {
	case '&':
		z.state, z.into, z.entity = inEntity, inValue, z.entity[:0]
	case '<':
		z.open(off + int64(i))
	default:
		z.endValue()
		z.state = inTag
	}
	return i + 1
}

func (z *Tokenizer) keepValue(b []byte) {
	if room := MaxValue - (len(z.tag) - z.spans[len(z.spans)-1].value); len(b) > room {
		b, z.cutInTag = b[:room], true
	}
	z.tag = append(z.tag, b...)
}

// endValue completes an attribute; those beyond MaxAttrs are dropped.
func (z *Tokenizer) endValue() {
	n := len(z.spans) - 1
	for z.escaped && len(z.tag) > z.spans[n].value && z.tag[len(z.tag)-1] == '\\' {
		z.tag = z.tag[:len(z.tag)-1]
	}
	z.spans[n].end = len(z.tag)
	if n >= MaxAttrs {
		z.missed[manyAttributes] = true
		z.drop()
	}
}
