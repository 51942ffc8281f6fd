package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// dump reads a file of SQL statements from the first promising one on.
type dump struct {
	sink *detect.Sink
	path string
	from int64 // what stands before is of no interest
	next int64 // where the next window begins unless there is a hole

	tables map[string]*rows // by name
	heads  map[string]*rows // by the heads that name columns, which dumps repeat
	order  []*rows          // those without known columns
	join   join
	unsure int // tables whose columns are not known

	mode  mode
	prev  byte // before what is looked at, for the beginning of words
	start int64
	head  statement
	table *rows // whose rows follow
	row   values
	line  []byte // of COPY
	cut   bool
	cells [][]byte

	columns int  // that are kept, of all tables
	crowded bool // there are more tables or columns
	longest bool // a statement is longer than is kept
}

// mode is what is being read.
type mode uint8

const (
	seeking mode = iota // the next statement
	inHead
	inValues
	inCopy
)

// The bounds of what is kept of a dump.
const (
	maxTables  = 4096
	maxLaidOut = 1 << 18 // columns of all tables
	maxUnsure  = 16      // tables whose rows wait for their columns to be guessed
	maxHeadKey = 2048
)

func newDump(path string, s *detect.Sink) *dump {
	return &dump{sink: s, path: path, tables: map[string]*rows{}, heads: map[string]*rows{}, prev: '\n'}
}

// Window takes the next bytes.
func (d *dump) Window(w detect.Window) {
	if skip := d.from - w.Off; skip > 0 {
		skip = min(skip, int64(len(w.Data)))
		w.Off, w.Data = w.Off+skip, w.Data[skip:]
	}
	if w.Off != d.next {
		d.mode, d.prev = seeking, '\n'
	}
	d.next = w.Off + int64(len(w.Data))
	for i := 0; i < len(w.Data); {
		off := w.Off + int64(i)
		switch rest := w.Data[i:]; d.mode {
		case seeking:
			i += d.seek(rest, off)
		case inHead:
			i += d.gather(rest, off)
		case inValues:
			i += d.values(rest, off)
		case inCopy:
			i += d.copyLine(rest, off)
		}
	}
}

// Close judges the tables whose columns had to be guessed.
func (d *dump) Close() {
	for _, t := range d.order {
		t.Close()
	}
	d.join.close(d.sink)
	if d.cut {
		d.sink.Skip("rows of a dumped table longer than 64 KiB were read up to there")
	}
	if d.crowded {
		d.sink.Skip("dump with more tables than are kept")
	}
	if d.longest {
		d.sink.Skip("statement longer than 256 KiB before its rows")
	}
}

// seek looks for a byte that may begin a statement and returns how many it
// passed over.
func (d *dump) seek(data []byte, off int64) int {
	for i, c := range data {
		before := d.prev
		d.prev = c
		switch c | 0x20 {
		case 'i', 'c', 'r':
			if !wordByte(before) {
				d.head.reset()
				d.mode = inHead
				return i
			}
		}
	}
	return len(data)
}

// gather adds to the head of a statement until it is whole, or none.
func (d *dump) gather(data []byte, off int64) int {
	for i, c := range data {
		switch d.head.add(c) {
		case aborted:
			d.longest = d.longest || len(d.head.buf) == maxHead
			d.mode, d.prev = seeking, c
			return i + 1
		case complete:
			d.prev, d.start = c, off+int64(i)
			d.begin()
			return i + 1
		}
		// Words that begin as a verb does are common: they end here soon.
		if n := len(d.head.buf); n < verbBytes && n > 1 && !verbPrefix(d.head.buf) {
			d.mode, d.prev = seeking, c
			return i + 1
		}
	}
	return len(data)
}

// verbPrefix says whether a word could still become a verb.
func verbPrefix(text []byte) bool {
	for _, v := range []string{"insert ", "create ", "copy ", "replace "} {
		n := min(len(text), len(v))
		if bytes.EqualFold(text[:n], []byte(v[:n])) {
			return true
		}
	}
	return false
}

