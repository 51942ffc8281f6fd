package detect

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/phigate/phigate/policy"
)

// orderOf tells whether a file is UTF-16, from its first bytes: by its byte
// order mark or, without one, by text whose every other byte is zero. Nil: it
// is not.
func orderOf(head []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return binary.LittleEndian
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return binary.BigEndian
	case alternate(head, 0):
		return binary.LittleEndian
	case alternate(head, 1):
		return binary.BigEndian
	}
	return nil
}

// alternate says whether the bytes at text, text+2, ... are printable ASCII and
// those between are zero, for at least 32 characters.
func alternate(head []byte, text int) bool {
	const characters = 32
	if len(head) < 2*characters {
		return false
	}
	for i := 0; i < 2*characters; i += 2 {
		c := head[i+text]
		if head[i+1-text] != 0 || c >= 0x7F || c < ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// wide is UTF-16 that waits to be decoded. What detectors read is UTF-8.
type wide struct {
	order binary.ByteOrder
	raw   []byte
	n     int   // bytes in raw
	size  int64 // of the file so far
}

func newWide(order binary.ByteOrder, first []byte) *wide {
	w := &wide{order: order, raw: make([]byte, max(len(first), keptBytes))}
	w.n = copy(w.raw, first)
	w.size = int64(w.n)
	return w
}

// decode moves what is in raw to the buffer, but for a piece of a character
// whose rest has not come.
func (c *Scan) decode() {
	w := c.wide
	for pos := 0; ; {
		n, used := w.utf8(c.buf[c.fill:len(c.buf)-1], w.raw[pos:w.n])
		pos += used
		if used == 0 && len(c.buf)-1-c.fill >= utf8.UTFMax {
			w.n = copy(w.raw, w.raw[pos:w.n])
			return
		}
		c.fill += n
		if len(c.buf)-1-c.fill < utf8.UTFMax {
			c.block(false)
		}
	}
}

// utf8 decodes as many characters as there are and dst has room for.
func (w *wide) utf8(dst, raw []byte) (n, used int) {
	for len(raw)-used >= 2 && len(dst)-n >= utf8.UTFMax {
		r, size := rune(w.order.Uint16(raw[used:])), 2
		if utf16.IsSurrogate(r) {
			if len(raw)-used < 4 {
				break
			}
			if pair := utf16.DecodeRune(r, rune(w.order.Uint16(raw[used+2:]))); pair != utf8.RuneError {
				r, size = pair, 4
			}
		}
		n += utf8.EncodeRune(dst[n:], r)
		used += size
	}
	return n, used
}

// within bounds the offsets of what was found by the file's end: of text that is
// not ASCII they are estimates.
func (w *wide) within(findings []policy.Finding) {
	for i := range findings {
		findings[i].Where.Offset = min(findings[i].Where.Offset, w.size)
	}
}

// offset is a place in the file, of one in what detectors read: exact where the
// text is ASCII.
func (c *Scan) offset(off int64) int64 {
	if c.wide != nil {
		return 2 * off
	}
	return off
}
