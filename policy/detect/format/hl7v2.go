// Package format finds health records in the formats that health standards
// define.
package format

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// HL7v2 finds HL7 version 2 messages about a patient.
func HL7v2() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-hl7v2",
			Aliases:  []string{"PHI-001"},
			Title:    "HL7 v2 message with a patient",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"An HL7 v2 message names its patient in the segment PID; in an image it reaches every registry and node that runs it.",
			Fix: "Remove the messages from the image and from the layers below it; let tests make messages without real patients at run time.",
		},
		Open: openHL7v2,
	}
}

const hl7Message = "HL7 v2 message with a patient"

// maxSegment bounds the bytes of a segment that are kept; PID is far shorter,
// and of long ones (OBX with a document) nothing is wanted.
const maxSegment = 64 << 10

// maxForeign is how many lines that are no segments may stand within a message:
// text that was wrapped.
const maxForeign = 100

func openHL7v2(m detect.Meta, s *detect.Sink) detect.Reader {
	const shortest = len("MSH|^~\\&|\rPID|1||1")
	if m.Size < int64(shortest) {
		return nil
	}
	h := &hl7v2{sink: s, wide: detect.EncodingOf(m.Head) != detect.UTF8}
	h.lines = detect.NewLines(detect.EncodingOf(m.Head), maxSegment, h.line, startBlock)
	h.reading = h.wide
	return h
}

// hl7v2 reads one file. Most files hold no message: until the bytes MSH are
// seen, windows are only searched for them.
type hl7v2 struct {
	sink    *detect.Sink
	lines   *detect.Lines
	wide    bool    // UTF-16: always read line by line
	reading bool    // line by line
	next    int64   // offset after the last window
	tail    [6]byte // the last bytes before next, while searching
	tails   int
	open    bool // within a message
	foreign int
	sep     delimiters
}

// delimiters are those that MSH-1 and MSH-2 declare (HL7 v2.5.1, 2.5.4).
type delimiters struct{ field, component, repetition, sub byte }

func (h *hl7v2) Window(w detect.Window) {
	if h.reading {
		h.lines.Window(w)
		h.rest(w)
		return
	}
	if w.Off != h.next {
		h.tails = 0
	}
	h.search(w)
	h.next = w.Off + int64(len(w.Data))
}

func (h *hl7v2) Close() {
	if h.reading {
		h.lines.Close()
	}
}

var anchor = [...]byte{'M', 'S', 'H'}

// startBlock is the byte that begins a message in MLLP, the transport of HL7
// v2: a message may follow it within a line.
const startBlock = '\v'

// search looks for a header's first bytes, also across the window's beginning.
func (h *hl7v2) search(w detect.Window) {
	var seam [12]byte
	n := copy(seam[:], h.tail[:h.tails])
	n += copy(seam[n:], w.Data[:min(len(w.Data), len(h.tail))])
	if bytes.Contains(seam[:n], anchor[:]) {
		h.begin(detect.Window{Off: w.Off - int64(h.tails), Data: h.tail[:h.tails]}, w)
		return
	}
	if i := bytes.Index(w.Data, anchor[:]); i >= 0 {
		from := max(0, i-4) // a line end and a byte order mark are of interest
		h.begin(detect.Window{}, detect.Window{Off: w.Off + int64(from), Data: w.Data[from:]})
		return
	}
	h.keep(w.Data)
}

// keep remembers the last bytes before the next window.
func (h *hl7v2) keep(data []byte) {
	if len(data) >= len(h.tail) {
		h.tails = copy(h.tail[:], data[len(data)-len(h.tail):])
		return
	}
	drop := max(0, h.tails+len(data)-len(h.tail))
	h.tails = copy(h.tail[:], h.tail[drop:h.tails])
	h.tails += copy(h.tail[h.tails:], data)
}

// begin goes on line by line, from before the bytes that were found.
func (h *hl7v2) begin(before, w detect.Window) {
	h.reading = true
	h.lines.Reset()
	if len(before.Data) > 0 {
		h.lines.Window(before)
	}
	h.lines.Window(w)
	h.rest(w)
}

// rest goes back to searching when no message is open and none begins in the
// line whose end was not seen.
func (h *hl7v2) rest(w detect.Window) {
	held := h.lines.Held()
	if h.wide || h.open || bytes.HasPrefix(unframe(held), anchor[:]) {
		return
	}
	if len(held) > len(h.tail) {
		held = []byte{0} // enough to know that the next byte begins no line
	}
	h.reading, h.tails = false, copy(h.tail[:], held)
	h.next = w.Off + int64(len(w.Data))
}

// unframe takes off the byte order mark that some systems put before each
// message.
func unframe(line []byte) []byte { return bytes.TrimPrefix(line, []byte("\uFEFF")) }

func (h *hl7v2) line(l detect.Line) {
	text := unframe(l.Text)
	if d, ok := header(text); ok {
		h.open, h.foreign, h.sep = true, 0, d
		if i := samePID(text, d.field); i >= 0 {
			h.patient(text[i:], l.Off)
		}
		return
	}
	if !h.open {
		return
	}
	switch text = bytes.TrimLeft(text, " \t"); h.segment(text) {
	case "":
		if h.foreign++; h.foreign > maxForeign {
			h.open = false
		}
	case "BTS", "FTS", "BHS", "FHS":
		h.open = false
	case "PID":
		h.patient(text, l.Off)
	case "QRD", "QPD":
		h.query(text, l.Off)
	}
}

