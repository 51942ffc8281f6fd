package format

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/jsontok"
	"github.com/phigate/phigate/policy/detect/xmltok"
	"github.com/phigate/phigate/policy/hipaa"
)

// OpenEHR finds openEHR compositions: health data about somebody whose identity
// is kept elsewhere, mostly (PARTY_SELF), so that what is found is `limited`.
func OpenEHR() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-openehr",
			Title:    "openEHR composition",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "An openEHR composition tells a part of somebody's medical history. Without the subject's name it is a limited data set " +
				"at best (164.514(e)); with it, protected health information that only those with access rights may reach (164.312(a)(1)).",
			Fix: "Remove the compositions from the image and from the layers below it.",
		},
		// The archetype of every composition; templates and archetypes themselves
		// have the identifier in other places.
		Anchors: []string{`openEHR-EHR-COMPOSITION`},
		Open:    openOpenEHR,
	}
}

var ehrComposition = []byte("openEHR-EHR-COMPOSITION")

func openOpenEHR(_ detect.Meta, s *detect.Sink) detect.Reader {
	e := &openEHR{sink: s}
	e.objects = jsontok.New(e.object)
	e.elements = xmltok.New(e.element)
	return e
}

// openEHR reads one file.
type openEHR struct {
	sink     *detect.Sink
	objects  *jsontok.Tokenizer
	elements *xmltok.Tokenizer
	next     int64
	json     ehrComposed
	xml      ehrComposed
	open     [jsontok.MaxDepth + 1]ehrObject
}

// ehrObject is what an open object of JSON says of itself.
type ehrObject struct {
	off          int64
	typed, named bool
}

// ehrComposed is the composition that is open.
type ehrComposed struct {
	off   int64
	last  int64 // where an archetype was named
	depth int   // of the element
	open  bool  // an element is a composition
	has   detect.Trait
	name  []byte
}

func (e *openEHR) Window(w detect.Window) {
	if w.Off != e.next {
		clear(e.open[:])
		e.xml.open = false
	}
	e.next = w.Off + int64(len(w.Data))
	e.objects.Window(w.Off, w.Data)
	e.elements.Window(w.Off, w.Data)
}

func (e *openEHR) Close() {
	e.objects.Close()
	e.elements.Close()
	e.objects.Missed(e.sink.Skip)
	e.elements.Missed(e.sink.Skip)
}

// Idle says that no composition is open, or that nothing speaks of one any more.
func (e *openEHR) Idle() bool {
	return (e.objects.Quiet() || e.next-e.json.last > maxPatience) && (!e.xml.open || e.next-e.xml.last > maxPatience)
}

// object takes a token of JSON: whether an object is a composition shows by two
// of its keys, in any order.
func (e *openEHR) object(t *jsontok.Token) {
	switch t.Kind {
	case jsontok.ObjectStart:
		e.open[t.Depth] = ehrObject{off: t.Off}
	case jsontok.ObjectEnd:
		if !t.Unopened {
			e.ends(t)
		}
	case jsontok.String:
		switch string(t.Key) {
		case "_type", "@class":
			e.at(t).typed = string(t.Value) == "COMPOSITION"
		case "archetype_node_id":
			e.at(t).named = bytes.HasPrefix(t.Value, ehrComposition)
		default:
			e.json.subject(t.Key, e.objects.Path(1), t.Value)
		}
	}
}

// at is the object that a value stands in.
func (e *openEHR) at(t *jsontok.Token) *ehrObject {
	e.json.last = t.Off
	return &e.open[max(0, t.Depth-1)]
}

func (e *openEHR) ends(t *jsontok.Token) {
	if o := e.open[t.Depth]; o.typed && o.named {
		e.json.off = o.off
		e.json.record(e.sink)
	}
	if t.Depth == 0 {
		e.json = ehrComposed{last: e.json.last}
	}
}

// subject takes the name of a party in the subject's place. The composer's and
// other parties' are those of staff.
func (c *ehrComposed) subject(key, under, value []byte) {
	if string(under) != "subject" || string(key) != "name" {
		return
	}
	if last, first, ok := whole(value); ok {
		c.has |= detect.Name
		c.name = append(append(append(c.name[:0], last...), ' '), first...)
	}
}

func (c *ehrComposed) record(s *detect.Sink) {
	r := detect.Record{Off: c.off, Has: detect.HealthFormat | c.has, Rows: true}
	if last, first, found := bytes.Cut(c.name, []byte(" ")); found {
		r.Keys = append(r.Keys, detect.NameKey(last, first))
	}
	s.Record(r)
	c.has, c.name = 0, c.name[:0]
}

// element takes a token of XML.
func (e *openEHR) element(t *xmltok.Token) {
	c := &e.xml
	if t.Attr("archetype_node_id") != nil {
		c.last = t.Off
	}
	switch {
	case t.Kind == xmltok.Start && !c.open && bytes.HasPrefix(t.Attr("archetype_node_id"), ehrComposition):
		*c = ehrComposed{off: t.Off, last: t.Off, depth: t.Depth, open: true}
	case t.Kind == xmltok.End && c.open && t.Depth == c.depth:
		c.open = false
		c.record(e.sink)
	case t.Kind == xmltok.Text && c.open:
		c.subject(t.Name, e.elements.Path(1), t.Value)
	}
}
