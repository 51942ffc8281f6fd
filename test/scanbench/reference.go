package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/phigate/phigate/policy/detect/prefilter"
)

// reference finds what the prefilter must find, by a plain Aho-Corasick over the
// expressions' literal cores and a look at each position. It shares no code with
// the prefilter, nor its parser.
type reference struct {
	patterns [][]set
	cores    []core // by pattern
	states   []state
	bare     []int // patterns without a core, tried at each offset
}

// core is the longest run of positions of an expression that are one letter, in
// either case or both, or one other byte.
type core struct{ from, len int }

// state is a node of the automaton (Aho and Corasick, CACM 18, 1975) with all
// transitions filled in.
type state struct {
	next [256]int32
	fail int32
	ends []int32 // patterns whose core ends here, those of shorter cores included
}

func newReference(exprs []string) (*reference, error) {
	r := &reference{states: make([]state, 1)}
	for i, expr := range exprs {
		positions, err := parse(expr)
		if err != nil {
			return nil, fmt.Errorf("expression %d: %w", i, err)
		}
		r.patterns = append(r.patterns, positions)
		c := coreOf(positions)
		r.cores = append(r.cores, c)
		if c.len == 0 {
			r.bare = append(r.bare, i)
			continue
		}
		r.insert(i, positions[c.from:c.from+c.len])
	}
	r.link()
	return r, nil
}

func coreOf(positions []set) (best core) {
	run := 0
	for i := range positions {
		if _, ok := positions[i].letter(); !ok {
			run = 0
			continue
		}
		if run++; run > best.len {
			best = core{i + 1 - run, run}
		}
	}
	return best
}

func (r *reference) insert(pattern int, positions []set) {
	at := int32(0)
	for i := range positions {
		b, _ := positions[i].letter()
		if r.states[at].next[b] == 0 {
			r.states[at].next[b] = int32(len(r.states))
			r.states = append(r.states, state{})
		}
		at = r.states[at].next[b]
	}
	r.states[at].ends = append(r.states[at].ends, int32(pattern))
}

// link fills in where to go on when a core breaks off, the nearest states first.
func (r *reference) link() {
	queue := []int32{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		fail := r.states[at].fail
		for b := range 256 {
			child := r.states[at].next[b]
			back := int32(0)
			if at != 0 {
				back = r.states[fail].next[b]
			}
			if child == 0 {
				r.states[at].next[b] = back
				continue
			}
			r.states[child].fail = back
			r.states[child].ends = append(r.states[child].ends, r.states[back].ends...)
			queue = append(queue, child)
		}
	}
}

// find appends all matches in data, by offset, then by pattern.
func (r *reference) find(hits []prefilter.Hit, data []byte) []prefilter.Hit {
	old := len(hits)
	at := int32(0)
	for i, b := range data {
		at = r.states[at].next[lower(b)]
		for _, p := range r.states[at].ends {
			c := r.cores[p]
			hits = r.verify(hits, data, int(p), i+1-c.len-c.from)
		}
		for _, p := range r.bare {
			hits = r.verify(hits, data, p, i)
		}
	}
	slices.SortFunc(hits[old:], func(a, b prefilter.Hit) int {
		return cmp.Or(cmp.Compare(a.Off, b.Off), cmp.Compare(a.Pattern, b.Pattern))
	})
	return hits
}

func (r *reference) verify(hits []prefilter.Hit, data []byte, pattern, off int) []prefilter.Hit {
	positions := r.patterns[pattern]
	if off < 0 || off+len(positions) > len(data) {
		return hits
	}
	for i := range positions {
		if !positions[i][data[off+i]] {
			return hits
		}
	}
	return append(hits, prefilter.Hit{Pattern: int32(pattern), Off: int32(off)})
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
