package prefilter

import (
	"fmt"
	"math"
)

// builder collects the windows of expressions.
type builder struct {
	rates  *rates
	filter *filter
	refs   []ref
	words  [1 << filterBits][]uint32
	back   int // the greatest lead
}

// broadest is how many folded windows four positions may stand for.
const broadest = 1 << 12

// noise is by how much each folded window in the filter raises the rate of
// windows that pass it by chance, measured with 12,000 of them.
const noise = 1.0 / (1 << 22)

// add chooses the pattern's windows.
func (b *builder) add(pattern int, positions []class) error {
	folded := make([]symbols, len(positions))
	for i := range positions {
		folded[i] = symbolsOf(&positions[i])
	}
	alike := commonBits(positions)
	for parity := range stride {
		lead, n := b.rarest(folded, parity)
		if n > broadest {
			return fmt.Errorf("its rarest four bytes are any of %d, more than %d", n, broadest)
		}
		b.back = max(b.back, lead)
		b.refs = append(b.refs, newRef(pattern, alike, lead))
		for _, w := range values(windowAt(folded, lead)) {
			word, _, _ := bitsOf(w)
			b.words[word] = append(b.words[word], uint32(len(b.refs)-1))
			b.filter.add(w)
		}
	}
	return nil
}

// rarest gives the window that is best for matches at offsets of this parity,
// and how many values it has.
func (b *builder) rarest(folded []symbols, parity int) (lead, n int) {
	best := math.Inf(1)
	for i := -parity; i+width <= len(folded)+1; i += stride {
		sets := windowAt(folded, i)
		count := 1
		for _, s := range sets {
			count *= s.count()
		}
		least := float64(count) * noise
		if least >= best {
			continue // whatever its rate is
		}
		if cost := b.rates.window(sets) + least; cost < best {
			best, lead, n = cost, i, count
		}
	}
	return lead, n
}

// windowAt gives what a window may hold that begins there in the expression.
func windowAt(folded []symbols, lead int) (sets [width]symbols) {
	for i := range sets {
		sets[i] = anySymbol
		if p := lead + i; p >= 0 && p < len(folded) {
			sets[i] = folded[p]
		}
	}
	return sets
}

// values gives each folded window of the sets.
func values(sets [width]symbols) []uint32 {
	all := []uint32{0}
	for i, set := range sets {
		var longer []uint32
		for s := range set.all {
			for _, w := range all {
				longer = append(longer, w|uint32(s&0x1F|s&0x20<<1)<<(8*i))
			}
		}
		all = longer
	}
	return all
}
