package prefilter

import "encoding/binary"

// filter says whether a window may be of interest: a Bloom filter whose two bits
// for a window lie in one word. 64 KiB, so that it stays in the second cache.
type filter [1 << filterBits]uint32

const (
	filterBits = 14
	// factor spreads windows (Fibonacci hashing; Knuth, TAOCP 3, 6.4).
	factor = 0x9E3779B1
)

// bitsOf tells the word of a window, by the best bits of the product, and its
// two bits there, counted from the highest.
func bitsOf(w uint32) (word, one, two uint32) {
	h := w * factor
	return h >> (32 - filterBits), h >> (27 - filterBits) & 31, h >> (22 - filterBits) & 31
}

func (f *filter) add(w uint32) {
	word, one, two := bitsOf(w)
	f[word] |= 1<<31>>one | 1<<31>>two
}

func (f *filter) has(w uint32) bool {
	word, one, two := bitsOf(w)
	return f[word]&(1<<31>>one) != 0 && f[word]&(1<<31>>two) != 0
}

const (
	block = 64        // bytes that scan looks at together, 32 windows
	reach = block + 4 // bytes that scan needs for it
)

// scan looks at blocks for as long as there are reach bytes. It gives the first
// with a window of interest, bit n of the mask for that at 2n, or no mask.
func (f *filter) scan(data []byte, at int) (int, uint32) {
	for ; len(data)-at >= reach; at += block {
		p := (*[reach]byte)(data[at:])
		var mask uint32
		for i := 0; i < block; i += 4 {
			x := binary.LittleEndian.Uint64(p[i:]) & (foldMask<<32 | foldMask)
			if f.has(uint32(x)) {
				mask |= 1 << (i / 2)
			}
			if f.has(uint32(x >> 16)) {
				mask |= 2 << (i / 2)
			}
		}
		if mask != 0 {
			return at, mask
		}
	}
	return at, 0
}
