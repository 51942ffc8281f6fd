package expand

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// copyRows reads rows in the text format of COPY, until its end "\.".
func copyRows(r io.Reader, to *rows) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	var row copyRow
	for {
		err := row.read(lines)
		if err != nil && len(row.line) == 0 || bytes.Equal(row.line, []byte(`\.`)) {
			return or(ignore(err, io.EOF), row.whole())
		}
		if !to.row(row.split()) {
			return errStop
		}
		if err != nil {
			return or(ignore(err, io.EOF), row.whole())
		}
	}
}

const errCopyCut = reason("rows of more than 8 MiB or 2,000 columns: they were read up to there")

// copyRow is one row in the text format of PostgreSQL's COPY: values between
// tabs, backslash escapes, \N for NULL.
type copyRow struct {
	line  []byte
	cells [][]byte
	cut   bool // of any row, something was not kept
}

// whole is errCopyCut when something was cut.
func (c *copyRow) whole() error {
	if c.cut {
		return errCopyCut
	}
	return nil
}

// read reads a line and keeps at most pgLine bytes of it.
func (c *copyRow) read(r *bufio.Reader) error {
	c.line = c.line[:0]
	for {
		piece, err := r.ReadSlice('\n')
		room := pgLine - len(c.line)
		c.cut = c.cut || len(piece) > room
		c.line = append(c.line, piece[:min(len(piece), room)]...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		c.line = bytes.TrimSuffix(c.line, []byte("\n"))
		return err
	}
}

// split cuts the line into cells, in place.
func (c *copyRow) split() [][]byte {
	c.cells = c.cells[:0]
	rest, more := c.line, true
	for more && len(c.cells) < sqliteCells {
		var cell []byte
		cell, rest, more = bytes.Cut(rest, []byte{'\t'})
		if bytes.Equal(cell, []byte(`\N`)) {
			c.cells = append(c.cells, nil)
			continue
		}
		c.cells = append(c.cells, uncopy(cell))
	}
	c.cut = c.cut || more
	return c.cells
}

// uncopy replaces the escapes in a cell, in place.
func uncopy(cell []byte) []byte {
	at := bytes.IndexByte(cell, '\\')
	if at < 0 {
		return cell
	}
	out := cell[:at]
	for i := at; i < len(cell); i++ {
		c := cell[i]
		if c == '\\' && i+1 < len(cell) {
			i++
			c = unescaped(cell[i])
		}
		out = append(out, c)
	}
	return out
}

// unescaped is what a letter after a backslash stands for. COPY TO writes no numbers.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	}
	return c
}
