// Package prefilter finds where any of some hundred expressions matches, at the
// speed at which a file is read. What it finds wakes the detectors.
//
// An expression is a sequence of 3 to 64 positions that match one byte each. It
// is written as in package regexp, without repetition and alternatives: bytes,
// \d, \x0b, \n, escaped punctuation, classes as [^a-z\d], and (?i) in front.
// Other than in regexp, a class and \xff are about bytes and never about
// characters of more bytes, and (?i) is about ASCII letters only.
package prefilter

import "fmt"

// Set is a compiled list of expressions. Many goroutines may use one.
type Set struct {
	patterns [][]class
	filter   filter
	vector   bool // the CPU has what scanVector needs
	table    *table
	back     int // how far a match can begin before the window that gives it away
}

// Hit is a match.
type Hit struct {
	Pattern int32 // index of the expression
	Off     int32 // where in data the match begins
}

// Compile reads expressions. An error names the expression.
func Compile(exprs []string) (*Set, error) {
	s := &Set{vector: hasVector()}
	b := builder{rates: newRates(), filter: &s.filter}
	for i, expr := range exprs {
		positions, err := parse(expr)
		if err == nil {
			err = b.add(i, positions)
		}
		if err != nil {
			return nil, fmt.Errorf("expression %d, %q: %w", i, expr, err)
		}
		s.patterns = append(s.patterns, positions)
	}
	s.table, s.back = newTable(&b.words, b.refs), b.back
	return s, nil
}

// Len is how many bytes a match of the pattern has.
func (s *Set) Len(pattern int) int { return len(s.patterns[pattern]) }

// Patterns is how many expressions there are.
func (s *Set) Patterns() int { return len(s.patterns) }

// Find appends to hits the matches that lie wholly in data and begin at or
// after from, by offset, then by pattern, until cap(hits) is reached. All
// matches that begin before next are in out, none that begins at next or after
// it: go on there, with the same data, until next is len(data).
//
// There must be room for one hit of each expression at least, or Find panics:
// so the matches at one offset always fit, and next is past from. Data is at
// most 1 GiB long. Find does not allocate.
func (s *Set) Find(hits []Hit, data []byte, from int) (out []Hit, next int) {
	if cap(hits)-len(hits) < len(s.patterns) {
		panic("prefilter: less room than for a hit of each expression")
	}
	f := search{set: s, data: data, from: from, next: len(data), hits: hits, old: len(hits)}
	f.run()
	return f.hits, f.next
}
