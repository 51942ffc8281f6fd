package inspect

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"
	"testing"
)

// Archives that hold themselves, by Russ Cox's method ("Zip Files All The Way
// Down", 2010): deflate is a language of two operations, "print the next n
// bytes" (a stored block) and "repeat the last n bytes" (a match). Where each
// is written in the same number of bytes, a program can print itself.

// quine is a file of prefix, program and suffix that inflates to itself. Four of
// its bytes are chosen so that its CRC-32 is sum.
func quine(t testing.TB, prefix, suffix func(size int) []byte, sum uint32) []byte {
	t.Helper()
	for unit := 5; unit < 64; unit++ {
		if file, _ := program(prefix(0), suffix(0), unit); file != nil {
			file, free := program(prefix(len(file)), suffix(len(file)), unit)
			force(t, file, free, sum)
			return file
		}
	}
	t.Fatal("no size of an operation fits")
	return nil
}

// program is the quine with operations of so many bytes, nil where they cannot
// be written so; free is where four bytes stand that do nothing.
func program(prefix, suffix []byte, unit int) (file []byte, free int) {
	first, tail := len(prefix)+unit, len(suffix)+unit
	printFirst, printOne, printFour, printTail := operation(first, 0, unit, false), operation(unit, 0, unit, false),
		operation(4*unit, 0, unit, false), operation(tail, 0, unit, false)
	again, twice, four, last := operation(0, first, unit, false), operation(0, 2*unit, unit, false),
		operation(0, 4*unit, unit, false), operation(0, tail, unit, true)
	nothing := make([]byte, unit)
	for i, part := range [][]byte{
		prefix, printFirst, prefix, printFirst, again, printOne, again, printOne, printOne,
		printFour, again, printOne, printOne, printFour, four, printFour, four, printFour, four, printFour, four,
		printFour, nothing, nothing, twice, printTail, twice, printTail, last, suffix, last, suffix,
	} {
		if part == nil {
			return nil, free
		}
		if i == 22 {
			free = len(file)
		}
		file = append(file, part...)
	}
	return file, free
}

// operation prints the next bytes, or repeats the last ones, in unit bytes: with
// empty blocks of fixed codes, of 10 bits, and empty stored blocks, of 5 bytes.
func operation(next, again, unit int, last bool) []byte {
	for fixed := range 8 {
		for storedBlocks := 1; 5*storedBlocks <= unit; storedBlocks++ {
			for parts := 1; parts <= 3; parts++ {
				var b bitWriter
				if again > 0 {
					if again/parts < 3 || again-again/parts*(parts-1) > 114 {
						continue
					}
					b.match(again, parts)
				}
				for range fixed {
					b.write(0b010, 3) // RFC 1951, 3.2.3: not the last, fixed codes
					b.write(0, 7)     // the end of the block
				}
				for range storedBlocks - 1 {
					b.stored(0, false)
				}
				if b.stored(next, last); len(b.out) == unit {
					return b.out
				}
			}
		}
	}
	return nil
}

// bitWriter writes deflate's bits, the lowest first.
type bitWriter struct {
	out  []byte
	have int // bits of the last byte
}

func (b *bitWriter) write(value uint32, n int) {
	for i := range n {
		if b.have == 0 {
			b.out = append(b.out, 0)
		}
		b.out[len(b.out)-1] |= byte(value>>i&1) << b.have
		b.have = (b.have + 1) % 8
	}
}

// code writes a Huffman code, the highest bit first.
func (b *bitWriter) code(value uint32, n int) { b.write(bits.Reverse32(value)>>(32-n), n) }

// stored begins a block of n bytes: 3.2.4.
func (b *bitWriter) stored(n int, last bool) {
	final := uint32(0)
	if last {
		final = 1
	}
	b.write(final, 3)
	b.have = 0
	b.out = binary.LittleEndian.AppendUint16(b.out, uint16(n))
	b.out = binary.LittleEndian.AppendUint16(b.out, ^uint16(n))
}

