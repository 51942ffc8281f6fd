package expand

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/pierrec/lz4/v4"
)

// The encodings of values.
const (
	encPlain       = 0
	encDictOld     = 2
	encRLE         = 3
	encDelta       = 5
	encDeltaLength = 6
	encDeltaBytes  = 7
	encDict        = 8
	encSplit       = 9
)

const largePage = reason("columns whose pages do not fit into memory")

// turn reads the column's next page.
func (p *parquetFile) turn(c *parquetColumn) error {
	head, err := p.pageHead(c)
	if err != nil {
		return err
	}
	packed, size := head.get(3).num, head.get(2).num
	if packed < 0 || size < 0 || packed > c.end-c.at {
		return errDamaged
	}
	c.values, c.reps, c.defs = nil, nil, nil
	switch head.get(1).num {
	case 2:
		data, err := p.load(c, packed, size, 0)
		if err != nil {
			return err
		}
		c.dict, c.dictBytes = newDictionary(data, c.typ, parquetWidth(c.typ, c.length)), int64(cap(data))
		if err := p.hold(c, c.dictBytes+4*int64(len(c.dict.ends))); err != nil {
			return err
		}
	case 0:
		return p.pageV1(c, head.get(5), packed, size)
	case 3:
		return p.pageV2(c, head.get(8), packed, size)
	default:
		c.at += packed
	}
	return nil
}

// pageHead reads a page's header.
func (p *parquetFile) pageHead(c *parquetColumn) (thriftNode, error) {
	size := min(c.end-c.at, 512)
	for {
		if size <= 0 {
			return thriftNode{}, io.ErrUnexpectedEOF
		}
		p.raw = append(p.raw[:0], make([]byte, size)...)
		if _, err := p.src.ReadAt(p.raw, c.at); err != nil && err != io.EOF {
			return thriftNode{}, err
		}
		t := thrift{data: p.raw}
		n, err := t.parse()
		if err == nil {
			c.at += size - int64(len(t.data))
			return n, nil
		}
		// It may be longer: it can hold the least and the greatest value.
		if size == min(c.end-c.at, parquetHeader) {
			return n, err
		}
		size = min(c.end-c.at, parquetHeader)
	}
}

// hold sets how many bytes the column holds, within the memory of all.
func (p *parquetFile) hold(c *parquetColumn, n int64) error {
	if p.held-c.held+n > p.x.lim.Memory {
		c.dropped = true
		return largePage
	}
	p.held += n - c.held
	c.held = n
	return nil
}

// load reads a page: its first bytes as they are, the others unpacked.
func (p *parquetFile) load(c *parquetColumn, packed, size, plain int64) ([]byte, error) {
	if plain < 0 || plain > packed || plain > size {
		return nil, errDamaged
	}
	if err := p.hold(c, c.dictBytes+packed+size); err != nil {
		return nil, err
	}
	raw := make([]byte, packed)
	if _, err := p.src.ReadAt(raw, c.at); err != nil {
		return nil, unexpected(err)
	}
	c.at += packed
	if err := p.x.spend(p.path, max(size-packed, 0)); err != nil {
		return nil, err
	}
	if c.codec == 0 {
		return raw, nil
	}
	out, err := p.x.unpackPage(c.codec, raw[plain:], size-plain)
	if err != nil || plain == 0 {
		return out, err
	}
	return append(raw[:plain:plain], out...), nil
}

// unpackPage unpacks a page to at most so many bytes.
func (x *expansion) unpackPage(codec int64, packed []byte, size int64) ([]byte, error) {
	if size == 0 || len(packed) == 0 {
		return nil, nil
	}
	var r io.Reader
	switch codec {
	case 1:
		if n, err := s2.DecodedLen(packed); err != nil || int64(n) > size {
			return nil, or(err, errDamaged)
		}
		return s2.Decode(nil, packed)
	case 7:
		out := make([]byte, size)
		n, err := lz4.UncompressBlock(packed, out)
		if err != nil {
			return nil, err
		}
		return out[:n], nil
	case 2:
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		r = z
	case 6:
		z, err := x.tools.zstd(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		defer x.tools.unzstd(z)
		r = z
	default:
		return nil, reason("a compression that is not known")
	}
	out := make([]byte, size)
	n, err := io.ReadFull(r, out)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return out[:n], err
}

// pageV1 takes a data page whose levels are packed with the values, each after its size.
func (p *parquetFile) pageV1(c *parquetColumn, head *thriftNode, packed, size int64) error {
	data, err := p.load(c, packed, size, 0)
	if err != nil {
		return err
	}
	c.page, c.inPage = data, head.get(1).num
	for _, level := range []struct {
		most int
		to   **hybrid
	}{{c.rep, &c.reps}, {c.def, &c.defs}} {
		if level.most == 0 {
			continue
		}
		if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
			return errDamaged
		}
		n := 4 + binary.LittleEndian.Uint32(data)
		*level.to = &hybrid{data: data[4:n], width: levelBits(level.most)}
		data = data[n:]
	}
	return c.decode(data, head.get(2).num)
}

// pageV2 takes a data page whose levels come first and are not compressed.
func (p *parquetFile) pageV2(c *parquetColumn, head *thriftNode, packed, size int64) error {
	reps, defs := head.get(6).num, head.get(5).num
	if reps < 0 || defs < 0 || reps > packed || defs > packed {
		return errDamaged
	}
	codec := c.codec
	if head.has(7) && head.get(7).num == 0 {
		c.codec = 0
	}
	data, err := p.load(c, packed, size, reps+defs)
	c.codec = codec
	if err != nil || int64(len(data)) < reps+defs {
		return or(err, errDamaged)
	}
	c.page, c.inPage = data, head.get(1).num
	if c.rep > 0 {
		c.reps = &hybrid{data: data[:reps], width: levelBits(c.rep)}
	}
	if c.def > 0 {
		c.defs = &hybrid{data: data[reps : reps+defs], width: levelBits(c.def)}
	}
	return c.decode(data[reps+defs:], head.get(4).num)
}

