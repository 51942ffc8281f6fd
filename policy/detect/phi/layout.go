package phi

import (
	"bytes"
	"slices"

	"github.com/phigate/phigate/policy/detect"
)

// maxColumns bounds the columns that are looked at.
const maxColumns = 4096

// layout is what is known of a table's columns.
type layout struct {
	delim   byte
	cells   int // in the header
	columns []typed
	weight  int  // how much path and header speak of health
	patient bool // the table or a column is called a patient's
}

// typed is a column whose values are read.
type typed struct {
	index int
	kind  kind
}

// enoughContext is the context that makes people patients.
const enoughContext = 2

// header reads a row as a header; nil where it is none, or none of a table that
// could identify people or hold their diagnoses.
func header(cells [][]byte, delim byte, table context) *layout {
	if !likeHeader(cells) {
		return nil
	}
	l := &layout{delim: delim, cells: len(cells), weight: table.weight, patient: table.patient}
	provider := false
	split := -1 // where a column "date_of_birth" may hold the day alone
	for i, cell := range cells {
		if !headerLike(cell) {
			continue
		}
		c := classify(cell)
		if table.joins && table.people && c.kind == other && bytes.EqualFold(cell, []byte("id")) {
			c.kind = subject // what other tables call person_id
		}
		l.weight += c.context
		provider, l.patient = provider || c.provider, l.patient || c.patient
		if c.kind == other {
			continue
		}
		if c.kind == dob && split < 0 {
			split = len(l.columns)
		}
		l.columns = append(l.columns, typed{i, c.kind})
	}
	if l.has(birthYear) && l.has(birthMonth) && !l.has(birthDay) && split >= 0 {
		l.columns[split].kind = birthDay // OSCAR: year_of_birth, month_of_birth, date_of_birth
	}
	if provider && !l.has(dob) && !l.has(ssn) && !l.has(mrn) && !l.has(mbi) && !l.has(birthYear) {
		l.dropNames() // a directory of those who treat
	}
	if l.promise() == detect.Nothing && !(table.joins && l.shares()) {
		return nil
	}
	return l
}

// shares says whether rows can add something to those of other tables.
func (l *layout) shares() bool {
	return (l.has(subject) || l.has(mrn)) && (len(l.columns) > 1 || l.weight >= enoughContext)
}

// likeHeader says whether four fifths of the cells could be names of columns.
func likeHeader(cells [][]byte) bool {
	like, filled := 0, 0
	for _, c := range cells {
		if len(c) == 0 {
			continue
		}
		filled++
		if headerLike(c) {
			like++
		}
	}
	return filled >= 2 && like*5 >= filled*4
}

func (l *layout) has(k kind) bool {
	return slices.ContainsFunc(l.columns, func(c typed) bool { return c.kind == k })
}

// dropNames leaves the columns that say whose the rows are unread.
func (l *layout) dropNames() {
	l.columns = slices.DeleteFunc(l.columns, func(c typed) bool {
		return c.kind != subject && c.kind != visit && c.kind != code && c.kind != dx
	})
}

// promise is what a row with all columns filled would amount to.
func (l *layout) promise() detect.Level {
	var p person
	for _, c := range l.columns {
		p.values[c.kind] = []byte("x")
	}
	if p.values[birthYear] != nil && p.values[birthMonth] != nil {
		p.values[dob] = p.values[birthYear]
	}
	p.coded, p.patient = l.has(dx) || l.has(code), l.patient
	if p.values[anyName] != nil {
		p.values[anyName] = []byte("x x")
	}
	r := p.row(0, l.weight)
	r.Rows = p.rows()
	return r.Level()
}

// read takes the cells of one row.
func (l *layout) read(cells [][]byte, p *person) {
	p.reset()
	p.patient = l.patient
	for _, c := range l.columns {
		if c.index >= len(cells) {
			break
		}
		p.set(c.kind, bytes.TrimSpace(cells[c.index]))
	}
	p.finish()
}

// rows says whether a row without a name is one of a limited data set: somebody's
// key and something coded about him, or a date of birth.
func (p *person) rows() bool {
	return (p.values[subject] != nil || p.values[mrn] != nil || p.values[visit] != nil) && (p.coded || p.values[dob] != nil)
}

// record is the row in p.
func (l *layout) record(p *person, off int64) detect.Record {
	r := p.row(off, l.weight)
	r.Rows = p.rows()
	return r
}
