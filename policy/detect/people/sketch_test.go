package people

import (
	"math"
	"testing"
)

// TestSketch: the error stays below 3 % at all sizes, also where the classic
// estimator needs corrections.
func TestSketch(t *testing.T) {
	for _, n := range []int{0, 1, 100, 10_000, 41_000, 60_000, 82_000, 100_000, 1_000_000} {
		var s sketch
		for i := range n {
			s.add(ssn(i).hash())
		}
		if got := s.estimate(); math.Abs(got-float64(n)) > 0.03*float64(n) {
			t.Errorf("%d people are estimated as %.0f", n, got)
		}
	}
}

func TestBeyondExact(t *testing.T) {
	const bad = -1
	for _, c := range []struct {
		name    string
		people  int
		records int
		record  func(i int) []Key
	}{
		{"ssns", 450_000, 450_000, func(i int) []Key { return []Key{ssn(i)} }},
		{"a_million", 1_000_000, 1_000_000, func(i int) []Key { return []Key{mrn(1, i), dated(i, i%30_000)} }},
		{"four_keys", 120_000, 120_000, func(i int) []Key { return []Key{mrn(1, i), ssn(i), member(i), dated(i, i%30_000)} }},
		{"twice_each", 300_000, 600_000, func(i int) []Key { return []Key{mrn(1, i%300_000), dated(i%300_000, i%300_000)} }},
		{"an_empty_mrn", 500_000, 500_000, func(i int) []Key { return []Key{mrn(1, bad), ssn(i)} }},
		{"an_empty_ssn_and_names", 450_000, 450_000, func(i int) []Key { return []Key{ssn(bad), name(i)} }},
		{"families", 500_000, 500_000, func(i int) []Key { return []Key{member(i / 4), dated(i, i%30_000)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s, layer Set
			for i := range c.records {
				if keys := c.record(i); i%2 == 0 {
					s.Add(keys...)
				} else {
					layer.Add(keys...)
				}
			}
			s.Merge(&layer)
			near(t, s, c.people)
		})
	}
}

// TestMergeBeyondExact merges many exact sets, which none of them need leave.
func TestMergeBeyondExact(t *testing.T) {
	const files, each = 12, 30_000
	var all, other Set
	for f := range files {
		var s Set
		for i := range each {
			n := f*each + i
			s.Add(mrn(1, n), ssn(n))
			s.Add(ssn(n), member(n)) // the file knows that it is the same person
		}
		all.Merge(&s)
		other.Merge(&s)
		other.Merge(&s)
	}
	near(t, all, files*each)
	if a, b := all.Estimate(), other.Estimate(); a != b {
		t.Errorf("merged once %d people, merged twice %d", a.Point, b.Point)
	}
	var into Set
	into.Add()
	into.Add(ssn(1))
	into.Merge(&all)
	near(t, into, files*each+1)
	if got := all.Estimate().Point + 1; into.Estimate().Point != got {
		t.Errorf("a record without keys makes %d people, want %d", into.Estimate().Point, got)
	}
}

// TestMergeUnlike merges people of whom MRNs are known alone with others, so
// that no kind of key has all of them.
func TestMergeUnlike(t *testing.T) {
	const mrns, others = 410_000, 80_000
	for _, c := range []struct {
		name  string
		keys  func(i int) []Key
		exact bool // the others are a set of their own
	}{
		{"families", func(i int) []Key { return []Key{member(i / 4), dated(i, i%30_000)} }, false},
		{"families_of_another_file", func(i int) []Key { return []Key{member(i / 4), dated(i, i%30_000)} }, true},
		{"families_without_birth_dates", func(i int) []Key { return []Key{member(i / 4), name(i)} }, true},
		{"an_empty_mrn", func(i int) []Key { return []Key{mrn(1, -1), ssn(i)} }, true},
		{"an_empty_mrn_and_names", func(i int) []Key { return []Key{mrn(1, -1), name(i)} }, true},
		{"names", func(i int) []Key { return []Key{name(i)} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all, file Set
			for i := range mrns {
				all.Add(mrn(2, i))
			}
			for i := range others {
				if keys := c.keys(i); c.exact {
					file.Add(keys...)
				} else {
					all.Add(keys...)
				}
			}
			all.Merge(&file)
			near(t, all, mrns+others)
		})
	}
}

// near checks an estimate that is not exact.
func near(t *testing.T, s Set, people int) {
	t.Helper()
	e := s.Estimate()
	if e.Method != HyperLogLog || math.Abs(float64(e.Point-people)) > 0.03*float64(people) {
		t.Errorf("%d people are estimated as %d (%s)", people, e.Point, e.Method)
	}
	if e.Low > people || e.High < people || e.High-e.Low > people/19 {
		t.Errorf("%d people are said to be %d to %d", people, e.Low, e.High)
	}
}

// TestPeopleOfTwoFiles: more people than an exact set holds, each in two files that
// number them differently, are counted once; different people twice.
func TestPeopleOfTwoFiles(t *testing.T) {
	const n = 110_000
	date := func(i int) Key { return dated(i, i%30_000) }
	bad := dated(-1, -1)
	for _, c := range []struct {
		name     string
		one, two func(i int) []Key
		want     int
	}{
		{"with_and_without_an_assigner", func(i int) []Key { return []Key{mrn(0, i), date(i)} }, func(i int) []Key { return []Key{mrn(1, i), date(i)} }, n},
		{"with_and_without_an_mrn", func(i int) []Key { return []Key{mrn(1, i), date(i)} }, func(i int) []Key { return []Key{ssn(i), date(i)} }, n},
		{"half_of_them", func(i int) []Key { return []Key{mrn(0, i), date(i)} }, func(i int) []Key { return []Key{mrn(1, i), date(i + n/2)} }, n + n/2},
		{"different_people", func(i int) []Key { return []Key{mrn(0, i), date(i)} }, func(i int) []Key { return []Key{mrn(1, i), date(i + n)} }, 2 * n},
		{"one_birth_date_for_all", func(i int) []Key { return []Key{mrn(0, i), bad} }, func(i int) []Key { return []Key{mrn(1, i), bad} }, 2 * n},
		{"visits_without_names", func(i int) []Key { return []Key{mrn(1, i), date(i)} }, func(i int) []Key { return []Key{mrn(1, i)} }, n},
	} {
		t.Run(c.name, func(t *testing.T) {
			var whole Set
			files := make([]Set, 2)
			for i := range n {
				files[0].Add(c.one(i)...)
				files[1].Add(c.two(i)...)
				whole.Add(c.one(i)...)
				whole.Add(c.two(i)...)
			}
			files[0].Merge(&files[1])
			for name, s := range map[string]*Set{"two files": &files[0], "one file": &whole} {
				if got := s.Estimate(); got.Point < c.want*95/100 || got.Point > c.want*105/100 {
					t.Errorf("%s: %d to %d people, point %d, want %d", name, got.Low, got.High, got.Point, c.want)
				}
			}
		})
	}
}