// decode makes the reader of a page's values.
func (c *parquetColumn) decode(data []byte, encoding int64) error {
	width := parquetWidth(c.typ, c.length)
	if c.inPage < 0 {
		return errDamaged
	}
	switch encoding {
	case encPlain:
		c.values = &plain{data: data, typ: c.typ, width: width}
	case encDict, encDictOld:
		if c.dict == nil {
			return errDamaged
		}
		x := &indexed{dict: c.dict}
		if len(data) > 0 {
			x.h = hybrid{data: data[1:], width: int(data[0])}
		}
		if x.h.width > 32 {
			return errDamaged
		}
		c.values = x
	case encRLE:
		if len(data) < 4 || c.typ != parquetBool {
			return errDamaged
		}
		c.values = &bools{h: hybrid{data: data[4:], width: 1}}
	case encDelta:
		c.values = newDeltas(data)
	case encDeltaLength, encDeltaBytes:
		c.values = newDeltaBytes(data, encoding == encDeltaBytes)
	case encSplit:
		c.values = newSplit(data, width)
	default:
		return reason("an encoding that is not known")
	}
	return nil
}

// shown is what a column's values mean, so far as it makes a difference in text.
type shown struct {
	what  shownKind
	scale int // of decimals
}

type shownKind uint8

const (
	shownPlain shownKind = iota
	shownDate
	shownMillis
	shownMicros
	shownNanos
	shownDecimal
	shownUUID
)

// shownAs reads the logical type, or the older converted type.
func shownAs(e *thriftNode) shown {
	logical := e.get(10)
	switch {
	case logical.has(6) || e.has(6) && e.get(6).num == 6:
		return shown{what: shownDate}
	case logical.has(8):
		unit := logical.get(8).get(2)
		switch {
		case unit.has(1):
			return shown{what: shownMillis}
		case unit.has(2):
			return shown{what: shownMicros}
		}
		return shown{what: shownNanos}
	case e.has(6) && e.get(6).num == 9:
		return shown{what: shownMillis}
	case e.has(6) && e.get(6).num == 10:
		return shown{what: shownMicros}
	case logical.has(14):
		return shown{what: shownUUID}
	case logical.has(5):
		return shown{what: shownDecimal, scale: int(logical.get(5).get(1).num)}
	case e.has(6) && e.get(6).num == 5:
		return shown{what: shownDecimal, scale: int(e.get(7).num)}
	}
	return shown{}
}

// append writes a value as text.
func (s shown) append(dst []byte, typ int64, v []byte) []byte {
	switch typ {
	case parquetBool:
		return strconv.AppendBool(dst, len(v) > 0 && v[0] == 1)
	case parquetInt32:
		return s.number(dst, int64(int32(littleEndian(v))))
	case parquetInt64:
		return s.number(dst, littleEndian(v))
	case parquetInt96: // nanoseconds of a Julian day: Impala's and Spark's timestamp
		if len(v) == 12 {
			return appendDay(dst, int64(binary.LittleEndian.Uint32(v[8:]))-2_440_588)
		}
	case parquetFloat:
		return strconv.AppendFloat(dst, float64(math.Float32frombits(uint32(littleEndian(v)))), 'f', -1, 32)
	case parquetDouble:
		return strconv.AppendFloat(dst, math.Float64frombits(uint64(littleEndian(v))), 'f', -1, 64)
	}
	switch {
	case s.what == shownDecimal && len(signedBytes(v)) <= 8:
		return s.number(dst, signed(signedBytes(v)))
	case s.what == shownUUID && len(v) == 16:
		return appendUUID(dst, v)
	}
	return append(dst, v...)
}

// signedBytes is a big-endian number without the bytes that only repeat its sign.
func signedBytes(v []byte) []byte {
	for len(v) > 1 && (v[0] == 0 && v[1] < 0x80 || v[0] == 0xFF && v[1] >= 0x80) {
		v = v[1:]
	}
	return v
}

// littleEndian is a number of up to 8 bytes.
func littleEndian(v []byte) int64 {
	var b [8]byte
	copy(b[:], v)
	return int64(binary.LittleEndian.Uint64(b[:]))
}

func (s shown) number(dst []byte, n int64) []byte {
	switch s.what {
	case shownDate:
		return appendDay(dst, n)
	case shownMillis:
		return appendTime(dst, time.UnixMilli(n))
	case shownMicros:
		return appendTime(dst, time.UnixMicro(n))
	case shownNanos:
		return appendTime(dst, time.Unix(0, n))
	case shownDecimal:
		if s.scale > 0 && s.scale <= 18 {
			return strconv.AppendFloat(dst, float64(n)/math.Pow10(s.scale), 'f', s.scale, 64)
		}
	}
	return strconv.AppendInt(dst, n, 10)
}

// appendDay writes a day since 1970.
func appendDay(dst []byte, days int64) []byte {
	if days < -1_000_000 || days > 3_000_000 {
		return strconv.AppendInt(dst, days, 10)
	}
	return time.Unix(days*86_400, 0).UTC().AppendFormat(dst, time.DateOnly)
}

// appendTime writes a date and the time of day if there is one.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 {
		return t.AppendFormat(dst, time.DateOnly)
	}
	return t.AppendFormat(dst, time.DateTime)
}

// appendUUID writes the usual form of RFC 9562.
func appendUUID(dst, v []byte) []byte {
	const digits = "0123456789abcdef"
	for i, b := range v {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&0x0F])
	}
	return dst
}
