package expand

import "encoding/binary"

// Thrift's compact protocol, as far as Parquet's footer and page headers need it
// (thrift-compact-protocol.md). A message becomes a tree of bounded size and depth.

const (
	thriftDepth = 32
	thriftNodes = 400_000

	thriftNodeBytes = 64
)

// thriftNode is a value: a number, a string, or fields or elements.
type thriftNode struct {
	id   int64 // of a field
	num  int64 // also 1 for true
	str  []byte
	kids []thriftNode
}

// get is the field with the number; a zero node without one.
func (n *thriftNode) get(id int64) *thriftNode {
	for i := range n.kids {
		if n.kids[i].id == id {
			return &n.kids[i]
		}
	}
	return &thriftNode{}
}

// has says whether there is a field with the number.
func (n *thriftNode) has(id int64) bool { return n.get(id).id == id }

// thrift reads a struct from data.
type thrift struct {
	data  []byte
	nodes int
}

// parse reads one struct.
func (t *thrift) parse() (thriftNode, error) { return t.structure(0) }

func (t *thrift) byte() (byte, error) {
	if len(t.data) == 0 {
		return 0, errDamaged
	}
	b := t.data[0]
	t.data = t.data[1:]
	return b, nil
}

func (t *thrift) varint() (uint64, error) {
	v, n := binary.Uvarint(t.data)
	if n <= 0 {
		return 0, errDamaged
	}
	t.data = t.data[n:]
	return v, nil
}

func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func (t *thrift) structure(depth int) (n thriftNode, err error) {
	if depth > thriftDepth {
		return n, errDamaged
	}
	id := int64(0)
	for {
		head, err := t.byte()
		if err != nil || head == 0 {
			return n, err
		}
		if delta := int64(head >> 4); delta > 0 {
			id += delta
		} else {
			v, err := t.varint()
			if err != nil {
				return n, err
			}
			id = zigzag(v)
		}
		field, err := t.value(head&0x0F, depth+1, false)
		if err != nil {
			return n, err
		}
		field.id = id
		n.kids = append(n.kids, field)
	}
}

// value reads a value of a type. Within lists a boolean is a byte of its own.
func (t *thrift) value(kind byte, depth int, listed bool) (n thriftNode, err error) {
	if t.nodes++; t.nodes > thriftNodes {
		return n, reason("too many columns and row groups")
	}
	switch kind {
	case 1, 2: // true, false
		if !listed {
			n.num = int64(2 - kind)
			return n, nil
		}
		b, err := t.byte()
		n.num = int64(b & 1)
		return n, err
	case 3: // byte
		b, err := t.byte()
		n.num = int64(int8(b))
		return n, err
	case 4, 5, 6: // i16, i32, i64
		v, err := t.varint()
		n.num = zigzag(v)
		return n, err
	case 7: // double
		n.str, err = t.bytes(8)
		return n, err
	case 8: // binary
		size, err := t.varint()
		if err != nil {
			return n, err
		}
		n.str, err = t.bytes(size)
		return n, err
	case 9, 10: // list, set
		return t.list(depth)
	case 12:
		return t.structure(depth)
	}
	return n, errDamaged // no map is in Parquet
}

func (t *thrift) bytes(size uint64) ([]byte, error) {
	if size > uint64(len(t.data)) {
		return nil, errDamaged
	}
	b := t.data[:size:size]
	t.data = t.data[size:]
	return b, nil
}

func (t *thrift) list(depth int) (n thriftNode, err error) {
	head, err := t.byte()
	if err != nil || depth > thriftDepth {
		return n, or(err, errDamaged)
	}
	size := uint64(head >> 4)
	if size == 15 {
		if size, err = t.varint(); err != nil {
			return n, err
		}
	}
	for range size { // each takes a byte or more, so that a false size ends early
		kid, err := t.value(head&0x0F, depth+1, true)
		if err != nil {
			return n, err
		}
		n.kids = append(n.kids, kid)
	}
	return n, nil
}
