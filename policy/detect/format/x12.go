package format

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// X12 finds the transactions of 45 CFR part 162 in ANSI X12: claims (837),
// payments (835, 820), enrolment (834), eligibility (270, 271), claim status
// (276, 277) and authorisation (275, 278).
func X12() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-x12",
			Aliases:  []string{"PHI-003"},
			Title:    "X12 health transaction with a patient or member",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"A claim names the patient beside the diagnoses and the services; in an image it reaches every registry and node that runs it.",
			Fix: "Remove the interchange files from the image and from the layers below it; let tests make transactions without real members at run time.",
		},
		// The headers of an interchange, of a functional group and of a
		// transaction, and the persons themselves, where the headers were cut off.
		Anchors: []string{
			`ISA` + x12Mark + `\d\d` + x12Mark,
			`GS` + x12Mark + `H[BCINPRS]` + x12Mark, `GS` + x12Mark + `BE` + x12Mark, `GS` + x12Mark + `RA` + x12Mark,
			`ST` + x12Mark + `27[0-8]` + x12Mark, `ST` + x12Mark + `8[23]\d` + x12Mark,
			`NM1` + x12Mark + `IL` + x12Mark, `NM1` + x12Mark + `QC` + x12Mark,
		},
		Open: openX12,
	}
}

// x12Mark is the class of the bytes that delimit elements: punctuation, or the
// separators of ASCII (X12.5, appendix A).
const x12Mark = "[!-/:-@\\[-`{-~\x1c-\x1f]"

// Bounds of what is no X12.
const (
	maxX12Segment = 4 << 10  // bytes of a segment that are kept; they are far shorter
	maxX12Head    = 1 << 10  // bytes in which the second segment must begin
	maxX12Foreign = 50       // segments in a row that are none
	maxX12Away    = 64 << 10 // bytes without a segment
)

func openX12(_ detect.Meta, s *detect.Sink) detect.Reader {
	return &x12{claims: x12Claims{sink: s}}
}

// x12 cuts one file into segments. Outside of an interchange it waits for a
// header; from there it reads up to the second segment, which tells what ends a
// segment even where the ISA segment is damaged or missing.
type x12 struct {
	claims x12Claims
	state  x12State
	el     byte // the delimiter of elements
	term   byte // what ends a segment

	next    int64
	last    uint64 // the last eight bytes
	held    []byte // of the header, or what earlier windows had of a segment
	off     int64  // where held or the segment begins
	size    int    // bytes of the segment in all
	foreign int
	spare   []byte // held's other buffer
	scratch []byte
}

type x12State uint8

const (
	x12Outside x12State = iota
	x12Head             // the header is in held
	x12Open
)

func (x *x12) Window(w detect.Window) {
	if w.Off != x.next {
		x.Close()
	}
	x.read(w.Data, w.Off, true)
	x.next = w.Off + int64(len(w.Data))
}

func (x *x12) Close() {
	if x.state == x12Head {
		x.enter()
	}
	if x.state == x12Open {
		x.segment(nil, x.next)
	}
	x.leave()
	x.last = 0
}

// Idle says that no interchange is open and none begins in the last bytes.
func (x *x12) Idle() bool {
	if x.state != x12Outside {
		return false
	}
	for l := x.last & 0xFFFFFFFFFFFF; l != 0; l >>= 8 {
		if b := byte(l); b == 'I' || b == 'G' || b == 'S' || b == 'N' {
			return false
		}
	}
	return true
}

// read takes bytes; headers says whether one may begin in them.
func (x *x12) read(data []byte, off int64, headers bool) {
	from := 0 // where what is not held begins
	for i, b := range data {
		x.last = x.last<<8 | uint64(b)
		end := off + int64(i) + 1
		switch {
		case x.state == x12Head:
			x.held, from = append(x.held, b), i+1
		case x.state == x12Open && b == x.term:
			x.segment(data[from:i], end)
			from, x.off = i+1, end
		}
		if x12Marks[b] {
			if x.state == x12Open && end-x.off > maxX12Away {
				x.leave()
			}
			if n := x.header(); n > 0 && headers {
				x.begin(data[from:i+1], n, end)
				from = i + 1
			}
		}
		if x.state == x12Head && (b == x.el && x.second(end) || len(x.held) == maxX12Head) {
			x.enter()
		}
	}
	if x.state == x12Open {
		x.hold(data[from:])
	}
}

var x12Marks = func() (is [256]bool) {
	for c := range is {
		is[c] = punctuation(byte(c)) || c >= 0x1C && c <= 0x1F
	}
	return is
}()

