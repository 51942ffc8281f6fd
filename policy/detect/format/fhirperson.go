package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
)

// fhirKind is what a resource is about.
type fhirKind uint8

const (
	noResource fhirKind = iota
	patientResource
	relatedResource // about a patient's relative
	otherResource   // about a patient if it refers to one
	modelResource   // conformance and terminology: about no person
)

// fhirKindOf knows a resource's type. Types of other products that have the key,
// too, are none.
func fhirKindOf(name []byte) fhirKind {
	if len(name) < 4 || len(name) > 40 || name[0] < 'A' || name[0] > 'Z' {
		return noResource
	}
	for _, c := range name {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return noResource
		}
	}
	switch string(name) {
	case "Patient", "Person":
		return patientResource
	case "RelatedPerson":
		return relatedResource
	case "StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "NamingSystem", "SearchParameter", "CapabilityStatement", "Conformance",
		"OperationDefinition", "ImplementationGuide", "Questionnaire", "CompartmentDefinition", "StructureMap", "GraphDefinition",
		"MessageDefinition", "TestScript", "TestReport", "TestPlan", "ExampleScenario", "TerminologyCapabilities", "DataElement",
		"ActivityDefinition", "PlanDefinition", "Library", "Measure", "EventDefinition", "OperationOutcome",
		"Practitioner", "PractitionerRole", "Organization", "OrganizationAffiliation", "Location", "HealthcareService", "Endpoint":
		return modelResource
	}
	return otherResource
}

// fold gives what an object says to the one around it.
func (t *fhirTree) fold(f, up *fhirFrame) {
	switch string(f.under) {
	case "coding", "type":
		if len(up.vals[fieldCode]) == 0 {
			up.vals[fieldCode] = append(up.vals[fieldCode], f.vals[fieldCode]...)
		}
	case "name":
		f.name(&up.who)
	case "identifier":
		f.identifier(&up.who)
	case "address":
		if said(f.vals[fieldLine]) != nil || said(f.vals[fieldCity]) != nil || said(f.vals[fieldPostal]) != nil || said(f.vals[fieldText]) != nil {
			up.who.has |= detect.Address
		}
	case "telecom":
		f.telecom(&up.who)
	case "photo":
		if len(said(f.vals[fieldURL])) > 0 {
			up.who.has |= detect.Photo
		}
	default:
		f.reference(&up.subject)
	}
}

// name takes a HumanName: DSTU2 has lists for both parts.
func (f *fhirFrame) name(w *fhirWho) {
	if old := f.vals[fieldUse]; w.has.Has(detect.Name) && (len(w.last) > 0 || string(old) == "old" || string(old) == "maiden") {
		return
	}
	last, first := named(f.vals[fieldFamily]), named(f.vals[fieldGiven])
	if last == nil && first == nil {
		if last, first, _ = whole(f.vals[fieldText]); last == nil {
			if last = named(f.vals[fieldText]); last == nil {
				return
			}
		}
	}
	w.has |= detect.Name
	w.last, w.first = append(w.last[:0], last...), append(w.first[:0], first...)
}

// The systems of numbers that tell people apart across systems.
const (
	fhirSSN = "us-ssn"
	oidSSN  = "2.16.840.1.113883.4.1"
	fhirMBI = "us-mbi"
	oidMBI  = "2.16.840.1.113883.4.927"
	oidHIC  = "2.16.840.1.113883.4.572" // the Medicare numbers before the MBI
)

// identifier takes an Identifier; types are those of HL7 table 0203.
func (f *fhirFrame) identifier(w *fhirWho) {
	value, system := said(f.vals[fieldValue]), f.vals[fieldSystem]
	if value == nil || len(w.keys) >= maxFHIRKeys {
		return
	}
	code := string(f.vals[fieldCode])
	switch {
	case code == "SS" || code == "SB" || bytes.HasSuffix(system, []byte(fhirSSN)) || bytes.HasSuffix(system, []byte(oidSSN)):
		w.ssn(value)
	case code == "MC" || code == "MB" || code == "MA" || code == "SN" || bytes.HasSuffix(system, []byte(fhirMBI)) ||
		bytes.HasSuffix(system, []byte(oidMBI)) || bytes.HasSuffix(system, []byte(oidHIC)):
		w.has |= detect.Plan
		w.keys = append(w.keys, detect.MemberKey(value))
	case code == "DL" || code == "PPN":
		w.has |= detect.License
	case identifier.UUID(bytes.TrimPrefix(value, []byte("urn:uuid:"))):
		w.keys = append(w.keys, detect.MRNKey(value, system))
	default:
		w.has |= detect.MRN
		w.keys = append(w.keys, detect.MRNKey(value, system))
	}
}

func (w *fhirWho) ssn(value []byte) {
	digits, valid := identifier.SSN(value)
	if !valid.OK() {
		return
	}
	w.has |= detect.SSN
	w.synthetic = w.synthetic || valid == identifier.Synthetic
	w.keys = append(w.keys, detect.SSNKey(digits[:]))
}

