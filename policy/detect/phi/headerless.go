package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// minRows is how many rows a table without a header needs.
const minRows = 3

// headerless types the columns of a table by its first rows: a column is what
// nine tenths of its values are. It answers nil unless there are three typed
// columns, among them one of a diagnosis and what identifies a person.
func headerless(sample *joined, path int) *layout {
	if len(sample.lines) < minRows {
		return nil
	}
	var best *layout
	for i := range len(delimiters) {
		l := guess(sample, delimiters[i], path)
		if l != nil && (best == nil || len(l.columns) > len(best.columns)) {
			best = l
		}
	}
	return best
}

// census counts what the values of one column can be.
type census struct {
	filled, ssn, mbi, date, name, code, contact int
	low, high                                   int             // years
	distinct                                    map[string]bool // names
}

func guess(sample *joined, delim byte, path int) *layout {
	var first []byte
	sample.each(func(l detect.Line) {
		if first == nil {
			first = l.Text
		}
	})
	cells, _ := split(first, delim, nil)
	if len(cells) < 3 {
		return nil
	}
	columns, rows := make([]census, len(cells)), 0
	sample.each(func(l detect.Line) {
		if cells, _ = split(l.Text, delim, cells[:0]); len(cells) != len(columns) {
			return
		}
		rows++
		for i, v := range cells {
			columns[i].add(v)
		}
	})
	if rows < minRows || rows*10 < len(sample.lines)*8 {
		return nil
	}
	l := &layout{delim: delim, cells: len(columns), context: path}
	return l.fill(columns)
}

func (c *census) add(v []byte) {
	if len(v) == 0 {
		return
	}
	c.filled++
	switch d, isDate := validDate(v); {
	case dashedSSN(v):
		c.ssn++
	case validMBI(v) != nil:
		c.mbi++
	case isDate:
		if c.date++; c.low == 0 || d.year < c.low {
			c.low = d.year
		}
		c.high = max(c.high, d.year)
	case validICD10(v):
		c.code++
	case validContact(v):
		c.contact++
	case properName(v):
		if c.name++; c.distinct == nil {
			c.distinct = map[string]bool{}
		}
		c.distinct[string(v)] = true
	}
}

// properName is a value that begins with a capital and is a name's length.
func properName(v []byte) bool {
	return v[0] >= 'A' && v[0] <= 'Z' && len(v) <= 40 && bytes.Count(v, []byte(" ")) <= 2 && validName(v)
}

// lifetime is the span of years that tells dates of birth from dates of events.
const lifetime = 20

func (l *layout) fill(columns []census) *layout {
	count := 0
	names := []kind{last, first}
	for i, c := range columns {
		most := func(n int) bool { return n > 0 && n*10 >= c.filled*9 }
		k := other
		switch {
		case c.filled < minRows:
			continue
		case most(c.ssn):
			k = ssn
		case most(c.mbi):
			k = mbi
		case most(c.date) && c.high-c.low >= lifetime && !l.has(dob):
			k = dob
		case most(c.code):
			l.dx, l.context = true, l.context+enoughContext
		case most(c.contact):
			k = contact
		case most(c.name) && len(names) > 0 && len(c.distinct)*2 >= c.name:
			k, names = names[0], names[1:]
		default:
			continue
		}
		if count++; k != other {
			l.columns = append(l.columns, typed{i, k})
		}
	}
	direct := l.has(ssn) || l.has(mbi)
	person := l.has(dob) && l.has(first) // two columns of names
	if count < 3 || l.context < enoughContext || !(direct || person && l.dx) {
		return nil
	}
	return l
}
