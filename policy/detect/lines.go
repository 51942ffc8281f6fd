package detect

import "bytes"

// Line is one line of a text file.
type Line struct {
	Off  int64  // of its first byte in the file
	Text []byte // without its end; valid during the call only
	Cut  bool   // it was longer than the bound, the rest is not in Text
}

// Lines cuts the windows of a file into lines. A line ends at CR, LF, CRLF, the
// end of the file or a hole. It holds at most one line, of at most the bound.
type Lines struct {
	max  int
	emit func(Line)
	ends []byte // the bytes that end a line

	begun bool
	next  int64  // where the next window begins unless there is a hole
	start int64  // where the current line begins
	held  []byte // the current line as far as earlier windows had it
	cut   bool
	cr    bool // the last line ended with a CR: an LF right after it is the same end
}

// NewLines makes a splitter that calls emit for each line, with at most limit
// bytes of it. A byte order mark at the file's beginning is taken off. The
// bytes more, at most two, end a line as CR and LF do.
func NewLines(limit int, emit func(Line), more ...byte) *Lines {
	return &Lines{max: limit, emit: emit, ends: append([]byte{'\n', '\r'}, more...)}
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
	l.split(w)
}

// Close ends the last line.
func (l *Lines) Close() {
	if len(l.held) > 0 || l.cut {
		l.end(nil)
	}
	l.cr = false
}

// Held is the beginning of the line whose end has not been seen.
func (l *Lines) Held() []byte { return l.held }

// Reset forgets the line whose end has not been seen; the next window may
// begin anywhere.
func (l *Lines) Reset() {
	*l = Lines{max: l.max, emit: l.emit, ends: l.ends, held: l.held[:0]}
}

// split finds the lines' ends.
func (l *Lines) split(w Window) {
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
	l.held, l.cut = l.held[:0], false
}