// header is how many bytes the header has that ends with the last byte, 0 for
// none that a transaction can begin with now: within one, an ISA or what is
// delimited otherwise.
func (x *x12) header() int {
	l := x.last
	mark := byte(l)
	at := func(n int) byte { return byte(l >> (8 * n)) }
	digit := func(n int) bool { return at(n) >= '0' && at(n) <= '9' }
	switch {
	case at(6) == 'I' && at(5) == 'S' && at(4) == 'A' && at(3) == mark && digit(2) && digit(1):
		return 7
	case x.state != x12Outside && (mark == x.el || x.state == x12Head):
		return 0
	case at(5) == 'G' && at(4) == 'S' && at(3) == mark && x12Group(at(2), at(1)):
		return 6
	case at(6) == 'S' && at(5) == 'T' && at(4) == mark && digit(1) && x12Set(at(3), at(2), at(1)):
		return 7
	case x.state != x12Outside:
		return 0
	case at(6) == 'N' && at(5) == 'M' && at(4) == '1' && at(3) == mark && (at(2) == 'I' && at(1) == 'L' || at(2) == 'Q' && at(1) == 'C'):
		return 7
	}
	return 0
}

// x12Group knows the functional groups of health care (GS01).
func x12Group(a, b byte) bool {
	switch a {
	case 'H':
		return b == 'B' || b == 'C' || b == 'I' || b == 'N' || b == 'P' || b == 'R' || b == 'S'
	case 'B':
		return b == 'E'
	}
	return a == 'R' && b == 'A'
}

// x12Set knows the beginnings of the transaction sets' numbers (ST01).
func x12Set(a, b, c byte) bool {
	return a == '8' && (b == '2' || b == '3') || a == '2' && b == '7' && c != '9'
}

// begin starts with the header whose n bytes end at end; piece is what is not
// held of what was open before.
func (x *x12) begin(piece []byte, n int, end int64) {
	if x.state == x12Open {
		x.hold(piece)
		x.held = x.held[:max(0, min(len(x.held), x.size-n))]
		x.segment(nil, end)
	}
	x.leave()
	x.state, x.off = x12Head, end-int64(n)
	for i := n - 1; i >= 0; i-- {
		x.held = append(x.held, byte(x.last>>(8*i)))
	}
	x.el = byte(x.last)
}

// leave closes the interchange.
func (x *x12) leave() {
	x.claims.end()
	x.state, x.held, x.size, x.foreign = x12Outside, x.held[:0], 0, 0
}

// second says whether a second segment begins at the end of what is held. An ISA
// that seems to end with its line may be damaged: then GS is the header.
func (x *x12) second(end int64) bool {
	switch x12Terminator(x.held, x.el) {
	case 0:
		return false
	case '\n', '\r', '\\':
		if n := len(x.held) - 3; string(x.held[:3]) == "ISA" && string(x.held[n:n+2]) == "GS" {
			x.held, x.off = append(x.held[:0], x.held[n:]...), end-3
			return false
		}
	}
	return true
}

// enter opens the interchange whose header is held.
func (x *x12) enter() {
	if x.term = x12Terminator(x.held, x.el); x.term == 0 {
		x.term = x12Likely(x.held, x.el)
	}
	head, off, last := x.held, x.off, x.last
	x.held, x.spare = x.spare[:0], head
	x.state, x.size, x.foreign = x12Open, 0, 0
	x.claims.begin()
	x.read(head, off, false)
	x.last = last
}

// hold keeps what a window has of a segment.
func (x *x12) hold(piece []byte) {
	x.size += len(piece)
	x.held = append(x.held, piece[:min(len(piece), maxX12Segment-len(x.held))]...)
}

// segment takes the segment whose last piece this is and which ends at end.
func (x *x12) segment(piece []byte, end int64) {
	text := piece
	if len(x.held) > 0 || len(piece) > maxX12Segment {
		x.hold(piece)
		text = x.held
	}
	text = x12Clean(text, x.term, &x.scratch)
	if x.size > maxX12Segment && x12Name(text, x.el) == "NM1" {
		x.claims.sink.Skip("X12 segment longer than 4 KiB was read up to there")
	}
	x.held, x.size = x.held[:0], 0
	if end-x.off > maxX12Away {
		x.leave()
		return
	}
	switch id := x12Name(text, x.el); {
	case len(text) == 0:
	case id == "":
		if x.foreign++; x.foreign > maxX12Foreign {
			x.leave()
		}
	default:
		x.foreign = 0
		if x.claims.segment(id, x12Split(text, x.el), x.off); id == "IEA" {
			x.leave()
		}
	}
}
