package prefilter

import "encoding/binary"

// Each match is found by a window: four bytes at an even offset of the data, at
// most one of them outside of the match. As every second offset is looked at,
// each expression has two windows, one for matches at even offsets and one for
// those at odd ones, each the rarest four positions that it has there.
const (
	width  = 4
	stride = 2
)

// foldMask drops two bits of each byte of a window, those that tell upper case
// from lower and ASCII from the rest. The 64 symbols that remain tell letters
// from each other, and digits and punctuation from letters.
const foldMask = 0x5F5F5F5F

// fold gives the window at the beginning of data.
func fold(data []byte) uint32 { return binary.LittleEndian.Uint32(data) & foldMask }

// symbol numbers what foldMask leaves of a byte.
func symbol(b byte) int { return int(b&0x1F | b>>1&0x20) }

// symbols is a set of them.
type symbols uint64

const anySymbol = ^symbols(0)

func symbolsOf(c *class) symbols {
	var s symbols
	for b := range 256 {
		if c.has(byte(b)) {
			s |= 1 << symbol(byte(b))
		}
	}
	return s
}
