package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// quotes says how the quotes of a row pair.
type quotes uint8

const (
	paired quotes = iota
	ragged        // text follows a quoted cell: what looks like its end may be none
	open          // a quoted cell does not end in the row
)

// split cuts a row into cells without their quotes and outer blanks; doubled
// quotes within a cell stay.
func split(row []byte, delim byte, cells [][]byte) (out [][]byte, q quotes) {
	for len(cells) < maxColumns {
		blanks := 0
		for blanks < len(row) && row[blanks] == ' ' {
			blanks++
		}
		if blanks < len(row) && row[blanks] == '"' {
			quoted := row[blanks+1:]
			end := closing(quoted)
			if end < 0 {
				return append(cells, quoted), open
			}
			cells = append(cells, bytes.TrimSpace(quoted[:end]))
			rest := quoted[end+1:]
			next := bytes.IndexByte(rest, delim)
			between := rest[:max(0, next)]
			if next < 0 {
				between = rest
			}
			if len(bytes.TrimSpace(between)) > 0 {
				q = ragged
			}
			if next < 0 {
				return cells, q
			}
			row = rest[next+1:]
			continue
		}
		next := bytes.IndexByte(row, delim)
		if next < 0 {
			return append(cells, bytes.TrimSpace(row)), q
		}
		cells = append(cells, bytes.TrimSpace(row[:next]))
		row = row[next+1:]
	}
	return cells, q
}

// splitPlain cuts a row at every delimiter, for rows whose quotes do not pair.
func splitPlain(row []byte, delim byte, cells [][]byte) [][]byte {
	for len(cells) < maxColumns {
		next := bytes.IndexByte(row, delim)
		if next < 0 {
			return append(cells, bytes.Trim(row, "\" "))
		}
		cells = append(cells, bytes.Trim(row[:next], "\" "))
		row = row[next+1:]
	}
	return cells
}

// closing is the index of the quote that ends a quoted cell; a doubled quote
// ends nothing (RFC 4180, 2.7).
func closing(quoted []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(quoted[i:], '"')
		if n < 0 {
			return -1
		}
		if i += n; i+1 >= len(quoted) || quoted[i+1] != '"' {
			return i
		}
		i++
	}
}

// stillOpen says, of a line within a quoted cell, whether it ends within one too.
func stillOpen(line []byte, delim byte) bool {
	end := closing(line)
	if end < 0 {
		return true
	}
	rest := line[end+1:]
	next := bytes.IndexByte(rest, delim)
	if next < 0 {
		return false
	}
	_, q := split(rest[next+1:], delim, nil)
	return q == open
}

// The bounds of one row.
const (
	maxRow      = 1 << 20 // bytes, of a line and of a row of several lines
	maxRowLines = 4096    // lines within quotes
)

// joined is a row that goes over several lines, because a quoted cell holds
// line ends.
type joined struct {
	text  []byte
	lines []place
}

// place is one of its lines.
type place struct {
	off int64
	end int // in text
}

// add appends a line; false where the row would be too long.
func (j *joined) add(l detect.Line) bool {
	if l.Cut || len(j.lines) == maxRowLines || len(j.text)+len(l.Text)+1 > maxRow {
		return false
	}
	if len(j.lines) > 0 {
		j.text = append(j.text, '\n')
	}
	j.text = append(j.text, l.Text...)
	j.lines = append(j.lines, place{l.Off, len(j.text)})
	return true
}

// each visits the lines that were added.
func (j *joined) each(visit func(detect.Line)) {
	begin := 0
	for _, p := range j.lines {
		visit(detect.Line{Off: p.off, Text: j.text[begin:p.end]})
		begin = min(p.end+1, len(j.text))
	}
}

func (j *joined) clear() { j.text, j.lines = j.text[:0], j.lines[:0] }
