package people

import "slices"

// The bounds of an exact set: 100,000 people with four keys each, or with
// fewer keys and more than one form of record.
const (
	maxKeys   = 400_000
	maxGroups = 150_000
)

// records are distinct records. A record of one key is a mark on that key, any
// other a group.
type records struct {
	keys    []entry
	groups  []group
	keyAt   index
	groupAt index
}

// entry is a Key in 16 bytes, with a mark.
type entry struct {
	sum   uint64
	scope uint32
	kind  Kind
	alone bool // the only key of some record
}

func (e entry) key() Key { return Key{Sum: e.sum, Scope: e.scope, Kind: e.kind} }

func (r *records) key(i uint32) Key { return r.keys[i].key() }

func (r *records) keyHash(i uint32) uint64 { return r.key(i).hash() }

func (r *records) groupHash(i uint32) uint64 { return r.groups[i].hash() }

// group has the keys of one record as indexes into keys, in the order of
// compare, then none.
type group [perRecord]uint32

const none = ^uint32(0)

// members are the group's keys.
func (g *group) members() []uint32 {
	n := perRecord
	for n > 0 && g[n-1] == none {
		n--
	}
	return g[:n]
}

func (g *group) hash() uint64 {
	return mix(mix(uint64(g[0])<<32|uint64(g[1])) ^ (uint64(g[2])<<32 | uint64(g[3])))
}

func (r *records) full() bool { return len(r.keys) > maxKeys || len(r.groups) > maxGroups }

// add takes a record's keys as choose returns them; one at least.
func (r *records) add(record []Key) {
	g := group{none, none, none, none}
	for i, k := range record {
		g[i] = r.intern(k)
	}
	if len(record) == 1 {
		r.keys[g[0]].alone = true
		return
	}
	h := g.hash()
	if _, ok := r.groupAt.find(h, func(i uint32) bool { return r.groups[i] == g }); ok {
		return
	}
	r.groups = append(grown(r.groups, maxGroups+1), g)
	r.groupAt.add(h, len(r.groups), r.groupHash)
}

// intern is the key's index.
func (r *records) intern(k Key) uint32 {
	h := k.hash()
	if i, ok := r.keyAt.find(h, func(i uint32) bool { return r.key(i) == k }); ok {
		return i
	}
	r.keys = append(grown(r.keys, maxKeys+perRecord), entry{sum: k.Sum, scope: k.Scope, kind: k.Kind})
	r.keyAt.add(h, len(r.keys), r.keyHash)
	return uint32(len(r.keys) - 1)
}

// grown makes room for one element more. A set of one person stays small, and
// one that is full has no room left over.
func grown[T any](s []T, most int) []T {
	if len(s) < cap(s) {
		return s
	}
	larger := make([]T, len(s), min(len(s)+len(s)/2+perRecord, most))
	copy(larger, s)
	return larger
}

// all yields each record; the slice is valid during the call.
func (r *records) all(yield func(record []Key) bool) {
	var room [perRecord]Key
	for _, e := range r.keys {
		if e.alone && !yield(append(room[:0], e.key())) {
			return
		}
	}
	for i := range r.groups {
		record := room[:0]
		for _, k := range r.groups[i].members() {
			record = append(record, r.key(k))
		}
		if !yield(record) {
			return
		}
	}
}

// index finds elements of a slice by their hash: open addressing with linear
// probing. A slot holds the element's index plus 1, and above it a few bits of
// the hash, so that most elements that are not the wanted one are not looked at.
type index struct {
	slots []uint32
}

const (
	indexBits = 19 // enough for maxKeys
	indexMask = 1<<indexBits - 1
)

func tag(h uint64) uint32 { return uint32(h>>32) &^ indexMask }

func (x *index) find(h uint64, same func(i uint32) bool) (uint32, bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	mask := uint64(len(x.slots) - 1)
	for at := h & mask; x.slots[at] != 0; at = (at + 1) & mask {
		if slot := x.slots[at]; slot&^indexMask == tag(h) && same(slot&indexMask-1) {
			return slot&indexMask - 1, true
		}
	}
	return 0, false
}

// add enters the last of n elements, whose hash is h and which find does not
// know; hash is of any of them.
func (x *index) add(h uint64, n int, hash func(i uint32) uint64) {
	if n*5 <= len(x.slots)*4 {
		x.put(h, uint32(n-1))
		return
	}
	x.build(n, hash, n)
}

// build enters n elements anew. It gives up, and says so, when the search for
// a free slot takes more than limit steps.
func (x *index) build(n int, hash func(i uint32) uint64, limit int) bool {
	size := 8
	for n*5 > size*4 {
		size *= 2
	}
	x.slots = make([]uint32, size)
	for i := range uint32(n) {
		if x.put(hash(i), i) > limit {
			return false
		}
	}
	return true
}

// put returns how many slots were taken.
func (x *index) put(h uint64, i uint32) (steps int) {
	mask := uint64(len(x.slots) - 1)
	at := h & mask
	for ; x.slots[at] != 0; at = (at + 1) & mask {
		steps++
	}
	x.slots[at] = tag(h) | (i + 1)
	return steps
}

// canonical is the order of keys by compare: order[i] is the index of the i-th.
func (r *records) canonical() (order []uint32) {
	order = make([]uint32, len(r.keys))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return compare(r.key(a), r.key(b)) })
	return order
}
