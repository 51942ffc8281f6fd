// Package people estimates how many distinct people records are about, across
// files and layers. It sees keyed HMACs of what identifies a person and never
// the identity itself.
//
// # One person or two
//
// A record is about one person, so all of its keys are one person's, and two
// records with a key in common are about the same person: by SSN in one file
// and by MRN in another, once a record holds both. Taken alone that rule
// would let one bad key (an empty MRN, 999-99-9999, the member number of a
// family) join thousands of people into one, and a breach of 500 people
// (45 CFR 164.408) would be missed. Therefore: a person has one birth date,
// one SSN and one MRN of each assigner. A key that was seen with two of one
// of these is shared by several people and joins nothing; so is a key that
// was seen with more than 32 others. A name alone never joins.
//
// What follows from it, on the side of too many rather than too few:
//
//   - The same name and birth date with MRNs of different assigners are one
//     person in Point and two in High.
//   - The same name, birth date or SSN with two MRNs of one assigner are two
//     people, although registries have such duplicates. MRNs whose assigner
//     is not known count as of one assigner.
//   - A member number, or an MRN of no known assigner, with two names and no
//     birth date belongs to two people.
//   - An SSN or birth date with a slip of the pen may make a person two.
//
// None of it depends on the order of records or files while a set is exact:
// what was seen together is kept, and counted when the estimate is asked for.
package people

import (
	"cmp"
	"slices"
)

// Kind is what a key was made of, the best first.
type Kind uint8

const (
	MRN       Kind = iota + 1 // medical record number with its assigner
	SSN                       // Social Security number
	Member                    // Medicare beneficiary identifier or number of a health plan's member
	NameBirth                 // last name, first name and birth date
	Name                      // name without birth date
)

// Key is one identity of a person.
type Key struct {
	Sum uint64 // first 8 bytes of a keyed HMAC of the normalised identity
	// Scope is 4 bytes of a keyed HMAC: of an MRN's assigner, 0 when that is
	// not known, and of NameBirth's birth date, for other kinds 0. A
	// NameBirth of scope 0 has a birth date unlike all others.
	Scope uint32
	Kind  Kind
}

// perRecord is how many keys of one record are kept.
const perRecord = 4

// Set counts distinct people. The zero value is an empty set. It is exact for
// at least 100,000 people with four keys each, in at most 12 MiB; beyond that
// it is a HyperLogLog of fixed size. Not safe for concurrent use.
type Set struct {
	exact     records
	sketch    *sketches // of all that exact could not hold; exact is empty then
	anonymous int64
}

// maxAnonymous keeps sums of sets of foreign origin from overflowing.
const maxAnonymous = 1 << 40

// Add takes the keys of one record, of which the best four are kept: the
// first of each kind, then further ones. A second SSN, birth date or MRN of
// one assigner is left out. A record without keys is about somebody of whom
// nothing is known, and counts as a person.
func (s *Set) Add(keys ...Key) {
	var room [perRecord]Key
	record := choose(room[:0], keys)
	if len(record) == 0 {
		s.anonymous = min(s.anonymous+1, maxAnonymous)
		return
	}
	s.add(record)
}

// add takes keys as choose returns them.
func (s *Set) add(record []Key) {
	if s.sketch != nil {
		s.sketch.record(record)
		return
	}
	if s.exact.add(record); s.exact.full() {
		s.condense()
	}
}

// condense gives up exactness.
func (s *Set) condense() {
	if s.sketch == nil {
		s.sketch = new(sketches)
		s.sketch.people(&s.exact)
		s.exact = records{}
	}
}

// Merge adds all records of o, which stays as it is. People that both sets
// know are counted once; records without keys are not told apart.
func (s *Set) Merge(o *Set) {
	s.anonymous = min(s.anonymous+o.anonymous, maxAnonymous)
	if o.sketch != nil {
		s.condense()
		s.sketch.merge(o.sketch)
		return
	}
	if s.sketch == nil {
		for record := range o.exact.all {
			if s.add(record); s.sketch != nil {
				break
			}
		}
	}
	if s.sketch != nil {
		s.sketch.people(&o.exact) // better than record by record: o still knows which records are one person's
	}
}

// Estimate is how many people a set's records are about.
type Estimate struct {
	// Low leaves out who is known by a name alone or by nothing, unless
	// nobody is known better.
	Low int
	// Point is the best estimate. It has each record without keys as a person.
	Point int
	// High takes people whom a name and birth date alone joins for different
	// ones, and a record with nothing but a name or a shared key for a person
	// who is in no other record.
	High   int
	Method string // Exact or HyperLogLog
}

// The methods of an estimate. Of HyperLogLog, Low and High are three standard
// errors of 0.81 % from Point, records without keys apart.
const (
	Exact       = "exact"
	HyperLogLog = "hyperloglog"
)

// Estimate counts. It takes time and memory in proportion to the set: ask
// once per file or image, not once per record.
func (s *Set) Estimate() Estimate {
	unknown := int(s.anonymous)
	if s.sketch != nil {
		n := s.sketch.estimate()
		return Estimate{Low: int(n * (1 - spread)), Point: int(n+0.5) + unknown, High: int(n*(1+spread)+1) + unknown, Method: HyperLogLog}
	}
	t := count(&s.exact).tally()
	known, strangers := t.known, max(t.strangers, t.lowStrangers)
	e := Estimate{
		Low:    known + t.lowStrangers,
		Point:  known + strangers + t.names + unknown,
		High:   t.apart + strangers + t.names + t.covered + unknown,
		Method: Exact,
	}
	if e.Low == 0 {
		e.Low = strangers + t.names
	}
	if e.Low == 0 {
		e.Low = min(unknown, 1)
	}
	return e
}

// choose appends to kept what is kept of a record's keys, in the order of
// compare.
func choose(kept, keys []Key) []Key {
	if chosen(keys) {
		return append(kept, keys...)
	}
	for kind := MRN; kind <= Name; kind++ {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Kind == kind })
		if i >= 0 && len(kept) < perRecord {
			kept = append(kept, keys[i])
		}
	}
	for _, k := range keys {
		if len(kept) == perRecord {
			break
		}
		if k.Kind >= MRN && k.Kind <= Name && !slices.ContainsFunc(kept, func(o Key) bool { return k == o || k.contradicts(o) }) {
			kept = append(kept, k)
		}
	}
	slices.SortFunc(kept, compare)
	return kept
}

// chosen says whether keys are one of each kind, the best first, as most
// records have them.
func chosen(keys []Key) bool {
	last := Kind(0)
	for _, k := range keys {
		if k.Kind <= last {
			return false
		}
		last = k.Kind
	}
	return len(keys) <= perRecord && last <= Name
}

// contradicts says whether one person cannot have both keys.
func (k Key) contradicts(o Key) bool {
	if k.Kind != o.Kind {
		return false
	}
	switch k.Kind {
	case MRN:
		return k.Scope == o.Scope && k.Sum != o.Sum
	case SSN:
		return k.Sum != o.Sum
	case NameBirth:
		return k.Scope != o.Scope || k.Scope == 0 && k.Sum != o.Sum
	}
	return false
}

func compare(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Sum, b.Sum))
}

// hash spreads keys evenly, also those whose sums are not. The constants are
// those of SplitMix64 (Steele, Lea, Flood 2014).
func (k Key) hash() uint64 {
	return mix(k.Sum ^ mix(uint64(k.Scope)<<8|uint64(k.Kind)))
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
