package expand

import (
	"encoding/binary"
	"math/bits"
)

// values gives the values of a page, one after the other, as Parquet's PLAIN
// encoding has them (parquet-format, Encodings.md). A value is valid until the next.
type values interface {
	next() ([]byte, bool)
}

// The physical types.
const (
	parquetBool = iota
	parquetInt32
	parquetInt64
	parquetInt96
	parquetFloat
	parquetDouble
	parquetBytes
	parquetFixed
)

// width is the size of a value of a type, 0 when it differs.
func parquetWidth(typ int64, length int) int {
	switch typ {
	case parquetInt32, parquetFloat:
		return 4
	case parquetInt64, parquetDouble:
		return 8
	case parquetInt96:
		return 12
	case parquetFixed:
		return length
	}
	return 0
}

// plain is the PLAIN encoding.
type plain struct {
	data  []byte
	typ   int64
	width int
	bit   int
	one   [1]byte
}

func (p *plain) next() ([]byte, bool) {
	switch {
	case p.typ == parquetBool:
		if p.bit/8 >= len(p.data) {
			return nil, false
		}
		p.one[0] = p.data[p.bit/8] >> (p.bit % 8) & 1
		p.bit++
		return p.one[:], true
	case p.typ == parquetBytes:
		if len(p.data) < 4 {
			return nil, false
		}
		size := uint64(binary.LittleEndian.Uint32(p.data))
		p.data = p.data[4:]
		return p.take(size)
	}
	return p.take(uint64(p.width))
}

func (p *plain) take(size uint64) ([]byte, bool) {
	if size > uint64(len(p.data)) {
		p.data = nil
		return nil, false
	}
	v := p.data[:size]
	p.data = p.data[size:]
	return v, true
}

// hybrid is the mix of runs and packed bits of levels and dictionary indexes.
type hybrid struct {
	data   []byte
	width  int // bits, at most 32
	run    uint64
	value  uint32
	packed []byte
	bit    int
}

func (h *hybrid) number() (uint32, bool) {
	if h.width == 0 {
		return 0, true
	}
	for {
		if h.run > 0 {
			h.run--
			return h.value, true
		}
		if h.bit+h.width <= 8*len(h.packed) {
			v := unpackBits(h.packed, h.bit, h.width)
			h.bit += h.width
			return uint32(v), true
		}
		if !h.turn() {
			return 0, false
		}
	}
}

// turn reads the next run's head.
func (h *hybrid) turn() bool {
	head, n := binary.Uvarint(h.data)
	if n <= 0 {
		return false
	}
	h.data = h.data[n:]
	h.packed, h.bit = nil, 0
	if head&1 == 1 {
		size := min(head>>1, uint64(len(h.data))) * uint64(h.width)
		size = min(size, uint64(len(h.data)))
		h.packed, h.data = h.data[:size], h.data[size:]
		return size > 0
	}
	bytes := (h.width + 7) / 8
	if len(h.data) < bytes {
		return false
	}
	h.value = 0
	for i := bytes - 1; i >= 0; i-- {
		h.value = h.value<<8 | uint32(h.data[i])
	}
	h.run, h.data = head>>1, h.data[bytes:]
	return true
}

