package phi

import (
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
)

// join puts together what the tables of one database say of one person: the name
// in one, the date of birth in another, the diagnosis in a third, under the key
// that they share.
type join struct {
	people  map[string]*shared
	order   []*shared
	also    bool // rows are reported by themselves as well, and people only whom several tables speak of
	crowded bool // there were more people than are kept, or they had more to say
	bytes   int  // of all keys and values
}

// Each kind has a bit in shared.has.
const _ = uint32(1) << (kinds - 1)

// shared is one person, in little: there may be many.
type shared struct {
	values                         []byte // kind, length and bytes of each
	has                            uint32 // the kinds that are there
	sample, issued, coded, patient bool   // as in person
	tables                         bool   // several tables spoke of the person
	born                           identifier.Date
	weight                         int
	off                            int64
	table                          *rows // that did first; nil: there are none
}

// The people that wait for more of their rows, of some 250 bytes each, and the
// bytes of their keys and values, are bounded; rows beyond stand for themselves.
const (
	maxShared      = 1 << 16
	maxSharedBytes = 12 << 20
)

// add takes a row with the key of a person that is no patient's record yet by
// itself. False: there is no key, or no room; the row stands for itself.
func (j *join) add(p *person, weight int, off int64, t *rows) bool {
	key := p.values[mrn]
	if key == nil {
		key = p.values[subject]
	}
	if key == nil || len(key) > maxKept || p.traits() == 0 && weight == 0 {
		return false
	}
	s := j.people[string(key)]
	if s == nil {
		if len(j.order) == maxShared || j.bytes+len(key) > maxSharedBytes {
			j.crowded = true
			return false
		}
		if j.people == nil {
			j.people = map[string]*shared{}
		}
		s = &shared{off: off, table: t}
		j.people[string(key)] = s
		j.order = append(j.order, s)
		j.bytes += len(key)
	}
	before := len(s.values)
	j.crowded = !s.take(p, maxSharedBytes-j.bytes) || j.crowded
	j.bytes += len(s.values) - before
	s.weight = max(s.weight, weight)
	s.tables = s.tables || s.table != t
	return true
}

// close reports the people, each as one record.
func (j *join) close(s *detect.Sink) {
	for _, o := range j.order {
		p := o.whole()
		switch r := p.row(o.off, o.weight); {
		case !j.also:
			s.Record(r)
		case o.tables && r.Level() == detect.PHI:
			r.Off = 0 // the number of a row says nothing without its table
			s.Record(r)
		}
	}
	if j.crowded {
		s.Skip("more people, or more about them, than is kept: what is said of the others in several places was not put together")
	}
	*j = join{also: j.also}
}

// judge reports a record by itself, or keeps it for what other rows add. Coded
// rows are reported whatever is added.
func (j *join) judge(s *detect.Sink, p *person, r detect.Record, t *rows) {
	level := r.Level()
	if level == detect.PHI || !j.add(p, r.Weight, r.Off, t) || level == detect.Limited || j.also {
		s.Record(r)
	}
}

// take adds what a record says of the person, where there is room for it: the first
// value of each kind counts.
func (s *shared) take(p *person, room int) (all bool) {
	all = true
	for k, v := range p.values {
		if v == nil || s.has>>k&1 != 0 {
			continue
		}
		v = v[:min(len(v), maxKept)]
		if room -= 2 + len(v); room < 0 {
			all = false
			break
		}
		s.has |= 1 << k
		s.values = append(append(s.values, byte(k), byte(len(v))), v...)
		if kind(k) == dob {
			s.born = p.born
		}
	}
	s.sample, s.issued, s.coded, s.patient = s.sample || p.sample, s.issued || p.issued, s.coded || p.coded, s.patient || p.patient
	return all
}

// whole is what all records said.
func (s *shared) whole() *person {
	p := &person{sample: s.sample, issued: s.issued, coded: s.coded, patient: s.patient, born: s.born}
	for rest := s.values; len(rest) > 0; {
		k, n := rest[0], 2+int(rest[1])
		p.values[k], rest = rest[2:n:n], rest[n:]
	}
	return p
}
