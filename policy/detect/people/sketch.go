package people

import (
	"math"
	"math/bits"
)

// The size of a HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007).
const (
	precision = 14
	registers = 1 << precision
	ranks     = 64 - precision // a register is 0 to ranks + 1
)

// spread is three standard errors of 1.04/sqrt(registers).
const spread = 3 * 1.04 / 128

type sketch [registers]uint8

func (s *sketch) add(h uint64) {
	rank := uint8(min(bits.LeadingZeros64(h<<precision), ranks)) + 1
	at := h >> ranks
	s[at] = max(s[at], rank)
}

func (s *sketch) merge(o *sketch) {
	for i, r := range o {
		s[i] = max(s[i], r)
	}
}

// estimate is Ertl's improved raw estimator ("New cardinality estimation
// algorithms for HyperLogLog sketches", 2017, algorithm 6): it is unbiased at
// all sizes and needs no table of corrections.
func (s *sketch) estimate() float64 {
	var with [ranks + 2]float64
	for _, r := range s {
		with[r]++
	}
	const m = float64(registers)
	z := m * tau(1-with[ranks+1]/m)
	for k := ranks; k >= 1; k-- {
		z = 0.5 * (z + with[k])
	}
	z += m * sigma(with[0]/m)
	return m * m / (2 * math.Ln2 * z)
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for last := math.NaN(); z != last; {
		x, last = x*x, z
		z += x * y
		y += y
	}
	return z
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for last := math.NaN(); z != last; {
		x, last = math.Sqrt(x), z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
	}
	return z / 3
}

// sketches count more people than an exact set holds. One key stands for a
// person. When it is a constant or a family's, there are more SSNs, names with
// birth dates, or names than people, and these are believed; MRNs and member
// numbers are not, of which one person has several.
//
// A person for whom an MRN of no known assigner stands in one file, and an MRN of
// a known one or no MRN in another, is counted twice. Their birth dates and names tell how many
// these are: as many as were seen beside keys of more than one sort.
type sketches [sketchKinds]sketch

// The places in sketches. From beside on: the names with birth dates that were
// seen in records for which a key of a sort stands.
const (
	persons = iota
	ssns
	births
	names
	beside
	sketchKinds = beside + sorts
)

// The sorts of keys that stand for persons.
const (
	unassigned = iota // an MRN of no known assigner
	assigned          // an MRN with one
	numberless        // no MRN
	sorts
)

func sortOf(k Key) int {
	switch {
	case k.Kind != MRN:
		return numberless
	case k.Scope == 0:
		return unassigned
	}
	return assigned
}

// preference is the order in which a key stands for its person. A member
// number is often its family's.
func preference() [5]Kind { return [...]Kind{MRN, SSN, NameBirth, Member, Name} }

// record takes one record's keys.
func (s *sketches) record(keys []Key) {
	for _, kind := range preference() {
		for _, k := range keys {
			if k.Kind == kind {
				s[persons].add(k.hash())
				s.link(sortOf(k), keys...)
				s.also(keys...)
				return
			}
		}
	}
}

// also adds the keys that may tell more people apart.
func (s *sketches) also(keys ...Key) {
	for _, k := range keys {
		switch k.Kind {
		case SSN:
			s[ssns].add(k.hash())
		case NameBirth:
			s[births].add(k.hash())
		case Name:
			s[names].add(k.hash())
		}
	}
}

// link notes the names with birth dates beside a key of a sort.
func (s *sketches) link(sort int, keys ...Key) {
	for _, k := range keys {
		if k.Kind == NameBirth {
			s[beside+sort].add(k.hash())
		}
	}
}

// people takes all that an exact set knows.
func (s *sketches) people(r *records) {
	c := count(r)
	c.persons(func(keys []uint32, n, _ int) {
		for _, kind := range preference() {
			for _, k := range keys {
				if n > 0 && r.keys[k].kind == kind {
					s[persons].add(r.keyHash(k))
					for _, o := range keys {
						s.link(sortOf(r.key(k)), r.key(o))
					}
					n--
				}
			}
		}
	})
	c.strangers()
	for i, e := range r.keys {
		if c.marks[i]&stranger != 0 || e.kind == Name && c.others[i] == 0 {
			s[persons].add(e.key().hash())
		}
		s.also(e.key())
	}
}

func (s *sketches) merge(o *sketches) {
	for i := range s {
		s[i].merge(&o[i])
	}
}

// twice estimates how many people are counted more than once: each is once in
// the union of those beside keys of any sort.
func (s *sketches) twice() float64 {
	sum, all := 0.0, sketch{}
	for i := beside; i < sketchKinds; i++ {
		sum += s[i].estimate()
		all.merge(&s[i])
	}
	return max(0, sum-all.estimate())
}

func (s *sketches) estimate() float64 {
	n := s[persons].estimate()
	// What only chance finds is not believed, nor that nearly all are the same.
	if twice := s.twice(); twice > n*spread {
		n = max(n-twice, n/sorts)
	}
	most := n * (1 + spread) // what only chance adds is not believed
	for i := ssns; i <= names; i++ {
		if other := s[i].estimate(); other > most {
			n, most = other, other
		}
	}
	return n
}