// unpackBits reads width bits, at most 64, at a bit's offset; missing ones are 0.
func unpackBits(data []byte, bit, width int) uint64 {
	var v uint64
	for got := 0; got < width; {
		at := (bit + got) / 8
		if at >= len(data) {
			break
		}
		shift := (bit + got) % 8
		v |= uint64(data[at]>>shift) << got
		got += 8 - shift
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

// bools are booleans as runs.
type bools struct {
	h   hybrid
	one [1]byte
}

func (b *bools) next() ([]byte, bool) {
	v, ok := b.h.number()
	b.one[0] = byte(v)
	return b.one[:], ok
}

// dictionary is a column's values by number.
type dictionary struct {
	data  []byte
	width int      // of each, 0 when they differ
	ends  []uint32 // of each, when they differ
}

func (d *dictionary) get(i uint32) ([]byte, bool) {
	if d.width > 0 {
		end := (uint64(i) + 1) * uint64(d.width)
		if end > uint64(len(d.data)) {
			return nil, false
		}
		return d.data[end-uint64(d.width) : end], true
	}
	if uint64(i) >= uint64(len(d.ends)) {
		return nil, false
	}
	end := d.ends[i]
	begin := uint32(0)
	if i > 0 {
		begin = d.ends[i-1]
	}
	return d.data[begin+4 : end], true
}

// newDictionary takes a dictionary page.
func newDictionary(data []byte, typ int64, width int) *dictionary {
	d := &dictionary{data: data, width: width}
	if typ != parquetBytes {
		return d
	}
	for at := 0; at+4 <= len(data); {
		size := int64(binary.LittleEndian.Uint32(data[at:]))
		if size > int64(len(data)-at-4) {
			break
		}
		at += 4 + int(size)
		d.ends = append(d.ends, uint32(at))
	}
	return d
}

// indexed are numbers of a dictionary's values.
type indexed struct {
	h    hybrid
	dict *dictionary
}

func (x *indexed) next() ([]byte, bool) {
	i, ok := x.h.number()
	if !ok {
		return nil, false
	}
	return x.dict.get(i)
}

// deltas is DELTA_BINARY_PACKED.
type deltas struct {
	data   []byte
	left   uint64 // values to come
	last   int64
	first  bool
	block  int // values of a miniblock
	minis  int // miniblocks of a block
	widths []byte
	least  int64 // of the block's differences
	packed []byte
	bit    int
	width  int
	mini   int // values left of the miniblock
	ok     bool
	out    [8]byte
}

func newDeltas(data []byte) *deltas {
	d := &deltas{data: data, first: true}
	block, minis := d.varint(), d.varint()
	d.left = d.varint()
	d.last = zigzag(d.varint())
	d.ok = d.data != nil && minis > 0 && minis <= 1024 && block <= 1<<20 && block%minis == 0 && block > 0
	if d.ok {
		d.block, d.minis = int(block/minis), int(minis)
	}
	return d
}

func (d *deltas) varint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.data = nil
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *deltas) number() (int64, bool) {
	if !d.ok || d.left == 0 {
		return 0, false
	}
	d.left--
	if d.first {
		d.first = false
		return d.last, true
	}
	if d.mini == 0 && !d.turn() {
		d.ok = false
		return 0, false
	}
	d.mini--
	d.last += d.least + int64(unpackBits(d.packed, d.bit, d.width))
	d.bit += d.width
	return d.last, true
}

// turn goes to the next miniblock.
func (d *deltas) turn() bool {
	if len(d.widths) == 0 {
		d.least = zigzag(d.varint())
		if len(d.data) < d.minis {
			return false
		}
		d.widths, d.data = d.data[:d.minis], d.data[d.minis:]
	}
	d.width = int(d.widths[0])
	d.widths = d.widths[1:]
	size := (d.width*d.block + 7) / 8
	if d.width > 64 {
		return false
	}
	size = min(size, len(d.data)) // some writers cut the last one
	d.packed, d.data, d.bit, d.mini = d.data[:size], d.data[size:], 0, d.block
	return true
}

func (d *deltas) next() ([]byte, bool) {
	v, ok := d.number()
	binary.LittleEndian.PutUint64(d.out[:], uint64(v))
	return d.out[:], ok
}

// rest is what comes after the last value.
func (d *deltas) rest() []byte {
	if !d.ok || d.left == 0 {
		return d.data
	}
	for left := d.left - 1; left > 0; left -= min(left, uint64(d.block)) {
		if !d.turn() {
			return nil
		}
	}
	return d.data
}

// deltaBytes is DELTA_LENGTH_BYTE_ARRAY, and with prefixes DELTA_BYTE_ARRAY.
type deltaBytes struct {
	prefixes *deltas // nil without
	lengths  *deltas
	data     []byte
	last     []byte
}

func newDeltaBytes(data []byte, prefixed bool) *deltaBytes {
	d := &deltaBytes{}
	if prefixed {
		d.prefixes = newDeltas(data)
		data = newDeltas(data).rest()
	}
	d.lengths = newDeltas(data)
	d.data = newDeltas(data).rest()
	return d
}

func (d *deltaBytes) next() ([]byte, bool) {
	size, ok := d.lengths.number()
	if !ok || size < 0 || size > int64(len(d.data)) {
		return nil, false
	}
	value := d.data[:size]
	d.data = d.data[size:]
	if d.prefixes == nil {
		return value, true
	}
	prefix, ok := d.prefixes.number()
	if !ok || prefix < 0 || prefix > int64(len(d.last)) || prefix+size > sqliteValue {
		return nil, false
	}
	d.last = append(d.last[:prefix], value...)
	return d.last, true
}

// split is BYTE_STREAM_SPLIT: first the first byte of all values, and so on.
type split struct {
	data []byte
	n    int // values
	at   int
	out  []byte
}

func newSplit(data []byte, width int) *split {
	return &split{data: data, n: len(data) / max(width, 1), out: make([]byte, min(width, 64))}
}

func (s *split) next() ([]byte, bool) {
	if s.at >= s.n {
		return nil, false
	}
	for i := range s.out {
		s.out[i] = s.data[i*s.n+s.at]
	}
	s.at++
	return s.out, true
}

// levelBits is how many bits a level of at most so much takes.
func levelBits(most int) int { return bits.Len(uint(most)) }
