package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

// dicomNative and dicomToolkit are an instance in the two forms.
const (
	dicomNative = `<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">` +
		`<DicomAttribute tag="00080060" vr="CS" keyword="Modality"><Value number="1">CT</Value></DicomAttribute>` +
		`<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1"><Alphabetic><FamilyName>Vandersloot</FamilyName><GivenName>Ottilie</GivenName></Alphabetic>` +
		`<Ideographic><FamilyName>x</FamilyName></Ideographic></PersonName></DicomAttribute>` +
		`<DicomAttribute tag="00100020" vr="LO" keyword="PatientID"><Value number="1">M8842107</Value></DicomAttribute>` +
		`<DicomAttribute tag="00100030" vr="DA" keyword="PatientBirthDate"><Value number="1">19610430</Value></DicomAttribute>` +
		`<DicomAttribute tag="00101002" vr="SQ" keyword="OtherPatientIDsSequence"><Item number="1"><DicomAttribute tag="00100020" vr="LO"><Value number="1">X1</Value></DicomAttribute></Item></DicomAttribute>` +
		`</NativeDicomModel>`

	dicomToolkit = `<?xml version="1.0" encoding="ISO-8859-1"?>` + "\n" + `<file-format xmlns="http://dicom.offis.de/dcmtk"><data-set xfer="1.2.840.10008.1.2.1" name="Little Endian Explicit">` +
		`<element tag="0010,0010" vr="PN" vm="1" len="20" name="PatientName">Vandersloot^Ottilie</element>` +
		`<element tag="0010,0020" vr="LO" vm="1" len="8" name="PatientID">M8842107</element>` +
		`<element tag="0010,0030" vr="DA" vm="1" len="8" name="PatientBirthDate">19610430</element></data-set></file-format>`
)

func TestDICOMXML_accept(t *testing.T) {
	for _, text := range []string{dicomNative, dicomToolkit} {
		detecttest.Accept(t, format.DICOMXML(), []byte(text), "/srv/metadata.xml",
			detecttest.Secrets("M8842107", "Vandersloot", "Ottilie", "19610430"), detecttest.UTF16(), detecttest.People(1))
	}
}

func TestDICOMXML(t *testing.T) {
	other := strings.NewReplacer("Vandersloot", "Kowalczyk", "M8842107", "M8842108")
	for name, c := range map[string]struct {
		text        string
		phi, people int
	}{
		"native":        {dicomNative, 1, 1},
		"toolkit":       {dicomToolkit, 1, 1},
		"both":          {dicomNative + dicomToolkit, 2, 1},
		"two":           {dicomNative + "\n" + other.Replace(dicomNative), 2, 2},
		"indented":      {strings.ReplaceAll(dicomNative, "><", ">\n  <"), 1, 1},
		"one_value":     {`<DicomAttribute tag="00100010" vr="PN"><Value number="1">Vandersloot^Ottilie</Value></DicomAttribute>`, 1, 1},
		"without_name":  {strings.Replace(dicomNative, "Vandersloot", "", 1), 1, 1},
		"empty":         {`<NativeDicomModel><DicomAttribute tag="00100010" vr="PN"/><DicomAttribute tag="00100020" vr="LO"><Value number="1"></Value></DicomAttribute></NativeDicomModel>`, 0, 0},
		"de_identified": {`<NativeDicomModel><DicomAttribute tag="00120062" vr="CS"><Value number="1">YES</Value></DicomAttribute><DicomAttribute tag="00100010" vr="PN"/><DicomAttribute tag="00100020" vr="LO"><Value number="1">A1</Value></DicomAttribute></NativeDicomModel>`, 0, 0},
		"dictionary":    {`<entry tag="00100010" vr="PN" name="PatientName">Patient's name</entry><entry tag="00100020" vr="LO">Patient's number</entry>`, 0, 0},
		"others_values": {strings.ReplaceAll(dicomNative, `tag="001000`, `tag="004000`), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if phi, people, _, _ := counts(t, format.DICOMXML(), "/srv/a.xml", c.text, 256<<10); phi != c.phi || people != c.people {
				t.Errorf("%d records of %d people, want %d of %d", phi, people, c.phi, c.people)
			}
		})
	}
}

func FuzzDICOMXML(f *testing.F) {
	detecttest.Fuzz(f, format.DICOMXML(), dicomNative, dicomToolkit)
}
