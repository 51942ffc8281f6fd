package expand

import (
	"bufio"
	"compress/zlib"
	"errors"
	"io"

	"github.com/pierrec/lz4/v4"
)

// A reader of pg_dump's custom format, as PostgreSQL's pg_backup_archiver.c and
// pg_backup_custom.c write it: versions 1.12 (PostgreSQL 9.0) to 1.16 (17). The table of
// contents comes first and then the data, so that it is read forward.

const (
	pgMagic   = "PGDMP"
	pgCustom  = 1         // the format's number: 3 and 5 are a tar's and a folder's table of contents
	pgEntries = 1_000_000 // of a table of contents
	pgString  = 64 << 10  // bytes kept of a string
	pgKept    = 16 << 20  // bytes kept of all strings together
	pgLine    = 8 << 20   // bytes kept of a row
)

// pgDump is a dump being read.
type pgDump struct {
	r       *bufio.Reader
	minor   int // of version 1
	intSize int
	offSize int
	packed  byte // how data is compressed: 0 not, 1 zlib, 2 LZ4, 3 zstd
	tables  map[int64]pgTable
	kept    int
	cut     bool // a statement was longer than is kept
}

// pgTable is an entry of the table of contents that has data.
type pgTable struct {
	name    string   // with its schema
	columns []string // of its COPY statement
	copied  bool     // the data is in COPY's format, not INSERT statements
}

// openPgDump visits the tables of a dump.
func openPgDump(x *expansion, path string, in input) error {
	d := &pgDump{r: bufio.NewReaderSize(in, 64<<10), tables: map[int64]pgTable{}}
	format, err := d.head()
	if err != nil || format != pgCustom {
		return err
	}
	if err := d.contents(x); err != nil {
		return err
	}
	defer x.database(path)()
	for {
		kind, err := d.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return d.whole()
		}
		if err != nil {
			return err
		}
		if err := d.block(x, path, kind); err != nil {
			return err
		}
	}
}

// whole says whether all columns are known.
func (d *pgDump) whole() error {
	if d.cut {
		return reason("COPY statements of more than 64 KiB: the other columns have no names")
	}
	return nil
}

// head reads what comes before the table of contents, and gives the format.
func (d *pgDump) head() (format byte, err error) {
	var head [11]byte // magic, version of three parts, size of an int, of an offset, format
	if _, err := io.ReadFull(d.r, head[:]); err != nil {
		return 0, err
	}
	d.minor, d.intSize, d.offSize, format = int(head[6]), int(head[8]), int(head[9]), head[10]
	if head[5] != 1 || d.minor < 12 || d.minor > 16 {
		return 0, reason("a version of PostgreSQL dump that is not known")
	}
	if d.intSize < 1 || d.intSize > 8 || d.offSize < 1 || d.offSize > 8 {
		return 0, errDamaged
	}
	if err := d.compression(); err != nil {
		return 0, err
	}
	for range 7 { // the time of the dump
		if _, err := d.int(); err != nil {
			return 0, err
		}
	}
	for range 3 { // the database's name, the server's version, that of pg_dump
		if _, err := d.string(0); err != nil {
			return 0, err
		}
	}
	return format, nil
}

func (d *pgDump) compression() error {
	if d.minor >= 15 {
		var err error
		d.packed, err = d.r.ReadByte()
		return err
	}
	level, err := d.int()
	if level != 0 {
		d.packed = 1
	}
	return err
}

// contents reads the table of contents.
func (d *pgDump) contents(x *expansion) error {
	count, err := d.int()
	if err != nil || count < 0 || count > pgEntries {
		return or(err, errDamaged)
	}
	for range count {
		if err := or(x.check(), d.entry()); err != nil {
			return err
		}
	}
	return nil
}

// entry reads one entry, and keeps it if it is a table's data.
func (d *pgDump) entry() error {
	var failed error
	str := func(keep int) string {
		s, err := d.string(keep)
		failed = or(failed, err)
		return s
	}
	num := func() int64 {
		n, err := d.int()
		failed = or(failed, err)
		return n
	}
	id := num()
	num()  // has data
	str(0) // catalogue and object numbers
	str(0)
	tag, kind := str(pgString), str(32)
	num()  // section
	str(0) // definition
	str(0) // how to drop it
	statement, schema := str(pgString), str(256)
	str(0) // tablespace
	if d.minor >= 14 {
		str(0) // table access method
	}
	if d.minor >= 16 {
		num() // kind of relation
	}
	str(0) // owner
	str(0) // with OIDs
	for failed == nil {
		_, null, err := d.maybe(0)
		if failed = err; null { // dependencies end with NULL
			break
		}
	}
	_, err := d.r.Discard(1 + d.offSize) // where the data is
	if failed = or(failed, err); failed != nil || kind != "TABLE DATA" {
		return failed
	}
	if d.kept += len(tag) + len(statement) + 256; d.kept > pgKept {
		return reason("table of contents too large")
	}
	d.cut = d.cut || len(statement) == pgString
	d.tables[id] = pgTableOf(tag, schema, statement)
	return nil
}

