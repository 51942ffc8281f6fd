package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// fhirTree keeps of the open objects what may identify somebody. What an object
// says goes to the one around it when it ends: the parts of a name to the
// patient, the code of an identifier's type to the identifier. Only when a
// resource ends it is judged, since its type may be its last key.
type fhirTree struct {
	sink    *detect.Sink
	frames  []fhirFrame // the first is what stands around: a document that began before
	used    int
	begun   bool  // a resource was seen
	last    int64 // where the last resource began
	next    int64 // after the last window that was read
	synthea bool
}

// fhirFrame is one open object.
type fhirFrame struct {
	under []byte // the key that it stands under
	off   int64
	kind  fhirKind
	vals  [fhirFields][]byte

	who     fhirWho // of a person or an identifier: it itself
	subject fhirWho // the patient that it refers to
}

// fhirWho is what is known about one person.
type fhirWho struct {
	has         detect.Trait
	last, first []byte
	keys        []detect.Key
	refers      bool // by a reference
	subject     bool // that is the resource's subject
	synthetic   bool
}

// fhirField is a key whose text matters.
type fhirField uint8

const (
	fieldNone fhirField = iota
	fieldID
	fieldBirth
	fieldFamily
	fieldGiven
	fieldText
	fieldUse
	fieldSystem
	fieldValue
	fieldCode
	fieldReference
	fieldDisplay
	fieldURL
	fieldFullURL
	fieldLine
	fieldCity
	fieldPostal
	fhirFields
)

func fhirFieldOf(key []byte) fhirField {
	switch string(key) {
	case "id":
		return fieldID
	case "birthDate":
		return fieldBirth
	case "family":
		return fieldFamily
	case "given":
		return fieldGiven
	case "text", "div":
		return fieldText
	case "use":
		return fieldUse
	case "system":
		return fieldSystem
	case "value":
		return fieldValue
	case "code":
		return fieldCode
	case "reference":
		return fieldReference
	case "display":
		return fieldDisplay
	case "url", "data":
		return fieldURL
	case "fullUrl":
		return fieldFullURL
	case "line":
		return fieldLine
	case "city", "district":
		return fieldCity
	case "postalCode":
		return fieldPostal
	}
	return fieldNone
}

// fhirIdentity says that what identifies somebody stands under the key. Narratives
// and attachments may be long: these are looked at as text and as files.
func fhirIdentity(key []byte) bool {
	switch fhirFieldOf(key) {
	case fieldNone, fieldText, fieldURL, fieldDisplay:
		return false
	}
	return true
}

// maxFHIRValue bounds a value that is kept, maxFHIRKeys the identifiers of one person.
const (
	maxFHIRValue = 256
	maxFHIRKeys  = 8
	maxFHIRKey   = 32
)

func newFHIRTree(s *detect.Sink) *fhirTree {
	return &fhirTree{sink: s, frames: make([]fhirFrame, 1), used: 1}
}

// top is the innermost object.
func (t *fhirTree) top() *fhirFrame { return &t.frames[t.used-1] }

// push opens an object.
func (t *fhirTree) push(under []byte, off int64) {
	if t.used == len(t.frames) {
		t.frames = append(t.frames, fhirFrame{})
	}
	t.used++
	f := t.top()
	f.clear()
	f.off = off
	f.under = append(f.under, under[:min(len(under), maxFHIRKey)]...)
}

// clear forgets the object, not its buffers.
func (f *fhirFrame) clear() {
	f.under, f.off, f.kind = f.under[:0], 0, noResource
	for i := range f.vals {
		f.vals[i] = f.vals[i][:0]
	}
	f.who.clear()
	f.subject.clear()
}

func (w *fhirWho) clear() {
	clear(w.keys)
	*w = fhirWho{last: w.last[:0], first: w.first[:0], keys: w.keys[:0]}
}

// set takes a text of the innermost object. Of several the first counts: of an
// array, and of keys that are there twice.
func (t *fhirTree) set(key, value []byte, off int64) {
	f := t.top()
	if string(key) == string(fhirKey) {
		if kind := fhirKindOf(value); kind != noResource {
			f.kind, t.begun, t.last = kind, true, off
		}
		return
	}
	field := fhirFieldOf(key)
	if field == fieldNone || len(f.vals[field]) > 0 {
		return
	}
	t.synthea = t.synthea || synthea(value)
	f.vals[field] = append(f.vals[field], value[:min(len(value), maxFHIRValue)]...)
}

// pop ends the innermost object.
func (t *fhirTree) pop() {
	f := t.top()
	t.used--
	switch {
	case f.kind != noResource:
		t.judge(f)
	case t.used > 0:
		t.fold(f, t.top())
	}
}

// orphan ends an object whose beginning was not seen.
func (t *fhirTree) orphan() {
	f := &t.frames[0]
	if f.kind != noResource {
		t.judge(f)
	}
	f.clear()
}

// reset forgets all: the reader slept.
func (t *fhirTree) reset() {
	t.used, t.begun = 1, false
	t.frames[0].clear()
}

// skipped says that a window does not follow the last that was read.
func (t *fhirTree) skipped(off, end int64) bool {
	before := t.next
	t.next = end
	return off != before
}

// mentioned says that a resource may begin in a window.
func (t *fhirTree) mentioned(w detect.Window, by []byte) bool {
	if i := bytes.LastIndex(w.Data, by); i >= 0 {
		t.last = w.Off + int64(i)
		return true
	}
	return false
}

// asleep says that what comes at off need not be read, unless a resource begins
// there: nothing is open, or none has begun for long.
func (t *fhirTree) asleep(quiet bool, off int64) bool {
	if quiet || !t.begun {
		return quiet || off-t.last > maxDoubt
	}
	return off-t.last > maxPatience && !t.person()
}

// person says that a resource about a person is open.
func (t *fhirTree) person() bool {
	for i := range t.frames[:t.used] {
		if k := t.frames[i].kind; k == patientResource || k == relatedResource {
			return true
		}
	}
	return false
}
