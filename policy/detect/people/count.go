package people

import "slices"

// counter joins the keys of records to people.
type counter struct {
	*records
	others []uint8  // of each key: how many others it was seen with, at most maxOthers + 1
	marks  []mark   // of each key
	parent []uint32 // of each key that joins: another of the same person; of a root itself
}

type mark uint8

const (
	shared    mark = 1 << iota // joins nothing
	explained                  // shared, and in a record with a key that is not
	part                       // the root of a person before names and birth dates joined any
	stranger                   // stands for a record whose keys are all shared
	lowest                     // the same for the low estimate
)

// The bounds of what one person's key is seen with. Names are counted where
// no birth date stands beside: one person's is spelt in a few ways.
const (
	maxOthers    = 32
	maxSpellings = 8
)

// count decides which records are about the same person.
func count(r *records) *counter {
	n := len(r.keys)
	c := &counter{records: r, others: make([]uint8, n), marks: make([]mark, n), parent: make([]uint32, n)}
	c.judge()
	for i := range c.parent {
		c.parent[i] = uint32(i)
	}
	c.join(func(k uint32) bool { return c.keys[k].kind != NameBirth })
	for i, p := range c.parent {
		if p == uint32(i) && c.marks[i]&shared == 0 && c.keys[i].kind != NameBirth {
			c.marks[i] |= part
		}
	}
	c.join(func(uint32) bool { return true })
	return c
}

// judge marks the keys that several people share.
func (c *counter) judge() {
	of := fill(len(c.keys), func(put func(owner, item uint32)) {
		for i := range c.groups {
			for _, k := range c.groups[i].members() {
				put(k, uint32(i))
			}
		}
	})
	var seen company
	for k := range uint32(len(c.keys)) {
		seen.gather(c.records, k, of.items(k))
		c.others[k] = uint8(len(seen.keys))
	}
	for k := range uint32(len(c.keys)) {
		if c.keys[k].kind == Name || c.others[k] > maxOthers {
			c.marks[k] |= shared
			continue
		}
		if seen.gather(c.records, k, of.items(k)); seen.several(c, k) {
			c.marks[k] |= shared
		}
	}
}

// company is what one key was seen with.
type company struct {
	keys  []uint32 // at most maxOthers + 1
	names []uint32 // those that are names without a birth date beside; at most maxSpellings + 1
}

func (s *company) gather(r *records, k uint32, groups []uint32) {
	s.keys, s.names = s.keys[:0], s.names[:0]
	for _, g := range groups {
		members := r.groups[g].members()
		undated := !slices.ContainsFunc(members, func(o uint32) bool { return r.keys[o].kind == NameBirth })
		for _, o := range members {
			if o == k {
				continue
			}
			if s.keys = include(s.keys, o, maxOthers+1); len(s.keys) > maxOthers {
				return
			}
			if undated && r.keys[o].kind == Name {
				s.names = include(s.names, o, maxSpellings+1)
			}
		}
	}
}

func include(set []uint32, k uint32, most int) []uint32 {
	if len(set) == most || slices.Contains(set, k) {
		return set
	}
	return append(set, k)
}

// several says whether k was seen with more than one person can have. What was
// itself seen with too many says nothing: a constant SSN in one file does not
// spoil the MRNs beside it.
func (s *company) several(c *counter, k uint32) bool {
	spellings := maxSpellings
	if own := c.keys[k]; own.kind == Member || own.kind == MRN && own.scope == 0 {
		spellings = 1
	}
	if len(s.names) > spellings {
		return true
	}
	for i, a := range s.keys {
		for _, b := range s.keys[:i] {
			if c.key(a).contradicts(c.key(b)) && max(c.others[a], c.others[b]) <= maxOthers {
				return true
			}
		}
	}
	return false
}

// join makes one person of the keys of each record, those that want is true of
// and nobody shares.
func (c *counter) join(want func(k uint32) bool) {
	for i := range c.groups {
		first := none
		for _, k := range c.groups[i].members() {
			switch {
			case c.marks[k]&shared != 0 || !want(k):
			case first == none:
				first = c.root(k)
			default:
				c.parent[c.root(k)] = first
			}
		}
	}
}

// root halves the paths it walks (Tarjan, van Leeuwen 1984).
func (c *counter) root(k uint32) uint32 {
	for c.parent[k] != k {
		c.parent[k] = c.parent[c.parent[k]]
		k = c.parent[k]
	}
	return k
}

