package expand

import (
	"encoding/binary"
	"errors"
	"io"
)

// A reader of SQLite's file format (sqlite.org/fileformat2.html), of our own: it
// runs no SQL, so that a schema has nothing to say; a page is read once, so that
// a tree with cycles or with one child many times ends in linear time; and what
// lies beside a damaged page is still read.

const (
	sqliteMagic  = "SQLite format 3\x00"
	sqliteDepth  = 20       // levels of a tree: BTCURSOR_MAX_DEPTH of SQLite itself
	sqliteTables = 10_000   // of one database
	sqliteSchema = 16 << 20 // bytes of statements kept of a schema
	sqliteCells  = 2_000    // columns of a row: SQLITE_MAX_COLUMN
	sqliteValue  = 1 << 20  // bytes kept of one value
	sqliteRow    = 8 << 20  // bytes kept of one row
)

// The types of a page.
const (
	indexInterior = 0x02
	tableInterior = 0x05
	indexLeaf     = 0x0A
	tableLeaf     = 0x0D
)

var (
	errDamaged = errors.New("damaged")
	errStop    = errors.New("no more wanted")
)

const errSQLiteCut = reason("values of more than 1 MiB, or rows or a schema of more than 8 MiB: they were read up to there")

// sqliteDB is an open database.
type sqliteDB struct {
	src      io.ReaderAt
	page     int    // bytes of a page
	usable   int    // of which hold content
	pages    uint32 // in the file
	encoding uint32 // of text: 1 UTF-8, 2 UTF-16LE, 3 UTF-16BE
	left     int64  // pages that may still be read: each belongs to one tree alone
	damaged  bool   // something could not be read
	cut      bool   // something was longer than is kept
	row      sqliteRecord
}

