package phi

// values cuts "(1, 'a', NULL), (2, 'b', NULL);" into rows and cells.
type values struct {
	escapes bool // a backslash escapes in strings, as in MySQL's dumps
	depth   int
	text    bool // in a string
	quoted  bool // the cell has had a string: what follows it is of no interest
	escaped bool // the last byte was a backslash
	closed  bool // the last byte was the quote that may end the string
	doubt   bool // that quote came after a backslash: it may be escaped
	extra   bool // it is another string of a cell that has one
	verb    int  // how much of a new statement was seen within a string

	bytes []byte // the cells, one after the other
	ends  []int
	out   [][]byte
	cut   bool
}

type rowState uint8

const (
	rowGoesOn rowState = iota
	rowBegins
	rowEnds
	rowsEnd
	rowsAstray // a new statement began within a string: its end was missed
)

// newStatement in a string is no part of it.
const newStatement = "\ninsert into "

// astray looks for the beginning of a statement within a string.
func (v *values) astray(c byte) rowState {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	if c != newStatement[v.verb] {
		v.verb = 0
	}
	if c == newStatement[v.verb] {
		if v.verb++; v.verb == len(newStatement) {
			return rowsAstray
		}
	}
	return rowGoesOn
}

// maxValues bounds the bytes of one row that are kept.
const maxValues = 64 << 10

// reset begins behind the parenthesis of the first row.
func (v *values) reset(escapes bool) {
	*v = values{escapes: escapes, depth: 1, bytes: v.bytes[:0], ends: v.ends[:0], out: v.out[:0]}
}

// add takes the next byte.
func (v *values) add(c byte) rowState {
	if v.text {
		if v.inText(c) {
			return v.astray(c)
		}
		v.text, v.quoted = false, true // c comes behind the string
	}
	switch c {
	case '\'':
		v.string()
	case '(':
		if v.depth++; v.depth == 1 {
			v.bytes, v.ends, v.cut = v.bytes[:0], v.ends[:0], false
			v.quoted = false
			return rowBegins
		}
		v.drop() // the name of a function
	case ')':
		if v.depth--; v.depth == 0 {
			v.end()
			return rowEnds
		}
		if v.depth < 0 {
			return rowsEnd
		}
	case ',':
		if v.depth == 1 {
			v.end()
		}
	case ' ', '\t', '\r', '\n':
	default:
		if v.depth == 0 {
			return rowsEnd
		}
		v.bare(c)
	}
	return rowGoesOn
}

// inText takes a byte of a string; false: it is the first behind it.
func (v *values) inText(c byte) bool {
	switch {
	case v.closed && c == '\'': // doubled
		v.closed, v.doubt = false, false
		v.keep(c)
	case v.closed && v.doubt && c != ',' && c != ')': // was escaped after all
		v.closed, v.doubt = false, false
		v.keep('\'')
		v.keep(c)
	case v.closed:
		v.closed, v.doubt = false, false
		return false
	case v.escaped:
		v.escaped = false
		if c == '\'' && !v.escapes {
			v.closed, v.doubt = true, true
			return true
		}
		v.keep(c)
	case c == '\\':
		v.escaped = true
	case c == '\'':
		v.closed = true
	default:
		v.keep(c)
	}
	return true
}

// string begins a string; the N, E or X before it is dropped. Of a function's
// arguments the first string counts.
func (v *values) string() {
	v.text, v.closed, v.escaped, v.doubt, v.verb = true, false, false, false, 0
	v.extra = v.quoted
	v.drop()
}

// cellStart is where the cell begins in bytes.
func (v *values) cellStart() int {
	if len(v.ends) == 0 {
		return 0
	}
	return v.ends[len(v.ends)-1]
}

// drop forgets what the cell has so far, unless it is a string.
func (v *values) drop() {
	if !v.quoted {
		v.bytes = v.bytes[:v.cellStart()]
	}
}

// bare takes a byte of a number, a word or an operator.
func (v *values) bare(c byte) {
	if v.depth == 1 && !v.quoted {
		v.store(c)
	}
}

// keep takes a byte of a string.
func (v *values) keep(c byte) {
	if !v.extra {
		v.store(c)
	}
}

func (v *values) store(c byte) {
	if len(v.bytes) == maxValues {
		v.cut = true
		return
	}
	v.bytes = append(v.bytes, c)
}

// end ends a cell.
func (v *values) end() {
	v.quoted = false
	if len(v.ends) < maxColumns {
		v.ends = append(v.ends, len(v.bytes))
	} else {
		v.cut = true
	}
}

// cells are those of the row that ended; valid until the next.
func (v *values) cells() [][]byte {
	v.out = v.out[:0]
	begin := 0
	for _, end := range v.ends {
		v.out = append(v.out, v.bytes[begin:end])
		begin = end
	}
	return v.out
}
