package expand

import (
	"encoding/binary"
	"io"
	"strings"
)

// A reader of Parquet (github.com/apache/parquet-format) that holds one page of
// each column, of a size that is checked before it is unpacked. Libraries trust
// the sizes and counts in a page.

const (
	parquetMagic  = "PAR1"
	parquetFooter = 16 << 20 // bytes
	parquetHeader = 64 << 10 // of a page
)

// parquetColumn is a leaf of the schema, and where its values are being read.
type parquetColumn struct {
	name      string
	typ       int64
	length    int // of a value of fixed length
	shown     shown
	rep, def  int   // the highest levels
	left      int64 // values of the chunk
	at, end   int64 // in the file
	codec     int64
	dict      *dictionary
	dictBytes int64
	page      []byte
	reps      *hybrid
	defs      *hybrid
	values    values
	inPage    int64 // values left of the page
	held      int64 // of page and dictionary
	next      int   // the next value's repetition level, when peeked
	peeked    bool
	failed    bool
	dropped   bool
}

// parquetFile is an open file.
type parquetFile struct {
	x       *expansion
	path    string
	src     io.ReaderAt
	size    int64
	columns []*parquetColumn
	held    int64 // bytes of all pages
	raw     []byte
	text    []byte
	ends    []int
	cells   [][]byte
	unspent int64
	damaged error
}

func openParquet(x *expansion, path string, in input) error {
	p := &parquetFile{x: x, path: path, src: in.At, size: in.Size}
	meta, err := p.footer()
	if err != nil {
		return err
	}
	if meta.has(8) {
		return reason("encrypted document")
	}
	if err := p.schema(meta.get(2).kids); err != nil {
		return err
	}
	names := make([]string, len(p.columns))
	for i, c := range p.columns {
		names[i] = c.name
	}
	to := x.table(inside(path, "rows"), names)
	if to == nil {
		return x.check()
	}
	defer to.close()
	for i := range meta.get(4).kids {
		if more, err := p.group(&meta.get(4).kids[i], to); err != nil || !more {
			return or(x.ended, err)
		}
	}
	return p.damaged
}

// footer reads the metadata at the file's end.
func (p *parquetFile) footer() (thriftNode, error) {
	var tail [8]byte
	if p.size < 12 {
		return thriftNode{}, io.ErrUnexpectedEOF
	}
	if _, err := p.src.ReadAt(tail[:], p.size-8); err != nil {
		return thriftNode{}, err
	}
	size := int64(binary.LittleEndian.Uint32(tail[:]))
	switch {
	case string(tail[4:]) == "PARE":
		return thriftNode{}, reason("encrypted document")
	case string(tail[4:]) != parquetMagic || size > p.size-12:
		return thriftNode{}, errDamaged
	case size > parquetFooter:
		return thriftNode{}, reason("too many columns and row groups")
	}
	data := make([]byte, size)
	if _, err := p.src.ReadAt(data, p.size-8-size); err != nil {
		return thriftNode{}, err
	}
	t := thrift{data: data}
	n, err := t.parse()
	p.held = size + int64(t.nodes)*thriftNodeBytes
	return n, err
}

// schema finds the leaves: the elements are a tree, written from the root down.
func (p *parquetFile) schema(elements []thriftNode) error {
	type level struct {
		left     int64
		rep, def int
		name     string
	}
	var open []level
	for i := range elements {
		e := &elements[i]
		here := level{left: e.get(5).num}
		if len(open) > 0 {
			up := &open[len(open)-1]
			up.left--
			here.rep, here.def = up.rep, up.def
			here.name = strings.TrimPrefix(up.name+"."+brief(e.get(4).str), ".")
			switch e.get(3).num {
			case 1:
				here.def++
			case 2:
				here.def++
				here.rep++
			}
			if here.left == 0 {
				p.leaf(e, here.name, here.rep, here.def)
			}
		}
		if open = append(open, here); len(open) > thriftDepth || len(p.columns) > sqliteCells {
			return reason("too many columns")
		}
		for len(open) > 0 && open[len(open)-1].left <= 0 {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			break
		}
	}
	if len(p.columns) == 0 {
		return errDamaged
	}
	return nil
}

func (p *parquetFile) leaf(e *thriftNode, name string, rep, def int) {
	length := int(min(max(e.get(2).num, 0), sqliteValue))
	p.columns = append(p.columns, &parquetColumn{name: name[:min(len(name), maxPath)], typ: e.get(1).num, length: length, shown: shownAs(e), rep: rep, def: def})
}

