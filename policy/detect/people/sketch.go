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
type sketches [4]sketch

// The places in sketches.
const (
	persons = iota
	ssns
	births
	names
)

// preference is the order in which a key stands for its person. A member
// number is often its family's.
func preference() [5]Kind { return [...]Kind{MRN, SSN, NameBirth, Member, Name} }

// record takes one record's keys.
func (s *sketches) record(keys []Key) {
	for _, kind := range preference() {
		for _, k := range keys {
			if k.Kind == kind {
				s[persons].add(k.hash())
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

// people takes all that an exact set knows.
func (s *sketches) people(r *records) {
	c := count(r)
	c.persons(func(keys []uint32, n, _ int) {
		for _, kind := range preference() {
			for _, k := range keys {
				if n > 0 && r.keys[k].kind == kind {
					s[persons].add(r.keyHash(k))
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

func (s *sketches) estimate() float64 {
	n := s[persons].estimate()
	most := n * (1 + spread) // what only chance adds is not believed
	for i := ssns; i <= names; i++ {
		if other := s[i].estimate(); other > most {
			n, most = other, other
		}
	}
	return n
}
