package expand

import (
	"errors"
	"io"
	"math"
)

const (
	pdfForms    = 8  // forms in each other
	pdfOperands = 64 // of one operator
)

// pdfText is the text of all pages, in the order in which the file has them. Where
// the pen goes to another line there is a new line, where it goes right a tab.
type pdfText struct {
	f      *pdfFile
	seen   map[pdfRef]bool // streams that were read
	page   int
	levels []*pdfContent
	out    []byte
	sent   int
	err    error
	steps  int
}

// pdfContent is a content stream being read: 7.8.2.
type pdfContent struct {
	lex       *pdfLexer
	resources pdfDict
	more      []pdfRef // of the same page
	operands  []any
	font      *pdfFont
	fonts     map[pdfName]*pdfFont
	y         float64
	begun     bool // something was written on the line
	gapped    bool // and after it a gap
}

// Read gathers some text before it gives any: most operators give little.
func (t *pdfText) Read(p []byte) (int, error) {
	const some = 8 << 10
	if t.sent == len(t.out) {
		t.out, t.sent = t.out[:0], 0
	}
	for t.err == nil && len(t.out) < some {
		if t.steps++; t.steps%1024 == 0 {
			t.err = t.f.x.check()
		}
		t.err = or(t.err, t.step())
	}
	if t.sent == len(t.out) {
		return 0, t.err
	}
	n := copy(p, t.out[t.sent:])
	t.sent += n
	return n, nil
}

// step does one operator, or goes to the next stream or page.
func (t *pdfText) step() error {
	if len(t.levels) == 0 {
		if t.page == len(t.f.pages) {
			return io.EOF
		}
		t.page++
		t.open(t.f.pages[t.page-1])
		return nil
	}
	c := t.levels[len(t.levels)-1]
	tok, err := c.lex.next()
	if err == nil {
		c.lex.items = 0
		tok, err = c.lex.object(tok, 0)
		t.f.strings(c.lex)
	}
	if err != nil {
		if !errors.Is(err, io.EOF) {
			t.failed(err)
		}
		t.end(c)
		return t.f.x.ended
	}
	if word, ok := tok.(pdfWord); ok {
		t.do(c, string(word))
		c.operands = c.operands[:0]
		return nil
	}
	if len(c.operands) == pdfOperands { // an operator takes the last
		c.operands = c.operands[:copy(c.operands, c.operands[1:])]
	}
	c.operands = append(c.operands, tok)
	return nil
}

func (t *pdfText) failed(err error) { t.f.damaged = or(t.f.damaged, err) }

// open begins a page.
func (t *pdfText) open(number pdfRef) {
	page := t.f.dict(number)
	c := &pdfContent{resources: t.resources(page)}
	switch contents := page["Contents"].(type) {
	case pdfRef:
		if list, ok := t.f.resolve(contents).([]any); ok {
			c.more = pdfRefs(list)
		} else {
			c.more = []pdfRef{contents}
		}
	case []any:
		c.more = pdfRefs(contents)
	}
	t.follow(c)
}

