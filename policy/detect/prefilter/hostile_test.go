package prefilter

import (
	"bytes"
	"testing"
)

// What a search costs is bounded, whatever the data: windows repeat what makes
// most candidates.
func TestHostileData(t *testing.T) {
	const most = 12 // expressions looked at for one window
	s := ways(t, load())["scalar"]
	for word := range uint32(1 << filterBits) {
		if n := len(s.table.of(word)); n > most {
			t.Errorf("a window makes %d expressions be looked at, more than %d", n, most)
		}
	}
	worst := 0.0
	for i, positions := range s.patterns {
		match, ok := sample(positions)
		if !ok {
			continue
		}
		for cut := range 3 {
			data := bytes.Repeat(match[:len(match)-cut], 4096/len(match)+1)
			rate := float64(compared(s, data)) / float64(len(data))
			if worst = max(worst, rate); rate > 8 {
				t.Errorf("expression %d less %d bytes: %.1f bytes compared for each byte", i, cut, rate)
			}
		}
	}
	t.Logf("at most %.1f bytes compared for each byte", worst)
}

// compared counts the bytes that verify looks at.
func compared(s *Set, data []byte) int {
	n := 0
	for at := 0; at+width <= len(data); at += stride {
		w := fold(data[at:])
		if !s.filter.has(w) {
			continue
		}
		word, _, _ := bitsOf(w)
		for _, id := range s.table.of(word) {
			n += looked(s, &s.table.refs[id], data, at)
		}
	}
	return n
}

func looked(s *Set, r *ref, data []byte, at int) int {
	off := at - int(r.lead)
	if from := off + int(r.from); off < 0 || len(data)-from >= 8 && !r.may(data[from:]) {
		return 1
	}
	n := 1
	for i, c := range s.patterns[r.pattern] {
		if off+i >= len(data) || !c.has(data[off+i]) {
			break
		}
		n++
	}
	return n
}
