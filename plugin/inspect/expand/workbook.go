package expand

import (
	"errors"
	"io"
	"strconv"
	"strings"
)

// worksheet reads one sheet of SpreadsheetML (ECMA-376 part 1, 18.3).
type worksheet struct {
	xml    *xmlScanner
	book   *workbook
	row    sheetRow
	column int    // of the next cell
	typ    string // of the cell
	style  int
	value  []byte // text of the cell
	open   int    // elements around whose text counts
}

// workbook is what the sheets of a workbook share.
type workbook struct {
	shared   sharedStrings
	dates    []bool // cell formats that show a date
	base1904 bool
}

// sheetName is a sheet as xl/workbook.xml names it.
type sheetName struct{ name, id string }

// readSheet hands out the rows until there are no more or no more are wanted.
func (b *workbook) readSheet(r io.Reader, to *rows) error {
	s := worksheet{xml: newXML(r), book: b}
	for {
		kind, err := s.xml.next()
		switch {
		case errors.Is(err, io.EOF):
			return s.row.whole()
		case err != nil:
			return err
		case kind == xmlText && s.open > 0:
			s.row.cut = s.row.cut || len(s.xml.text) > sheetCell-len(s.value)
			s.value = append(s.value, s.xml.text[:max(0, min(len(s.xml.text), sheetCell-len(s.value)))]...)
		case kind == xmlStart:
			s.start(s.xml.name())
		case kind == xmlEnd:
			if s.end(s.xml.name()) && !s.row.empty() && !to.row(s.row.slice()) {
				return errStop
			}
		}
	}
}

func (s *worksheet) start(name string) {
	switch name {
	case "row":
		s.row.reset()
		s.column = 0
	case "c":
		if at := columnOf(s.xml.attr("r")); at >= s.column && at-s.column <= sheetGap {
			s.row.end(at - s.column)
			s.column = at
		}
		s.typ = string(s.xml.attr("t"))
		s.style, _ = strconv.Atoi(string(s.xml.attr("s")))
		s.value = s.value[:0]
	case "v", "t":
		s.open++
	}
}

// end says whether a row has ended.
func (s *worksheet) end(name string) bool {
	switch name {
	case "v", "t":
		s.open = max(s.open-1, 0)
	case "c":
		s.cell()
		s.row.end(1)
		s.column++
	}
	return name == "row"
}

// cell adds the cell's value as a person sees it, so far as it matters.
func (s *worksheet) cell() {
	switch s.typ {
	case "s":
		if i, err := strconv.Atoi(strings.TrimSpace(string(s.value))); err == nil {
			s.row.text(s.book.shared.get(i))
		}
	case "d":
		day, _, _ := strings.Cut(string(s.value), "T")
		s.row.text([]byte(day))
	case "", "n":
		if s.style >= 0 && s.style < len(s.book.dates) && s.book.dates[s.style] && len(s.value) < 32 {
			s.row.text(appendDate(nil, string(s.value), s.book.base1904))
			return
		}
		s.row.text(plainNumber(s.value))
	default:
		s.row.text(s.value)
	}
}

// plainNumber writes 1.23456789E8 without its exponent: numbers of persons are kept so.
func plainNumber(value []byte) []byte {
	if len(value) > 32 || !strings.ContainsAny(string(value), "eE") {
		return value
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || f > 1e18 || f < -1e18 {
		return value
	}
	return strconv.AppendFloat(nil, f, 'f', -1, 64)
}

// columnOf is the number, from 0, of the column in "AB12"; -1 without one.
func columnOf(ref []byte) int {
	n := 0
	for _, c := range ref {
		if c |= 0x20; c < 'a' || c > 'z' {
			break
		}
		if n = 26*n + int(c-'a') + 1; n > sheetColumns {
			return -1
		}
	}
	return n - 1
}

// readWorkbook reads the names of the sheets and the base of dates (18.2).
func (b *workbook) readWorkbook(r io.Reader) ([]sheetName, error) {
	var sheets []sheetName
	err := eachStart(r, func(xml *xmlScanner, name string) {
		switch {
		case name == "sheet" && len(sheets) < sheetColumns:
			s := sheetName{name: brief(xml.attr("name"))}
			s.id = brief(xml.attr("id"))
			sheets = append(sheets, s)
		case name == "workbookPr":
			v := string(xml.attr("date1904"))
			b.base1904 = v == "1" || v == "true"
		}
	})
	return sheets, err
}

// readRelations reads which part each relation's number means (part 2, 9.3).
func readRelations(r io.Reader) (map[string]string, error) {
	targets := map[string]string{}
	err := eachStart(r, func(xml *xmlScanner, name string) {
		if name == "Relationship" && len(targets) < sheetColumns {
			id := brief(xml.attr("Id"))
			targets[id] = brief(xml.attr("Target"))
		}
	})
	return targets, err
}

// brief keeps at most 256 bytes: many long names are much memory.
func brief(name []byte) string { return string(name[:min(len(name), 256)]) }

// eachStart calls use for each start of an element.
func eachStart(r io.Reader, use func(xml *xmlScanner, name string)) error {
	xml := newXML(r)
	for {
		kind, err := xml.next()
		if err != nil {
			return ignore(err, io.EOF)
		}
		if kind == xmlStart {
			use(xml, xml.name())
		}
	}
}