// segment is the name of the segment that a line holds, empty for none.
func (h *hl7v2) segment(line []byte) string {
	if len(line) < 3 || len(line) > 3 && line[3] != h.sep.field {
		return ""
	}
	for i, c := range line[:3] {
		if !(c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return ""
		}
	}
	return string(line[:3])
}

// header reads MSH-1, which may be any punctuation, and MSH-2, from two to five
// others, all different.
func header(line []byte) (delimiters, bool) {
	if len(line) < 7 || !bytes.HasPrefix(line, anchor[:]) || !punctuation(line[3]) {
		return delimiters{}, false
	}
	d := delimiters{field: line[3]}
	enc := line[4:min(len(line), 10)]
	end := bytes.IndexByte(enc, d.field)
	if end < 2 || end > 5 {
		return delimiters{}, false
	}
	enc = enc[:end]
	for _, c := range enc {
		if !punctuation(c) {
			return delimiters{}, false
		}
	}
	d.component, d.repetition, d.sub = enc[0], enc[1], '&'
	if len(enc) > 3 {
		d.sub = enc[3]
	}
	return d, d.component != d.repetition
}

func punctuation(c byte) bool {
	return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') && !(c|0x20 >= 'a' && c|0x20 <= 'z')
}

// samePID finds a PID on MSH's own line: some systems lose the line ends.
func samePID(line []byte, field byte) int {
	pid := []byte{'P', 'I', 'D', field}
	for i := 0; ; {
		n := bytes.Index(line[i:], pid)
		if n < 0 {
			return -1
		}
		i += n
		if before := line[i-1]; !(before >= 'A' && before <= 'Z') {
			return i
		}
		i += len(pid)
	}
}

// fields splits the first fields of a segment; the name is field 0.
func (h *hl7v2) fields(segment []byte) (f [21][]byte) {
	for i := range f {
		end := bytes.IndexByte(segment, h.sep.field)
		if end < 0 {
			f[i] = segment
			break
		}
		f[i], segment = segment[:end], segment[end+1:]
	}
	return f
}

// patient reports a PID that has a name or an identifier.
func (h *hl7v2) patient(segment []byte, off int64) {
	f := h.fields(segment)
	name := h.value(f[5])
	key := h.identity(f, name)
	if key == nil {
		return
	}
	h.sink.Found(hl7Message, off)
	h.sink.Person(key)
}

// identity is what tells patients apart: PID-3 with its assigning authority,
// else the other identifiers, else the name with the date of birth; nil when
// there is none.
func (h *hl7v2) identity(f [21][]byte, name []byte) []byte {
	for _, list := range [][]byte{f[3], f[2], f[4]} {
		if id, assigner := h.number(list); id != nil {
			return detect.Identity("mrn", id, assigner)
		}
	}
	if id := filled(f[19]); id != nil {
		return detect.Identity("ssn", bytes.ReplaceAll(id, []byte("-"), nil))
	}
	if name == nil {
		return nil
	}
	return detect.Identity("name", name, h.value(f[7]))
}

// number is the identifier of a list (CX), that of type MR before the others.
func (h *hl7v2) number(list []byte) (id, assigner []byte) {
	for len(list) > 0 {
		one := list
		if end := bytes.IndexByte(list, h.sep.repetition); end >= 0 {
			one, list = list[:end], list[end+1:]
		} else {
			list = nil
		}
		parts := bytes.SplitN(one, []byte{h.sep.component}, 6)
		found := filled(parts[0])
		if found == nil {
			continue
		}
		record := len(parts) > 4 && string(parts[4]) == "MR"
		if id != nil && !record {
			continue
		}
		id, assigner = found, nil
		if len(parts) > 3 {
			assigner, _, _ = bytes.Cut(parts[3], []byte{h.sep.sub})
		}
		if record {
			break
		}
	}
	return id, assigner
}

// value is the first repetition of a field, nil when it says nothing.
func (h *hl7v2) value(field []byte) []byte {
	first, _, _ := bytes.Cut(field, []byte{h.sep.repetition})
	return filled(first)
}

// query reports a question about a named patient: QRD-8 in version 2.3, the
// parameters of QPD since 2.4.
func (h *hl7v2) query(segment []byte, off int64) {
	f := h.fields(segment)
	var who []byte
	if string(f[0]) == "QRD" {
		parts := bytes.SplitN(f[8], []byte{h.sep.component}, 3)
		if len(parts) > 1 && filled(parts[1]) != nil {
			who = h.value(f[8])
		}
	} else if i := bytes.Index(segment, []byte("@PID.5")); i >= 0 {
		who, _, _ = bytes.Cut(segment[i:], []byte{h.sep.field})
	}
	if who == nil {
		return
	}
	h.sink.Found(hl7Message, off)
	h.sink.Person(detect.Identity("name", who))
}

// filled is a value that says something: neither blank nor HL7's null "" nor the
// place of a value in a template nor zeros alone.
func filled(v []byte) []byte {
	v = bytes.TrimSpace(v)
	for _, mark := range []string{"{{", "${", "<%", "%s", "$("} {
		if bytes.Contains(v, []byte(mark)) {
			return nil
		}
	}
	for _, c := range v {
		if c >= '1' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 {
			return v
		}
	}
	return nil
}
