package format

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
	"github.com/phigate/phigate/policy/detect/xmltok"
	"github.com/phigate/phigate/policy/hipaa"
)

// CDA finds clinical documents about a patient: CDA and C-CDA, the messages of
// HL7 version 3, which name patients in the same way, and CCR.
func CDA() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-cda",
			Aliases:  []string{"PHI-004"},
			Title:    "clinical document with a patient",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"A clinical document names its patient in recordTarget and tells the patient's history.",
			Fix: "Remove the documents from the image and from the layers below it; let tests make documents without real patients at run time.",
		},
		// The name space of the root, which stands before every patient; the element
		// where a part of a document lost its root.
		Anchors: []string{`["']urn:hl7-org:v3["']`, `patientRole>`, `["']urn:astm-org:CCR["']`},
		Open:    openCDA,
	}
}

func openCDA(_ detect.Meta, s *detect.Sink) detect.Reader {
	c := &cda{sink: s}
	c.elements = xmltok.New(c.element)
	return c
}

// cda reads one file.
type cda struct {
	sink     *detect.Sink
	elements *xmltok.Tokenizer
	next     int64
	last     int64 // where the last element of a clinical document began
	synthea  bool
	cut      bool // a text or an attribute about the patient was longer than is kept

	open  bool   // within a person
	depth int    // of the element that is one
	by    []byte // its name
	off   int64
	who   cdaPerson
}

// cdaPerson is what is known of the person that is open.
type cdaPerson struct {
	record      detect.Record
	last, first []byte
	birth       []byte
	numbers     []detect.Key // of other authorities: they come after record numbers
}

func (c *cda) Window(w detect.Window) {
	if w.Off != c.next {
		c.open = false
	}
	c.next = w.Off + int64(len(w.Data))
	c.elements.Window(w.Off, w.Data)
}

func (c *cda) Close() {
	c.elements.Close()
	c.elements.Missed(c.sink.Skip)
	if c.cut {
		c.sink.Skip("text of more than 64 KiB or attribute of more than 4 KiB about a patient was read up to there")
	}
}

// Idle says that no document is open, or that what is open is none.
func (c *cda) Idle() bool {
	return c.elements.Quiet() || !c.open && c.next-c.last > maxPatience
}

// element takes a token. What stands within a person's element is that person's.
func (c *cda) element(t *xmltok.Token) {
	ours := len(t.Space) == 0 || bytes.HasPrefix(t.Space, []byte("urn:hl7-org")) || bytes.HasPrefix(t.Space, []byte("urn:astm-org"))
	if !ours {
		return
	}
	c.last = t.Off
	c.cut = c.cut || c.open && t.Cut
	switch {
	case t.Kind == xmltok.Start && !c.open && cdaOpens(t):
		c.open, c.depth, c.off = true, t.Depth, t.Off
		c.by = append(c.by[:0], t.Name...)
		c.who = cdaPerson{last: c.who.last[:0], first: c.who.first[:0], birth: c.who.birth[:0]}
	case !c.open:
		c.synthea = c.synthea || t.Kind == xmltok.Text && synthea(t.Value)
	case t.Kind == xmltok.End && t.Depth == c.depth:
		c.open = false
		if !c.sink.Decoded(c.off, t.Off) {
			c.person()
		}
	case t.Kind == xmltok.Start:
		c.attributes(t)
	case t.Kind == xmltok.Text:
		c.text(t)
	}
}

// cdaOpens says that an element is a person: patientRole in documents, patient
// in messages, Actor in CCR.
func cdaOpens(t *xmltok.Token) bool {
	switch string(t.Name) {
	case "patientRole":
		return t.Attr("nullFlavor") == nil
	case "patient":
		return bytes.HasPrefix(t.Space, []byte("urn:hl7-org"))
	case "Actor":
		return bytes.HasPrefix(t.Space, []byte("urn:astm-org"))
	}
	return false
}

// own says that what stands in the element is about the patient, not about a
// guardian, a birthplace or the organisation that cares for the patient.
func (c *cda) own(element []byte) bool {
	switch string(element) {
	case "patientRole", "patient", "patientPerson", "asOtherIDs", "Actor", "Person", "CurrentName":
		return true
	}
	return false
}

