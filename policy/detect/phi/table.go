// Package phi finds protected health information in files that no health
// standard describes: tables, and later dumps and text.
package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Table finds delimited tables of patients.
func Table() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-table",
			Aliases:  []string{"PHI-007"},
			Title:    "Delimited file with a table of patients",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"An image is copied to every registry and node that runs it, and whoever may pull it reads the table.",
			Fix: "Remove the file from the image and from the layers below it, and mount the data at run time from storage with access control.",
		},
		Open: openTable,
	}
}

const tableMessage = "patient table"

// The delimiters, the likeliest first.
const delimiters = ",\t|;"

func openTable(m detect.Meta, s *detect.Sink) detect.Reader {
	enc := detect.EncodingOf(m.Head)
	if len(m.Head) == 0 || enc == detect.UTF8 && bytes.IndexByte(m.Head, 0) >= 0 {
		return nil // no text
	}
	t := &table{sink: s, path: pathContext(m.Path)}
	t.lines = detect.NewLines(enc, maxRow, t.line)
	return t
}

// table reads one file. It looks for a header among the first lines; without
// one, it types the columns by the values of these lines.
type table struct {
	sink   *detect.Sink
	path   int // health context of the path
	lines  *detect.Lines
	layout *layout // nil: no table of patients known so far
	done   bool    // it is none
	sample joined  // the first lines
	row    joined  // a row whose end was not seen
	cells  [][]byte
	record record
	cut    bool
}

// The bounds of the beginning in which a header is looked for.
const (
	sampleLines = 200
	sampleBytes = 256 << 10
)

func (t *table) Window(w detect.Window) {
	if !t.done {
		t.lines.Window(w)
	}
}

func (t *table) Close() {
	if t.done {
		return
	}
	t.lines.Close()
	if t.layout == nil {
		t.guess()
	}
	t.unjoin()
	if t.cut && t.layout != nil {
		t.sink.Skip("rows of a patient table longer than 1 MiB were read up to there")
	}
}

func (t *table) line(l detect.Line) {
	switch {
	case t.done || len(l.Text) == 0 && len(t.row.lines) == 0:
	case t.layout != nil:
		t.body(l)
	case t.header(l):
		t.sample.clear()
	default:
		t.beginning(l)
	}
}

// header says whether the line is the header of a table of patients.
func (t *table) header(l detect.Line) bool {
	const longest = 64 << 10
	if l.Cut || len(l.Text) > longest {
		return false
	}
	for i := range len(delimiters) {
		if bytes.IndexByte(l.Text, delimiters[i]) < 0 {
			continue
		}
		t.cells, _ = split(l.Text, delimiters[i], t.cells[:0])
		if t.layout = header(t.cells, delimiters[i], t.path); t.layout != nil {
			return true
		}
	}
	return false
}

// beginning keeps a line of which is not known what it is.
func (t *table) beginning(l detect.Line) {
	t.cut = t.cut || l.Cut
	if !t.sample.add(l) || len(t.sample.lines) == sampleLines || len(t.sample.text) >= sampleBytes {
		t.guess()
	}
}

// guess types the columns by the first lines' values and reads these lines.
func (t *table) guess() {
	if t.layout = headerless(&t.sample, t.path); t.layout == nil {
		t.done = true
		t.sample = joined{}
		return
	}
	t.sample.each(t.body)
	t.sample = joined{}
}

// body reads one line of the table.
func (t *table) body(l detect.Line) {
	t.cut = t.cut || l.Cut
	if len(t.row.lines) > 0 {
		t.join(l)
		return
	}
	var q quotes
	t.cells, q = split(l.Text, t.layout.delim, t.cells[:0])
	if q == open && t.row.add(l) {
		return
	}
	t.judge(l.Off)
}

// join adds a line to a row that is within quotes.
func (t *table) join(l detect.Line) {
	if !t.row.add(l) {
		t.unjoin()
		t.body(l)
		return
	}
	if stillOpen(l.Text, t.layout.delim) {
		return
	}
	var q quotes
	t.cells, q = split(t.row.text, t.layout.delim, t.cells[:0])
	if q != paired || len(t.cells) != t.layout.cells {
		t.unjoin()
		return
	}
	t.judge(t.row.lines[0].off)
	t.row.clear()
}

// unjoin reads lines that were taken for one row each by itself: a quote in
// them was no quote.
func (t *table) unjoin() {
	if t.layout == nil {
		return
	}
	t.row.each(func(l detect.Line) {
		t.cells = splitPlain(l.Text, t.layout.delim, t.cells[:0])
		t.judge(l.Off)
	})
	t.row.clear()
}

// judge reports the row in t.cells when it identifies a person.
func (t *table) judge(off int64) {
	t.layout.read(t.cells, &t.record)
	if t.record.identity(t.layout) < enoughIdentity {
		return
	}
	t.sink.Found(tableMessage, off)
	t.sink.Person(t.record.key())
}
