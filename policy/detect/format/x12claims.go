package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
)

// x12Claims finds the persons of transactions, one for each loop about a
// patient or member, as the implementation guides (005010X222 and others)
// arrange them: HL in claims, eligibility, status and authorisation, CLP in
// payments, INS in enrolment, ENT in premium payments. The patient (QC, 03)
// stands for the insured (IL) of the same loop, a dependent's loop (HL03 23)
// for the subscriber's before it. Providers, payers and other insured persons
// of a claim are not counted.
type x12Claims struct {
	sink  *detect.Sink
	set   string // the transaction set, empty where its header was not seen
	skip  bool   // it is not one of health care
	loops bool   // HL of a subscriber or patient was seen
	kind  x12Loop
	who   x12Person
	above x12Person // the subscriber of the dependents that follow
	about bool      // the segments are about who
	done  bool      // a service was seen in the loop: it is about who
	other bool      // within the loop of another payer
}

type x12Loop uint8

const (
	x12Other x12Loop = iota
	x12Subscriber
	x12Dependent
)

// x12Person is one person, as far as known.
type x12Person struct {
	rank        uint8 // of the entity; 0: nobody was named
	off         int64
	has         detect.Trait
	last, first []byte
	member      []byte
	birth       []byte
	ssn         [9]byte
	synthetic   bool
}

// reset forgets the person and keeps the buffers.
func (p *x12Person) reset() {
	*p = x12Person{last: p.last[:0], first: p.first[:0], member: p.member[:0], birth: p.birth[:0]}
}

// begin starts an interchange, a group or a transaction of an unknown set.
func (c *x12Claims) begin() {
	c.end()
	c.set, c.skip = "", false
}

// end ends the transaction.
func (c *x12Claims) end() {
	c.loop(x12Other)
	c.loops = false
}

func (c *x12Claims) segment(id string, e x12Elements, off int64) {
	switch id {
	case "ST", "SE", "GS", "ISA":
		c.begin()
		if id == "ST" {
			c.set = string(e[1][:min(len(e[1]), 3)])
			c.skip = !x12Health(c.set)
		}
		return
	}
	if c.skip {
		return
	}
	switch id {
	case "HL":
		c.level(string(e[3]))
	case "INS":
		if c.set == "834" || c.set == "" && !c.loops {
			c.loop(x12Other)
		}
	case "CLP", "ENT":
		c.loop(x12Other)
	case "CLM", "EQ", "EB", "STC", "UM", "SVC":
		c.done = true
	case "SBR":
		c.other = false
	case "OI": // 2320, which SBR begins: what follows is about another payer
		c.other = true
	case "NM1":
		c.entity(e, off)
	case "DMG":
		c.demographics(e)
	case "REF":
		c.reference(e, off)
	}
}

// x12Health knows the transaction sets of health care.
func x12Health(set string) bool {
	switch set {
	case "270", "271", "275", "276", "277", "278", "820", "834", "835", "837":
		return true
	}
	return false
}

// level begins a hierarchical level. Those of an event or a service (278) go on
// about the same patient.
func (c *x12Claims) level(code string) {
	c.loops = c.loops || code == "22" || code == "23" || code == "PT"
	switch code {
	case "22":
		c.loop(x12Subscriber)
	case "23", "PT":
		c.loop(x12Dependent)
	case "EV", "SS":
	default:
		c.loop(x12Other)
	}
}

// loop ends the loop and begins another.
func (c *x12Claims) loop(next x12Loop) {
	if c.kind == x12Subscriber && next == x12Dependent && !c.done {
		c.who, c.above = c.above, c.who // perhaps only dependents are patients
	} else {
		if c.who.rank == 0 && c.kind == x12Dependent {
			c.report(&c.above)
		}
		c.report(&c.who)
		if c.kind == x12Dependent {
			c.above.reset()
		}
	}
	c.who.reset()
	c.kind, c.about, c.done, c.other = next, false, false, false
}

