package expand

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	sheetColumns = 16_384   // of a worksheet: the limit of Excel
	sheetRepeat  = 64       // times that a cell may stand for others, which cost nothing to claim
	sheetGap     = 1_024    // empty cells before a cell: more are claimed for nothing
	sheetCell    = 1 << 20  // bytes kept of a cell; Excel's limit is 32,767 characters
	sheetBytes   = 8 << 20  // bytes kept of a row
	sharedBytes  = 32 << 20 // of a workbook's shared strings
	sheetStyles  = 65_536   // cell formats of a workbook: the limit of Excel
)

// errSheet is given at a sheet's end when something of it was beyond these bounds.
const errSheet = reason("cells of more than 1 MiB, or rows of more than 8 MiB or 16,384 columns: they were read up to there")

// sheetRow gathers the cells of a row.
type sheetRow struct {
	bytes []byte
	ends  []int
	cells [][]byte
	cut   bool // of any row, something was not kept
}

// whole is errSheet when something was cut.
func (r *sheetRow) whole() error {
	if r.cut {
		return errSheet
	}
	return nil
}

func (r *sheetRow) reset() { r.bytes, r.ends = r.bytes[:0], r.ends[:0] }

func (r *sheetRow) empty() bool { return len(r.bytes) == 0 }

// text adds to the cell that has not ended.
func (r *sheetRow) text(b []byte) {
	begin := 0
	if len(r.ends) > 0 {
		begin = r.ends[len(r.ends)-1]
	}
	room := min(sheetCell-(len(r.bytes)-begin), sheetBytes-len(r.bytes))
	r.cut = r.cut || len(b) > room
	r.bytes = append(r.bytes, b[:max(0, min(len(b), room))]...)
}

// end ends the cell; more than once for the same text in the cells after it.
func (r *sheetRow) end(times int) {
	begin := 0
	if len(r.ends) > 0 {
		begin = r.ends[len(r.ends)-1]
	}
	value := r.bytes[begin:]
	r.cut = r.cut || len(value) > 0 && len(r.ends) >= sheetColumns
	for i := 0; i < times && len(r.ends) < sheetColumns; i++ {
		if i > 0 && len(r.bytes)+len(value) <= sheetBytes {
			r.bytes = append(r.bytes, value...)
		}
		r.ends = append(r.ends, len(r.bytes))
	}
}

// slice gives the cells, without empty ones at the end.
func (r *sheetRow) slice() [][]byte {
	r.cells = r.cells[:0]
	begin := 0
	for _, end := range r.ends {
		if begin == len(r.bytes) {
			break
		}
		r.cells = append(r.cells, r.bytes[begin:end:end])
		begin = end
	}
	return r.cells
}

// sharedStrings are a workbook's texts, by number.
type sharedStrings struct {
	bytes []byte
	ends  []uint32
}

const errStyles = reason("more than 65,536 cell formats: dates of the others are read as numbers")

const errShared = reason("more than 32 MiB of shared strings")

// readShared reads xl/sharedStrings.xml (ECMA-376 part 1, 18.4). Beyond the
// bound it gives errShared, and what it has.
func readShared(r io.Reader) (sharedStrings, error) {
	var s sharedStrings
	xml := newXML(r)
	open, phonetic := 0, 0
	for {
		kind, err := xml.next()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		if len(s.bytes)+4*len(s.ends) > sharedBytes {
			return s, errShared
		}
		if kind == xmlText {
			if open > 0 && phonetic == 0 {
				s.bytes = append(s.bytes, xml.text...)
			}
			continue
		}
		step := 1
		if kind == xmlEnd {
			step = -1
		}
		switch xml.name() {
		case "t":
			open += step
		case "rPh":
			phonetic += step
		case "si":
			if kind == xmlEnd {
				s.ends = append(s.ends, uint32(len(s.bytes)))
			}
		}
	}
}

// get is string number i, nil without one.
func (s *sharedStrings) get(i int) []byte {
	if i < 0 || i >= len(s.ends) {
		return nil
	}
	begin := uint32(0)
	if i > 0 {
		begin = s.ends[i-1]
	}
	return s.bytes[begin:s.ends[i]]
}

// readStyles says for each cell format of xl/styles.xml whether it shows a date.
func readStyles(r io.Reader) ([]bool, error) {
	xml := newXML(r)
	custom := map[int]bool{}
	var dates []bool
	within := false
	for {
		kind, err := xml.next()
		if errors.Is(err, io.EOF) {
			return dates, nil
		}
		if err != nil || len(dates) == sheetStyles || len(custom) == sheetStyles {
			return dates, or(err, errStyles)
		}
		if kind == xmlText {
			continue
		}
		switch name := xml.name(); {
		case name == "cellXfs":
			within = kind == xmlStart
		case kind == xmlStart && name == "numFmt":
			if id, err := strconv.Atoi(string(xml.attr("numFmtId"))); err == nil {
				custom[id] = dateFormat(string(xml.attr("formatCode")))
			}
		case kind == xmlStart && name == "xf" && within:
			id, err := strconv.Atoi(string(xml.attr("numFmtId")))
			dates = append(dates, err == nil && (custom[id] || builtinDate(id)))
		}
	}
}

// builtinDate says whether a number format without a code is a date's: 18.8.30;
// 27 and up are those of East Asian languages. 18 to 21 are times of day.
func builtinDate(id int) bool {
	return id >= 14 && id <= 17 || id == 22 || id >= 27 && id <= 31 || id == 36 || id >= 50 && id <= 54 || id == 57 || id == 58
}

// dateFormat says whether a format code shows a year or a day. What is in quotes,
// in brackets or after a backslash is shown as it is.
func dateFormat(code string) bool {
	if len(code) > 256 || strings.EqualFold(code, "general") {
		return false
	}
	end := byte(0)
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case end != 0:
			if c == end {
				end = 0
			}
		case c == '"':
			end = '"'
		case c == '[':
			end = ']'
		case c == '\\' || c == '_' || c == '*':
			i++
		case c == 'y' || c == 'Y' || c == 'd' || c == 'D':
			return true
		}
	}
	return false
}

// appendDate appends the day of a serial number as yyyy-mm-dd: days since
// 1899-12-30, or since 1904-01-01. Other text is appended as it is.
func appendDate(dst []byte, value string, base1904 bool) []byte {
	days, err := strconv.ParseFloat(value, 64)
	if err != nil || days < 1 || days > 2_958_465 { // 9999-12-31
		return append(dst, value...)
	}
	base := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case base1904:
		base = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60: // 1900 is taken for a leap year
		base = base.AddDate(0, 0, 1)
	}
	return base.AddDate(0, 0, int(days)).AppendFormat(dst, time.DateOnly)
}
