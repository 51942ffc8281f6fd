package expand

import (
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"
)

// The databases of installed packages that rpm had before SQLite: a hash of
// Berkeley DB up to 4.15, and its own ndb, which SUSE has. Each is a table
// Packages, with one header in each row; their indexes are not read.

// rpmHeaderBytes is how long a header may be: those of kernels have 3 MiB.
const rpmHeaderBytes = 16 << 20

const errRPMHeader = reason("headers of more than 16 MiB: they were passed over")

// isBerkeley takes the database alone: others of Berkeley DB are leaves. The mark
// of a hash stands at byte 12 (dbinc/db_page.h, DBMETA), in either order.
func isBerkeley(name string, head []byte) bool {
	if path.Base(name[strings.LastIndexByte(name, '!')+1:]) != "Packages" || len(head) < 16 {
		return false
	}
	const hash = 0x061561
	return binary.LittleEndian.Uint32(head[12:]) == hash || binary.BigEndian.Uint32(head[12:]) == hash
}

// rpmTable visits the headers that read yields.
func rpmTable(x *expansion, path string, read func(yield func(header []byte) bool) error) error {
	rows := x.table(inside(path, "Packages"), []string{"blob"})
	if rows == nil {
		return nil
	}
	defer rows.close()
	err := read(func(header []byte) bool { return x.check() == nil && rows.row([][]byte{header}) })
	if ended := x.check(); ended != nil {
		return ended
	}
	return err
}

// berkeley is an open hash of Berkeley DB.
type berkeley struct {
	src   io.ReaderAt
	order binary.ByteOrder
	page  int64
	pages int64
	left  int64 // pages that may still be read: each belongs to one list alone
	cut   bool  // a header was passed over
}

// The types of a page and of an item, and where a page's content begins
// (dbinc/db_page.h).
const (
	hashUnsorted, hashSorted, overflow = 2, 13, 7
	keyData, offPage                   = 1, 3
	berkeleyHeader                     = 26
)

func openBerkeley(x *expansion, path string, in input) error {
	var head [72]byte
	if _, err := in.At.ReadAt(head[:], 0); err != nil {
		return unexpected(err)
	}
	db := &berkeley{src: in.At, order: binary.LittleEndian}
	if binary.BigEndian.Uint32(head[12:]) == 0x061561 {
		db.order = binary.BigEndian
	}
	db.page = int64(db.order.Uint32(head[20:]))
	if db.page < 512 || db.page > 64<<10 || db.page&(db.page-1) != 0 {
		return errDamaged
	}
	if head[24] != 0 {
		return reason("encrypted rpm database")
	}
	db.pages = (in.Size + db.page - 1) / db.page
	db.left = 2 * db.pages
	if err := rpmTable(x, path, db.headers); err != nil {
		return err
	}
	switch {
	case db.cut:
		return errRPMHeader
	case int64(db.order.Uint32(head[32:])) >= db.pages || in.Size%db.page != 0: // the last page that it has
		return errDamaged
	}
	return nil
}

// read reads a page.
func (db *berkeley) read(number int64, page []byte) error {
	if number <= 0 || number >= db.pages || db.left <= 0 {
		return errDamaged
	}
	db.left--
	_, err := db.src.ReadAt(page, number*db.page)
	return ignore(err, io.EOF) // of a cut file the rest is what was there before
}

// headers yields the values of all pairs. What lies beside a damaged page is
// still read.
func (db *berkeley) headers(yield func([]byte) bool) error {
	page, next := make([]byte, db.page), make([]byte, db.page)
	damaged := false
	for number := int64(1); number < db.pages; number++ {
		clear(page)
		if err := db.read(number, page); err != nil {
			return err
		}
		if page[25] != hashUnsorted && page[25] != hashSorted {
			continue
		}
		entries := int(db.order.Uint16(page[20:]))
		if berkeleyHeader+2*entries > len(page) {
			damaged = true
			continue
		}
		for i := 1; i < entries; i += 2 { // after each key stands its value
			header, err := db.item(page, i, next)
			if err != nil && !errors.Is(err, errDamaged) {
				return err
			}
			damaged = damaged || err != nil
			if len(header) > 0 && !yield(header) {
				return nil
			}
		}
	}
	if damaged {
		return errDamaged
	}
	return nil
}

