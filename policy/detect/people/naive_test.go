package people

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNaive compares with the rules written down with maps, for records that
// contradict each other often.
func TestNaive(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 6))
		records := muddle(r, r.IntN(40))
		if seed%10 == 0 { // enough for keys with more than maxOthers
			records = append(muddle(r, 400), each(60, func(i int) []Key { return []Key{ssn(0), name(i % 50), mrn(1, i)} })...)
		}
		want := naive(records)
		if diff := cmp.Diff(want, of(records).Estimate()); diff != "" {
			t.Fatalf("seed %d, %d records: %s", seed, len(records), diff)
		}
		if want.Low > want.Point || want.Point > want.High {
			t.Fatalf("seed %d: %d to %d people, and %d in between", seed, want.Low, want.High, want.Point)
		}
	}
}

// TestLowIsNotAbovePoint has the rare records whose keys are all shared and
// have more best keys than keys that tell people apart.
func TestLowIsNotAbovePoint(t *testing.T) {
	for _, seed := range []uint64{183107, 246694} {
		r := rand.New(rand.NewPCG(seed, 9))
		records := muddle(r, 1+r.IntN(30))
		want := naive(records)
		if diff := cmp.Diff(want, of(records).Estimate()); diff != "" || want.Low > want.Point {
			t.Errorf("seed %d: at least %d people, and likely %d: %s", seed, want.Low, want.Point, diff)
		}
	}
}

type keySet map[Key]bool

// world is what naive knows of the records.
type world struct {
	records [][]Key
	others  map[Key]keySet
	shared  keySet
}

func naive(records [][]Key) Estimate {
	w := world{others: map[Key]keySet{}, shared: keySet{}}
	anonymous := 0
	for _, r := range records {
		if r = choose(nil, r); len(r) == 0 {
			anonymous++
			continue
		}
		w.records = append(w.records, r)
		for _, k := range r {
			if w.others[k] == nil {
				w.others[k] = keySet{}
			}
			for _, o := range r {
				if o != k {
					w.others[k][o] = true
				}
			}
		}
	}
	for k := range w.others {
		w.shared[k] = w.isShared(k)
	}
	known, apart := 0, 0
	for _, p := range w.components(func(k Key) bool { return !w.shared[k] }) {
		n := people(p)
		parts := len(w.components(func(k Key) bool { return p[k] && k.Kind != NameBirth }))
		known, apart = known+n, apart+max(n, parts)
	}
	strangers, low := w.strangers()
	names, covered := keySet{}, keySet{}
	for _, r := range w.records {
		if k := r[0]; len(r) == 1 && w.shared[k] {
			if len(w.others[k]) == 0 {
				names[k] = true
			} else {
				covered[k] = true
			}
		}
	}
	unsure := max(strangers, low)
	e := Estimate{
		Low:    known + low,
		Point:  known + unsure + len(names) + anonymous,
		High:   apart + unsure + len(names) + len(covered) + anonymous,
		Method: Exact,
	}
	for _, n := range []int{unsure + len(names), min(1, anonymous)} {
		if e.Low == 0 {
			e.Low = n
		}
	}
	return e
}

func (w *world) isShared(k Key) bool {
	if k.Kind == Name || len(w.others[k]) > 32 {
		return true
	}
	spelt := keySet{}
	for _, r := range w.records {
		if slices.Contains(r, k) && !slices.ContainsFunc(r, func(o Key) bool { return o.Kind == NameBirth }) {
			for _, o := range r {
				if o.Kind == Name {
					spelt[o] = true
				}
			}
		}
	}
	if len(spelt) > 8 || len(spelt) > 1 && (k.Kind == Member || k.Kind == MRN && k.Scope == 0) {
		return true
	}
	for a := range w.others[k] {
		for b := range w.others[k] {
			if a.contradicts(b) && len(w.others[a]) <= 32 && len(w.others[b]) <= 32 {
				return true
			}
		}
	}
	return false
}

// components joins the keys that are of interest by walking from each to all
// that it was seen with.
func (w *world) components(of func(Key) bool) (all []keySet) {
	been := keySet{}
	for k := range w.others {
		if been[k] || !of(k) {
			continue
		}
		been[k] = true
		one, queue := keySet{}, []Key{k}
		for len(queue) > 0 {
			k, queue = queue[0], queue[1:]
			one[k] = true
			for o := range w.others[k] {
				if of(o) && !been[o] {
					been[o] = true
					queue = append(queue, o)
				}
			}
		}
		all = append(all, one)
	}
	return all
}

// people is the most SSNs, MRNs of one assigner, or birth dates.
func people(keys keySet) int {
	type attribute struct {
		kind     Kind
		assigner uint32
	}
	values := map[attribute]map[uint64]bool{}
	for k := range keys {
		a, v := attribute{kind: k.Kind}, k.Sum
		switch k.Kind {
		case MRN:
			a.assigner = k.Scope
		case NameBirth:
			if k.Scope != 0 {
				v = uint64(k.Scope)
			}
		case Member:
			continue
		}
		if values[a] == nil {
			values[a] = map[uint64]bool{}
		}
		values[a][v] = true
	}
	most := 1
	for _, v := range values {
		most = max(most, len(v))
	}
	return most
}

func (w *world) strangers() (n, low int) {
	explained, marked, lowest := keySet{}, keySet{}, keySet{}
	ours := func(r []Key) bool { return slices.ContainsFunc(r, func(k Key) bool { return !w.shared[k] }) }
	for _, r := range w.records {
		for _, k := range r {
			explained[k] = explained[k] || w.shared[k] && ours(r)
		}
	}
	for _, r := range w.records {
		if len(r) < 2 || ours(r) || !slices.ContainsFunc(r, func(k Key) bool { return !explained[k] }) {
			continue
		}
		marked[slices.MinFunc(r, func(a, b Key) int { return min(len(w.others[a]), 33) - min(len(w.others[b]), 33) })] = true
		if r[0].Kind != Name && !explained[r[0]] {
			lowest[r[0]] = true
		}
	}
	return len(marked), len(lowest)
}
