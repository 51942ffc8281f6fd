package people

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Keys of a person or a bad value by number. Scopes 1 and 2 are assigners.
func mrn(assigner uint32, n int) Key { return Key{Kind: MRN, Scope: assigner, Sum: sum(n)} }
func ssn(n int) Key                  { return Key{Kind: SSN, Sum: sum(n)} }
func member(n int) Key               { return Key{Kind: Member, Sum: sum(n)} }
func name(n int) Key                 { return Key{Kind: Name, Sum: sum(n)} }

// dated is the name n with a birth date.
func dated(n, date int) Key {
	return Key{Kind: NameBirth, Scope: uint32(sum(date))>>4 | 1, Sum: sum(n) ^ sum(date)<<1}
}

// sum is as even as an HMAC.
func sum(n int) uint64 { return mix(uint64(n) + 1<<32) }

// each makes n records.
func each(n int, record func(i int) []Key) [][]Key {
	out := make([][]Key, n)
	for i := range out {
		out[i] = record(i)
	}
	return out
}

func of(records ...[][]Key) *Set {
	var s Set
	for _, r := range slices.Concat(records...) {
		s.Add(r...)
	}
	return &s
}

func one(keys ...Key) [][]Key { return [][]Key{keys} }

func TestEstimate(t *testing.T) {
	const n = 1000
	pairs := func(a, b func(i int) Key) [][]Key {
		return each(n, func(i int) []Key { return []Key{a(i), b(i)} })
	}
	const bad = -1
	for _, c := range []struct {
		name             string
		records          [][]Key
		low, point, high int
	}{
		{"nobody", nil, 0, 0, 0},
		{"no_keys", [][]Key{{}, {}, {}}, 1, 3, 3},
		{"no_kind", one(Key{Sum: 7}), 1, 1, 1},
		{"no_keys_beside_a_person", [][]Key{{}, {}, {ssn(1)}}, 1, 3, 3},
		{"one_person_often", slices.Repeat(one(mrn(1, 1), ssn(1)), 500), 1, 1, 1},
		{"ssn_here_mrn_there", [][]Key{{ssn(1)}, {mrn(1, 1)}}, 2, 2, 2},
		{"joined_by_a_record_with_both", [][]Key{{ssn(1)}, {mrn(1, 1)}, {mrn(1, 1), ssn(1)}}, 1, 1, 1},
		{"three_names_of_nothing_else", [][]Key{{name(1)}, {name(2)}, {name(3)}, {name(1)}}, 3, 3, 3},
		{"names_beside_a_person", [][]Key{{name(1)}, {name(2)}, {ssn(1)}}, 1, 3, 3},
		{"name_of_a_person", [][]Key{{name(1)}, {ssn(1), name(1)}}, 1, 1, 2},
		{"a_name_joins_nobody", [][]Key{{mrn(1, 1), name(1)}, {ssn(1), name(1)}}, 2, 2, 2},
		{"names_and_dates_at_two_hospitals", [][]Key{{mrn(1, 1), dated(1, 1)}, {mrn(2, 5), dated(1, 1)}}, 1, 1, 2},
		{"names_and_dates_at_one_hospital", [][]Key{{mrn(1, 1), dated(1, 1)}, {mrn(1, 5), dated(1, 1)}}, 2, 2, 2},
		{"married", [][]Key{{mrn(1, 1), dated(1, 1)}, {mrn(1, 1), dated(2, 1)}}, 1, 1, 1},
		{"one_name_under_an_mrn_spelt_twice", [][]Key{{mrn(1, 1), name(1)}, {mrn(1, 1), name(2)}}, 1, 1, 1},
		{"a_family_s_member_number", [][]Key{{member(1), dated(1, 1)}, {member(1), dated(2, 2)}, {member(1), dated(3, 3)}, {member(1)}}, 3, 3, 4},
		{"a_family_without_birth_dates", [][]Key{{member(1), name(1)}, {member(1), name(2)}, {member(1), name(3)}}, 1, 3, 3},
		{"a_family_dated_elsewhere",
			[][]Key{{member(1), dated(1, 1), name(1)}, {member(1), dated(2, 2), name(2)}, {member(1), name(1)}, {member(1), name(2)}}, 2, 2, 2},
		{"two_ssns_and_one_member", [][]Key{{ssn(1), member(1)}, {ssn(2), member(1)}}, 2, 2, 2},
		{"a_second_ssn_is_left_out", [][]Key{{mrn(1, 1), ssn(1), ssn(2)}}, 1, 1, 1},
		{"visits_of_two_clinics_that_number_alike", slices.Concat(
			pairs(func(i int) Key { return mrn(0, i) }, func(i int) Key { return dated(i, i) }),
			pairs(func(i int) Key { return mrn(0, i) }, func(i int) Key { return dated(i+n, i+n) }),
			each(n, func(i int) []Key { return []Key{mrn(0, i)} })), 2 * n, 2 * n, 3 * n},
		{"one_ssn_for_all", pairs(func(i int) Key { return mrn(1, i) }, func(int) Key { return ssn(bad) }), n, n, n},
		{"one_ssn_for_all_of_two_files", slices.Concat(
			pairs(func(i int) Key { return mrn(1, i) }, func(int) Key { return ssn(bad) }),
			pairs(func(i int) Key { return member(i) }, func(int) Key { return ssn(bad) })), 2 * n, 2 * n, 2 * n},
		{"an_empty_mrn_and_ssns", pairs(func(int) Key { return mrn(1, bad) }, func(i int) Key { return ssn(i) }), n, n, n},
		{"an_empty_mrn_and_members", pairs(func(int) Key { return mrn(1, bad) }, func(i int) Key { return member(i) }), n, n, n},
		{"an_empty_mrn_and_birth_dates", pairs(func(int) Key { return mrn(1, bad) }, func(i int) Key { return dated(i, i) }), n, n, n},
		{"an_empty_mrn_and_names", pairs(func(int) Key { return mrn(1, bad) }, func(i int) Key { return name(i) }), 1, n, n},
		{"an_empty_mrn_and_ssn_and_names",
			each(n, func(i int) []Key { return []Key{mrn(1, bad), ssn(bad), name(i)} }), 1, n, n},
		{"an_empty_mrn_alone_too", slices.Concat(one(mrn(1, bad)),
			pairs(func(int) Key { return mrn(1, bad) }, func(i int) Key { return ssn(i) })), n, n, n + 1},
		{"unknown_born_1900", pairs(func(i int) Key { return mrn(1, i) }, func(int) Key { return dated(bad, bad) }), n, n, n},
		{"every_mrn_of_another_assigner",
			pairs(func(i int) Key { return mrn(uint32(i+1), i) }, func(int) Key { return dated(bad, bad) }), n, n, n},
		{"two_columns_of_mrns_one_constant", pairs(func(i int) Key { return mrn(1, i) }, func(int) Key { return mrn(1, bad) }), n, n, n},
		{"a_chain_of_harmless_links", slices.Concat( // m0@1 d0 m0@2 d1 m1@1 d2 ...: each link by itself could be one person's
			each(n, func(i int) []Key { return []Key{mrn(uint32(1+i%2), i/2), dated(i, bad)} }),
			each(n, func(i int) []Key { return []Key{mrn(uint32(1+i%2), i/2), dated(i+1, bad)} })), n / 2, n / 2, n},
		{"all_keys_spoilt", slices.Concat(
			pairs(func(i int) Key { return mrn(1, i) }, func(i int) Key { return ssn(i) }),
			pairs(func(i int) Key { return mrn(1, i) }, func(int) Key { return ssn(bad) }),
			pairs(func(int) Key { return mrn(1, bad) }, func(i int) Key { return ssn(i) })), n, n, n},
		{"an_ssn_for_some_whose_own_is_elsewhere", slices.Concat(
			pairs(func(i int) Key { return mrn(1, i) }, func(i int) Key { return ssn(i) }),
			each(10, func(i int) []Key { return []Key{mrn(1, i), ssn(bad)} })), n, n + 10, n + 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := Estimate{Low: c.low, Point: c.point, High: c.high, Method: Exact}
			if diff := cmp.Diff(want, of(c.records).Estimate()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestManySpellings: a key with more names than one person's is a constant,
// with as many as maxSpellings it is one person's.
func TestManySpellings(t *testing.T) {
	for _, c := range []struct{ names, people int }{{maxSpellings, 1}, {maxSpellings + 1, maxSpellings + 1}} {
		s := of(each(c.names, func(i int) []Key { return []Key{ssn(1), name(i)} }))
		if got := s.Estimate().Point; got != c.people {
			t.Errorf("%d names with one SSN are %d people, want %d", c.names, got, c.people)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name       string
		keys, want []Key
	}{
		{"best_kinds_first", []Key{name(1), dated(1, 1), member(1), ssn(1), mrn(1, 1)}, []Key{mrn(1, 1), ssn(1), member(1), dated(1, 1)}},
		{"each_kind_before_a_second", []Key{mrn(1, 1), mrn(2, 1), mrn(3, 1), mrn(4, 1), ssn(1)}, []Key{mrn(1, 1), mrn(2, 1), mrn(3, 1), ssn(1)}},
		{"second_mrn_of_an_assigner", []Key{mrn(1, 7), mrn(1, 1), ssn(2)}, []Key{mrn(1, 7), ssn(2)}},
		{"second_birth_date", []Key{dated(1, 1), dated(2, 1), dated(1, 2)}, []Key{dated(1, 1), dated(2, 1)}},
		{"twice", []Key{ssn(1), ssn(1)}, []Key{ssn(1)}},
		{"no_kind", []Key{{}, {Kind: Name + 1}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			slices.SortFunc(c.want, compare)
			if diff := cmp.Diff(c.want, choose(nil, c.keys)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestKnownPeople makes people with keys of their own, shows each in several
// records of which one at least joins all their keys, over several files.
func TestKnownPeople(t *testing.T) {
	for _, n := range []int{1, 3, 600, 20_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			files := make([]Set, 7)
			add := func(keys ...Key) {
				r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
				files[r.IntN(len(files))].Add(keys...)
			}
			for i := range n {
				all := []Key{mrn(uint32(1+i%3), i), ssn(i), member(i), dated(i, i%20_000)}
				add(slices.Clone(all)...)
				for range r.IntN(4) {
					a, b := all[r.IntN(4)], all[r.IntN(4)]
					add(a, b)
				}
			}
			var all Set
			for i := range files {
				all.Merge(&files[i])
			}
			if diff := cmp.Diff(Estimate{Low: n, Point: n, High: n, Method: Exact}, all.Estimate()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOrder: neither the order of records nor how they lie in files matters.
func TestOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		records := muddle(r, 1+r.IntN(60))
		want, wantBytes := of(records).Estimate(), bytesOf(t, of(records))
		for range 5 {
			r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
			var files [3]Set
			for _, record := range records {
				files[r.IntN(3)].Add(record...)
			}
			left, right := &Set{}, &Set{}
			left.Merge(&files[0]) // (0 + 1) + 2
			left.Merge(&files[1])
			left.Merge(&files[2])
			right.Merge(&files[2]) // 0 + (2 + 1)
			right.Merge(&files[1])
			files[0].Merge(right)
			for _, s := range []*Set{of(records), left, &files[0]} {
				if diff := cmp.Diff(want, s.Estimate()); diff != "" {
					t.Fatalf("seed %d: %s", seed, diff)
				}
				if !slices.Equal(wantBytes, bytesOf(t, s)) {
					t.Fatalf("seed %d: other bytes for the same records", seed)
				}
			}
		}
	}
}

// muddle makes records of so few keys that they contradict each other often.
func muddle(r *rand.Rand, n int) [][]Key {
	pool := 1 + r.IntN(12)
	some := []func() Key{
		func() Key { return mrn(uint32(r.IntN(3)), r.IntN(pool)) },
		func() Key { return ssn(r.IntN(pool)) },
		func() Key { return member(r.IntN(pool)) },
		func() Key { return dated(r.IntN(pool), r.IntN(1+pool/3)) },
		func() Key { return name(r.IntN(pool)) },
		func() Key { return Key{Kind: NameBirth, Sum: sum(r.IntN(pool))} },
	}
	return each(n, func(int) []Key {
		return each(1, func(int) []Key {
			keys := make([]Key, r.IntN(5))
			for i := range keys {
				keys[i] = some[r.IntN(len(some))]()
			}
			return keys
		})[0]
	})
}

// full is the largest exact set: 100,000 people with four keys each.
func full(keep func(keys []Key)) {
	for i := range 100_000 {
		keep([]Key{mrn(1, i), ssn(i), member(i), dated(i, i%30_000)})
	}
}

func TestExactTo100000(t *testing.T) {
	var s Set
	full(func(keys []Key) { s.Add(keys...) })
	if diff := cmp.Diff(Estimate{Low: 100_000, Point: 100_000, High: 100_000, Method: Exact}, s.Estimate()); diff != "" {
		t.Error(diff)
	}
	s.Add(ssn(-5))
	if got := s.Estimate().Method; got != HyperLogLog {
		t.Errorf("a set beyond its bound is %s", got)
	}
}

func TestMemory(t *testing.T) {
	const mib = 1 << 20
	var largest Set
	if got := heap(func() any { full(func(keys []Key) { largest.Add(keys...) }); return &largest }); got > 12*mib {
		t.Errorf("100,000 people with four keys take %d bytes", got)
	}
	sets := make([]Set, 10_000)
	one := heap(func() any {
		for i := range sets {
			sets[i].Add(mrn(1, i), ssn(i), dated(i, i))
		}
		return sets
	})
	if one /= uint64(len(sets)); one > 300 {
		t.Errorf("a set of one person takes %d bytes", one)
	}
	var many Set
	if got := heap(func() any {
		for i := range 500_000 {
			many.Add(ssn(i))
		}
		return &many
	}); got > mib/8 {
		t.Errorf("500,000 people take %d bytes", got)
	}
}

// heap is how many bytes of what make returns stay in use.
func heap(make func() any) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name   string
		people int
		keys   func(i int) []Key
	}{
		{"one_key_of_1000", 1000, func(i int) []Key { return []Key{ssn(i)} }},
		{"four_keys_of_1000", 1000, func(i int) []Key { return []Key{mrn(1, i), ssn(i), member(i), dated(i, i)} }},
		{"two_keys_of_100000", 100_000, func(i int) []Key { return []Key{mrn(1, i), dated(i, i)} }},
		{"four_keys_of_100000", 100_000, func(i int) []Key { return []Key{mrn(1, i), ssn(i), member(i), dated(i, i)} }},
		{"two_keys_of_1000000", 1_000_000, func(i int) []Key { return []Key{mrn(1, i), dated(i, i)} }},
	} {
		records := each(c.people, c.keys)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var s Set
			for i := 0; b.Loop(); i++ {
				s.Add(records[i%len(records)]...)
			}
		})
	}
}

func BenchmarkEstimate(b *testing.B) {
	var s Set
	full(func(keys []Key) { s.Add(keys...) })
	b.ReportAllocs()
	for b.Loop() {
		s.Estimate()
	}
}
