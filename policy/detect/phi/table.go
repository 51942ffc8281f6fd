// Package phi finds protected health information where no health standard says
// how it is written: tables, dumps of databases, JSON, text, and names of files.
package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Table finds tables of patients: delimited text with or without a header, and
// tables of databases and sheets.
func Table() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-table",
			Aliases:  []string{"PHI-007"},
			Title:    "Table of patients",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"An image is copied to every registry and node that runs it, and whoever may pull it reads the table.",
			Fix: "Remove the file from the image and from the layers below it, and mount the data at run time from storage with access control.",
		},
		Anchors:  headerWords(),
		Eager:    true, // for tables without a header
		Open:     openTable,
		Table:    openRows,
		Database: openDatabase,
	}
}

// The delimiters, the likeliest first.
const delimiters = ",\t|;"

// openTable is asked of every file: most are told to be no table by little.
func openTable(m detect.Meta, s *detect.Sink) detect.Reader {
	var t *table
	if m.Hit == nil {
		lines := firstRows(m.Head)
		if lines == nil {
			return nil
		}
		t = &table{sink: s, context: contextOfPath(m.Path, "")}
		if t.layout = headerlessLines(lines, t.context); t.layout == nil {
			return nil
		}
	} else {
		if !firstInLine(m.Hit) {
			return nil
		}
		t = &table{sink: s, context: contextOfPath(m.Path, "")}
		line, off := lineAt(m.Hit)
		if !plausible(line) || t.header(line) == nil {
			return nil
		}
		if off > textOff(m.Hit) || off <= 0 { // else the header is longer than what is seen: it is looked for
			t.from = off
		}
	}
	t.lines = detect.NewLines(maxRow, t.line)
	return t
}

// firstInLine says whether the word that matched is the first of its kind in the
// line: a header is looked at once for each.
func firstInLine(h *detect.Hit) bool {
	word := h.Text[h.At+1 : h.End-1] // without what bounds it
	line := h.Text[lastEnd(h.Text[:h.At+1])+1 : h.At+1]
	return !bytes.Contains(line, word)
}

// lineAt is the line of a match, as far as it is seen, and its offset.
func lineAt(h *detect.Hit) (line []byte, off int64) {
	at := h.At
	if at < len(h.Text) && isEnd(h.Text[at]) {
		at++ // the anchor begins with the line's end
	}
	begin := lastEnd(h.Text[:at]) + 1
	line, _ = cutLine(h.Text[begin:])
	return line, textOff(h) + int64(begin)
}

// textOff is the offset of the text's first byte.
func textOff(h *detect.Hit) int64 { return h.Off - int64(h.At) }

func isEnd(c byte) bool { return c == '\n' || c == '\r' }

// lastEnd is the index of the last line end, -1 without one.
func lastEnd(text []byte) int {
	for i := len(text) - 1; i >= 0; i-- {
		if isEnd(text[i]) {
			return i
		}
	}
	return -1
}

// firstEnd is the index of the first line end, -1 without one.
func firstEnd(text []byte) int {
	lf := bytes.IndexByte(text, '\n')
	if lf >= 0 {
		text = text[:lf]
	}
	if cr := bytes.IndexByte(text, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// cutLine cuts off the first line.
func cutLine(text []byte) (line, rest []byte) {
	if end := firstEnd(text); end >= 0 {
		return text[:end], text[end+1:]
	}
	return text, nil
}

// plausible refuses what cannot be a header: bytes of no text, and statements of
// SQL, which have a detector of their own.
func plausible(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' && c != '\f' {
			return false
		}
	}
	word := bytes.TrimLeft(line, " \t(")
	for _, verb := range []string{"insert ", "create ", "copy ", "select ", "replace ", "alter ", "values", "update "} {
		if len(word) >= len(verb) && bytes.EqualFold(word[:len(verb)], []byte(verb)) {
			return false
		}
	}
	return true
}

// even says whether lines could be rows of one table: with some delimiter they
// all have the same number of cells, three or more.
func even(lines [][]byte) bool {
	for i := range len(delimiters) {
		cells := bytes.Count(lines[0], []byte(delimiters[i:i+1]))
		same := cells >= 2
		for _, line := range lines[1:] {
			same = same && bytes.Count(line, []byte(delimiters[i:i+1])) == cells
		}
		if same {
			return true
		}
	}
	return false
}

// table reads one file from a header on.
type table struct {
	sink    *detect.Sink
	context context // of the path
	from    int64   // what stands before is of no interest
	lines   *detect.Lines
	layout  *layout // nil: a header is looked for
	row     joined  // a row whose end was not seen
	cells   [][]byte
	person  person
	cut     bool
	wide    bool // there are more columns, or longer headers, than are looked at
}

func (t *table) Window(w detect.Window) {
	if skip := t.from - w.Off; skip > 0 {
		skip = min(skip, int64(len(w.Data)))
		w.Off, w.Data = w.Off+skip, w.Data[skip:]
	}
	t.lines.Window(w)
}

func (t *table) Close() {
	t.lines.Close()
	t.unjoin()
	if t.cut && t.layout != nil {
		t.sink.Skip("rows of a patient table longer than 1 MiB were read up to there")
	}
	if t.wide {
		t.sink.Skip("table of more than 4,096 columns, or with a header of more than 64 KiB")
	}
}

func (t *table) line(l detect.Line) {
	switch {
	case len(l.Text) == 0 && len(t.row.lines) == 0:
	case t.layout == nil:
		if plausible(l.Text) {
			t.layout = t.header(l.Text)
		}
	default:
		t.body(l)
	}
}

// header reads a line as the header of a table of people, with the delimiter
// that gives most columns of them.
func (t *table) header(line []byte) *layout {
	const longest = 64 << 10
	cut := len(line) > longest
	if cut {
		line = line[:longest]
	}
	var best *layout
	for i := range len(delimiters) {
		if bytes.IndexByte(line, delimiters[i]) < 0 {
			continue
		}
		t.cells, _ = split(line, delimiters[i], t.cells[:0])
		if l := header(t.cells, delimiters[i], t.context); l != nil && (best == nil || len(l.columns) > len(best.columns)) {
			best = l
		}
	}
	t.wide = t.wide || cut && best != nil
	return best
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
	t.judge(l.Off, l.Text)
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
	t.judge(t.row.lines[0].off, nil)
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
		t.judge(l.Off, nil)
	})
	t.row.clear()
}

// judge reports the row in t.cells. A line that says nothing of anybody may be
// the header of another table.
func (t *table) judge(off int64, line []byte) {
	t.layout.read(t.cells, &t.person)
	t.wide = t.wide || len(t.cells) == maxColumns
	r := t.layout.record(&t.person, off)
	if r.Level() != detect.Nothing {
		t.sink.Record(r)
		return
	}
	if len(line) > 0 && likeHeader(t.cells) && plausible(line) {
		if next := t.header(line); next != nil {
			t.layout = next
		}
	}
}
