package phi

import "bytes"

// verb is what a statement does, as far as it matters here.
type verb uint8

const (
	none verb = iota
	insert
	create
	copyFrom
)

// statement gathers the head of a statement: up to VALUES, the end of CREATE
// TABLE's columns, or the end of COPY's line.
type statement struct {
	verb    verb
	buf     []byte
	depth   int // of parentheses
	quote   byte
	comment bool
	opened  bool // a parenthesis was seen
	word    int  // where the last word outside of parentheses begins
}

type headState uint8

const (
	more headState = iota
	complete
	aborted
)

// The bounds of a head.
const (
	maxHead  = 256 << 10
	maxNames = 400 // bytes outside of parentheses: more is prose
)

// reset forgets all but the memory.
func (h *statement) reset() { *h = statement{buf: h.buf[:0]} }

// begin adds what is known to be a verb.
func (h *statement) begin(text string) {
	for i := range len(text) {
		h.add(text[i])
	}
}

// add takes the next byte.
func (h *statement) add(c byte) headState {
	if len(h.buf) == maxHead || !h.opened && len(h.buf) > maxNames {
		return aborted
	}
	switch {
	case h.comment:
		h.comment = c != '\n'
		return more
	case h.quote != 0:
		h.buf = append(h.buf, c)
		if c == h.quote {
			h.quote = 0
		}
		return more
	case c == '-' && len(h.buf) > 0 && h.buf[len(h.buf)-1] == '-':
		h.buf, h.comment = h.buf[:len(h.buf)-1], true
		return more
	}
	h.buf = append(h.buf, c)
	if h.verb == none && len(h.buf) >= verbBytes {
		if h.verb = verbOf(h.buf); h.verb == none {
			return aborted
		}
	}
	return h.outside(c)
}

// outside takes a byte that is in no string or comment.
func (h *statement) outside(c byte) headState {
	switch c {
	case '"', '`', '\'':
		h.quote = c
	case '(':
		if h.depth == 0 && h.values() {
			return complete
		}
		h.depth, h.opened = h.depth+1, true
	case ')':
		if h.depth--; h.depth <= 0 && h.verb == create {
			return complete
		}
		h.depth, h.word = max(0, h.depth), len(h.buf)
	case ';':
		if h.depth == 0 && h.verb != copyFrom {
			return aborted
		}
	case '\n':
		if h.verb == copyFrom && h.depth == 0 {
			return complete
		}
	}
	return more
}

// values says whether the word before the parenthesis that was just added is
// VALUES.
func (h *statement) values() bool {
	before := bytes.TrimRight(h.buf[:len(h.buf)-1], " \t\r\n")
	return h.verb == insert && (endsInWord(before, "values") || endsInWord(before, "value"))
}

func endsInWord(text []byte, word string) bool {
	from := len(text) - len(word)
	return from > 0 && bytes.EqualFold(text[from:], []byte(word)) && !wordByte(text[from-1])
}

// verbBytes is how many bytes tell the verb and what must follow it.
const verbBytes = 9

// verbOf reads the beginning of a statement, "INSERT IN", "CREATE TA".
func verbOf(text []byte) verb {
	var lower [verbBytes]byte
	for i := range lower {
		if lower[i] = text[i]; lower[i] >= 'A' && lower[i] <= 'Z' {
			lower[i] |= 0x20
		}
	}
	switch s := string(lower[:]); {
	case s == "insert in", s == "insert ig", s == "replace i", s == "insert  i", s[:8] == "insert [", s[:8] == "insert \"":
		return insert
	case s == "create ta", s == "create te", s == "create un", s == "create gl":
		return create
	case s[:5] == "copy " && (wordByte(s[5]) || s[5] == '"'):
		return copyFrom
	}
	return none
}

// parsed is what a head says.
type parsed struct {
	verb    verb
	name    []byte   // of the table, with its schema
	columns [][]byte // without quotes; empty: not said
}

// parse reads the head, which may be cut off.
func (h *statement) parse() parsed {
	p := parsed{verb: h.verb}
	text := h.buf
	if open := openParenthesis(text); open >= 0 && !(h.verb == insert && h.depth == 0 && !h.opened) {
		p.columns = columnsOf(text[open+1:], h.verb == create)
		text = text[:open]
	}
	p.name = tableName(text)
	return p
}

// openParenthesis is the index of the first one outside of quotes.
func openParenthesis(text []byte) int {
	quote := byte(0)
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`' || c == '\'':
			quote = c
		case c == '(':
			return i
		}
	}
	return -1
}

// tableName is the first word of the head that is none of SQL's.
func tableName(text []byte) []byte {
	for _, field := range bytes.Fields(text) {
		switch string(bytes.ToLower(field)) {
		case "insert", "into", "replace", "ignore", "create", "table", "if", "not", "exists", "copy", "unlogged", "temporary", "temp", "global", "delayed",
			"low_priority":
			continue
		}
		return field
	}
	return nil
}

// columnsOf are the names before the commas of a list; defined: with a type
// behind each.
func columnsOf(list []byte, defined bool) [][]byte {
	var out [][]byte
	depth, begin, quote := 0, 0, byte(0)
	add := func(end int) {
		if name := columnName(list[begin:end], defined); len(name) > 0 && len(out) < maxColumns {
			out = append(out, name)
		}
		begin = end + 1
	}
	for i, c := range list {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				add(i)
				return out
			}
		case c == ',' && depth == 0:
			add(i)
		}
	}
	add(len(list))
	return out
}

// columnName is the name without its quotes; of a definition the first word,
// nil where that begins a constraint.
func columnName(item []byte, defined bool) []byte {
	item = bytes.TrimSpace(item)
	if len(item) == 0 {
		return nil
	}
	closer := byte(0)
	switch item[0] {
	case '"', '`', '\'':
		closer = item[0]
	case '[':
		closer = ']'
	}
	if closer != 0 {
		if end := bytes.IndexByte(item[1:], closer); end >= 0 {
			return item[1 : 1+end]
		}
		return item[1:]
	}
	if !defined {
		return item
	}
	item = bytes.Fields(item)[0]
	switch string(bytes.ToLower(item)) {
	case "primary", "key", "unique", "constraint", "index", "foreign", "check", "fulltext", "period", "exclude", "like":
		return nil
	}
	return item
}
