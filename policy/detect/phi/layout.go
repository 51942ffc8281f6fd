package phi

import (
	"slices"

	"github.com/phigate/phigate/policy/detect"
)

// maxColumns bounds the columns that are looked at.
const maxColumns = 4096

// layout is what is known of a table's columns.
type layout struct {
	delim    byte
	cells    int // in the header
	columns  []typed
	context  int // of path and header
	dx       bool
	provider bool
}

// typed is a column whose values are read.
type typed struct {
	index int
	kind  kind
}

// The thresholds of PHI: identity and health context, see Context scoring.
const (
	enoughIdentity = 3
	enoughContext  = 2
)

// header reads a row as a header; nil where it is none, or none of a table of
// patients.
func header(cells [][]byte, delim byte, pathContext int) *layout {
	like, filled := 0, 0
	for _, c := range cells {
		if len(c) > 0 {
			filled++
			if headerLike(c) {
				like++
			}
		}
	}
	if filled < 2 || like*5 < filled*4 {
		return nil
	}
	l := &layout{delim: delim, cells: len(cells), context: pathContext}
	split := -1 // where a column "date_of_birth" may hold the day alone
	for i, cell := range cells {
		if !headerLike(cell) {
			continue
		}
		c := classify(cell)
		l.context += c.context
		l.provider = l.provider || c.provider
		l.dx = l.dx || c.kind == dx && c.context >= enoughContext
		if c.kind != other && c.kind != dx {
			l.columns = append(l.columns, typed{i, c.kind})
		}
		if c.kind == dob && split < 0 {
			split = len(l.columns) - 1
		}
	}
	if l.has(birthYear) && l.has(birthMonth) && !l.has(birthDay) && split >= 0 {
		l.columns[split].kind = birthDay // OSCAR: year_of_birth, month_of_birth, date_of_birth
	}
	if l.context < enoughContext || !l.identifies() {
		return nil
	}
	return l
}

func (l *layout) has(k kind) bool {
	return slices.ContainsFunc(l.columns, func(c typed) bool { return c.kind == k })
}

// identifies says whether a row with all columns filled could identify.
func (l *layout) identifies() bool {
	p := record{}
	for _, c := range l.columns {
		p.have[c.kind] = []byte("x")
	}
	if l.has(birthYear) && (l.has(birthMonth) || l.has(birthDay)) {
		p.have[dob] = []byte("x")
	}
	return p.identity(l) >= enoughIdentity
}

// record is what one row says of one person: the valid values by their kind.
type record struct {
	have [dx + 1][]byte
	born date
}

// read validates the cells of one row.
func (l *layout) read(cells [][]byte, p *record) {
	*p = record{}
	var parts date
	for _, c := range l.columns {
		if c.index >= len(cells) {
			break
		}
		v := cells[c.index]
		if len(v) == 0 || p.have[c.kind] != nil {
			continue
		}
		switch c.kind {
		case last, first, full, name:
			if validName(v) {
				p.have[c.kind] = v
			}
		case dob:
			if d, ok := validDate(v); ok {
				p.have[dob], p.born = v, d
			}
		case birthYear:
			parts.year = number(v)
		case birthMonth:
			parts.month = month(v)
		case birthDay:
			parts.day = number(v)
		case ssn:
			p.have[ssn] = validSSN(v)
		case mrn, plan:
			p.have[c.kind] = validNumber(v)
		case mbi:
			if p.have[mbi] = validMBI(v); p.have[mbi] == nil {
				p.have[plan] = validNumber(v)
			}
		case contact:
			if validContact(v) {
				p.have[contact] = v
			}
		}
	}
	if parts.day < 1 && parts.month > 0 {
		parts.day = 1
	}
	if p.have[dob] == nil && parts.ok() {
		p.have[dob], p.born = []byte{'b'}, parts
	}
}

// identity weighs how well a row identifies a person.
func (p *record) identity(l *layout) int {
	if p.have[ssn] != nil || p.have[mbi] != nil {
		return enoughIdentity
	}
	score := 0
	for _, k := range []kind{dob, mrn, plan} {
		if p.have[k] != nil {
			score += 2
		}
	}
	switch {
	case p.have[last] != nil, p.have[full] != nil:
		score += 2
	case p.have[name] != nil && score > 0: // alone it could be a drug's
		score += 2
	case p.have[first] != nil:
		score++
	}
	// A name with a telephone number is what directories of providers hold: it
	// counts beside a diagnosis only.
	if p.have[contact] != nil && l.dx && !l.provider {
		score++
	}
	return score
}

// key is what tells people apart, the best that the row has.
func (p *record) key() []byte {
	switch {
	case p.have[mrn] != nil:
		return detect.Identity("mrn", p.have[mrn])
	case p.have[ssn] != nil:
		return detect.Identity("ssn", p.have[ssn])
	case p.have[mbi] != nil:
		return detect.Identity("mbi", p.have[mbi])
	case p.have[plan] != nil:
		return detect.Identity("plan", p.have[plan])
	}
	born := ""
	if p.have[dob] != nil {
		born = p.born.key()
	}
	return detect.Identity("name", p.have[last], p.have[first], p.have[full], p.have[name], []byte(born))
}
