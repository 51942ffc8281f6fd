package format

import "github.com/phigate/phigate/policy/detect"

// maxSegment bounds the bytes of a segment that are kept; PID is far shorter,
// and of long ones (OBX with a document) nothing is wanted.
const maxSegment = 16 << 10

// hl7Cutter cuts a stream into segments. A segment ends at a line end, at the
// bytes that frame messages in MLLP, and at what stands for a line end where a
// message is part of a string: \r, \u000d, &#13;, #015, <CR>. It begins after
// one, and wherever a header or, in a message, a PID begins: some systems lose
// the line ends. Outside of messages only those two begin one.
type hl7Cutter struct {
	emit  func(segment []byte, off int64)
	open  bool // within a message; emit sets it
	field byte // the delimiter of the open message

	next int64  // where the next window begins unless there is a gap
	last uint64 // the last eight bytes
	live bool   // a segment has begun
	head byte   // it is a header: the delimiter that follows MSH
	off  int64  // where it begins
	held []byte // what earlier windows had of it
	size int    // bytes of it in all
	cut  bool   // what emit is given is its beginning
}

// What a byte can be the end of.
const (
	plain   = iota
	lineEnd // ends a segment by itself
	escape  // the last byte of what stands for a line end
	marking // punctuation
)

var hl7Bytes = func() (class [256]uint8) {
	for c := range class {
		if punctuation(byte(c)) {
			class[c] = marking
		}
	}
	for _, c := range "\r\n\v\x1c\x00" {
		class[c] = lineEnd
	}
	for _, c := range "rndDaA5;>" {
		class[c] = escape
	}
	return class
}()

func (c *hl7Cutter) window(w detect.Window) {
	if w.Off != c.next {
		c.close()
	}
	from := 0 // where the segment begins in this window
	for i, b := range w.Data {
		c.last = c.last<<8 | uint64(b)
		drop, begin := 0, 0
		switch hl7Bytes[b] {
		case plain:
			continue
		case lineEnd:
			drop = 1
		case escape:
			if drop = escapedEnd(c.last); drop == 0 && b != ';' && b != '>' {
				continue
			}
			begin = c.begins(b)
		default:
			begin = c.begins(b)
		}
		if drop+begin == 0 {
			continue
		}
		c.end(w.Data[from:i+1], drop+begin)
		from = i + 1
		c.start(w.Off+int64(i+1), begin)
	}
	c.next = w.Off + int64(len(w.Data))
	if c.live {
		c.hold(w.Data[from:])
	}
}

// begins is how many bytes of a segment's beginning b completes.
func (c *hl7Cutter) begins(b byte) int {
	l, field := c.last, c.field
	if c.head != 0 {
		field = c.head
	}
	switch {
	case l>>24&0xFFFFFF == 'M'<<16|'S'<<8|'H' && punctuation(byte(l>>8)) && punctuation(byte(l>>16)):
		return 6
	case l>>8&0xFFFFFF == 'P'<<16|'I'<<8|'D' && b == field && (c.open || c.head != 0) && !letter(byte(l>>32)):
		return 4
	case c.open:
	case l&0xFFFFFFFFFF == 'P'<<32|'I'<<24|'D'<<16|'|'<<8|'|':
		return 5
	case l&0xFFFFFFFFFFFF == 'P'<<40|'I'<<32|'D'<<24|'|'<<16|'1'<<8|'|':
		return 6
	}
	return 0
}

func letter(b byte) bool { return b >= 'A' && b <= 'Z' }

// start begins a segment whose first n bytes, at most six, have been seen.
func (c *hl7Cutter) start(at int64, n int) {
	c.live = c.open || n > 0
	c.off, c.held, c.size, c.head = at-int64(n), c.held[:0], n, 0
	for i := n - 1; i >= 0; i-- {
		c.held = append(c.held, byte(c.last>>(8*i)))
	}
	if n == 6 && c.held[0] == 'M' {
		c.head = c.held[3]
	}
}

// end emits the segment of which piece is the last, but for its last n bytes.
func (c *hl7Cutter) end(piece []byte, n int) {
	if !c.live {
		return
	}
	text := piece
	if len(c.held) > 0 || len(piece) > maxSegment {
		c.hold(piece)
		text = c.held
	} else {
		c.size += len(piece)
	}
	text = text[:max(0, min(len(text), c.size-n))]
	c.cut = c.size > maxSegment
	if len(text) > 0 && !c.lost(text) {
		c.emit(text, c.off)
	}
}

// hold keeps a piece of a segment until its end is seen.
func (c *hl7Cutter) hold(piece []byte) {
	c.size += len(piece)
	c.held = append(c.held, piece[:min(len(piece), maxSegment-len(c.held))]...)
	c.lost(c.held)
}

// lost gives up what has gone on for too long without an end, unless it is a
// segment of the open message.
func (c *hl7Cutter) lost(text []byte) bool {
	if c.size <= maxAway || c.open && text[3] == c.field {
		return false
	}
	c.open, c.live, c.head = false, false, 0
	return true
}

// close ends the last segment and any message.
func (c *hl7Cutter) close() {
	c.end(nil, 0)
	c.open, c.live, c.head, c.last, c.held, c.size = false, false, 0, 0, c.held[:0], 0
}

// idle says that nothing is open and none of the last bytes can be part of a
// segment's beginning.
func (c *hl7Cutter) idle() bool {
	if c.open || c.live {
		return false
	}
	for l := c.last & 0xFFFFFFFFFFFF; l != 0; l >>= 8 {
		if b := byte(l); b == 'M' || b == 'P' {
			return false
		}
	}
	return true
}

// escapedEnd is how many bytes stand for a line end at the end of last, 0 for none.
func escapedEnd(last uint64) int {
	for _, e := range escapedEnds[byte(last)&0x1F] {
		if last&e.mask == e.bytes {
			return e.size
		}
	}
	return 0
}

type escaped struct {
	bytes, mask uint64
	size        int
}

// escapedEnds are the ways to write a line end within a string, by the last five
// bits of their last byte.
var escapedEnds = func() (by [32][]escaped) {
	for _, s := range []string{`\r`, `\n`, `\x0d`, `\x0D`, `\x0a`, `\x0A`, `\u000d`, `\u000D`, `\u000a`, `\u000A`, `\015`, `#015`,
		`&#13;`, `&#10;`, `&#xD;`, `&#xd;`, `&#xA;`, `&#xa;`, `<CR>`, `<cr>`, `<0D>`, `<br>`} {
		e := escaped{size: len(s)}
		for i := range len(s) {
			e.bytes, e.mask = e.bytes<<8|uint64(s[i]), e.mask<<8|0xFF
		}
		last := s[len(s)-1] & 0x1F
		by[last] = append(by[last], e)
	}
	return by
}()
