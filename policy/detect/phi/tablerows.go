package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// openRows reads a table with a name and, perhaps, columns.
func openRows(m detect.TableMeta, s *detect.Sink) detect.RowReader {
	return (&rows{sink: s, context: contextOfPath(m.Path, "")}).begin(m)
}

// begin gives the reader, nil where the columns are known and of no interest.
func (t *rows) begin(m detect.TableMeta) detect.RowReader {
	if len(m.Columns) == 0 {
		return t
	}
	cells := make([][]byte, 0, min(len(m.Columns), maxColumns))
	for _, c := range m.Columns[:cap(cells)] {
		cells = append(cells, []byte(c))
	}
	if t.layout = header(cells, 0, t.context); t.layout == nil {
		return nil
	}
	return t
}

// rows reads the rows of one table. Without columns a header is looked for in
// the first rows; then the columns are typed by their values.
type rows struct {
	sink    *detect.Sink
	context context
	join    *join // of the tables of one dump; nil: none
	layout  *layout
	sample  []sampled
	bytes   int
	person  person
	cells   [][]byte
}

// sampled is a row that waits for the columns to be known.
type sampled struct {
	n     int64
	cells [][]byte
}

// sampleBytes bounds what waits.
const sampleBytes = 256 << 10

// Row takes the next row.
func (t *rows) Row(n int64, cells [][]byte) bool {
	if len(cells) > maxColumns {
		t.sink.Skip("table of more than 4,096 columns: the others were not read")
	}
	cells = cells[:min(len(cells), maxColumns)]
	if t.layout != nil {
		t.judge(n, cells)
		return true
	}
	t.cells = t.cells[:0]
	for _, c := range cells {
		t.cells = append(t.cells, bytes.TrimSpace(c))
	}
	if t.layout = header(t.cells, 0, t.context); t.layout != nil {
		t.sample = nil
		return true
	}
	t.keep(n)
	if len(t.sample) < sampleLines && t.bytes < sampleBytes {
		return true
	}
	t.guess()
	return t.layout != nil
}

// keep copies the row in t.cells.
func (t *rows) keep(n int64) {
	s := sampled{n: n, cells: make([][]byte, len(t.cells))}
	for i, c := range t.cells {
		c = c[:min(len(c), maxKept)]
		s.cells[i] = bytes.Clone(c)
		t.bytes += len(c) + 32
	}
	t.sample = append(t.sample, s)
}

// guess types the columns by the values of the first rows, and reads these.
func (t *rows) guess() {
	t.layout = headerless(func(visit func([][]byte)) {
		for _, s := range t.sample {
			visit(s.cells)
		}
	}, 0, t.context)
	if t.layout != nil {
		for _, s := range t.sample {
			t.judge(s.n, s.cells)
		}
	}
	t.sample = nil
}

func (t *rows) judge(n int64, cells [][]byte) {
	t.layout.read(cells, &t.person)
	r := t.layout.record(&t.person, n)
	if t.join != nil {
		t.join.judge(t.sink, &t.person, r, t)
		return
	}
	t.sink.Record(r)
}

// Close ends the table.
func (t *rows) Close() {
	if t.layout == nil {
		t.guess()
	}
}