// match is a block of fixed codes that repeats the last n bytes, in so many
// matches of that distance: 3.2.5 and 3.2.6.
func (b *bitWriter) match(n, parts int) {
	b.write(0b010, 3)
	for rest := n; parts > 0; parts-- {
		length := rest / parts
		rest -= length
		symbol, extra, more := 257+length-3, 0, 0
		for base := 11; length >= base; base += 4 << extra {
			extra++
			symbol, more = 261+4*extra+(length-base)>>extra, (length-base)&(1<<extra-1)
		}
		b.code(uint32(symbol-256), 7)
		b.write(uint32(more), extra)
		distance, far := n-1, 0
		for distance>>far > 3 {
			far++
		}
		b.code(uint32(2*far+distance>>far), 5)
		b.write(uint32(distance&(1<<far-1)), far)
	}
	b.write(0, 7)
}

// force sets the free bytes so that the file's CRC-32 is sum. The sum of two
// files is that of their difference, so 32 files with one bit set tell how.
func force(t testing.TB, file []byte, free int, sum uint32) {
	t.Helper()
	crc := func(value uint32) uint32 {
		binary.LittleEndian.PutUint32(file[free:], value)
		return crc32.ChecksumIEEE(file)
	}
	zero := crc(0)
	var rows [][2]uint32 // what changes, and by which bits
	for i := range 32 {
		rows = append(rows, [2]uint32{crc(1<<i) ^ zero, 1 << i})
	}
	want, value := sum^zero, uint32(0)
	for len(rows) > 0 {
		slices.SortFunc(rows, func(a, b [2]uint32) int { return bits.LeadingZeros32(a[0]) - bits.LeadingZeros32(b[0]) })
		pivot := rows[0]
		rows = rows[1:]
		top := uint32(1) << 31 >> bits.LeadingZeros32(pivot[0])
		for i := range rows {
			if rows[i][0]&top != 0 {
				rows[i][0], rows[i][1] = rows[i][0]^pivot[0], rows[i][1]^pivot[1]
			}
		}
		if want&top != 0 {
			want, value = want^pivot[0], value^pivot[1]
		}
	}
	if crc(value) != sum {
		t.Fatal("the sum cannot be reached")
	}
}

// quineSum is the sum of both, which nothing else depends on.
const quineSum = 0x70686921

func gzipQuine(t testing.TB) []byte {
	head := []byte("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03quine\x00")
	return quine(t, func(int) []byte { return head }, func(size int) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, quineSum), uint32(size))
	}, quineSum)
}

func zipQuine(t testing.TB) []byte {
	const name, local, central = "r.zip", 30, 46
	le := binary.LittleEndian
	// common is what both headers of the entry have, from the version on.
	common := func(size, packed int) []byte {
		b := []byte("\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00")
		b = le.AppendUint32(b, quineSum)
		b = le.AppendUint32(le.AppendUint32(b, uint32(packed)), uint32(size))
		return le.AppendUint32(b, uint32(len(name)))
	}
	const directory = central + len(name)
	packed := func(size int) int { return max(0, size-local-len(name)-directory-22) }
	prefix := func(size int) []byte {
		return append(append([]byte("PK\x03\x04"), common(size, packed(size))...), name...)
	}
	suffix := func(size int) []byte {
		b := append([]byte("PK\x01\x02\x14\x00"), common(size, packed(size))...)
		b = append(append(b, make([]byte, 14)...), name...)
		b = append(b, "PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00"...)
		b = le.AppendUint32(le.AppendUint32(b, uint32(directory)), uint32(max(0, size-directory-22)))
		return append(b, 0, 0)
	}
	return quine(t, prefix, suffix, quineSum)
}

// TestQuines: they are what they are said to be.
func TestQuines(t *testing.T) {
	file := gzipQuine(t)
	z, err := gzip.NewReader(bytes.NewReader(file))
	must(t, err)
	out, err := io.ReadAll(z)
	must(t, err)
	if !bytes.Equal(out, file) {
		t.Errorf("gzip: %d bytes inflate to %d others", len(file), len(out))
	}
	file = zipQuine(t)
	a, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	must(t, err)
	in, err := a.File[0].Open()
	must(t, err)
	out, err = io.ReadAll(in)
	must(t, err)
	if !bytes.Equal(out, file) {
		t.Errorf("zip: %d bytes inflate to %d others", len(file), len(out))
	}
}
