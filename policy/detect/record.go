package detect

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect/people"
)

// Trait is something that a record says about a person or of health; a bit set.
type Trait uint32

// What a record can hold. Of the identifiers of 45 CFR 164.514(b)(2)(i), SSN and
// Plan are strong, since nothing else looks like them with their label; Name,
// BirthDate and MRN are medium; those from Phone on support others.
const (
	SSN Trait = 1 << iota
	Plan
	Name
	BirthDate
	MRN
	Phone
	Email
	Address
	Account
	License
	Vehicle
	Device
	Photo

	// HealthFormat: the format belongs to health care, so that whoever is named
	// in the patient's place is a patient.
	HealthFormat
	// Diagnosis is a coded or labelled diagnosis.
	Diagnosis
	// HealthTerm is another word of health care in a telling place.
	HealthTerm
)

// Has says whether all of want are there.
func (t Trait) Has(want Trait) bool { return t&want == want }

// Record is one record about at most one person: a row of a table, a message, a
// resource, a span of text.
type Record struct {
	Off    int64 // where it begins: a file's offset, a table's row
	Has    Trait
	Weight int   // context from outside the record, such as the words of a path
	Keys   []Key // what tells the person apart, best first; may be empty
	// Synthetic: marked as test data, by example.org, 555-01xx, SSNs from 999.
	Synthetic bool
	// Rows: without an identity, health context still makes a limited data set:
	// coded rows about individuals (45 CFR 164.514(e)).
	Rows bool
}

// Level is what a record amounts to.
type Level uint8

const (
	Nothing Level = iota
	Limited       // about individuals' health, nobody is named
	PII           // somebody is named, nothing is said of health
	PHI           // both
)

// The thresholds of scoring.
const (
	enoughIdentity = 3
	enoughContext  = 2
	maxSupport     = 2
)

// Level scores the record: PHI is identity and health context together.
func (r *Record) Level() Level {
	identity, context := r.Has.identity(), r.Has.context()+r.Weight
	needed := enoughIdentity
	if r.Has.Has(HealthFormat) {
		needed = enoughIdentity - 1
	}
	switch {
	case context >= enoughContext && identity >= needed:
		return PHI
	case identity >= enoughIdentity:
		return PII
	case r.Rows && context >= enoughContext:
		return Limited
	}
	return Nothing
}

// identity weighs how surely somebody is identified: 3 for a strong identifier,
// 2 for each medium one, and for such a one up to 2 more by those that support.
func (t Trait) identity() int {
	weight, support := 0, 0
	for bit := SSN; bit <= Photo; bit <<= 1 {
		switch {
		case t&bit == 0:
		case bit <= Plan:
			weight += enoughIdentity
		case bit <= MRN:
			weight += enoughIdentity - 1
		default:
			support++
		}
	}
	if weight == 0 {
		return 0
	}
	return weight + min(support, maxSupport)
}

// context weighs how surely the record speaks of health.
func (t Trait) context() int {
	weight := 0
	if t.Has(HealthFormat) {
		weight += enoughContext
	}
	if t.Has(Diagnosis) {
		weight += enoughContext
	}
	if t.Has(HealthTerm) {
		weight++
	}
	return weight
}

// Key tells people apart: an identifier, normalised so that one person has the
// same in each format. Only its keyed HMAC outlives the record.
type Key struct {
	kind  people.Kind
	value []byte // all parts
	scope []byte // an MRN's assigner, a name's date of birth
}

// maxKey bounds the bytes of an identifier that are compared.
const maxKey = 256

// keyOf joins normalised parts; without any content there is no key.
func keyOf(kind people.Kind, scope []byte, parts ...[]byte) Key {
	k := Key{kind: kind, scope: normalise(nil, scope)}
	for _, part := range parts {
		k.value = append(normalise(k.value, part), 0)
	}
	if len(k.value) == len(parts) {
		return Key{}
	}
	k.value = append(k.value, k.scope...)
	return k
}

// normalise appends letters in upper case and digits, without what stands
// between them; bytes beyond ASCII stay as they are.
func normalise(dst, v []byte) []byte {
	for _, c := range v[:min(len(v), maxKey)] {
		switch {
		case c >= 'a' && c <= 'z':
			dst = append(dst, c-'a'+'A')
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= 0x80:
			dst = append(dst, c)
		}
	}
	return dst
}

// MRNKey is a medical record number with who assigned it, empty where that is
// not said. Leading zeros make no difference.
func MRNKey(id, assigner []byte) Key {
	if short := bytes.TrimLeft(id, "0"); len(short) > 0 {
		id = short
	}
	return keyOf(people.MRN, assigner, id)
}

// SSNKey is a social security number.
func SSNKey(digits []byte) Key { return keyOf(people.SSN, nil, digits) }

// MemberKey is an identifier within a health plan, an MBI among them.
func MemberKey(id []byte) Key { return keyOf(people.Member, nil, id) }

// NameBirthKey is a name with a date of birth, as yyyymmdd; without one it is a
// name alone.
func NameBirthKey(last, first, birth []byte) Key {
	if len(birth) == 0 {
		return NameKey(last, first)
	}
	return keyOf(people.NameBirth, birth, last, first)
}

// NameKey is a name alone.
func NameKey(last, first []byte) Key { return keyOf(people.Name, nil, last, first) }

// Empty says that nothing is in the key; such keys are passed over.
func (k Key) Empty() bool { return len(k.value) == 0 }
