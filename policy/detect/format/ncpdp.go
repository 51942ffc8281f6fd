package format

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
	"github.com/phigate/phigate/policy/hipaa"
)

// NCPDP finds what pharmacies send: claims in the Telecommunication Standard
// (D.0 and its neighbours 5.1 and F6, alone or in batches) and prescriptions in
// SCRIPT, as EDIFACT and as XML.
func NCPDP() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-ncpdp",
			Aliases:  []string{"PHI-006"},
			Title:    "NCPDP pharmacy claim or prescription with a patient",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"A pharmacy claim or prescription names the patient beside the drug; in an image it reaches every registry and node that runs it.",
			Fix: "Remove the messages from the image and from the layers below it; let tests make claims without real patients at run time.",
		},
		Anchors: []string{
			`\x1cAM[02][1459]`, `\\u001[cC]AM[02][1459]`, `\\x1[cC]AM[02][1459]`, // telecommunication
			`UIH[+*|\x1d]SCRIPT`,                                                      // SCRIPT in EDIFACT
			`ncpdp\.org/schema/SCRIPT`, `HumanPatient>`, `TransactionDomain="SCRIPT"`, // in XML
		},
		Near: nearNCPDP,
		Open: openScript,
	}
}

// The indices of the anchors that are not Near's alone.
const (
	ncpdpEdifact = 3
	ncpdpXML     = 4 // and those that follow
)

func nearNCPDP(h detect.Hit, s *detect.Sink) {
	switch {
	case h.Anchor < ncpdpEdifact:
		nearTelecom(h, s)
	case h.Anchor == ncpdpEdifact:
		nearEdifact(h, s)
	}
}

// The separators of the Telecommunication Standard, and the bytes that frame a
// transmission in a batch.
const (
	ncpdpField   = 0x1C
	ncpdpGroup   = 0x1D
	ncpdpSegment = 0x1E
)

// How much of a transmission is looked at: its patient and insurance have some
// hundred bytes.
const (
	telecomBefore = 512
	telecomAfter  = 1024
)

// nearTelecom reads the transmission around a segment about the patient (AM01,
// in responses AM29) or the insurance (AM04, AM25). The insurance is reported by
// itself only where the transmission says nothing of the patient.
func nearTelecom(h detect.Hit, s *detect.Sink) {
	after := telecomText(h.Text[h.At:min(len(h.Text), h.At+telecomAfter)])
	if len(after) < 5 {
		return
	}
	c := telecomClaim{r: detect.Record{Off: h.Off, Has: detect.HealthFormat}}
	id := string(after[3:5])
	switch id {
	case "01", "29":
		c.patient(telecomSegment(after))
	case "04", "25":
		c.insurance(telecomSegment(after))
	}
	if !c.known() {
		return
	}
	if len(h.Text)-h.At > telecomAfter && len(telecomSegment(after)) == len(after) {
		s.Skip("NCPDP segment longer than 1 KiB was read up to there")
	}
	before := telecomText(h.Text[max(0, h.At-telecomBefore):h.At])
	before, after = before[telecomBegin(before):], after[:telecomEnd(after)]
	patient := id == "01" || id == "29"
	if !patient && (telecomHas(before, "01", "29") || telecomHas(after, "01", "29")) {
		return
	}
	for _, text := range [][]byte{after, before} {
		for _, id := range []string{"\x1cAM04", "\x1cAM25"} {
			if i := bytes.Index(text, []byte(id)); i >= 0 && c.cardholder == nil {
				c.insurance(telecomSegment(text[i:]))
			}
		}
	}
	c.report(s)
}

// telecomText undoes what JSON and programs do to the separators.
func telecomText(text []byte) []byte {
	i := bytes.IndexByte(text, '\\')
	if i < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for ; i >= 0; i = bytes.IndexByte(text, '\\') {
		out, text = append(out, text[:i]...), text[i:]
		c, n := telecomEscape(text)
		out, text = append(out, c), text[n:]
	}
	return append(out, text...)
}

// telecomEscape is the byte that \u001c or \x1c at the beginning of a text stands
// for, and how long it is; a backslash else.
func telecomEscape(text []byte) (c byte, n int) {
	switch {
	case bytes.HasPrefix(text, []byte(`\u00`)):
		n = len(`\u001c`)
	case bytes.HasPrefix(text, []byte(`\x`)):
		n = len(`\x1c`)
	}
	if n == 0 || len(text) < n || text[n-2] != '0' && text[n-2] != '1' || hexDigit(text[n-1]) > 15 {
		return '\\', 1
	}
	return (text[n-2]-'0')<<4 | hexDigit(text[n-1]), n
}

