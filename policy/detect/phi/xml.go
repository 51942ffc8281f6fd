package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/xmltok"
	"github.com/phigate/phigate/policy/hipaa"
)

// XML finds records of patients in XML that no standard describes: exports,
// data sets of tests, messages between applications. CDA, FHIR and the others that
// have a name space of health care are left to their detectors.
func XML() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-xml",
			Title:    "XML with records of patients",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"An image is copied to every registry and node that runs it, and whoever may pull it reads the records.",
			Fix: "Remove the file from the image and from the layers below it, and mount the data at run time from storage with access control.",
		},
		Anchors: []string{
			`(?i)dob[>=]`, `(?i)birth[_-]date[>=]`, `(?i)birthdate[>=]`, `(?i)dateofbirth[>=]`, `(?i)date[_-]of[_-]birth[>=]`,
			`(?i)ssn[>=]`, `(?i)mrn[>=]`, `(?i)patientid[>=]`, `(?i)patient[_-]id[>=]`, `(?i)lastname[>=]`, `(?i)last[_-]name[>=]`,
			`(?i)surname[>=]`, `(?i)family[_-]name[>=]`, `(?i)medicalrecordnumber[>=]`, `(?i)socialsecuritynumber[>=]`,
		},
		Open: openXML,
	}
}

// openXML reads where the match is the name of an element or an attribute.
func openXML(m detect.Meta, s *detect.Sink) detect.Reader {
	if m.Hit == nil {
		return nil
	}
	h := m.Hit
	begin := tagAround(h.Text[:h.At])
	switch {
	case begin < 0:
		return nil
	case h.Text[h.End-1] == '>':
		if bytes.IndexByte(h.Text[begin:h.At], ' ') >= 0 {
			return nil
		}
	case h.End >= len(h.Text) || h.Text[h.End] != '"' && h.Text[h.End] != '\'':
		return nil
	}
	r := &xmlReader{tree: newTree(m.Path, s)}
	r.tokens = xmltok.New(r.token)
	return r
}

// tagAround is where the tag begins that a text ends in, -1 where it ends in none.
func tagAround(text []byte) int {
	for i := len(text) - 1; i >= max(0, len(text)-near); i-- {
		switch text[i] {
		case '<':
			return i
		case '>':
			return -1
		}
	}
	return -1
}

// xmlReader reads one file of XML, or with XML in it.
type xmlReader struct {
	tree   *tree
	tokens *xmltok.Tokenizer
	begin  detect.Beginning
	hidden bool // an entity stands where an identifier would
	cut    bool // an identifier is longer than is kept
}

func (r *xmlReader) Window(w detect.Window) {
	r.begin.Note(w)
	r.tokens.Window(w.Off, w.Data)
}

func (r *xmlReader) Close() {
	r.tokens.Close()
	r.tree.finish()
	r.tokens.Missed(func(reason string) {
		if reason != xmltok.Entities || r.hidden {
			r.tree.sink.Skip(reason)
		}
	})
	if r.cut {
		r.tree.sink.Skip("text of more than 64 KiB or attribute of more than 4 KiB about a person was read up to there")
	}
}

// Idle sleeps between documents.
func (r *xmlReader) Idle() bool { return r.begin.Known() && r.tokens.Quiet() }

func (r *xmlReader) token(t *xmltok.Token) {
	switch t.Kind {
	case xmltok.Start:
		r.tree.push(t.Name, t.Off)
		if healthSpace(t.Space) {
			r.tree.leave()
		}
		for _, a := range t.Attrs {
			r.tree.value(a.Name, a.Value, t.Off)
			r.hidden = r.hidden || t.Unexpanded && r.tree.tells(a.Name)
			r.cut = r.cut || len(a.Value) == xmltok.MaxValue && r.tree.tells(a.Name)
		}
		r.tree.object().row = len(t.Attrs) > 1
	case xmltok.End:
		if t.Unopened {
			r.tree.close()
		} else {
			r.tree.pop()
		}
	case xmltok.Text:
		r.tree.text(t.Value, t.Off)
		r.hidden = r.hidden || t.Unexpanded && r.tree.tells(t.Name)
		r.cut = r.cut || t.Cut && r.tree.tells(t.Name)
	}
}

// healthSpace are the name spaces of formats that have detectors of their own.
func healthSpace(uri []byte) bool {
	for _, s := range []string{"urn:hl7-org:v3", "http://hl7.org/fhir", "http://www.ncpdp.org/", "http://schemas.openehr.org/"} {
		if bytes.HasPrefix(uri, []byte(s)) {
			return true
		}
	}
	return false
}
