package prefilter

import "math/bits"

// search is one call of Find.
type search struct {
	set  *Set
	data []byte
	from int
	next int // hits at it and after it are not wanted: there is no room for them
	hits []Hit
	old  int // so many hits were there before
}

// run looks at each window. Those at the end of the data are looked at in a
// copy that zeros follow.
func (f *search) run() {
	at := f.from &^ 1
	for f.wants(at) {
		var mask uint32
		if at, mask = f.set.scan(f.data, at); mask == 0 {
			break
		}
		f.candidates(f.data[at:], at, mask)
		at += block
	}
	for ; f.wants(at) && at+shortest <= len(f.data); at += block {
		var last [reach]byte
		copy(last[:], f.data[at:])
		if _, mask := f.set.scan(last[:], 0); mask != 0 {
			f.candidates(last[:], at, mask)
		}
	}
}

// scan is filter.scan, by whatever is fastest here.
func (s *Set) scan(data []byte, at int) (int, uint32) {
	if s.vector {
		return scanVector(&s.filter, data, at)
	}
	return s.filter.scan(data, at)
}

// wants says whether a window at or after the offset can still give away a
// match that is wanted.
func (f *search) wants(at int) bool { return at-f.set.back < f.next }

// candidates looks into the windows of a block that the mask tells.
func (f *search) candidates(data []byte, at int, mask uint32) {
	t := f.set.table
	for ; mask != 0; mask &= mask - 1 {
		i := bits.TrailingZeros32(mask) * stride
		word, _, _ := bitsOf(fold(data[i:]))
		for _, id := range t.of(word) {
			f.verify(&t.refs[id], at+i)
		}
	}
}

// verify takes the match whose window is at the offset, if it is one.
func (f *search) verify(r *ref, at int) {
	off := at - int(r.lead)
	if off < f.from || off >= f.next {
		return
	}
	if i := off + int(r.from); len(f.data)-i >= 8 && !r.may(f.data[i:]) {
		return
	}
	positions := f.set.patterns[r.pattern]
	if len(f.data)-off < len(positions) {
		return
	}
	for i, b := range f.data[off : off+len(positions)] {
		if !positions[i].has(b) {
			return
		}
	}
	f.take(Hit{Pattern: r.pattern, Off: int32(off)})
}

// take puts a hit in its place. When there is no room, the last ones go, and
// all that begin where they do.
func (f *search) take(h Hit) {
	if len(f.hits) == cap(f.hits) {
		last := f.hits[len(f.hits)-1]
		f.next = max(int(last.Off), int(h.Off))
		for len(f.hits) > f.old && int(f.hits[len(f.hits)-1].Off) >= f.next {
			f.hits = f.hits[:len(f.hits)-1]
		}
		if int(h.Off) >= f.next {
			return
		}
	}
	f.hits = append(f.hits, h)
	for i := len(f.hits) - 1; i > f.old && h.before(f.hits[i-1]); i-- {
		f.hits[i], f.hits[i-1] = f.hits[i-1], h
	}
}

func (h Hit) before(o Hit) bool {
	return h.Off < o.Off || h.Off == o.Off && h.Pattern < o.Pattern
}
