package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
	"github.com/phigate/phigate/policy/detect/xmltok"
)

// nearEdifact reads the patient of the SCRIPT message whose header UIH was found:
// PTT follows within a few segments.
func nearEdifact(h detect.Hit, s *detect.Sink) {
	text := h.Text[h.At:]
	d := edifact{el: text[3], component: ':', term: '\''}
	if d.el == 0x1D { // the separators that SCRIPT recommends
		d.component, d.term = 0x1C, 0x1E
	}
	if i := h.End - h.At; i < len(text) && punctuationOrControl(text[i]) {
		d.component = text[i]
	}
	before, _ := withoutEnds(h.Text[:h.At])
	if n := len(before); n > 0 && punctuationOrControl(before[n-1]) && bytes.IndexByte([]byte(`"+,`), before[n-1]) < 0 {
		d.term = before[n-1]
	}
	var scratch []byte
	const most = 40 // segments before the patient's; in fact there are a handful
	for n, off := 0, 0; n < most && off < len(text); n++ {
		segment, _, _ := bytes.Cut(text[off:], []byte{d.term})
		begin := h.Off + int64(off)
		off += len(segment) + 1
		segment = x12Clean(segment, d.term, &scratch)
		switch x12Name(segment, d.el) {
		case "PTT":
			d.patient(segment, begin, s)
		case "UIT", "UIZ":
			return
		case "UIH":
			if n > 0 { // another message
				return
			}
		}
	}
}

func punctuationOrControl(c byte) bool { return punctuation(c) || c >= 0x1C && c <= 0x1F }

// edifact are the separators of a message.
type edifact struct{ el, component, term byte }

// patient reads PTT: relationship, birth date, name, sex, identifiers.
func (d edifact) patient(segment []byte, off int64, s *detect.Sink) {
	e := x12Split(segment, d.el)
	name := bytes.SplitN(e[3], []byte{d.component}, 3)
	last := filled(clip(name[0]))
	var first []byte
	if len(name) > 1 {
		first = filled(clip(name[1]))
	}
	birth := birthDigits(e[2])
	r := detect.Record{Off: off, Has: detect.HealthFormat}
	if last != nil || first != nil {
		r.Has |= detect.Name
	}
	if birth != nil {
		r.Has |= detect.BirthDate
	}
	d.numbers(&r, e[5])
	if r.Has&(detect.Name|detect.SSN) == 0 {
		return
	}
	r.Keys = append(r.Keys, nameKey(last, first, birth))
	s.Record(r)
}

// numbers takes the social security number (qualifier SY) among the identifiers.
func (d edifact) numbers(r *detect.Record, ids []byte) {
	parts := bytes.FieldsFunc(ids, func(c rune) bool { return c < 0x80 && (byte(c) == d.component || punctuationOrControl(byte(c))) })
	for i, part := range parts {
		if string(part) != "SY" || i == 0 {
			continue
		}
		if digits, valid := identifier.SSN(parts[i-1]); valid.OK() {
			r.Has |= detect.SSN
			r.Synthetic = valid == identifier.Synthetic
			r.Keys = append(r.Keys, detect.SSNKey(digits[:]))
		}
	}
}

func openScript(m detect.Meta, s *detect.Sink) detect.Reader {
	if m.Hit == nil || m.Hit.Anchor < ncpdpXML {
		return nil
	}
	x := &script{sink: s}
	x.tokens = xmltok.New(x.token)
	return x
}

// script reads SCRIPT in XML. Until 10.6 the name space tells it, since 2017071
// the element HumanPatient, or an attribute of the message. What stands before
// the tag that tells it is not read, since a quote or a comment there that does
// not end would hide the message.
type script struct {
	sink   *detect.Sink
	tokens *xmltok.Tokenizer
	next   int64
	tail   []byte // the last bytes outside of messages
	began  int64  // where the tag began that may tell a message
	open   bool   // it has not ended yet
	within bool   // within a SCRIPT message
	inside int    // depth of the patient's element, from 1; 0: not within one

	off         int64
	last, first []byte
	birth       []byte
	r           detect.Record
}

// maxScriptTag bounds the tag that tells a message, and how much of it may stand
// before what tells it.
const (
	maxScriptTag  = 8 << 10
	maxScriptLead = 1 << 10
)

func (x *script) Window(w detect.Window) {
	if w.Off != x.next {
		x.Close()
	}
	x.next = w.Off + int64(len(w.Data))
	data, off := w.Data, w.Off
	if !x.reading() {
		off -= int64(len(x.tail))
		x.tail = append(x.tail, data...)
		data = x.tail
	}
	for len(data) > 0 {
		n := x.step(data, off)
		if n == 0 {
			break
		}
		data, off = data[n:], off+int64(n)
	}
	if x.reading() {
		data = nil
	}
	x.tail = append(x.tail[:0], data[max(0, len(data)-maxScriptLead):]...)
}

// reading says whether a message or the tag that may tell one is open.
func (x *script) reading() bool { return x.open || x.within || x.inside > 0 }

