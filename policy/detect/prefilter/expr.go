package prefilter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The bounds of an expression, in positions.
const (
	shortest = 3
	longest  = 64
)

// class is a set of bytes: what one position of an expression matches.
type class [4]uint64

func (c *class) add(b byte)      { c[b>>6] |= 1 << (b & 63) }
func (c *class) has(b byte) bool { return c[b>>6]>>(b&63)&1 != 0 }

func (c *class) addRange(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		c.add(byte(b))
	}
}

func (c *class) union(o class) {
	for i := range c {
		c[i] |= o[i]
	}
}

func (c *class) negate() {
	for i := range c {
		c[i] = ^c[i]
	}
}

// fold adds the other case of each ASCII letter.
func (c *class) fold() {
	for b := byte('a'); b <= 'z'; b++ {
		if c.has(b) || c.has(b-0x20) {
			c.add(b)
			c.add(b - 0x20)
		}
	}
}

// parser reads one expression.
type parser struct {
	rest   string
	folded bool // (?i) was in front
}

// parse gives the classes of an expression's positions.
func parse(expr string) ([]class, error) {
	p := parser{}
	p.rest, p.folded = strings.CutPrefix(expr, "(?i)")
	var positions []class
	for p.rest != "" {
		c, err := p.position()
		if err != nil {
			return nil, err
		}
		if positions = append(positions, c); len(positions) > longest {
			return nil, fmt.Errorf("more than %d positions", longest)
		}
	}
	if len(positions) < shortest {
		return nil, fmt.Errorf("%d positions, fewer than %d", len(positions), shortest)
	}
	return positions, nil
}

// position reads one byte, escape or class.
func (p *parser) position() (class, error) {
	c := class{}
	var err error
	switch b := p.rest[0]; {
	case b == '[':
		c, err = p.class()
	case strings.IndexByte(`.*+?()|{}^$]`, b) >= 0:
		err = fmt.Errorf("%q must be escaped: expressions have bytes and classes of bytes only", b)
	default:
		c, err = p.element()
	}
	if p.folded {
		c.fold()
	}
	return c, err
}

// class reads [...] .
func (p *parser) class() (class, error) {
	p.rest = p.rest[1:]
	var negated bool
	p.rest, negated = strings.CutPrefix(p.rest, "^")
	c := class{}
	for first := true; ; first = false {
		if p.rest == "" {
			return c, errors.New("a class without its ]")
		}
		if p.rest[0] == ']' && !first {
			break
		}
		if err := p.member(&c); err != nil {
			return c, err
		}
	}
	p.rest = p.rest[1:]
	// Both cases of a letter are in before they are all taken out, as in regexp.
	if p.folded {
		c.fold()
	}
	if negated {
		c.negate()
	}
	if c == (class{}) {
		return c, errors.New("a class that no byte is in")
	}
	return c, nil
}

// member adds one byte, escape or range of a class.
func (p *parser) member(c *class) error {
	switch {
	case strings.HasPrefix(p.rest, "[:"):
		return errors.New("[: stands for a named class, which expressions do not have")
	case p.rest[0] == ']':
		return errors.New("a ] at the beginning of a class must be escaped")
	case p.rest[0] >= 0x80:
		return errors.New("a class holds ASCII or bytes as \\x80 only")
	}
	lo, err := p.element()
	if err != nil {
		return err
	}
	if len(p.rest) < 2 || p.rest[0] != '-' || p.rest[1] == ']' {
		c.union(lo)
		return nil
	}
	p.rest = p.rest[1:]
	if p.rest[0] >= 0x80 {
		return errors.New("a class holds ASCII or bytes as \\x80 only")
	}
	hi, err := p.element()
	if err != nil {
		return err
	}
	return c.between(lo, hi)
}

// between adds the range whose ends are given as classes of one byte.
func (c *class) between(lo, hi class) error {
	from, one := lo.only()
	to, two := hi.only()
	if !one || !two || from > to {
		return errors.New("a range whose ends are no bytes in order")
	}
	c.addRange(from, to)
	return nil
}

// only is the single byte of the class.
func (c *class) only() (b byte, ok bool) {
	n := 0
	for i := range 256 {
		if c.has(byte(i)) {
			b = byte(i)
			n++
		}
	}
	return b, n == 1
}

// element reads one byte or escape.
func (p *parser) element() (class, error) {
	c := class{}
	b := p.rest[0]
	p.rest = p.rest[1:]
	if b != '\\' {
		c.add(b)
		return c, nil
	}
	if p.rest == "" {
		return c, errors.New(`a \ at the end`)
	}
	b = p.rest[0]
	p.rest = p.rest[1:]
	switch {
	case b == 'd':
		c.addRange('0', '9')
	case b == 'x':
		return p.hex()
	case strings.IndexByte("tnvfr", b) >= 0:
		c.add("\t\n\v\f\r"[strings.IndexByte("tnvfr", b)])
	case b > ' ' && b < 0x7F && !alphanumeric(b):
		c.add(b)
	default:
		return c, fmt.Errorf(`\%c is no escape that expressions have`, b)
	}
	return c, nil
}

func alphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
}

// hex reads the two digits of \x0b.
func (p *parser) hex() (class, error) {
	c := class{}
	if len(p.rest) < 2 {
		return c, errHex
	}
	b, err := strconv.ParseUint(p.rest[:2], 16, 8)
	if err != nil {
		return c, errHex
	}
	c.add(byte(b))
	p.rest = p.rest[2:]
	return c, nil
}

var errHex = errors.New(`\x without two digits`)