// attributes takes what stands in attributes: identifiers, birth, telephones.
func (c *cda) attributes(t *xmltok.Token) {
	if t.Attr("nullFlavor") != nil || !c.own(c.elements.Path(1)) {
		return
	}
	switch string(t.Name) {
	case "id":
		c.identifier(t.Attr("extension"), t.Attr("root"))
	case "birthTime":
		c.born(t.Attr("value"))
	case "telecom":
		value := said(t.Attr("value"))
		switch kind, number, found := bytes.Cut(value, []byte(":")); {
		case !found:
		case string(kind) == "tel" || string(kind) == "fax":
			c.who.record.Has |= detect.Phone
			c.who.synthetic(identifier.Phone(number))
		case string(kind) == "mailto":
			c.who.record.Has |= detect.Email
			c.who.synthetic(identifier.Email(number))
		}
	}
}

func (p *cdaPerson) synthetic(v identifier.Valid) {
	p.record.Synthetic = p.record.Synthetic || v == identifier.Synthetic
}

// identifier takes an id: root says who assigned the extension.
func (c *cda) identifier(extension, root []byte) {
	extension = said(extension)
	p := &c.who
	if extension == nil || said(root) == nil && len(root) > 0 || len(p.record.Keys) >= maxFHIRKeys {
		return
	}
	switch string(root) {
	case oidSSN:
		digits, valid := identifier.SSN(extension)
		if !valid.OK() {
			return
		}
		p.synthetic(valid)
		p.record.Has |= detect.SSN
		p.numbers = append(p.numbers, detect.SSNKey(digits[:]))
	case oidMBI, oidHIC:
		p.record.Has |= detect.Plan
		p.numbers = append(p.numbers, detect.MemberKey(extension))
	default:
		p.record.Has |= detect.MRN
		p.record.Keys = append(p.record.Keys, detect.MRNKey(extension, root))
	}
}

// born takes a date of birth: in documents eight digits and a time, in CCR with
// dashes.
func (c *cda) born(value []byte) {
	value = said(value)
	if len(value) > 8 && bytes.IndexByte(value[:8], '-') < 0 {
		value = value[:8]
	}
	if d, ok := identifier.BirthDate(value); ok {
		c.who.record.Has |= detect.BirthDate
		c.who.birth = d.Append(c.who.birth[:0])
	}
}

// text takes the parts of names and addresses.
func (c *cda) text(t *xmltok.Token) {
	p, up, over := &c.who, c.elements.Path(1), c.elements.Path(2)
	switch string(t.Name) {
	case "family", "Family":
		if (string(up) == "name" && c.own(over) || c.own(up)) && len(p.last) == 0 {
			p.last = append(p.last, named(t.Value)...)
		}
	case "given", "Given":
		if (string(up) == "name" && c.own(over) || c.own(up)) && len(p.first) == 0 {
			p.first = append(p.first, named(t.Value)...)
		}
	case "name":
		if c.own(up) && len(p.last) == 0 {
			if last, first, ok := whole(t.Value); ok {
				p.last, p.first = append(p.last, last...), append(p.first, first...)
			}
		}
	case "streetAddressLine", "city", "postalCode":
		if string(up) == "addr" && c.own(over) && said(t.Value) != nil {
			p.record.Has |= detect.Address
		}
	case "ExactDateTime":
		if string(up) == "DateOfBirth" {
			c.born(t.Value)
		}
	}
}

// person reports the patient whose element ended.
func (c *cda) person() {
	p := &c.who
	if string(c.by) == "Actor" && !p.record.Has.Has(detect.BirthDate) {
		return // doctors are actors, too
	}
	r := p.record
	r.Off, r.Synthetic = c.off, r.Synthetic || c.synthea
	r.Has |= detect.HealthFormat
	r.Keys = append(r.Keys, p.numbers...)
	if len(p.last)+len(p.first) > 0 {
		r.Has |= detect.Name
		if len(p.birth) > 0 && len(p.last) > 0 {
			r.Keys = append(r.Keys, detect.NameBirthKey(p.last, p.first, p.birth))
		}
		r.Keys = append(r.Keys, detect.NameKey(p.last, p.first))
	}
	c.sink.Record(r)
}
