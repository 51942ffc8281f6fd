package expand

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// sqliteRecord decodes a record to cells as text. Its memory is used again for
// the next one.
type sqliteRecord struct {
	db    *sqliteDB
	local []byte // what is left of the page that the record is on
	next  uint32 // the page after it
	left  int64  // bytes of the record not yet read
	over  []byte // an overflow page

	types []int64
	text  []byte
	ends  []int // of the cells in text; -1 is NULL
	cells [][]byte
	value []byte
}

// decode reads the record of a cell. The cells are valid until the next call;
// NULL is nil.
func (r *sqliteRecord) decode(db *sqliteDB, c sqliteCell) ([][]byte, bool) {
	r.db, r.local, r.next, r.left = db, c.local, c.next, c.size
	r.text, r.ends = r.text[:0], r.ends[:0]
	whole := r.header()
	for _, t := range r.types {
		if !r.field(t) {
			whole = false
			break
		}
	}
	return r.slice(), whole
}

// header reads the serial types.
func (r *sqliteRecord) header() bool {
	r.types = r.types[:0]
	size, n := r.varint()
	// A type takes at most 9 bytes, in practice 1 to 3.
	if n == 0 || size < int64(n) || size > 9*sqliteCells {
		return false
	}
	for left := size - int64(n); left > 0; {
		t, n := r.varint()
		if n == 0 || t < 0 || int64(n) > left || len(r.types) == sqliteCells {
			return false
		}
		left -= int64(n)
		r.types = append(r.types, t)
	}
	return true
}

func (r *sqliteRecord) varint() (v int64, n int) {
	var u uint64
	for n < 9 {
		if len(r.local) == 0 && !r.turn() {
			return 0, 0
		}
		b := r.local[0]
		r.local = r.local[1:]
		r.left--
		if n++; n == 9 {
			return int64(u<<8 | uint64(b)), n
		}
		u = u<<7 | uint64(b&0x7F)
		if b < 0x80 {
			return int64(u), n
		}
	}
	return 0, 0
}

// turn goes to the next overflow page.
func (r *sqliteRecord) turn() bool {
	if r.left <= 0 || r.next == 0 {
		return false
	}
	if r.over == nil {
		r.over = make([]byte, r.db.page)
	}
	if r.db.read(r.next, r.over) != nil {
		return false
	}
	r.next = binary.BigEndian.Uint32(r.over)
	r.local = r.over[4:r.db.usable]
	r.local = r.local[:min(int64(len(r.local)), r.left)]
	return true
}

// bytes reads the next size bytes and keeps the first of them, at most most.
func (r *sqliteRecord) bytes(size, most int64) ([]byte, bool) {
	r.value = r.value[:0]
	for size > 0 {
		if len(r.local) == 0 && !r.turn() {
			return r.value, false
		}
		n := min(size, int64(len(r.local)))
		room := most - int64(len(r.value))
		r.db.cut = r.db.cut || n > room
		if room > 0 {
			r.value = append(r.value, r.local[:min(n, room)]...)
		}
		r.local = r.local[n:]
		r.left -= n
		size -= n
	}
	return r.value, true
}

// sizes of the serial types 0 to 9: section 2.1.
var sqliteSizes = [...]int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}

// field appends the next value, as text.
func (r *sqliteRecord) field(t int64) bool {
	if t >= 12 {
		v, ok := r.bytes((t-12)/2, min(sqliteValue, int64(sqliteRow-len(r.text))))
		if t%2 == 1 && r.db.encoding != 1 {
			r.text = appendUTF16(r.text, v, r.db.encoding == 3)
		} else {
			r.text = append(r.text, v...)
		}
		r.ends = append(r.ends, len(r.text))
		return ok
	}
	if t == 0 || t > 9 {
		r.ends = append(r.ends, -1)
		return true
	}
	v, ok := r.bytes(sqliteSizes[t], 8)
	if !ok {
		return false
	}
	switch {
	case t == 7:
		r.text = strconv.AppendFloat(r.text, math.Float64frombits(binary.BigEndian.Uint64(v)), 'f', -1, 64)
	case t >= 8:
		r.text = append(r.text, byte('0'+t-8))
	default:
		r.text = strconv.AppendInt(r.text, signed(v), 10)
	}
	r.ends = append(r.ends, len(r.text))
	return true
}

// signed is a big-endian two's complement number of up to 8 bytes.
func signed(b []byte) int64 {
	v := int64(0)
	for i, c := range b {
		if i == 0 {
			v = int64(int8(c))
			continue
		}
		v = v<<8 | int64(c)
	}
	return v
}

func (r *sqliteRecord) slice() [][]byte {
	r.cells = r.cells[:0]
	start := 0
	for _, end := range r.ends {
		if end < 0 {
			r.cells = append(r.cells, nil)
			continue
		}
		r.cells = append(r.cells, r.text[start:end:end])
		start = end
	}
	return r.cells
}

// appendUTF16 appends text in UTF-16 as UTF-8.
func appendUTF16(dst, src []byte, big bool) []byte {
	var order binary.ByteOrder = binary.LittleEndian
	if big {
		order = binary.BigEndian
	}
	for ; len(src) >= 2; src = src[2:] {
		c := rune(order.Uint16(src))
		if utf16.IsSurrogate(c) && len(src) >= 4 {
			if pair := utf16.DecodeRune(c, rune(order.Uint16(src[2:]))); pair != utf8.RuneError {
				c, src = pair, src[2:]
			}
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst
}