// group hands out the rows of a row group.
func (p *parquetFile) group(g *thriftNode, to *rows) (more bool, err error) {
	chunks := g.get(1).kids
	for i, c := range p.columns {
		p.release(c)
		*c = parquetColumn{name: c.name, typ: c.typ, length: c.length, shown: c.shown, rep: c.rep, def: c.def, dropped: c.dropped}
		if i >= len(chunks) {
			p.damaged = errDamaged
			continue
		}
		p.chunk(c, chunks[i].get(3))
	}
	for p.row() {
		if err := p.spend(); err != nil {
			return false, err
		}
		if !to.row(p.slice()) {
			return false, p.x.check()
		}
	}
	return true, p.x.check()
}

// chunk takes where a column's pages are.
func (p *parquetFile) chunk(c *parquetColumn, meta *thriftNode) {
	c.codec, c.left = meta.get(4).num, meta.get(5).num
	c.at = meta.get(9).num
	if dict := meta.get(11).num; dict > 0 && dict < c.at {
		c.at = dict
	}
	c.end = c.at + meta.get(7).num
	if c.at < 4 || c.end < c.at || c.end > p.size {
		p.damaged = errDamaged
		c.failed = true
	}
}

// spend counts what the rows take: a few bytes can stand for many rows.
func (p *parquetFile) spend() error {
	p.unspent += int64(len(p.text) + len(p.ends))
	if p.unspent < 64<<10 {
		return nil
	}
	n := p.unspent
	p.unspent = 0
	return p.x.spend(p.path, n)
}

// row reads the next row of all columns; false when none has one.
func (p *parquetFile) row() bool {
	p.text, p.ends = p.text[:0], p.ends[:0]
	some := false
	for _, c := range p.columns {
		some = p.cell(c) || some
		p.ends = append(p.ends, len(p.text))
	}
	return some
}

// cell appends a column's values in the row, and says whether there was one.
func (p *parquetFile) cell(c *parquetColumn) bool {
	begin := len(p.text)
	for n := 0; ; n++ {
		rep, ok := p.peek(c)
		if !ok || n > 0 && rep == 0 {
			return n > 0
		}
		c.peeked = false
		value, null, ok := c.value()
		if !ok {
			p.fail(c, errDamaged)
			return n > 0
		}
		room := min(sqliteValue-(len(p.text)-begin), sqliteRow-len(p.text))
		if null {
			continue
		}
		if len(value) > room {
			p.damaged = or(p.damaged, errSQLiteCut)
		}
		if room <= 0 {
			continue
		}
		if len(p.text) > begin {
			p.text = append(p.text, "; "...)
		}
		p.text = c.shown.append(p.text, c.typ, value[:min(len(value), room)])
	}
}

// peek is the next value's repetition level; false at the chunk's end.
func (p *parquetFile) peek(c *parquetColumn) (int, bool) {
	if c.peeked {
		return c.next, true
	}
	for c.inPage == 0 {
		if c.failed || c.dropped || c.left <= 0 {
			return 0, false
		}
		if err := p.turn(c); err != nil {
			p.fail(c, err)
			return 0, false
		}
	}
	c.inPage--
	c.left--
	c.next, c.peeked = 0, true
	if c.reps != nil {
		level, ok := c.reps.number()
		if !ok {
			p.fail(c, errDamaged)
			return 0, false
		}
		c.next = int(level)
	}
	return c.next, true
}

// value is the value that was peeked at.
func (c *parquetColumn) value() (value []byte, null, ok bool) {
	if c.defs != nil {
		level, ok := c.defs.number()
		if !ok || int(level) < c.def {
			return nil, true, ok
		}
	}
	value, ok = c.values.next()
	return value, false, ok
}

// fail gives a column up for the row group.
func (p *parquetFile) fail(c *parquetColumn, err error) {
	c.failed, c.inPage, c.peeked = true, 0, false
	p.damaged = or(p.damaged, err)
	p.release(c)
}

func (p *parquetFile) release(c *parquetColumn) {
	p.held -= c.held
	c.held, c.page, c.dict, c.values, c.reps, c.defs = 0, nil, nil, nil, nil, nil
}

func (p *parquetFile) slice() [][]byte {
	p.cells = p.cells[:0]
	begin := 0
	for _, end := range p.ends {
		p.cells = append(p.cells, p.text[begin:end:end])
		begin = end
	}
	return p.cells
}