func (f *fhirFrame) telecom(w *fhirWho) {
	value := said(f.vals[fieldValue])
	if value == nil {
		return
	}
	valid := identifier.Phone(value)
	if bytes.IndexByte(value, '@') > 0 {
		w.has |= detect.Email
		valid = identifier.Email(value)
	} else {
		w.has |= detect.Phone
	}
	w.synthetic = w.synthetic || valid == identifier.Synthetic
}

// reference takes a Reference to a patient: where it stands or its text says
// so. Of several the first counts, in the subject's place before others.
func (f *fhirFrame) reference(w *fhirWho) {
	if f.subject.refers && !w.refers { // of a participant, a member
		w.take(&f.subject)
	}
	ref := said(f.vals[fieldReference])
	patient := bytes.Contains(ref, []byte("Patient/")) || bytes.Contains(ref, []byte("Patient?"))
	subject := false
	switch string(f.under) {
	case "subject", "patient", "beneficiary", "individual", "for":
		subject = patient || bytes.HasPrefix(ref, []byte("urn:")) || ref == nil && f.who.has != 0
	}
	if !patient && !subject || w.refers && (w.subject || !subject) {
		return
	}
	w.take(&f.who)
	w.refers, w.subject = true, subject
	if key := fhirID(ref); !key.Empty() {
		w.keys = append(w.keys, key)
	}
	if last, first, ok := whole(f.vals[fieldDisplay]); ok {
		w.has |= detect.Name
		w.last, w.first = append(w.last[:0], last...), append(w.first[:0], first...)
	}
}

// take makes w a copy of o.
func (w *fhirWho) take(o *fhirWho) {
	last, first, keys := append(w.last[:0], o.last...), append(w.first[:0], o.first...), append(w.keys[:0], o.keys...)
	*w = *o
	w.last, w.first, w.keys = last, first, keys
}

// fhirID is the key of a resource's id, as it stands in references: Patient/1,
// http://host/Patient/1/_history/2, urn:uuid:..., Patient?identifier=system|1.
// What is contained in a resource has none beyond it.
func fhirID(ref []byte) detect.Key {
	if system, value, found := bytes.Cut(ref, []byte("|")); found {
		_, system, _ = bytes.Cut(system, []byte("="))
		return detect.MRNKey(value, system)
	}
	if i := bytes.Index(ref, []byte("/_history")); i >= 0 {
		ref = ref[:i]
	}
	ref = ref[bytes.LastIndexByte(ref, '/')+1:]
	id := bytes.TrimPrefix(bytes.TrimPrefix(ref, []byte("urn:uuid:")), []byte("urn:oid:"))
	if said(id) == nil || id[0] == '#' {
		return detect.Key{}
	}
	if len(id) < len(ref) || identifier.UUID(id) { // one Patient can have both
		return detect.MRNKey(id, []byte("uuid"))
	}
	return detect.MRNKey(id, []byte("fhir"))
}

// judge reports a resource about a person.
func (t *fhirTree) judge(f *fhirFrame) {
	r := detect.Record{Off: f.off, Has: detect.HealthFormat, Rows: true, Synthetic: t.synthea}
	switch f.kind {
	case patientResource:
		if !t.patient(f, &r) {
			return
		}
	case relatedResource:
		f.birth(&r)
		r.Has |= f.who.has
		r.Keys = f.subject.keys
		r.Rows = f.subject.refers
	case otherResource:
		if !f.subject.refers {
			return
		}
		r.Has |= f.subject.has
		r.Keys = f.subject.keys
		if f.subject.has.Has(detect.Name) {
			r.Keys = append(r.Keys, detect.NameKey(f.subject.last, f.subject.first))
		}
	default:
		return
	}
	r.Synthetic = r.Synthetic || f.who.synthetic
	t.sink.Record(r)
}

// patient fills the record of a Patient or Person; false: nothing is in it.
func (t *fhirTree) patient(f *fhirFrame, r *detect.Record) bool {
	id := fhirID(f.vals[fieldID])
	birth := f.birth(r)
	r.Has |= f.who.has
	if r.Has == detect.HealthFormat && id.Empty() {
		return false
	}
	if !f.contained() {
		r.Keys = append(r.Keys, id, t.fullURL())
	}
	r.Keys = append(r.Keys, f.who.keys...)
	switch {
	case len(f.who.last) == 0:
	case len(birth) > 0:
		r.Keys = append(r.Keys, detect.NameBirthKey(f.who.last, f.who.first, birth))
	default:
		r.Keys = append(r.Keys, detect.NameKey(f.who.last, f.who.first))
	}
	return true
}

// birth adds the date of birth; a year alone is none.
func (f *fhirFrame) birth(r *detect.Record) []byte {
	d, ok := identifier.BirthDate(f.vals[fieldBirth])
	if !ok {
		return nil
	}
	r.Has |= detect.BirthDate
	return d.Append(nil)
}

// contained says that the id of a resource means nothing beyond the one around.
func (f *fhirFrame) contained() bool { return string(f.under) == "contained" }

// fullURL is the key of the entry of a Bundle that is around: others refer to it.
func (t *fhirTree) fullURL() detect.Key {
	for i := t.used - 1; i >= max(0, t.used-2); i-- {
		if url := t.frames[i].vals[fieldFullURL]; len(url) > 0 {
			return fhirID(url)
		}
	}
	return detect.Key{}
}