// pgTableOf reads the columns from "COPY schema.name (a, b) FROM stdin;".
func pgTableOf(tag, schema, statement string) pgTable {
	t := pgTable{name: tag}
	if schema != "" {
		t.name = schema + "." + tag
	}
	words := sqlWords(statement, 4*sqliteCells)
	t.copied = len(words) > 0 && words[0].is("COPY")
	for len(words) > 0 && !words[0].is("(") {
		words = words[1:]
	}
	for len(words) > 0 && !words[0].is(")") {
		var item []sqlWord
		if item, words = sqlItem(words[1:]); len(item) > 0 {
			t.columns = append(t.columns, item[0].text)
		}
	}
	return t
}

// block reads the data of one entry.
func (d *pgDump) block(x *expansion, path string, kind byte) error {
	id, err := d.int()
	if err != nil {
		return err
	}
	switch kind {
	case 1: // a table's data
		return d.data(x, path, d.tables[id])
	case 3: // large objects, each with its number
		for {
			oid, err := d.int()
			if err != nil || oid == 0 {
				return err
			}
			if err := d.object(x, inside(path, "blobs")); err != nil {
				return err
			}
		}
	}
	return errDamaged
}

// data hands out a table, and reads to the end of its chunks whatever happens within.
func (d *pgDump) data(x *expansion, path string, t pgTable) error {
	if !t.copied {
		return d.object(x, inside(path, t.name))
	}
	chunks := &pgChunks{d: d}
	where := inside(path, t.name)
	rows := x.table(where, t.columns)
	if rows != nil {
		err := d.unpacked(x, where, chunks, func(r io.Reader) error { return copyRows(r, rows) })
		rows.close()
		if err := ignore(err, errStop); err != nil && x.ended == nil {
			x.skip(where, inWords("table data", err))
		}
	}
	if err := x.check(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, chunks)
	return err
}

// object hands out a large object, or data that is no table's.
func (d *pgDump) object(x *expansion, where string) error {
	chunks := &pgChunks{d: d}
	err := d.unpacked(x, where, chunks, func(r io.Reader) error { return x.file(where, -1, r) })
	if err != nil && x.ended == nil {
		x.skip(where, inWords("table data", err))
	}
	if err := x.check(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, chunks)
	return err
}

// unpacked opens the compression of an entry's data.
func (d *pgDump) unpacked(x *expansion, where string, chunks io.Reader, use func(io.Reader) error) error {
	in := &counted{r: chunks}
	var out io.Reader
	switch d.packed {
	case 0:
		return use(in)
	case 1:
		z, err := zlib.NewReader(in)
		if err != nil {
			return ignore(err, io.EOF) // no data at all
		}
		out = z
	case 2:
		out = lz4.NewReader(in)
	case 3:
		z, err := x.tools.zstd(in)
		if err != nil {
			return err
		}
		defer x.tools.unzstd(z)
		out = z
	default:
		return reason("a compression that is not known")
	}
	return use(&stage{x: x, path: where, name: "table data", r: out, in: in})
}

// pgChunks is the data of one entry: pieces, each after its size, until one of size 0.
type pgChunks struct {
	d    *pgDump
	left int64
	err  error
}

func (c *pgChunks) Read(p []byte) (int, error) {
	for c.left == 0 && c.err == nil {
		c.left, c.err = c.d.int()
		switch {
		case c.err != nil:
		case c.left == 0:
			c.err = io.EOF
		case c.left < 0:
			c.err = errDamaged
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.d.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil {
		c.err = unexpected(err)
	}
	return n, nil
}

// int reads a sign and a number of the dump's size.
func (d *pgDump) int() (int64, error) {
	var b [9]byte
	if _, err := io.ReadFull(d.r, b[:1+d.intSize]); err != nil {
		return 0, unexpected(err)
	}
	n := int64(0)
	for i := d.intSize; i > 0; i-- {
		n = n<<8 | int64(b[i])
	}
	if b[0] != 0 {
		n = -n
	}
	return n, nil
}

// string reads a string and keeps at most so many bytes of it.
func (d *pgDump) string(keep int) (string, error) {
	s, _, err := d.maybe(keep)
	return s, err
}

// maybe reads a string that may be NULL.
func (d *pgDump) maybe(keep int) (s string, null bool, err error) {
	n, err := d.int()
	if err != nil || n < 0 {
		return "", true, err
	}
	kept := make([]byte, min(n, int64(keep)))
	if _, err := io.ReadFull(d.r, kept); err != nil {
		return "", false, unexpected(err)
	}
	if _, err := io.CopyN(io.Discard, d.r, n-int64(len(kept))); err != nil {
		return "", false, unexpected(err)
	}
	return string(kept), false, nil
}

// unexpected makes the end of a file within something an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// or is the first that is an error.
func or(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
