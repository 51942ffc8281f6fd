package format

import (
	"strconv"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/jsontok"
)

// DICOMJSON finds patients in the JSON form of DICOM (PS3.18, annex F), in which
// archives answer DICOMweb: metadata of studies, without pictures.
func DICOMJSON() detect.Detector {
	return detect.Detector{
		Info: dicomMetadata("phi-dicom-json", "DICOM metadata in JSON with a patient"),
		// The elements of the patient's name, number and date of birth, as keys.
		Anchors: []string{`"00100010"`, `"00100020"`, `"00100030"`},
		Open:    openDICOMJSON,
	}
}

func openDICOMJSON(_ detect.Meta, s *detect.Sink) detect.Reader {
	d := &dicomJSON{sink: s, depth: -1}
	d.objects = jsontok.New(d.token)
	return d
}

// dicomJSON reads one file. Each object with elements of the patient module is an
// instance, a series or a study.
type dicomJSON struct {
	sink    *detect.Sink
	objects *jsontok.Tokenizer
	depth   int // of the object that is open; -1: none
	who     dicomPerson
	begin   detect.Beginning
}

func (d *dicomJSON) Window(w detect.Window) {
	d.begin.Note(w)
	d.objects.Window(w.Off, w.Data)
}

func (d *dicomJSON) Close() {
	d.objects.Close()
	d.report()
	d.objects.Missed(d.sink.Skip)
}

// Idle sleeps between documents.
func (d *dicomJSON) Idle() bool { return d.begin.Known() && d.objects.Quiet() }

// token takes the values under an element: of a name, the ways of writing it
// stand one level deeper. Elements of sequences within are of the same patient.
func (d *dicomJSON) token(t *jsontok.Token) {
	switch t.Kind {
	case jsontok.ObjectStart:
		if _, ok := dicomTag(t.Key); ok && (d.depth < 0 || t.Depth-1 < d.depth) {
			d.depth = max(0, t.Depth-1)
		}
	case jsontok.ObjectEnd:
		if t.Unopened || t.Depth == d.depth {
			d.report()
		}
	case jsontok.String:
		var under []byte
		switch string(t.Key) {
		case "Value":
			under = d.objects.Path(1)
		case "Alphabetic":
			under = d.objects.Path(2)
		}
		if tag, ok := dicomTag(under); ok && dicomWanted(tag) {
			d.who.take(tag, t.Value, t.Off)
		}
	}
}

func (d *dicomJSON) report() {
	if d.who.some {
		d.who.report(d.sink)
	}
	d.depth, d.who = -1, dicomPerson{}
}

// dicomTag is a tag as eight hexadecimal digits.
func dicomTag(key []byte) (uint32, bool) {
	if len(key) != 8 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(key), 16, 32)
	return uint32(v), err == nil
}