// begin acts on the head of a statement.
func (d *dump) begin() {
	d.mode = seeking
	t, known := d.heads[string(d.head.buf)]
	if !known {
		t = d.tableOf(d.head.parse())
	}
	if d.table = t; t == nil {
		return
	}
	if d.head.verb == copyFrom {
		d.mode, d.line = inCopy, d.line[:0]
		return
	}
	d.mode = inValues
	d.row.reset(bytes.IndexByte(d.head.buf, '`') >= 0)
}

// key is a table's name without schema and quotes.
func (d *dump) key(name []byte) string {
	if i := bytes.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	return string(bytes.ToLower(bytes.Trim(name, "`\"[]'")))
}

// tableOf is the reader of the rows that follow a head; nil: there are none, or
// they are of no interest.
func (d *dump) tableOf(s parsed) *rows {
	name := d.key(s.name)
	room := len(d.tables)+len(d.heads) < maxTables && d.columns < maxLaidOut
	switch {
	case s.verb == create:
		d.crowded = d.crowded || !room
		if room && len(s.columns) > 0 {
			d.tables[name] = d.reader(s)
		}
		return nil
	case s.verb == copyFrom && !bytes.Contains(bytes.ToLower(d.head.buf), []byte("stdin")):
		return nil
	case len(s.columns) > 0:
		t := d.reader(s)
		if room && len(d.head.buf) <= maxHeadKey {
			d.heads[string(d.head.buf)] = t
		}
		return t
	}
	t, ok := d.tables[name]
	d.crowded = d.crowded || !ok && (d.unsure == maxUnsure || !room)
	if !ok && d.unsure < maxUnsure && room {
		d.unsure++
		t = &rows{sink: d.sink, join: &d.join, context: d.context(s.name)}
		d.tables[name], d.order = t, append(d.order, t)
	}
	return t
}

// reader reads the rows of a table whose columns are known; nil: they are of no
// interest.
func (d *dump) reader(s parsed) *rows {
	t := &rows{sink: d.sink, join: &d.join, context: d.context(s.name)}
	if t.layout = header(s.columns, 0, t.context); t.layout == nil {
		return nil
	}
	d.columns += len(t.layout.columns)
	return t
}

// values reads the rows behind VALUES.
func (d *dump) values(data []byte, off int64) int {
	for i := 0; i < len(data); i++ {
		switch d.row.add(data[i]) {
		case rowBegins:
			d.start = off + int64(i)
		case rowEnds:
			d.cut = d.cut || d.row.cut
			d.judge(d.row.cells())
			if d.mode != inValues {
				return i + 1
			}
		case rowsAstray:
			d.head.reset()
			d.head.begin("INSERT INTO ")
			d.mode = inHead
			return i + 1
		case rowsEnd:
			d.mode, d.prev = seeking, data[i]
			return i + 1
		}
	}
	return len(data)
}

// copyLine reads one line of COPY's data.
func (d *dump) copyLine(data []byte, off int64) int {
	if len(d.line) == 0 {
		d.start = off
	}
	end := bytes.IndexByte(data, '\n')
	piece := data
	if end >= 0 {
		piece = data[:end]
	}
	room := maxValues - len(d.line)
	if len(piece) > room {
		piece, d.cut = piece[:max(0, room)], true
	}
	d.line = append(d.line, piece...)
	if end < 0 {
		return len(data)
	}
	line := bytes.TrimSuffix(d.line, []byte("\r"))
	d.line = d.line[:0]
	if string(line) == `\.` {
		d.mode, d.prev = seeking, '\n'
		return end + 1
	}
	d.cells = splitPlain(line, '\t', d.cells[:0])
	d.judge(d.cells)
	return end + 1
}

func (d *dump) judge(cells [][]byte) {
	if !d.table.Row(d.start, cells) {
		d.mode, d.prev = seeking, ' '
	}
}
