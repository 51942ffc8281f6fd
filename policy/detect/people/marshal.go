package people

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// A set in bytes, numbers big-endian: "ppl" and the version; how many records
// had no key (8 bytes); 'e' or 'l'; the body; a CRC-32 of all before it.
// The body of 'e' is the number of keys (4 bytes), the keys in the order of
// compare, the number of groups (4), and the groups in order, each the places
// of its keys. The body of 'l' is the registers of the sketches; that
// of 'h', which was written once, has the first four of them.
const (
	header   = "ppl\x01"
	keyBytes = 13 // kind with the mark for alone, scope, sum
	aloneBit = 0x80
)

var errDamaged = errors.New("damaged set of people")

// MarshalBinary gives the same bytes for the same records while the set is
// exact, whatever their order. There is no error.
func (s *Set) MarshalBinary() ([]byte, error) {
	out := append([]byte{}, header...)
	out = binary.BigEndian.AppendUint64(out, uint64(s.anonymous))
	if s.sketch != nil {
		out = append(out, 'l')
		for i := range s.sketch {
			out = append(out, s.sketch[i][:]...)
		}
	} else {
		out = s.exact.append(append(out, 'e'))
	}
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out)), nil
}

func (r *records) append(out []byte) []byte {
	out = slices.Grow(out, 8+len(r.keys)*keyBytes+len(r.groups)*perRecord*4+4)
	order := r.canonical()
	place := make([]uint32, len(order))
	out = binary.BigEndian.AppendUint32(out, uint32(len(order)))
	for i, at := range order {
		place[at] = uint32(i)
		out = r.keys[at].append(out)
	}
	groups := slices.Clone(r.groups)
	for i := range groups {
		members := groups[i].members()
		for j, k := range members {
			members[j] = place[k]
		}
	}
	slices.SortFunc(groups, compareGroups)
	out = binary.BigEndian.AppendUint32(out, uint32(len(groups)))
	for i := range groups {
		for _, k := range groups[i] {
			out = binary.BigEndian.AppendUint32(out, k)
		}
	}
	return out
}

func compareGroups(a, b group) int { return slices.Compare(a[:], b[:]) }

func (e entry) append(out []byte) []byte {
	kind := byte(e.kind)
	if e.alone {
		kind |= aloneBit
	}
	out = append(out, kind)
	out = binary.BigEndian.AppendUint32(out, e.scope)
	return binary.BigEndian.AppendUint64(out, e.sum)
}

// UnmarshalBinary replaces the set by the one that was marshalled to data. On
// an error the set stays as it was. Data may be anybody's: it costs no more
// than a few times its length.
func (s *Set) UnmarshalBinary(data []byte) error {
	const frame = len(header) + 8 + 1 + 4
	switch {
	case len(data) < frame || string(data[:3]) != header[:3]:
		return errDamaged
	case data[3] != header[3]:
		return fmt.Errorf("set of people is of version %d, not %d", data[3], header[3])
	}
	body, sum := data[:len(data)-4], binary.BigEndian.Uint32(data[len(data)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return errDamaged
	}
	unknown, mode, body := binary.BigEndian.Uint64(body[4:]), body[12], body[13:]
	read := Set{anonymous: int64(unknown)}
	var ok bool
	switch mode {
	case 'e':
		ok = read.exact.parse(body)
	case 'l':
		read.sketch = new(sketches)
		ok = read.sketch.parse(body, sketchKinds)
	case 'h':
		read.sketch = new(sketches)
		ok = read.sketch.parse(body, beside)
	}
	if !ok || unknown > maxAnonymous {
		return errDamaged
	}
	*s = read
	return nil
}

func (s *sketches) parse(body []byte, n int) bool {
	if len(body) != n*registers {
		return false
	}
	for i := range n {
		body = body[copy(s[i][:], body):]
		if slices.Max(s[i][:]) > ranks+1 {
			return false
		}
	}
	return true
}

func (r *records) parse(body []byte) bool {
	keys, body, ok := counted(body, keyBytes, maxKeys)
	if !ok {
		return false
	}
	groups, body, ok := counted(body, perRecord*4, maxGroups)
	if !ok || len(body) > 0 || !r.parseKeys(keys) || !r.parseGroups(groups) {
		return false
	}
	return r.used() &&
		r.keyAt.build(len(r.keys), r.keyHash, longestProbe) &&
		r.groupAt.build(len(r.groups), r.groupHash, longestProbe)
}

// longestProbe is never seen with keyed hashes at a load of 4/5; keys that
// somebody chose could make each search as long as the set.
const longestProbe = 2000

// counted takes a number of elements of some size, and these, off body.
func counted(body []byte, size, most int) (elements, rest []byte, ok bool) {
	if len(body) < 4 {
		return nil, nil, false
	}
	n, body := int64(binary.BigEndian.Uint32(body)), body[4:]
	if n > int64(most) || n*int64(size) > int64(len(body)) {
		return nil, nil, false
	}
	return body[:n*int64(size)], body[n*int64(size):], true
}

func (r *records) parseKeys(body []byte) bool {
	r.keys = make([]entry, 0, len(body)/keyBytes)
	for b := range slices.Chunk(body, keyBytes) {
		e := entry{alone: b[0]&aloneBit != 0}
		e.kind, e.scope, e.sum = Kind(b[0]&^aloneBit), binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint64(b[5:])
		last := len(r.keys) - 1
		if e.kind < MRN || e.kind > Name || last >= 0 && compare(r.keys[last].key(), e.key()) >= 0 {
			return false
		}
		r.keys = append(r.keys, e)
	}
	return true
}

func (r *records) parseGroups(body []byte) bool {
	r.groups = make([]group, 0, len(body)/(perRecord*4))
	for b := range slices.Chunk(body, perRecord*4) {
		var g group
		for i := range g {
			g[i] = binary.BigEndian.Uint32(b[i*4:])
		}
		last := len(r.groups) - 1
		if !r.possible(g.members()) || last >= 0 && compareGroups(r.groups[last], g) >= 0 {
			return false
		}
		r.groups = append(r.groups, g)
	}
	return true
}

// possible says whether Add could have made a group of these keys.
func (r *records) possible(members []uint32) bool {
	for i, k := range members {
		if int64(k) >= int64(len(r.keys)) || i > 0 && members[i-1] >= k {
			return false
		}
		for _, o := range members[:i] {
			if r.key(o).contradicts(r.key(k)) {
				return false
			}
		}
	}
	return len(members) > 1
}

// used says whether each key is in a record.
func (r *records) used() bool {
	in := make([]bool, len(r.keys))
	for i := range r.groups {
		for _, k := range r.groups[i].members() {
			in[k] = true
		}
	}
	for i, k := range r.keys {
		if !in[i] && !k.alone {
			return false
		}
	}
	return true
}