// hexDigit is the value of a hexadecimal digit, 255 for another byte.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// outside says whether a transmission ends at the byte: where its transactions
// begin, with its frame, with a string, or with a line after which no separator
// comes.
func outside(text []byte, i int) bool {
	c := text[i]
	if c > '"' {
		return false
	}
	if c == '\n' || c == '\r' {
		return i+1 < len(text) && text[i+1] >= ' '
	}
	return c == ncpdpGroup || c == '"' || c == 0x00 || c == 0x02 || c == 0x03
}

func telecomBegin(text []byte) int {
	for i := len(text) - 1; i >= 0; i-- {
		if outside(text, i) {
			return i + 1
		}
	}
	return 0
}

func telecomEnd(text []byte) int {
	for i := range text {
		if outside(text, i) {
			return i
		}
	}
	return len(text)
}

// telecomHas says whether one of two segments is in the text.
func telecomHas(text []byte, one, two string) bool {
	return bytes.Contains(text, []byte("\x1cAM"+one)) || bytes.Contains(text, []byte("\x1cAM"+two))
}

// telecomSegment is the segment that the text begins with.
func telecomSegment(text []byte) []byte {
	for i := 1; i < len(text); i++ {
		if text[i] == ncpdpSegment || outside(text, i) || text[i] == ncpdpField && bytes.HasPrefix(text[i+1:], []byte("AM")) {
			return text[:i]
		}
	}
	return text
}

// telecomClaim is what a transmission says of its patient.
type telecomClaim struct {
	r           detect.Record
	last, first []byte
	birth       []byte
	cardholder  []byte
	relative    bool // not the cardholder, whose number is not the patient's alone
}

// telecomFields calls fn for each field of a segment.
func telecomFields(segment []byte, fn func(id string, value []byte)) {
	for len(segment) > 0 {
		var field []byte
		field, segment, _ = bytes.Cut(segment, []byte{ncpdpField})
		if field = bytes.TrimRight(field, " \r\n"); len(field) > 2 {
			fn(string(field[:2]), clip(field[2:]))
		}
	}
}

// patient reads the segment 01: 304-C4 birth date, 310-CA first name, 311-CB
// last name, 332-CY patient ID with its qualifier 331-CX.
func (c *telecomClaim) patient(segment []byte) {
	kind := ""
	telecomFields(segment, func(id string, v []byte) {
		switch id {
		case "CA":
			c.first = filled(v)
		case "CB":
			c.last = filled(v)
		case "C4":
			c.birth = birthDigits(v)
		case "CX":
			kind = string(v)
		case "CY":
			c.number(kind, filled(v))
		}
	})
}

// number takes the patient's ID: 01 is a social security number, EA a medical
// record number (NCPDP, External Code List, 331-CX).
func (c *telecomClaim) number(kind string, id []byte) {
	switch {
	case id == nil:
	case kind == "01":
		if digits, valid := identifier.SSN(id); valid.OK() {
			c.r.Has |= detect.SSN
			c.r.Synthetic = valid == identifier.Synthetic
			c.r.Keys = append(c.r.Keys, detect.SSNKey(digits[:]))
		}
	case kind == "EA":
		c.r.Has |= detect.MRN
		c.r.Keys = append(c.r.Keys, detect.MRNKey(id, nil))
	}
}

// insurance reads the segment 04: 302-C2 cardholder ID, 306-C6 relationship.
func (c *telecomClaim) insurance(segment []byte) {
	telecomFields(segment, func(id string, v []byte) {
		switch id {
		case "C2":
			c.cardholder = filled(v)
		case "C6":
			c.relative = string(v) != "0" && string(v) != "1" && string(v) != "01"
		}
	})
}

// known says whether a segment told who the patient is.
func (c *telecomClaim) known() bool {
	return c.last != nil || c.first != nil || c.cardholder != nil || c.r.Has != detect.HealthFormat
}

func (c *telecomClaim) report(s *detect.Sink) {
	if c.last != nil || c.first != nil {
		c.r.Has |= detect.Name
	}
	if c.birth != nil {
		c.r.Has |= detect.BirthDate
	}
	if c.cardholder != nil {
		c.r.Has |= detect.Plan
		if !c.relative {
			c.r.Keys = append(c.r.Keys, detect.MemberKey(c.cardholder))
		}
	}
	c.r.Keys = append(c.r.Keys, nameKey(c.last, c.first, c.birth))
	s.Record(c.r)
}

// nameKey is the key of a name with the birth date, if there is one.
func nameKey(last, first, birth []byte) detect.Key {
	if birth == nil || last == nil && first == nil {
		return detect.NameKey(last, first)
	}
	return detect.NameBirthKey(last, first, birth)
}
