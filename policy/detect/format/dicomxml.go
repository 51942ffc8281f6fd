package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/xmltok"
)

// DICOMXML finds patients in the XML forms of DICOM: the Native DICOM Model
// (PS3.19, A.1), in which archives answer DICOMweb, and that of DCMTK's dcm2xml.
func DICOMXML() detect.Detector {
	return detect.Detector{
		Info: dicomMetadata("phi-dicom-xml", "DICOM metadata in XML with a patient"),
		// The elements of the patient's name, number and date of birth, as either
		// form writes their tags.
		Anchors: []string{`tag="00100010"`, `tag="00100020"`, `tag="00100030"`, `tag="0010,0010"`, `tag="0010,0020"`, `tag="0010,0030"`},
		Open:    openDICOMXML,
	}
}

func openDICOMXML(_ detect.Meta, s *detect.Sink) detect.Reader {
	d := &dicomXML{sink: s}
	d.elements = xmltok.New(d.element)
	return d
}

// dicomXML reads one file, which may hold one instance after the other.
type dicomXML struct {
	sink        *detect.Sink
	elements    *xmltok.Tokenizer
	tag         uint32 // of the attribute that is open
	last, first []byte // the parts of a name
	who         dicomPerson
	begin       detect.Beginning
	cut         bool
}

func (d *dicomXML) Window(w detect.Window) {
	d.begin.Note(w)
	d.elements.Window(w.Off, w.Data)
}

func (d *dicomXML) Close() {
	d.elements.Close()
	d.report()
	d.elements.Missed(d.sink.Skip)
	if d.cut {
		d.sink.Skip("text of more than 64 KiB about a patient was read up to there")
	}
}

// Idle sleeps between documents.
func (d *dicomXML) Idle() bool { return d.begin.Known() && d.elements.Quiet() }

// element takes a token. Elements of sequences within are of the same patient.
func (d *dicomXML) element(t *xmltok.Token) {
	switch t.Kind {
	case xmltok.Start:
		if tag := t.Attr("tag"); tag != nil {
			d.tag, _ = dicomTag(bytes.Replace(tag, []byte(","), nil, 1))
		}
	case xmltok.Text:
		if dicomWanted(d.tag) {
			d.text(t)
		}
	case xmltok.End:
		switch string(t.Name) {
		case "Alphabetic":
			d.name(t.Off)
		case "DicomAttribute", "element":
			d.tag = 0
		case "NativeDicomModel", "data-set":
			d.report()
		}
	}
}

// text takes a value: in the Native DICOM Model a name is in parts, and may be
// there in three ways of writing.
func (d *dicomXML) text(t *xmltok.Token) {
	d.cut = d.cut || t.Cut
	switch string(t.Name) {
	case "Value", "element":
		d.who.take(d.tag, t.Value, t.Off)
	case "FamilyName":
		d.last = part(d.last, t.Value, d.elements.Path(1))
	case "GivenName":
		d.first = part(d.first, t.Value, d.elements.Path(1))
	}
}

// part keeps a part of the name as it is written in letters.
func part(to, value, within []byte) []byte {
	if string(within) != "Alphabetic" || len(to) > 0 {
		return to
	}
	return append(to, value[:min(len(value), maxFHIRValue)]...)
}

// name puts the parts together as elsewhere they stand in one value.
func (d *dicomXML) name(off int64) {
	if len(d.last)+len(d.first) > 0 {
		d.who.take(d.tag, bytes.Join([][]byte{d.last, d.first}, []byte("^")), off)
	}
	d.last, d.first = d.last[:0], d.first[:0]
}

func (d *dicomXML) report() {
	if d.who.some {
		d.who.report(d.sink)
	}
	d.tag, d.last, d.first, d.who = 0, d.last[:0], d.first[:0], dicomPerson{}
}