// entity takes NM1.
func (c *x12Claims) entity(e x12Elements, off int64) {
	rank := c.rank(string(e[1]))
	c.about = false
	if rank == 0 || c.other || string(e[2]) == "2" {
		return
	}
	if c.another(rank) {
		c.loop(c.kind)
	}
	if c.who.rank >= rank {
		return
	}
	if c.who.rank > 0 {
		c.who.reset()
	}
	p := &c.who
	p.rank, p.off, c.about = rank, off, true
	p.last, p.first = append(p.last, clip(filled(e[3]))...), append(p.first, clip(filled(e[4]))...)
	if len(p.last)+len(p.first) > 0 {
		p.has |= detect.Name
	}
	c.number(string(e[8]), e[9])
}

// clip bounds what is kept of a value.
func clip(v []byte) []byte { return v[:min(len(v), 100)] }

// rank says how surely an entity (NM101) is the one whom the loop is about; 0:
// it is not.
func (c *x12Claims) rank(code string) uint8 {
	switch code {
	case "QC", "03":
		return 3
	case "IL":
		return 2
	case "74": // corrected insured, or member (834)
		return 1
	}
	return 0
}

// another says whether the person begins a loop of their own where nothing else
// tells: the segments that begin loops are missing.
func (c *x12Claims) another(rank uint8) bool {
	if c.loops || c.who.rank == 0 || c.set == "834" || c.set == "835" || c.set == "820" {
		return false
	}
	return c.done || rank <= c.who.rank
}

// number takes an identifier with its qualifier (NM108): those of payers,
// providers and taxpayers are not the person's.
func (c *x12Claims) number(kind string, id []byte) {
	switch kind {
	case "34":
		c.social(id)
	case "MI", "II", "HN", "C", "C1", "MR", "N", "ZZ":
		if id = filled(id); id != nil {
			c.who.has |= detect.Plan
			c.who.member = append(c.who.member[:0], clip(id)...)
		}
	}
}

func (c *x12Claims) social(v []byte) {
	if digits, valid := identifier.SSN(bytes.TrimSpace(v)); valid.OK() {
		c.who.ssn, c.who.synthetic = digits, valid == identifier.Synthetic
		c.who.has |= detect.SSN
	}
}

// demographics takes DMG: format, date of birth.
func (c *x12Claims) demographics(e x12Elements) {
	if !c.about {
		return
	}
	if birth := birthDigits(e[2]); birth != nil {
		c.who.birth = append(c.who.birth[:0], birth...)
		c.who.has |= detect.BirthDate
	}
}

// reference takes REF: SY is a social security number, 0F and 1W are the
// subscriber's and the member's, EA is a medical record number. In enrolment
// they stand before the name.
func (c *x12Claims) reference(e x12Elements, off int64) {
	if !c.about && !(c.set == "834" && c.who.rank == 0) {
		return
	}
	switch string(e[1]) {
	case "SY":
		c.social(e[2])
	case "0F", "1W":
		if len(c.who.member) == 0 {
			c.number("MI", e[2])
		}
	}
	if c.who.rank == 0 {
		c.who.off = off
	}
}

// report gives the person to the sink.
func (c *x12Claims) report(p *x12Person) {
	if p.has == 0 || p.rank == 0 && !p.has.Has(detect.SSN) {
		p.reset()
		return
	}
	r := detect.Record{Off: p.off, Has: p.has | detect.HealthFormat, Synthetic: p.synthetic}
	if p.has.Has(detect.SSN) {
		r.Keys = append(r.Keys, detect.SSNKey(p.ssn[:]))
	}
	r.Keys = append(r.Keys, detect.MemberKey(p.member))
	if len(p.birth) > 0 && p.has.Has(detect.Name) {
		r.Keys = append(r.Keys, detect.NameBirthKey(p.last, p.first, p.birth))
	} else {
		r.Keys = append(r.Keys, detect.NameKey(p.last, p.first))
	}
	c.sink.Record(r)
	p.reset()
}
