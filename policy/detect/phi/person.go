package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
)

// person is what one record says of one person: the values that are valid, by
// their kind. They are slices of what was read, or copies in keep.
type person struct {
	values  [kinds][]byte
	keep    []byte // backs values that outlive what they were read from
	copies  bool   // values are to be copied
	parts   identifier.Date
	born    identifier.Date
	issued  bool // a social security number that could be somebody's
	sample  bool // a value that only test data have
	coded   bool // a code of health care's
	patient bool // the table or object is one of patients
}

// reset forgets all but the memory.
func (p *person) reset() { *p = person{keep: p.keep[:0], copies: p.copies} }

// maxKept bounds the bytes of one value that is copied.
const maxKept = 128

// put keeps a value.
func (p *person) put(k kind, v []byte) {
	if p.copies {
		v = v[:min(len(v), maxKept)]
		from := len(p.keep)
		p.keep = append(p.keep, v...)
		v = p.keep[from:len(p.keep):len(p.keep)]
	}
	p.values[k] = v
}

// set takes a value of the kind when it is valid and the first; it says whether
// it was valid.
func (p *person) set(k kind, v []byte) bool {
	if len(v) == 0 || k == other || p.values[k] != nil {
		return false
	}
	switch k {
	case lastName, firstName, fullName, anyName:
		return p.when(k, v, identifier.Name(v))
	case dob:
		return p.birth(v)
	case birthYear, birthMonth, birthDay:
		return p.part(k, v)
	case ssn:
		return p.social(v)
	case mrn:
		return p.record(v)
	case mbi:
		return p.medicare(v)
	case plan:
		return p.when(plan, v, identifier.RecordNumber(v))
	}
	return p.support(k, v)
}

func (p *person) when(k kind, v []byte, valid bool) bool {
	if valid {
		p.put(k, v)
	}
	return valid
}

// support takes what does not identify alone.
func (p *person) support(k kind, v []byte) bool {
	switch k {
	case phone:
		return p.when(k, v, p.mark(identifier.Phone(v)))
	case email:
		return p.when(k, v, p.mark(identifier.Email(v)))
	case street:
		return p.when(k, v, identifier.Street(v))
	case account:
		return p.when(k, v, identifier.RecordNumber(v) || identifier.Card(v).OK())
	case license:
		return p.when(k, v, identifier.RecordNumber(v))
	case vehicle:
		return p.when(k, v, identifier.VIN(v))
	case device:
		return p.when(k, v, identifier.UDI(v))
	case subject:
		return p.when(k, v, !identifier.Placeholder(v))
	case code:
		valid := identifier.SNOMED(v) || identifier.LOINC(v) || identifier.DottedICD10(v)
		p.coded = p.coded || valid
		return p.when(k, v, valid)
	case dx:
		p.coded = p.coded || identifier.ICD10(v)
		return p.when(k, v, !identifier.Placeholder(v))
	}
	return false
}

// mark notes a value that only test data have.
func (p *person) mark(v identifier.Valid) bool {
	p.sample = p.sample || v == identifier.Synthetic
	return v.OK()
}

func (p *person) birth(v []byte) bool {
	d, ok := identifier.BirthDate(v)
	if ok {
		p.born = d
		p.put(dob, v)
	}
	return ok
}

// part takes a part of a date of birth that has columns of its own.
func (p *person) part(k kind, v []byte) (ok bool) {
	switch k {
	case birthYear:
		p.parts.Year, ok = identifier.Year(v)
	case birthMonth:
		p.parts.Month, ok = identifier.Month(v)
	case birthDay:
		p.parts.Day, ok = identifier.Day(v)
	}
	return p.when(k, v, ok)
}

func (p *person) social(v []byte) bool {
	d, valid := identifier.SSN(v)
	if !p.mark(valid) {
		return false
	}
	p.issued = p.issued || valid != identifier.Synthetic
	p.keepDigits(ssn, d[:])
	return true
}

// keepDigits keeps a value that lies in an array of the caller's.
func (p *person) keepDigits(k kind, v []byte) {
	from := len(p.keep)
	p.keep = append(p.keep, v...)
	p.values[k] = p.keep[from:len(p.keep):len(p.keep)]
}

// record takes the number of a record; a UUID is a key and no number that
// anybody knows a patient by.
func (p *person) record(v []byte) bool {
	if identifier.RecordNumber(v) {
		p.put(mrn, v)
		return true
	}
	if p.values[subject] == nil && !identifier.Placeholder(v) {
		p.put(subject, v)
	}
	return false
}

