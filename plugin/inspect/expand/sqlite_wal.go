package expand

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// A reader of SQLite's write-ahead log (sqlite.org/fileformat2.html, 4). A database
// that was not closed has its last changes, or all that it holds, in this file
// alone. Its pages are read as far as they were committed, without the database
// beside it: where the log has the schema, tables have their names and columns,
// other rows come without.

const (
	walMagicLE = "\x37\x7f\x06\x82"
	walMagicBE = "\x37\x7f\x06\x83"
	walHeader  = 32
	walFrame   = 24        // before each page
	walPages   = 1_000_000 // that are known: 16 MiB
)

// walFile is the newest committed page of each number in a log.
type walFile struct {
	src     io.ReaderAt
	page    int
	offsets map[uint32]int64
	read    map[uint32]bool // pages that were asked for
	short   error           // something stands behind the last commit
}

func openWAL(x *expansion, path string, in input) error {
	w, err := indexWAL(x, in)
	if err != nil {
		return err
	}
	if len(w.offsets) == 0 {
		return w.short
	}
	db := &sqliteDB{src: w, page: w.page, usable: w.page, encoding: 1}
	for number := range w.offsets {
		db.pages = max(db.pages, number)
	}
	db.left = 4 * int64(len(w.offsets))
	defer x.database(path)()
	_, schema := w.offsets[1]
	if schema {
		if err := w.header(db); err != nil {
			return err
		}
		for _, t := range db.tables() {
			if _, there := w.offsets[t.root]; !there {
				continue
			}
			if err := w.table(x, inside(path, t.name), db, t); err != nil {
				return err
			}
		}
	}
	nameless, err := w.rest(x, path, db)
	switch {
	case err != nil:
		return err
	case nameless:
		return reason("changes to a database that is not in it: tables and columns have no names")
	case db.cut:
		return errSQLiteCut
	}
	return or(x.check(), w.short)
}

// indexWAL finds the frames that were committed: those with the header's salts, up to
// the last that ends a transaction. What stands behind is of an older log.
func indexWAL(x *expansion, in input) (*walFile, error) {
	var head [walHeader]byte
	if _, err := in.At.ReadAt(head[:], 0); err != nil {
		return nil, unexpected(err)
	}
	w := &walFile{src: in.At, page: int(binary.BigEndian.Uint32(head[8:])), offsets: map[uint32]int64{}, read: map[uint32]bool{}}
	if w.page < 512 || w.page > 65536 || w.page&(w.page-1) != 0 {
		return nil, errDamaged
	}
	open, at := map[uint32]int64{}, int64(walHeader)
	for ; at+walFrame+int64(w.page) <= in.Size; at += walFrame + int64(w.page) {
		var frame [walFrame]byte
		if _, err := in.At.ReadAt(frame[:], at); err != nil {
			return nil, unexpected(err)
		}
		if string(frame[8:16]) != string(head[16:24]) {
			at = in.Size
			break
		}
		open[binary.BigEndian.Uint32(frame[:])] = at + walFrame
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // the database's size: a commit
			maps.Copy(w.offsets, open)
			clear(open)
		}
		if len(w.offsets)+len(open) > walPages {
			return nil, reason("more than 1,000,000 pages")
		}
		if err := x.check(); err != nil {
			return nil, err
		}
	}
	switch {
	case len(open) > 0:
		w.short = reason("a transaction that was not committed")
	case at < in.Size:
		w.short = io.ErrUnexpectedEOF
	}
	return w, nil
}

// ReadAt gives a page, if the log has it.
func (w *walFile) ReadAt(p []byte, off int64) (int, error) {
	number := uint32(off/int64(w.page)) + 1
	at, ok := w.offsets[number]
	if !ok || off%int64(w.page) != 0 {
		return 0, errDamaged
	}
	w.read[number] = true
	return w.src.ReadAt(p, at)
}

// header takes what the database's header says.
func (w *walFile) header(db *sqliteDB) error {
	var head [100]byte
	if _, err := w.ReadAt(head[:], 0); err != nil {
		return err
	}
	db.usable, db.encoding = w.page-int(head[20]), binary.BigEndian.Uint32(head[56:])
	if string(head[:16]) != sqliteMagic || db.usable < 480 {
		return errDamaged
	}
	return nil
}

// table visits a table; what of it is not in the log is passed over.
func (w *walFile) table(x *expansion, path string, db *sqliteDB, t sqliteTable) error {
	to := x.table(path, t.columns)
	if to == nil {
		return x.check()
	}
	defer to.close()
	err := db.rows(t, func(cells [][]byte) error {
		if !to.row(cells) {
			return errStop
		}
		return nil
	})
	return or(ignore(err, errStop), x.check())
}

// rest visits the leaves that no tree led to, those with as many columns as one
// table, and says whether there were any.
func (w *walFile) rest(x *expansion, path string, db *sqliteDB) (any bool, err error) {
	by := map[int][]uint32{}
	for _, number := range slices.Sorted(maps.Keys(w.offsets)) {
		if w.read[number] || number == 1 {
			continue
		}
		if err := x.check(); err != nil {
			return false, err
		}
		columns, err := db.leafColumns(number)
		if err != nil {
			return false, err
		}
		if columns > 0 {
			by[columns] = append(by[columns], number)
		}
	}
	for _, columns := range slices.Sorted(maps.Keys(by)) {
		to := x.table(inside(path, fmt.Sprintf("rows of %d columns", columns)), nil)
		if to == nil {
			continue
		}
		for _, number := range by[columns] {
			err := db.rows(sqliteTable{root: number, rowid: -1}, func(cells [][]byte) error {
				if !to.row(cells) {
					return errStop
				}
				return nil
			})
			if err := or(ignore(err, errStop), x.check()); err != nil {
				to.close()
				return false, err
			}
		}
		to.close()
	}
	return len(by) > 0, x.check()
}

// leafColumns is how many columns the first row of a table's leaf has; 0 for other pages.
func (db *sqliteDB) leafColumns(number uint32) (columns int, err error) {
	page := make([]byte, db.page)
	if err := db.read(number, page); err != nil {
		return 0, ignore(err, errDamaged)
	}
	if page[0] != tableLeaf {
		return 0, nil
	}
	err = db.cells(page, 0, tableLeaf, nil, func(c sqliteCell) error {
		cells, _ := db.row.decode(db, c)
		columns = len(cells)
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return columns, err
}