func pdfRefs(list []any) []pdfRef {
	var refs []pdfRef
	for _, item := range list {
		if ref, ok := item.(pdfRef); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}

// resources are those of the page or of what it is a part of: 7.7.3.4.
func (t *pdfText) resources(page pdfDict) pdfDict {
	for range pdfHops {
		if r := t.f.dict(page["Resources"]); r != nil {
			return r
		}
		if page["Parent"] == nil {
			break
		}
		page = t.f.dict(page["Parent"])
	}
	return nil
}

// follow opens the content's next stream that was not read before.
func (t *pdfText) follow(c *pdfContent) {
	for len(c.more) > 0 {
		ref := c.more[0]
		c.more = c.more[1:]
		if t.seen[ref] {
			continue
		}
		t.seen[ref] = true
		_, r, err := t.f.content(ref)
		if err != nil {
			t.failed(err)
			continue
		}
		c.lex = newPDFLexer(r)
		if len(t.levels) == 0 || t.levels[len(t.levels)-1] != c {
			t.levels = append(t.levels, c)
		}
		return
	}
	if n := len(t.levels); n > 0 && t.levels[n-1] == c {
		t.levels = t.levels[:n-1]
	}
}

// end ends a stream.
func (t *pdfText) end(c *pdfContent) {
	t.line(c)
	t.follow(c)
}

func (t *pdfText) line(c *pdfContent) {
	if c.begun {
		t.out = append(t.out, '\n')
		c.begun, c.gapped = false, false
	}
}

// gap parts what is beside each other.
func (t *pdfText) gap(c *pdfContent, by byte) {
	if c.begun && !c.gapped {
		t.out = append(t.out, by)
		c.gapped = true
	}
}

// do does the operators that matter for text: 9.3 and 9.4.
func (t *pdfText) do(c *pdfContent, operator string) {
	switch operator {
	case "Tf":
		if name, ok := c.operand(2).(pdfName); ok {
			t.choose(c, name)
		}
	case "Td", "TD":
		t.move(c, c.y+c.number(1))
	case "Tm":
		t.move(c, c.number(1))
	case "T*", "ET":
		t.line(c)
	case "Tj":
		t.show(c, c.operand(1))
	case "'", "\"":
		t.line(c)
		t.show(c, c.operand(1))
	case "TJ":
		items, _ := c.operand(1).([]any)
		for _, item := range items {
			// The pen goes left for kerning and right for the space between
			// words, in thousandths of the font's size.
			if by, ok := item.(float64); ok && by < -180 {
				t.gap(c, ' ')
			}
			t.show(c, item)
		}
	case "Do":
		t.form(c)
	case "ID":
		c.image()
	}
}

// choose takes the font of that name. Names mean nothing outside of their resources.
func (t *pdfText) choose(c *pdfContent, name pdfName) {
	font, known := c.fonts[name]
	if !known && len(c.fonts) < pdfFonts {
		if c.fonts == nil {
			c.fonts = map[pdfName]*pdfFont{}
		}
		font = t.f.font(c.resources, name)
		c.fonts[name] = font
	}
	c.font = font
}

// move puts the pen somewhere else.
func (t *pdfText) move(c *pdfContent, y float64) {
	if math.Abs(y-c.y) > 1 {
		t.line(c)
	} else {
		t.gap(c, '\t')
	}
	c.y = y
}

func (t *pdfText) show(c *pdfContent, object any) {
	if s, ok := object.([]byte); ok && len(s) > 0 {
		t.out = c.font.append(t.out, s)
		c.begun, c.gapped = true, false
	}
}

// operand is the i-th from the last, nil without one.
func (c *pdfContent) operand(i int) any {
	if i > len(c.operands) {
		return nil
	}
	return c.operands[len(c.operands)-i]
}

func (c *pdfContent) number(i int) float64 {
	v, _ := c.operand(i).(float64)
	return v
}

// form reads a form, which is a content stream of its own: 8.10.
func (t *pdfText) form(c *pdfContent) {
	name, _ := c.operand(1).(pdfName)
	ref, ok := t.f.dict(c.resources["XObject"])[name].(pdfRef)
	if !ok || t.seen[ref] {
		return
	}
	dict := t.f.dict(ref)
	if dict["Subtype"] != pdfName("Form") {
		return
	}
	if len(t.levels) >= pdfForms {
		t.failed(reason("forms nested more than 8 deep"))
		return
	}
	resources := t.f.dict(dict["Resources"])
	if resources == nil {
		resources = c.resources
	}
	t.line(c)
	t.follow(&pdfContent{resources: resources, more: []pdfRef{ref}})
}

// image reads past the bytes of an inline image: 8.9.7.
func (c *pdfContent) image() {
	var last [4]byte
	for {
		b, err := c.lex.byte()
		if err != nil {
			return
		}
		last = [4]byte{last[1], last[2], last[3], b}
		if pdfSpace(last[0]) && last[1] == 'E' && last[2] == 'I' && pdfSpace(last[3]) {
			return
		}
	}
}