// openSQLite reads the header.
func openSQLite(src io.ReaderAt, size int64) (*sqliteDB, error) {
	var head [100]byte
	if _, err := src.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	page := int(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	db := &sqliteDB{src: src, page: page, usable: page - int(head[20]), encoding: binary.BigEndian.Uint32(head[56:])}
	if string(head[:16]) != sqliteMagic || page < 512 || page&(page-1) != 0 || db.usable < 480 {
		return nil, errDamaged
	}
	db.pages = uint32(min((size+int64(page)-1)/int64(page), 1<<32-2))
	db.damaged = size%int64(page) != 0
	// The schema's pages are read once for the names and may be read again.
	db.left = 2 * int64(db.pages)
	return db, nil
}

// read fills buf with a page; what a cut file lacks is zero, which is no cell.
func (db *sqliteDB) read(number uint32, buf []byte) error {
	if number == 0 || number > db.pages || db.left <= 0 {
		return errDamaged
	}
	db.left--
	n, err := db.src.ReadAt(buf, int64(number-1)*int64(db.page))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n < len(buf) {
		db.damaged = true
		clear(buf[n:])
	}
	return nil
}

// walk calls emit for each cell with a record below a tree's root, in order. Only
// emit's own error ends it: a damaged page costs its own rows alone.
func (db *sqliteDB) walk(root uint32, emit func(c sqliteCell) error) error {
	return db.descend(root, make([][]byte, sqliteDepth), emit)
}

// descend visits a page and what is below it. bufs has one page for each level left.
func (db *sqliteDB) descend(number uint32, bufs [][]byte, emit func(c sqliteCell) error) error {
	if len(bufs) == 0 {
		db.damaged = true
		return nil
	}
	if bufs[0] == nil {
		bufs[0] = make([]byte, db.page)
	}
	page := bufs[0]
	if err := db.read(number, page); err != nil {
		db.damaged = true
		return ignore(err, errDamaged)
	}
	start := 0
	if number == 1 {
		start = 100 // after the file's header
	}
	kind := page[start]
	switch kind {
	case indexInterior, tableInterior, indexLeaf, tableLeaf:
	default:
		db.damaged = true
		return nil
	}
	if err := db.cells(page, start, kind, bufs[1:], emit); err != nil {
		return err
	}
	if kind == indexInterior || kind == tableInterior {
		return db.descend(binary.BigEndian.Uint32(page[start+8:]), bufs[1:], emit)
	}
	return nil
}

// cells visits the cells of a page whose header is at start.
func (db *sqliteDB) cells(page []byte, start int, kind byte, below [][]byte, emit func(c sqliteCell) error) error {
	count := int(binary.BigEndian.Uint16(page[start+3:]))
	pointers := start + 8
	if kind == indexInterior || kind == tableInterior {
		pointers += 4
	}
	room := db.usable // cells do not overlap, so that one cell many times is damage
	for i := range count {
		at := pointers + 2*i
		if at+2 > db.usable || room < 0 {
			db.damaged = true
			return nil
		}
		off := int(binary.BigEndian.Uint16(page[at:]))
		size, err := db.cell(page, off, kind, below, emit)
		if err != nil {
			return err
		}
		room -= size
	}
	return nil
}

// sqliteCell is a cell with a record.
type sqliteCell struct {
	rowid int64
	size  int64  // of the record
	local []byte // its beginning, on the page
	next  uint32 // page with the rest, 0 without one
}

// cell visits one cell: first the child before it, then its record. It gives the
// cell's least size.
func (db *sqliteDB) cell(page []byte, off int, kind byte, below [][]byte, emit func(c sqliteCell) error) (int, error) {
	size := 2
	if kind == indexInterior || kind == tableInterior {
		if off+4 > db.usable {
			db.damaged = true
			return size, nil
		}
		if err := db.descend(binary.BigEndian.Uint32(page[off:]), below, emit); err != nil {
			return size, err
		}
		off += 4
	}
	if kind == tableInterior {
		return size, nil
	}
	c, ok := db.record(page, off, kind)
	if !ok {
		db.damaged = true
		return size, nil
	}
	return size + len(c.local), emit(c)
}

// record reads the head of a cell with a record, at off.
func (db *sqliteDB) record(page []byte, off int, kind byte) (c sqliteCell, ok bool) {
	if off >= db.usable {
		return c, false
	}
	rest := page[off:db.usable]
	size, n := sqliteVarint(rest)
	rest = rest[n:]
	if n == 0 || size < 0 {
		return c, false
	}
	c.size = size
	if kind == tableLeaf {
		if c.rowid, n = sqliteVarint(rest); n == 0 {
			return c, false
		}
		rest = rest[n:]
	}
	local := db.local(size, kind)
	if local > len(rest) {
		return c, false
	}
	c.local = rest[:local]
	if int64(local) < size {
		if local+4 > len(rest) {
			return c, false
		}
		c.next = binary.BigEndian.Uint32(rest[local:])
	}
	return c, true
}

// local is how many bytes of a record are on its page; section 1.6.
func (db *sqliteDB) local(size int64, kind byte) int {
	u := int64(db.usable)
	most := u - 35
	if kind != tableLeaf {
		most = (u-12)*64/255 - 23
	}
	if size <= most {
		return int(size)
	}
	least := (u-12)*32/255 - 23
	if k := least + (size-least)%(u-4); k <= most {
		return int(k)
	}
	return int(least)
}

// sqliteVarint reads a big-endian number of one to nine bytes; 0 bytes when it is cut.
func sqliteVarint(b []byte) (v int64, n int) {
	var u uint64
	for i := 0; i < len(b) && i < 8; i++ {
		u = u<<7 | uint64(b[i]&0x7F)
		if b[i] < 0x80 {
			return int64(u), i + 1
		}
	}
	if len(b) < 9 {
		return 0, 0
	}
	return int64(u<<8 | uint64(b[8])), 9
}

// ignore is err unless it is one of these.
func ignore(err error, these ...error) error {
	for _, e := range these {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}
