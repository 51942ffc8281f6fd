package expand

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

// documentText is the text of a WordprocessingML, DrawingML or OpenDocument
// part: a line for each paragraph, a tab between the cells of a table.
type documentText struct {
	xml   *xmlScanner
	odf   bool // OpenDocument: paragraphs hold the text, elsewhere runs do
	out   []byte
	sent  int // of out
	open  int // elements whose text counts: runs, or paragraphs of OpenDocument
	cells int // table cells around
	err   error
}

func newDocumentText(r io.Reader, odf bool) *documentText {
	return &documentText{xml: newXML(r), odf: odf}
}

// Read gathers some text before it gives any: most elements give little.
func (d *documentText) Read(p []byte) (int, error) {
	const some = 8 << 10
	if d.sent == len(d.out) {
		d.out, d.sent = d.out[:0], 0
	}
	for d.err == nil && len(d.out) < some {
		d.err = d.step()
	}
	if d.sent == len(d.out) {
		return 0, d.err
	}
	n := copy(p, d.out[d.sent:])
	d.sent += n
	return n, nil
}

func (d *documentText) step() error {
	kind, err := d.xml.next()
	if err != nil {
		return err
	}
	switch kind {
	case xmlText:
		if d.open > 0 {
			d.out = append(d.out, d.xml.text...)
		}
	case xmlStart:
		d.start(d.xml.name())
	case xmlEnd:
		d.end(d.xml.name())
	}
	return nil
}

// holds says whether the text of an element counts: ECMA-376 part 1, 17.3.3 and
// 21.1.2.3; OpenDocument 1.3 part 3, 5.1.
func (d *documentText) holds(name string) bool {
	if d.odf {
		return name == "p" || name == "h"
	}
	return name == "t" || name == "delText" || name == "instrText"
}

func (d *documentText) start(name string) {
	if d.holds(name) {
		d.open++
	}
	switch name {
	case "tc", "table-cell":
		d.cells++
	case "tab":
		d.out = append(d.out, '\t')
	case "br", "cr", "line-break":
		d.out = append(d.out, '\n')
	case "s":
		d.out = append(d.out, ' ')
	}
}

func (d *documentText) end(name string) {
	if d.holds(name) {
		d.open = max(d.open-1, 0)
	}
	switch name {
	case "p", "h":
		if d.cells > 0 {
			d.out = append(d.out, ' ')
		} else {
			d.out = append(d.out, '\n')
		}
	case "tc", "table-cell":
		d.cells = max(d.cells-1, 0)
		d.out = append(d.out, '\t')
	case "tr", "table-row":
		d.out = append(d.out, '\n')
	}
}

// readOpenSheets reads the tables of an OpenDocument spreadsheet (part 3, 9). Table
// is asked for each.
func readOpenSheets(r io.Reader, table func(name string) *rows) error {
	s := openSheets{xml: newXML(r), table: table}
	defer s.close()
	for {
		kind, err := s.xml.next()
		switch {
		case errors.Is(err, io.EOF):
			return s.row.whole()
		case err != nil:
			return err
		case kind == xmlStart:
			s.start(s.xml.name())
		case kind == xmlEnd:
			s.end(s.xml.name())
		case s.text > 0:
			s.row.text(s.xml.text)
		}
	}
}

// openSheets is where in a spreadsheet the scanner is.
type openSheets struct {
	xml    *xmlScanner
	table  func(name string) *rows
	sheet  *rows
	row    sheetRow
	repeat int
	text   int // paragraphs around
	dated  bool
}

func (s *openSheets) start(name string) {
	switch name {
	case "table":
		s.close()
		s.sheet = s.table(string(s.xml.attr("name")))
	case "table-row":
		s.row.reset()
	case "table-cell", "covered-table-cell":
		s.repeat = 1
		if n, err := strconv.Atoi(string(s.xml.attr("number-columns-repeated"))); err == nil {
			s.repeat = min(max(n, 1), sheetRepeat)
		}
		date := s.xml.attr("date-value")
		if s.dated = len(date) > 0; s.dated {
			s.row.text(bytes.TrimSuffix(date, []byte("T00:00:00")))
		}
	case "p":
		if !s.dated {
			s.text++
		}
	}
}

func (s *openSheets) end(name string) {
	switch name {
	case "table":
		s.close()
	case "table-row":
		if s.sheet != nil && !s.row.empty() && !s.sheet.row(s.row.slice()) {
			s.close()
		}
		s.row.reset()
	case "table-cell", "covered-table-cell":
		s.row.end(s.repeat)
		s.dated = false
	case "p":
		s.text = max(s.text-1, 0)
	}
}

func (s *openSheets) close() {
	if s.sheet != nil {
		s.sheet.close()
	}
	s.sheet = nil
}