// tally is what a counter found.
type tally struct {
	known        int // people with a key that is theirs alone
	apart        int // the same, without names and birth dates joining any
	strangers    int // people in records whose keys are all shared
	lowStrangers int // the same, counted by the best key; nobody's who is in known
	names        int // names that stand in no record with another key
	covered      int // shared keys and names that stand in one, and alone too
}

func (c *counter) tally() (t tally) {
	c.persons(func(_ []uint32, n, parts int) {
		t.known += n
		t.apart += max(n, parts)
	})
	c.strangers()
	for i, m := range c.marks {
		switch {
		case m&shared != 0 && c.keys[i].alone && c.others[i] == 0:
			t.names++
		case m&shared != 0 && c.keys[i].alone:
			t.covered++
		}
		if m&stranger != 0 {
			t.strangers++
		}
		if m&lowest != 0 {
			t.lowStrangers++
		}
	}
	return t
}

// persons yields the keys of each person in the order of compare, how many
// people they must be, and how many they are when names and birth dates join
// nobody. Keys that join in a chain, each one by its own harmless, can be
// several people's: they are as many as have different SSNs, birth dates, or
// MRNs of one assigner.
func (c *counter) persons(yield func(keys []uint32, n, parts int)) {
	by := fill(len(c.keys), func(put func(owner, item uint32)) {
		for k, m := range c.marks {
			if m&shared == 0 {
				put(c.root(uint32(k)), uint32(k))
			}
		}
	})
	for root := range uint32(len(c.keys)) {
		keys := by.items(root)
		if len(keys) == 0 {
			continue
		}
		slices.SortFunc(keys, func(a, b uint32) int { return compare(c.key(a), c.key(b)) })
		parts := 0
		for _, k := range keys {
			if c.marks[k]&part != 0 {
				parts++
			}
		}
		yield(keys, c.different(keys), parts)
	}
}

// different is how many people keys must be, by what contradicts; one at least.
func (c *counter) different(keys []uint32) int {
	most, run := 1, 1
	for i := 1; i < len(keys); i++ {
		last, k := c.key(keys[i-1]), c.key(keys[i])
		switch {
		case k.contradicts(last):
			run++
		case k.Kind != last.Kind || k.Kind == MRN: // another assigner
			run = 1
		}
		most = max(most, run)
	}
	return most
}

// strangers marks a key for each record whose keys are all shared, unless each
// of them is explained by a person: the key with the fewest others, since of a
// constant and a name that one tells people apart.
func (c *counter) strangers() {
	c.explain()
	for i := range c.groups {
		members := c.groups[i].members()
		if c.all(members, shared|explained) || !c.all(members, shared) {
			continue
		}
		least := slices.MinFunc(members, func(a, b uint32) int { return int(c.others[a]) - int(c.others[b]) })
		c.marks[least] |= stranger
		if best := members[0]; c.keys[best].kind != Name && c.marks[best]&explained == 0 {
			c.marks[best] |= lowest
		}
	}
}

func (c *counter) explain() {
	for i := range c.groups {
		members := c.groups[i].members()
		if c.all(members, shared) {
			continue
		}
		for _, k := range members {
			if c.marks[k]&shared != 0 {
				c.marks[k] |= explained
			}
		}
	}
}

func (c *counter) all(keys []uint32, m mark) bool {
	return !slices.ContainsFunc(keys, func(k uint32) bool { return c.marks[k]&m != m })
}

// lists are the items of each owner, in two arrays.
type lists struct{ starts, all []uint32 }

// fill makes the lists of n owners; each puts all items, twice the same.
func fill(n int, each func(put func(owner, item uint32))) lists {
	l := lists{starts: make([]uint32, n+1)}
	total := 0
	each(func(owner, _ uint32) { l.starts[owner]++; total++ })
	sum := uint32(0)
	for i, size := range l.starts {
		sum += size
		l.starts[i] = sum
	}
	l.all = make([]uint32, total)
	each(func(owner, item uint32) { // from each list's end to its start
		l.starts[owner]--
		l.all[l.starts[owner]] = item
	})
	return l
}

func (l lists) items(owner uint32) []uint32 { return l.all[l.starts[owner]:l.starts[owner+1]] }
