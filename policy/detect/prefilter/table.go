package prefilter

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// table gives the expressions that a window may be part of, by the word that it
// has in the filter. It may name others, too.
type table struct {
	begin [1<<filterBits + 1]uint32 // where the list of each word begins in ids
	ids   []uint32                  // of refs
	refs  []ref
}

// ref is a window of an expression.
type ref struct {
	pattern int32
	lead    int32 // where in the expression the window begins, -1 one before it

	// Eight bytes of a match, from this position on, have these bits where the
	// mask has ones: that is checked first.
	from       int32
	value, bit uint64
}

// newTable takes for each word the numbers of refs.
func newTable(words *[1 << filterBits][]uint32, refs []ref) *table {
	t := &table{refs: refs}
	for i, ids := range words {
		// A ref is there once only, or its hits would be found twice.
		slices.Sort(ids)
		t.ids = append(t.ids, slices.Compact(ids)...)
		t.begin[i+1] = uint32(len(t.ids))
	}
	return t
}

func (t *table) of(word uint32) []uint32 { return t.ids[t.begin[word]:t.begin[word+1]] }

// newRef finds the eight bytes that say most of what the window does not, of the
// positions of an expression.
func newRef(pattern int, positions []alike, lead int) ref {
	r := ref{pattern: int32(pattern), lead: int32(lead)}
	most := -1
	for from := 0; from == 0 || from+8 <= len(positions); from++ {
		value, bit, known := uint64(0), uint64(0), 0
		for i := range min(8, len(positions)) {
			a := positions[from+i]
			value |= uint64(a.value) << (8 * i)
			bit |= uint64(a.bit) << (8 * i)
			if p := from + i - lead; p < 0 || p >= width {
				known += bits.OnesCount8(a.bit)
			}
		}
		if known > most {
			most = known
			r.from, r.value, r.bit = int32(from), value, bit
		}
	}
	return r
}

// alike are the bits that all bytes of a class have alike, and which they are.
type alike struct{ value, bit byte }

func commonBits(positions []class) []alike {
	all := make([]alike, len(positions))
	for i := range positions {
		all[i] = positions[i].common()
	}
	return all
}

func (c *class) common() alike {
	and, or := byte(0xFF), byte(0)
	for b := range 256 {
		if c.has(byte(b)) {
			and &= byte(b)
			or |= byte(b)
		}
	}
	return alike{and, ^(and ^ or)}
}

// may says whether the bytes may be a match. There are at least 8.
func (r *ref) may(data []byte) bool {
	return (binary.LittleEndian.Uint64(data)^r.value)&r.bit == 0
}
