package detect

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how the bytes of a text file make characters.
type Encoding uint8

const (
	UTF8 Encoding = iota // or any other superset of ASCII
	UTF16LE
	UTF16BE
)

// EncodingOf tells the encoding from a file's first bytes: by its byte order
// mark, or, without one, by text whose every other byte is zero.
func EncodingOf(head []byte) Encoding {
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return UTF16LE
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return UTF16BE
	case alternate(head, 0):
		return UTF16LE
	case alternate(head, 1):
		return UTF16BE
	}
	return UTF8
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

// Line is one line of a text file, as UTF-8.
type Line struct {
	Off  int64  // of its first byte in the file
	Text []byte // without its end; valid during the call only
	Cut  bool   // it was longer than the bound, the rest is not in Text
}

// Lines cuts the windows of a file into lines. A line ends at CR, LF, CRLF, the
// end of the file or a hole. It holds at most one line, of at most the bound.
type Lines struct {
	enc  Encoding
	max  int
	emit func(Line)
	ends []byte // the bytes that end a line

	begun bool
	next  int64  // where the next window begins unless there is a hole
	start int64  // where the current line begins
	held  []byte // the current line as far as earlier windows had it
	cut   bool
	cr    bool // the last line ended with a CR: an LF right after it is the same end

	unit  [2]byte // a UTF-16 unit whose second byte is in the next window
	units int
	high  rune // a high surrogate that waits for its other half
}

// NewLines makes a splitter that calls emit for each line, with at most limit
// bytes of it. A byte order mark at the file's beginning is taken off. The
// bytes more, at most two, end a line as CR and LF do.
func NewLines(enc Encoding, limit int, emit func(Line), more ...byte) *Lines {
	return &Lines{enc: enc, max: limit, emit: emit, ends: append([]byte{'\n', '\r'}, more...)}
}

// Window takes the next bytes.
func (l *Lines) Window(w Window) {
	switch {
	case !l.begun:
		l.begun, l.start = true, w.Off
	case w.Off != l.next:
		l.Close()
		l.start = w.Off
	}
	l.next = w.Off + int64(len(w.Data))
	if l.enc == UTF8 {
		l.narrow(w)
	} else {
		l.wide(w)
	}
}

// Close ends the last line.
func (l *Lines) Close() {
	if len(l.held) > 0 || l.cut {
		l.end(nil)
	}
	l.cr, l.units, l.high = false, 0, 0
}

// Held is the beginning of the line whose end has not been seen.
func (l *Lines) Held() []byte { return l.held }

// Reset forgets the line whose end has not been seen; the next window may
// begin anywhere.
func (l *Lines) Reset() {
	*l = Lines{enc: l.enc, max: l.max, emit: l.emit, ends: l.ends, held: l.held[:0]}
}

func (l *Lines) narrow(w Window) {
	var found [4]int // where the next of each end is
	for i := range found {
		found[i] = -1
	}
	for pos := 0; pos < len(w.Data); {
		if l.cr {
			l.cr = false
			if w.Data[pos] == '\n' {
				pos++
				l.start = w.Off + int64(pos)
				continue
			}
		}
		// Positions are kept, so that a file with one kind of end alone is
		// not searched for the others again at each line.
		end := len(w.Data)
		for i, b := range l.ends {
			found[i] = nextByte(w.Data, b, pos, found[i])
			end = min(end, found[i])
		}
		if end == len(w.Data) {
			l.hold(w.Data[pos:])
			return
		}
		l.end(w.Data[pos:end])
		l.cr = w.Data[end] == '\r'
		pos = end + 1
		l.start = w.Off + int64(pos)
	}
}

// nextByte is the index of b at or after pos, len(data) without one; last is
// an earlier answer.
func nextByte(data []byte, b byte, pos, last int) int {
	if last >= pos {
		return last
	}
	if i := bytes.IndexByte(data[pos:], b); i >= 0 {
		return pos + i
	}
	return len(data)
}

// wide decodes UTF-16.
func (l *Lines) wide(w Window) {
	for i, b := range w.Data {
		l.unit[l.units] = b
		if l.units++; l.units < 2 {
			continue
		}
		l.units = 0
		r := rune(l.unit[0]) | rune(l.unit[1])<<8
		if l.enc == UTF16BE {
			r = rune(l.unit[0])<<8 | rune(l.unit[1])
		}
		l.rune(r, w.Off+int64(i)+1)
	}
}

// rune takes one UTF-16 unit; after is the offset of the next.
func (l *Lines) rune(r rune, after int64) {
	if l.cr {
		l.cr = false
		if r == '\n' {
			l.start = after
			return
		}
	}
	if r < utf8.RuneSelf && bytes.IndexByte(l.ends, byte(r)) >= 0 {
		l.end(nil)
		l.cr, l.start = r == '\r', after
		return
	}
	if utf16.IsSurrogate(r) {
		if l.high == 0 {
			l.high = r
			return
		}
		r = utf16.DecodeRune(l.high, r)
	}
	l.high = 0
	var buf [utf8.UTFMax]byte
	l.hold(buf[:utf8.EncodeRune(buf[:], r)])
}

// hold keeps a piece of a line until its end is seen.
func (l *Lines) hold(piece []byte) {
	if room := l.max - len(l.held); len(piece) > room {
		piece, l.cut = piece[:room], true
	}
	l.held = append(l.held, piece...)
}

// end emits the line that ends with this piece.
func (l *Lines) end(piece []byte) {
	text := piece
	if len(l.held) > 0 || l.cut || len(piece) > l.max {
		l.hold(piece)
		text = l.held
	}
	if l.start == 0 {
		text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	}
	l.emit(Line{Off: l.start, Text: text, Cut: l.cut})
	l.held, l.cut, l.high = l.held[:0], false, 0
}