// item is the i-th of a page: it ends where the one before it begins.
func (db *berkeley) item(page []byte, i int, next []byte) ([]byte, error) {
	begin := int(db.order.Uint16(page[berkeleyHeader+2*i:]))
	end := int(db.order.Uint16(page[berkeleyHeader+2*(i-1):]))
	if begin >= end || end > len(page) {
		return nil, errDamaged
	}
	switch item := page[begin:end]; {
	case item[0] == keyData:
		return item[1:], nil
	case item[0] == offPage && len(item) >= 12:
		return db.list(int64(db.order.Uint32(item[4:])), int64(db.order.Uint32(item[8:])), next)
	}
	return nil, errDamaged
}

// list puts together a value that has pages of its own.
func (db *berkeley) list(number, size int64, page []byte) ([]byte, error) {
	if size > rpmHeaderBytes {
		db.cut = true
		return nil, nil
	}
	if size > db.pages*db.page {
		return nil, errDamaged
	}
	value := make([]byte, 0, size)
	for int64(len(value)) < size {
		clear(page)
		if err := db.read(number, page); err != nil {
			return nil, err
		}
		n := int64(db.order.Uint16(page[22:]))
		if page[25] != overflow || n == 0 || berkeleyHeader+n > db.page {
			return nil, errDamaged
		}
		value = append(value, page[berkeleyHeader:berkeleyHeader+n]...)
		number = int64(db.order.Uint32(page[16:]))
	}
	return value, nil
}

// ndb's header, slots and blobs (lib/backend/ndb/rpmpkg.c of rpm): numbers are
// little-endian, blobs lie at multiples of 16 bytes.
const (
	ndbMagic  = "RpmP"
	ndbPage   = 4096
	ndbSlot   = 16
	ndbFirst  = 32 // where the slots begin
	ndbPages  = 1 << 16
	slotMagic = "Slot"
	blobMagic = "BlbS"
)

func openNdb(x *expansion, path string, in input) error {
	var head [ndbFirst]byte
	if _, err := in.At.ReadAt(head[:], 0); err != nil {
		return unexpected(err)
	}
	pages := int64(binary.LittleEndian.Uint32(head[12:]))
	if pages == 0 || pages > ndbPages || pages*ndbPage > in.Size {
		return errDamaged
	}
	n := &ndb{src: in.At, slots: io.NewSectionReader(in.At, ndbFirst, pages*ndbPage-ndbFirst), left: in.Size}
	if err := rpmTable(x, path, n.headers); err != nil {
		return err
	}
	if n.cut {
		return errRPMHeader
	}
	return nil
}

type ndb struct {
	src   io.ReaderAt
	slots io.Reader
	left  int64 // bytes of blobs that may still be read: none belongs to two slots
	cut   bool
}

// headers yields the blobs of all slots that are in use.
func (n *ndb) headers(yield func([]byte) bool) error {
	damaged := false
	for {
		var slot [ndbSlot]byte
		if _, err := io.ReadFull(n.slots, slot[:]); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		index, at := binary.LittleEndian.Uint32(slot[4:]), int64(binary.LittleEndian.Uint32(slot[8:]))*ndbSlot
		if string(slot[:4]) != slotMagic {
			damaged = true
			continue
		}
		if index == 0 { // free
			continue
		}
		blob, err := n.blob(index, at)
		if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		damaged = damaged || err != nil
		if len(blob) > 0 && !yield(blob) {
			return nil
		}
	}
	if damaged {
		return errDamaged
	}
	return nil
}

// blob reads one, whose own header names its slot and its size.
func (n *ndb) blob(index uint32, at int64) ([]byte, error) {
	var head [16]byte
	if _, err := n.src.ReadAt(head[:], at); err != nil {
		return nil, unexpected(err)
	}
	size := int64(binary.LittleEndian.Uint32(head[12:]))
	if string(head[:4]) != blobMagic || binary.LittleEndian.Uint32(head[4:]) != index || size > n.left {
		return nil, errDamaged
	}
	if size > rpmHeaderBytes {
		n.cut = true
		return nil, nil
	}
	n.left -= size
	blob := make([]byte, size)
	if _, err := n.src.ReadAt(blob, at+int64(len(head))); err != nil {
		return nil, unexpected(err)
	}
	return blob, nil
}
