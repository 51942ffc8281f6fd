package phi

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/jsontok"
	"github.com/phigate/phigate/policy/hipaa"
)

// JSON finds records of patients in JSON that no standard describes: exports of
// applications and document databases, NDJSON, logs with JSON in them. What says
// that it is FHIR or openEHR is left to the detectors of these.
func JSON() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-json",
			Title:    "JSON with records of patients",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"An image is copied to every registry and node that runs it, and whoever may pull it reads the records.",
			Fix: "Remove the file from the image and from the layers below it, and mount the data at run time from storage with access control.",
		},
		Anchors: keyWords(),
		Open:    openJSON,
	}
}

// keyWords are keys of which each record of a person has one, as they end: before
// them may stand whose they are. The quote may be escaped, where JSON stands in a
// string.
func keyWords() []string {
	return []string{
		`(?i)dob["\\]`, `(?i)birth[_-]date["\\]`, `(?i)birthdate["\\]`, `(?i)dateofbirth["\\]`, `(?i)date[_-]of[_-]birth["\\]`, `(?i)birthday["\\]`,
		`(?i)ssn["\\]`, `(?i)socialsecurity`, `(?i)social[_-]security`,
		`(?i)mrn["\\]`, `(?i)medicalrecord`, `(?i)medical[_-]record`, `(?i)patientid["\\]`, `(?i)patient[_-]id["\\]`, `(?i)patientname["\\]`,
		`(?i)patient[_-]name["\\]`, `(?i)"mbi["\\]`, `(?i)medicare[a-z_]`, `(?i)memberid["\\]`, `(?i)member[_-]id["\\]`, `(?i)subscriberid["\\]`,
		`(?i)lastname["\\]`, `(?i)last[_-]name["\\]`, `(?i)"lname["\\]`, `(?i)surname["\\]`, `(?i)family[_-]name["\\]`,
	}
}

// openJSON reads where the match is a key: a colon follows it.
func openJSON(m detect.Meta, s *detect.Sink) detect.Reader {
	if m.Hit == nil || !keyEnds(m.Hit.Text[m.Hit.End-1:]) {
		return nil
	}
	r := &jsonReader{tree: newTree(m.Path, s)}
	r.tokens = jsontok.New(r.token)
	return r
}

// keyEnds says whether a key's last byte or quote and then a colon come next.
func keyEnds(text []byte) bool {
	for _, c := range text[:min(len(text), maxWord)] {
		switch {
		case c == ':':
			return true
		case c != '"' && c != '\\' && c != ' ' && c != '_' && !letterOrFigure(c):
			return false
		}
	}
	return false
}

// jsonReader reads one file of JSON, or with JSON in it.
type jsonReader struct {
	tree   *tree
	tokens *jsontok.Tokenizer
	begin  detect.Beginning
	within bool // a string that holds JSON itself
}

func (r *jsonReader) Window(w detect.Window) {
	r.begin.Note(w)
	r.tokens.Window(w.Off, w.Data)
}

func (r *jsonReader) Close() {
	r.tokens.Close()
	r.tree.finish()
	r.tokens.Missed(r.tree.sink.Skip)
}

// Idle sleeps between documents.
func (r *jsonReader) Idle() bool { return r.begin.Known() && r.tokens.Quiet() }

func (r *jsonReader) token(t *jsontok.Token) {
	switch t.Kind {
	case jsontok.ObjectStart:
		r.tree.push(t.Key, t.Off)
	case jsontok.ArrayStart:
		r.tree.array(t.Key)
	case jsontok.ObjectEnd, jsontok.ArrayEnd:
		if t.Unopened {
			r.tree.close()
		} else {
			r.tree.pop()
		}
	case jsontok.String:
		r.string(t)
	case jsontok.Literal:
		r.tree.value(t.Key, t.Value, t.Off)
	}
}

// string takes a string, and reads it as JSON when it looks so: logs and columns
// of databases have JSON in strings.
func (r *jsonReader) string(t *jsontok.Token) {
	const least = 16
	if v := t.Value; len(v) >= least && (v[0] == '{' || v[0] == '[') && !r.within {
		r.within = true
		off := t.Off
		inner := jsontok.New(func(i *jsontok.Token) {
			i.Off = off
			r.token(i)
		})
		inner.Window(0, v)
		inner.Close()
		inner.Missed(r.tree.sink.Skip)
		if t.Cut && len(v) == jsontok.MaxString {
			r.tree.sink.Skip("JSON in a string longer than 64 KiB was read up to there")
		}
		r.within = false
		return
	}
	if len(t.Value) == jsontok.MaxString && r.tree.tells(t.Key) {
		r.tree.sink.Skip("string of more than 64 KiB about a person was read up to there")
	}
	if standardKey(t.Key) {
		r.tree.leave()
		return
	}
	r.tree.value(t.Key, t.Value, t.Off)
}

// standardKey says that an object is one of FHIR or openEHR.
func standardKey(key []byte) bool {
	return string(key) == "resourceType" || string(key) == "archetype_node_id"
}
