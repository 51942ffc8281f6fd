package phi

import "github.com/phigate/phigate/policy/detect"

// join puts together what the tables of one database say of one person: the name
// in one, the date of birth in another, the diagnosis in a third, under the key
// that they share.
type join struct {
	people  map[string]*shared
	order   []*shared
	also    bool // rows are reported by themselves as well, and people only whom several tables speak of
	crowded bool // there were more people than are kept
}

// shared is one person.
type shared struct {
	person person
	weight int
	off    int64
	table  *rows // that said something of the person first; nil: there are none
	tables bool  // others did, too
}

// maxShared bounds the people that wait for more of their rows; the rows of those
// beyond stand for themselves.
const maxShared = 1 << 14

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
		if len(j.order) == maxShared {
			j.crowded = true
			return false
		}
		if j.people == nil {
			j.people = map[string]*shared{}
		}
		s = &shared{off: off, table: t}
		s.person.copies = true
		j.people[string(key)] = s
		j.order = append(j.order, s)
	}
	s.person.take(p)
	s.weight = max(s.weight, weight)
	s.tables = s.tables || s.table != t
	return true
}

// close reports the people, each as one record.
func (j *join) close(s *detect.Sink) {
	for _, o := range j.order {
		switch r := o.person.row(o.off, o.weight); {
		case !j.also:
			s.Record(r)
		case o.tables && r.Level() == detect.PHI:
			r.Off = 0 // the number of a row says nothing without its table
			s.Record(r)
		}
	}
	if j.crowded {
		s.Skip("more than 16,384 people: what is said of the others in several places was not put together")
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
