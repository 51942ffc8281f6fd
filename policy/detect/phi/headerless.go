package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
)

// minRows is how many rows a table without a header needs.
const minRows = 3

// rowsOf calls visit for each row of a sample; it may be called more than once.
type rowsOf func(visit func(cells [][]byte))

// headerless types the columns of a table by its first rows: a column is what
// nine tenths of its values are. It answers nil unless there are three typed
// columns, among them one of codes of diagnoses and what identifies a person.
func headerless(rows rowsOf, delim byte, table context) *layout {
	total, width := 0, 0
	rows(func(cells [][]byte) {
		if total == 0 {
			width = len(cells)
		}
		total++
	})
	if total < minRows || width < 3 || width > maxColumns {
		return nil
	}
	columns, even := make([]census, width), 0
	rows(func(cells [][]byte) {
		if len(cells) != width {
			return
		}
		even++
		for i, v := range cells {
			columns[i].add(v)
		}
	})
	if even < minRows || even*10 < total*8 {
		return nil
	}
	l := &layout{delim: delim, cells: width, weight: table.weight, patient: table.patient}
	return l.fill(columns)
}

// census counts what the values of one column can be.
type census struct {
	filled, ssn, mbi, date, name, code, phone, email int

	low, high int             // years
	distinct  map[string]bool // names
	pairs     int             // of them with a blank
}

func (c *census) add(v []byte) {
	if len(v) == 0 {
		return
	}
	c.filled++
	if identifier.DashedSSN(v).OK() {
		c.ssn++
		return
	}
	if _, ok := identifier.MBI(v); ok {
		c.mbi++
		return
	}
	if d, ok := identifier.BirthDate(v); ok {
		if c.date++; c.low == 0 || d.Year < c.low {
			c.low = d.Year
		}
		c.high = max(c.high, d.Year)
		return
	}
	switch {
	case identifier.DottedICD10(v), undotted(v):
		c.code++
	case identifier.Email(v).OK():
		c.email++
	case identifier.FormattedPhone(v).OK():
		c.phone++
	case identifier.ProperName(v):
		if c.name++; c.distinct == nil {
			c.distinct = map[string]bool{}
		}
		c.distinct[string(v)] = true
		if bytes.IndexByte(v, ' ') > 0 {
			c.pairs++
		}
	}
}

// undotted is a diagnosis of three characters, which needs no dot: among codes
// with dots they are common.
func undotted(v []byte) bool { return len(v) == 3 && identifier.ICD10(v) }

// lifetime is the span of years that tells dates of birth from dates of events.
const lifetime = 20

func (l *layout) fill(columns []census) *layout {
	count := 0
	names := []kind{lastName, firstName}
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
			k = dx
			l.weight += enoughContext
		case most(c.email):
			k = email
		case most(c.phone):
			k = phone
		case most(c.name) && most(c.pairs) && !l.has(fullName) && len(c.distinct)*2 >= c.name:
			k = fullName
		case most(c.name) && len(names) > 0 && len(c.distinct)*2 >= c.name:
			k, names = names[0], names[1:]
		default:
			continue
		}
		count++
		l.columns = append(l.columns, typed{i, k})
	}
	direct := l.has(ssn) || l.has(mbi)
	named := l.has(dob) && (l.has(firstName) || l.has(fullName)) // one column may be a city's
	if l.patient && named {                                      // the table's name says the rest
		return l
	}
	if count < 3 || l.weight < enoughContext || !(direct || named && l.has(dx)) {
		return nil
	}
	return l
}

// sampleRows is a rowsOf over the lines of a text.
func sampleRows(lines [][]byte, delim byte) rowsOf {
	var cells [][]byte
	return func(visit func([][]byte)) {
		for _, line := range lines {
			cells, _ = split(line, delim, cells[:0])
			visit(cells)
		}
	}
}

// firstRows gives the lines of a file's first bytes, nil where they are those of no
// table: that is told by the first of them.
func firstRows(head []byte) (lines [][]byte) {
	if len(head) == detect.HeadBytes {
		head = head[:max(0, lastEnd(head))] // the last line is not whole
	}
	for len(head) > 0 && len(lines) < sampleLines {
		var line []byte
		if line, head = cutLine(head); len(line) > 0 {
			lines = append(lines, line)
		}
		if len(lines) == minRows && !even(lines) {
			return nil
		}
	}
	if len(lines) < minRows {
		return nil
	}
	return lines
}

// headerlessLines looks for a table without header.
func headerlessLines(lines [][]byte, table context) *layout {
	var best *layout
	for i := range len(delimiters) {
		l := headerless(sampleRows(lines, delimiters[i]), delimiters[i], table)
		if l != nil && (best == nil || len(l.columns) > len(best.columns)) {
			best = l
		}
	}
	return best
}

// sampleLines bounds the rows by which columns are typed.
const sampleLines = 200
