package main

import (
	"errors"
	"strconv"
	"strings"
)

// set is the bytes that a position of an expression matches.
type set [256]bool

// letter is the one byte of the set, in lower case; of a letter both cases may be in.
func (s *set) letter() (letter byte, ok bool) {
	for i, in := range s {
		switch b := lower(byte(i)); {
		case !in:
		case !ok:
			letter, ok = b, true
		case b != letter:
			return 0, false
		}
	}
	return letter, ok
}

// parse reads an expression as package prefilter documents it.
func parse(expr string) ([]set, error) {
	expr, folds := strings.CutPrefix(expr, "(?i)")
	var positions []set
	for expr != "" {
		s, rest, err := position(expr, folds)
		if err != nil {
			return nil, err
		}
		positions, expr = append(positions, s), rest
	}
	return positions, nil
}

var errExpr = errors.New("not as package prefilter has them")

// position reads the first byte, escape or class.
func position(expr string, folds bool) (s set, rest string, err error) {
	if expr[0] != '[' {
		rest, err = s.add(expr)
		if folds {
			s.fold()
		}
		return s, rest, err
	}
	rest, negated := strings.CutPrefix(expr[1:], "^")
	for rest != "" && rest[0] != ']' && err == nil {
		rest, err = s.member(rest)
	}
	if err != nil || rest == "" {
		return s, "", errExpr
	}
	if folds {
		s.fold()
	}
	if negated {
		for i := range s {
			s[i] = !s[i]
		}
	}
	return s, rest[1:], nil
}

// member adds a byte, an escape or a range.
func (s *set) member(expr string) (rest string, err error) {
	one := set{}
	if rest, err = one.add(expr); err != nil {
		return "", err
	}
	if len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		to := set{}
		if rest, err = to.add(rest[1:]); err != nil {
			return "", err
		}
		one.fill(to.first())
	}
	for i, in := range one {
		s[i] = s[i] || in
	}
	return rest, nil
}

// fill adds all from the first byte of the set to the last of a range.
func (s *set) fill(last int) {
	for i := s.first(); i <= last; i++ {
		s[i] = true
	}
}

func (s *set) first() int {
	for i, in := range s {
		if in {
			return i
		}
	}
	return len(s)
}

// add adds the byte or the escape at the beginning.
func (s *set) add(expr string) (rest string, err error) {
	if expr[0] != '\\' {
		s[expr[0]] = true
		return expr[1:], nil
	}
	if len(expr) < 2 {
		return "", errExpr
	}
	rest = expr[2:]
	switch b := expr[1]; b {
	case 'd':
		for i := '0'; i <= '9'; i++ {
			s[i] = true
		}
	case 't', 'n', 'v', 'f', 'r':
		s[map[byte]byte{'t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r'}[b]] = true
	case 'x':
		if len(rest) < 2 {
			return "", errExpr
		}
		n, err := strconv.ParseUint(rest[:2], 16, 8)
		if err != nil {
			return "", errExpr
		}
		s[n], rest = true, rest[2:]
	default:
		s[b] = true
	}
	return rest, nil
}

// fold adds the other case of each letter.
func (s *set) fold() {
	for b := 'a'; b <= 'z'; b++ {
		either := s[b] || s[b-'a'+'A']
		s[b], s[b-'a'+'A'] = either, either
	}
}
