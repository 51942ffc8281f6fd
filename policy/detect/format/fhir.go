package format

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/jsontok"
	"github.com/phigate/phigate/policy/detect/xmltok"
	"github.com/phigate/phigate/policy/hipaa"
)

// FHIR finds resources about patients, in JSON, NDJSON, XML and
// Turtle, of DSTU2 to R5.
func FHIR() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-fhir",
			Aliases:  []string{"PHI-002"},
			Title:    "FHIR resource with a patient",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"A FHIR resource Patient names who is treated, and other resources name the patient in their subject.",
			Fix: "Remove the resources from the image and from the layers below it; let tests make synthetic patients at run time.",
		},
		// The first key of most resources, the name space of a document's root, and
		// that of Turtle.
		Anchors: []string{`["']resourceType["']`, `=["']http://hl7\.org/fhir["']`, `: <http://hl7\.org/fhir/>`},
		Open:    openFHIR,
	}
}

func openFHIR(_ detect.Meta, s *detect.Sink) detect.Reader {
	f := &fhir{json: newFHIRTree(s), xml: newFHIRTree(s), turtle: turtle{tree: newFHIRTree(s)}}
	f.objects = jsontok.New(f.object)
	f.elements = xmltok.New(f.element)
	return f
}

// maxPatience is how many bytes are read on without a resource's beginning,
// when something is still open; maxDoubt within a file that may only mention
// resources.
const (
	maxPatience = 1 << 20
	maxDoubt    = 64 << 10
)

// fhir reads one file, which may hold several notations, as logs do.
type fhir struct {
	objects   *jsontok.Tokenizer
	elements  *xmltok.Tokenizer
	json, xml *fhirTree
	turtle    turtle
	next      int64 // after the last window
	cut       bool  // a value that may identify somebody was longer than is kept
}

// cutValue is what is told of such values.
const cutValue = "value of a patient's data that is longer than 4 KiB (XML) or 64 KiB (JSON) was read up to there"

var (
	fhirKey   = []byte("resourceType")
	fhirSpace = []byte("http://hl7.org/fhir")
)

// Window gives the bytes to the tokenizers whose notation is there.
func (f *fhir) Window(w detect.Window) {
	f.next = w.Off + int64(len(w.Data))
	if !f.json.asleep(f.objects.Quiet(), w.Off) || f.json.mentioned(w, fhirKey) {
		if f.json.skipped(w.Off, f.next) {
			f.objects.Close()
			f.json.reset()
		}
		f.objects.Window(w.Off, w.Data)
	}
	if !f.xml.asleep(f.elements.Quiet(), w.Off) || f.xml.mentioned(w, fhirSpace) {
		if f.xml.skipped(w.Off, f.next) {
			f.elements.Close()
			f.xml.reset()
		}
		f.elements.Window(w.Off, w.Data)
	}
	f.turtle.window(w)
}

func (f *fhir) Close() {
	f.objects.Close()
	f.elements.Close()
	f.objects.Missed(f.json.sink.Skip)
	f.elements.Missed(f.xml.sink.Skip)
	if f.turtle.end(); f.cut || f.turtle.cut {
		f.json.sink.Skip(cutValue)
	}
}

// Idle says that no document is open that still may name somebody.
func (f *fhir) Idle() bool {
	return f.json.asleep(f.objects.Quiet(), f.next) && f.xml.asleep(f.elements.Quiet(), f.next) && f.turtle.asleep(f.next)
}

// object takes a token of JSON.
func (f *fhir) object(t *jsontok.Token) {
	switch t.Kind {
	case jsontok.ObjectStart:
		f.json.push(t.Key, t.Off)
	case jsontok.ObjectEnd:
		if t.Unopened {
			f.json.orphan()
			return
		}
		f.json.pop()
	case jsontok.String:
		f.cut = f.cut || len(t.Value) == jsontok.MaxString && f.json.begun && fhirIdentity(t.Key)
		f.json.set(t.Key, t.Value, t.Off)
	}
}

// element takes a token of XML: values are attributes, resources are elements
// whose names begin with a capital.
func (f *fhir) element(t *xmltok.Token) {
	switch t.Kind {
	case xmltok.Start:
		if v := t.Attr("value"); v != nil {
			f.cut = f.cut || len(v) == xmltok.MaxValue && f.xml.begun && fhirIdentity(t.Name)
			f.xml.set(t.Name, v, t.Off)
		}
		resource := proper(t.Name) && (len(t.Space) == 0 || bytes.Equal(t.Space, fhirSpace))
		if !resource {
			f.xml.push(t.Name, t.Off)
			return
		}
		f.xml.push(f.xml.top().under, t.Off)
		f.xml.set(fhirKey, t.Name, t.Off)
	case xmltok.End:
		if t.Unopened {
			f.xml.orphan()
			return
		}
		f.xml.pop()
	case xmltok.Text:
		f.xml.synthea = f.xml.synthea || synthea(t.Value)
	}
}
