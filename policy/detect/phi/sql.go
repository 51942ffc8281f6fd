package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// SQL finds dumps of databases with tables of patients: INSERT and REPLACE with
// and without columns, PostgreSQL's COPY, and CREATE TABLE for the columns.
func SQL() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-sql",
			Aliases:  []string{"PHI-008"},
			Title:    "SQL dump with a table of patients",
			Cites:    []hipaa.Citation{hipaa.UsesDisclosures, hipaa.AccessControl},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"A dump in an image is the database without its access control.",
			Fix: "Remove the dump from the image and from the layers below it, and load the data at run time from storage with access control.",
		},
		Anchors: sqlAnchors(),
		Open:    openSQL,
	}
}

// sqlAnchors are met about once in 2 MB of /usr/share.
func sqlAnchors() []string {
	return []string{
		`(?i)insert into`, `(?i)insert  into`, `(?i)insert [\[]`, `(?i)insert ignore`, `(?i)replace into`,
		`(?i)create table`, `(?i)create unlogged`, `(?i) from stdin`,
	}
}

// openSQL looks at the statement at the match: its columns, or the name of its
// table, must speak of people.
func openSQL(m detect.Meta, s *detect.Sink) detect.Reader {
	if m.Hit == nil {
		return nil
	}
	text, begin := m.Hit.Text, m.Hit.At
	if text[begin] == ' ' { // COPY t (a, b) FROM stdin
		line := lastEnd(text[:begin]) + 1
		verb := lastVerb(text[line:begin], "copy ")
		if verb < 0 {
			return nil
		}
		begin = line + verb
	}
	d := newDump(m.Path, s)
	if !d.promising(text[begin:]) {
		return nil
	}
	d.from = textOff(m.Hit) + int64(begin)
	return d
}

// lastVerb is the index of the last such word, -1 without one.
func lastVerb(text []byte, verb string) int {
	for i := len(text) - len(verb); i >= 0; i-- {
		if bytes.EqualFold(text[i:i+len(verb)], []byte(verb)) && (i == 0 || !wordByte(text[i-1])) {
			return i
		}
	}
	return -1
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// promising says whether a statement, or what is seen of it, is about people.
func (d *dump) promising(text []byte) bool {
	var h statement
	for _, c := range text {
		if state := h.add(c); state == aborted {
			return false
		} else if state == complete {
			break
		}
	}
	s := h.parse()
	c := d.context(s.name)
	if len(s.columns) == 0 {
		return s.verb != create && c.weight >= enoughContext
	}
	return header(s.columns, 0, c) != nil || c.patient
}

// context is what the file's path and a table's name say.
func (d *dump) context(table []byte) context {
	c := contextOfPath(d.path, string(table))
	c.joins = true
	return c
}