// step reads up to the next tag's end, or passes over what is no message; it
// returns how many bytes are done with, 0 when there is nothing more to see.
func (x *script) step(data []byte, off int64) int {
	if !x.reading() {
		at := tellsScript(data)
		if at < 0 {
			return 0
		}
		from := max(0, at-maxScriptLead)
		if i := bytes.LastIndexByte(data[from:at], '<'); i >= 0 {
			at = from + i
		}
		x.tokens.Close()
		x.open, x.began = true, off+int64(at)
		if at > 0 {
			return at
		}
	}
	n := bytes.IndexByte(data, '>') + 1
	if n == 0 {
		n = len(data)
	}
	if x.open {
		n = min(n, int(x.began+maxScriptTag-off))
		x.open = data[n-1] != '>' && off+int64(n) < x.began+maxScriptTag
	}
	x.tokens.Window(off, data[:n])
	return n
}

// tellsScript is where the first bytes are that tell a message, -1 without any.
// It looks at a little at a time, so that many of them cost no more than few.
func tellsScript(data []byte) int {
	const piece, overlap = 1 << 10, 32
	for from := 0; from < len(data); from += piece {
		part, first := data[from:min(len(data), from+piece+overlap)], -1
		for _, mark := range []string{"ncpdp.org/schema/SCRIPT", "HumanPatient>", `TransactionDomain="SCRIPT"`} {
			if i := bytes.Index(part, []byte(mark)); i >= 0 && (first < 0 || i < first) {
				first = i
			}
		}
		if first >= 0 {
			return from + first
		}
	}
	return -1
}

func (x *script) Close() {
	x.tokens.Close()
	x.tokens.Missed(x.sink.Skip)
	x.open, x.within, x.inside, x.tail = false, false, 0, x.tail[:0]
}

// Idle says that no message is open and none begins at the end.
func (x *script) Idle() bool {
	const longest = len(`TransactionDomain="SCRIPT"`)
	return !x.reading() && bytes.IndexAny(x.tail[max(0, len(x.tail)-longest):], "nHT") < 0
}

func (x *script) token(t *xmltok.Token) {
	if t.Cut && x.inside > 0 {
		x.sink.Skip("text of more than 64 KiB or attribute of more than 4 KiB about a patient was read up to there")
	}
	switch t.Kind {
	case xmltok.Start:
		x.start(t)
	case xmltok.Text:
		if x.inside > 0 && t.Depth > x.inside {
			x.text(t.Value)
		}
	case xmltok.End:
		if x.inside > 0 && t.Depth < x.inside {
			x.report()
			x.inside = 0
		}
		if t.Depth == 0 && !t.Unopened {
			x.within = false
		}
	}
}

func (x *script) start(t *xmltok.Token) {
	if x.inside > 0 && string(t.Name) == "Message" { // the one before was cut off
		x.report()
		x.inside = 0
	}
	human := string(t.Name) == "HumanPatient"
	x.within = x.within || human || bytes.HasSuffix(t.Space, []byte("ncpdp.org/schema/SCRIPT")) || string(t.Attr("TransactionDomain")) == "SCRIPT"
	if x.within && x.inside == 0 && (human || string(t.Name) == "Patient") {
		x.inside, x.off = t.Depth+1, t.Off
		x.last, x.first, x.birth, x.r = nil, nil, nil, detect.Record{Has: detect.HealthFormat}
	}
}

// text takes the text of an element of the patient. Elements of others, such as
// emergency contacts, stand deeper.
func (x *script) text(v []byte) {
	name, parent, above := string(x.tokens.Path(0)), string(x.tokens.Path(1)), string(x.tokens.Path(2))
	switch {
	case parent == "Name" && patientElement(above) && name == "LastName":
		x.last = keep(v)
	case parent == "Name" && patientElement(above) && name == "FirstName":
		x.first = keep(v)
	case parent == "DateOfBirth" && patientElement(above) && name == "Date", name == "DateOfBirth" && patientElement(parent):
		x.birth = birthDigits(v)
	case parent == "Identification" && patientElement(above):
		x.number(name, filled(v))
	}
}

func patientElement(name string) bool { return name == "Patient" || name == "HumanPatient" }

// keep copies a value that says something.
func keep(v []byte) []byte { return append([]byte(nil), clip(filled(v))...) }

// number takes an identifier of the patient's.
func (x *script) number(kind string, v []byte) {
	switch {
	case v == nil:
	case kind == "SocialSecurity" || kind == "SSN":
		if digits, valid := identifier.SSN(v); valid.OK() {
			x.r.Has |= detect.SSN
			x.r.Synthetic = valid == identifier.Synthetic
			x.r.Keys = append(x.r.Keys, detect.SSNKey(digits[:]))
		}
	case kind == "MedicalRecordIdentificationNumberEHR":
		x.r.Has |= detect.MRN
		x.r.Keys = append(x.r.Keys, detect.MRNKey(v, nil))
	case kind == "MedicareNumber" || kind == "MedicaidNumber":
		x.r.Has |= detect.Plan
		x.r.Keys = append(x.r.Keys, detect.MemberKey(v))
	}
}

func (x *script) report() {
	if x.last != nil || x.first != nil {
		x.r.Has |= detect.Name
	}
	if x.r.Has == detect.HealthFormat {
		return
	}
	if x.birth != nil {
		x.r.Has |= detect.BirthDate
	}
	x.r.Off = x.off
	x.r.Keys = append(x.r.Keys, nameKey(x.last, x.first, x.birth))
	x.sink.Record(x.r)
}