func (p *person) medicare(v []byte) bool {
	if id, ok := identifier.MBI(v); ok {
		p.keepDigits(mbi, id[:])
		return true
	}
	if d, valid := identifier.HICN(v); p.mark(valid) {
		p.keepDigits(mbi, v)
		p.keepDigits(ssn, d[:])
		return true
	}
	if p.values[plan] == nil && identifier.RecordNumber(v) {
		p.put(plan, v)
	}
	return false
}

// finish puts together what stands in several columns.
func (p *person) finish() {
	if p.values[dob] != nil || p.parts.Year == 0 || p.parts.Month == 0 {
		return
	}
	if p.parts.Day == 0 {
		p.parts.Day = 1
	}
	if p.parts.OK() {
		p.born = p.parts
		p.values[dob] = p.values[birthYear]
	}
}

// traits says what identifies the person.
func (p *person) traits() (t detect.Trait) {
	for k := range kinds {
		if p.values[k] != nil {
			t |= traitOf(k)
		}
	}
	// "name" alone could be a drug's or a clinic's.
	if v := p.values[anyName]; v != nil && (t&(detect.BirthDate|detect.MRN|detect.SSN) != 0 || p.patient && bytes.IndexByte(v, ' ') > 0) {
		t |= detect.Name
	}
	return t
}

func traitOf(k kind) detect.Trait {
	switch k {
	case lastName, fullName:
		return detect.Name
	case dob:
		return detect.BirthDate
	case ssn:
		return detect.SSN
	case mrn:
		return detect.MRN
	case mbi:
		return detect.Plan
	case plan, account:
		return detect.Account
	case phone:
		return detect.Phone
	case email:
		return detect.Email
	case street:
		return detect.Address
	case license:
		return detect.License
	case vehicle:
		return detect.Vehicle
	case device:
		return detect.Device
	}
	return 0
}

// synthetic says whether the person is marked as test data and by nothing as a
// real one.
func (p *person) synthetic() bool { return p.sample && !p.issued }

// keys are what tells the person apart.
func (p *person) keys() []detect.Key {
	var keys []detect.Key
	add := func(k detect.Key) {
		if !k.Empty() {
			keys = append(keys, k)
		}
	}
	v := &p.values
	add(detect.MRNKey(v[mrn], nil))
	add(detect.SSNKey(v[ssn]))
	if v[mbi] != nil {
		add(detect.MemberKey(v[mbi]))
	} else {
		add(detect.MemberKey(v[plan]))
	}
	last, first := p.names()
	if v[dob] != nil && len(last) > 0 {
		add(detect.NameBirthKey(last, first, p.born.Append(nil)))
	} else {
		add(detect.NameKey(last, first))
	}
	return keys
}

// names are the last and first name; of a full name "Doe, Jane" and "Jane Doe"
// are one.
func (p *person) names() (last, first []byte) {
	v := &p.values
	if v[lastName] != nil {
		return v[lastName], v[firstName]
	}
	whole := v[fullName]
	if whole == nil {
		whole = v[anyName]
	}
	if i := bytes.IndexByte(whole, ','); i > 0 {
		return whole[:i], firstWord(whole[i+1:])
	}
	if i := bytes.LastIndexByte(whole, ' '); i > 0 {
		return whole[i+1:], firstWord(whole[:i])
	}
	return whole, v[firstName]
}

// firstWord leaves out middle names and initials.
func firstWord(v []byte) []byte {
	v = bytes.TrimLeft(v, " ")
	if i := bytes.IndexByte(v, ' '); i > 0 {
		return v[:i]
	}
	return v
}

// row is the person as a record that begins at off.
func (p *person) row(off int64, weight int) detect.Record {
	r := detect.Record{Off: off, Has: p.traits(), Weight: weight, Synthetic: p.synthetic()}
	if r.Has != 0 && r.Level() >= detect.PII {
		r.Keys = p.keys()
	}
	return r
}

// take adds what another record says of the same person.
func (p *person) take(o *person) {
	for k, v := range o.values {
		if v == nil || p.values[k] != nil {
			continue
		}
		p.put(kind(k), v)
		if kind(k) == dob {
			p.born = o.born
		}
	}
	p.sample, p.issued, p.coded, p.patient = p.sample || o.sample, p.issued || o.issued, p.coded || o.coded, p.patient || o.patient
}
