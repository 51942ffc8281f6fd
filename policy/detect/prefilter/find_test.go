package prefilter

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ways are sets of the same expressions, one for each way to search.
func ways(t testing.TB, exprs []string) map[string]*Set {
	t.Helper()
	all := map[string]*Set{}
	for name, vector := range map[string]bool{"vector": true, "scalar": false} {
		if vector && !hasVector() {
			continue
		}
		s, err := Compile(exprs)
		if err != nil {
			t.Fatal(err)
		}
		s.vector = vector
		all[name] = s
	}
	return all
}

// TestVector fails where the vector path is not taken though it could be.
func TestVector(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if runtime.GOARCH != "amd64" || err != nil {
		t.Skip("SKIPPED: not amd64 with /proc/cpuinfo")
	}
	if want := bytes.Contains(info, []byte(" avx2 ")); hasVector() != want {
		t.Errorf("AVX2 found: %t, the kernel says %t", hasVector(), want)
	}
}

// all calls Find until it is done, with room for extra hits more than there must be.
func all(t testing.TB, s *Set, data []byte, from, extra int) []Hit {
	t.Helper()
	var found []Hit
	room := make([]Hit, 0, s.Patterns()+extra)
	for from < len(data) {
		hits, next := s.Find(room, data, from)
		if next <= from || next > len(data) {
			t.Fatalf("Find from %d of %d gives next %d", from, len(data), next)
		}
		for _, h := range hits {
			if int(h.Off) < from || int(h.Off) >= next {
				t.Fatalf("Find from %d to %d gives a hit at %d", from, next, h.Off)
			}
		}
		found, from = append(found, hits...), next
	}
	return found
}

// naive tries each expression at each offset.
func naive(patterns [][]class, data []byte, from int) []Hit {
	var found []Hit
	for off := from; off < len(data); off++ {
		for i, positions := range patterns {
			if matches(positions, data[off:]) {
				found = append(found, Hit{int32(i), int32(off)})
			}
		}
	}
	return found
}

func matches(positions []class, data []byte) bool {
	if len(data) < len(positions) {
		return false
	}
	for i := range positions {
		if !positions[i].has(data[i]) {
			return false
		}
	}
	return true
}

// check compares all ways with want.
func check(t *testing.T, sets map[string]*Set, data []byte, from, extra int, want []Hit) {
	t.Helper()
	for name, s := range sets {
		if got := all(t, s, data, from, extra); !slices.Equal(got, want) {
			t.Fatalf("%s, %d bytes from %d, room for %d more: %d hits, want %d: %s", name, len(data), from, extra, len(got), len(want), first(got, want))
		}
	}
}

// first tells the first difference.
func first(got, want []Hit) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("the one at %d is %v, want %v", i, got[i], want[i])
		}
	}
	return "the longer one goes on"
}

var small = []string{
	`(?i)xoxb-`, `AKIA`, `(?i)[^a-z0-9]ssn[^a-z0-9]`, `\d\d\d-\d\d-\d\d\d\d`, `aaa`, `aaaa`, `[ab]aa[ab]`, `(?i)"resourcetype"`,
	`[\n\r\x00]MSH[!-/]`, `\xff\xff\xff`, `[^\x00]\x80\x81[^z]`, strings.Repeat("ab", 32), `(?i)date_of_birth`, `0-0`, `(?i)r8_`,
}

func TestFindAgreesWithRegexp(t *testing.T) {
	sets := ways(t, small)
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, expr := range small {
		if strings.Contains(expr, `\xff`) || strings.Contains(expr, `\x8`) {
			continue // these are about bytes
		}
		one := ways(t, []string{expr})
		re := regexp.MustCompile(`\A(?s:` + expr + `)`)
		for range 20 {
			data := mixed(rnd, sets["scalar"], 300)
			for i := range data {
				data[i] &= 0x7F
			}
			var want []Hit
			for off := range data {
				if re.Match(data[off:]) {
					want = append(want, Hit{0, int32(off)})
				}
			}
			check(t, one, data, 0, 3, want)
		}
	}
}

// mixed is noise, pieces of matches, and matches.
func mixed(rnd *rand.Rand, s *Set, size int) []byte {
	var data []byte
	for len(data) < size {
		one := member(rnd, s.patterns[rnd.IntN(len(s.patterns))])
		switch rnd.IntN(4) {
		case 0:
			one = one[:rnd.IntN(len(one))]
		case 1:
			one[rnd.IntN(len(one))] ^= 1 << rnd.IntN(8)
		case 2:
			one = one[:rnd.IntN(3)]
			for i := range one {
				one[i] = byte(rnd.Uint32())
			}
		}
		data = append(data, one...)
	}
	return data[:size]
}

// member gives one of the matches of an expression.
func member(rnd *rand.Rand, positions []class) []byte {
	var match []byte
	for i := range positions {
		b := byte(rnd.Uint32())
		for !positions[i].has(b) {
			b++
		}
		match = append(match, b)
	}
	return match
}

func TestFindAgreesWithNaive(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	for name, exprs := range map[string][]string{"few": small, "load": load()} {
		t.Run(name, func(t *testing.T) {
			sets := ways(t, exprs)
			rnd := rand.New(rand.NewPCG(3, 4))
			for range rounds {
				data := mixed(rnd, sets["scalar"], rnd.IntN(1200))
				from := rnd.IntN(len(data) + 1)
				if rnd.IntN(2) == 0 {
					from = 0
				}
				check(t, sets, data, from, rnd.IntN(20), naive(sets["scalar"].patterns, data, from))
			}
		})
	}
}

// Each expression, at each alignment, in buffers that end with it and beyond.
func TestFindEverywhere(t *testing.T) {
	exprs := load()
	sets := ways(t, exprs)
	rnd := rand.New(rand.NewPCG(5, 6))
	for i, positions := range sets["scalar"].patterns {
		match := member(rnd, positions)
		for before := range 140 {
			after := rnd.IntN(80) * rnd.IntN(2)
			data := slices.Concat(bytes.Repeat([]byte{'.'}, before), match, bytes.Repeat([]byte{'.'}, after))
			for name, s := range sets {
				got := all(t, s, data, 0, 0)
				if !slices.Contains(got, Hit{int32(i), int32(before)}) {
					t.Fatalf("%s: %q is not found at %d of %d", name, exprs[i], before, len(data))
				}
				if cut := all(t, s, data[:before+len(match)-1], 0, 0); slices.Contains(cut, Hit{int32(i), int32(before)}) {
					t.Fatalf("%s: %q is found at %d though its last byte is missing", name, exprs[i], before)
				}
			}
		}
	}
}

func TestFindSizes(t *testing.T) {
	sets := ways(t, small)
	for size := range 201 {
		for _, fill := range []string{"a", "0-0", "AKIA", " ssn ", "\xff", "xoxb-", "\x00"} {
			data := bytes.Repeat([]byte(fill), size/len(fill)+1)[:size]
			want := naive(sets["scalar"].patterns, data, 0)
			check(t, sets, data, 0, 0, want)
			check(t, sets, data, 0, 1000, want)
		}
	}
}

// With many expressions that match at each offset, no room is too small if Find takes it.
func TestFindResumes(t *testing.T) {
	var exprs []string
	for n := shortest; n <= longest; n++ {
		exprs = append(exprs, strings.Repeat("a", n), "(?i)"+strings.Repeat("a", n))
	}
	sets := ways(t, exprs)
	data := bytes.Repeat([]byte("a"), 500)
	data[250] = 'A'
	for _, from := range []int{0, 1, 77, 499, 500} {
		want := naive(sets["scalar"].patterns, data, from)
		for _, extra := range []int{0, 1, 2, 100, 1000, 100000} {
			check(t, sets, data, from, extra, want)
		}
	}
}

// A match whose window lies far behind its beginning is not lost when the room
// ends between them.
func TestFindResumesBeforeWindow(t *testing.T) {
	sets := ways(t, []string{`aaa`, strings.Repeat("a", 56) + "zqxj", strings.Repeat("a", 30) + "qzjx"})
	if back := sets["scalar"].back; back < 50 {
		t.Fatalf("the windows begin at %d, too near for this test", back)
	}
	rnd := rand.New(rand.NewPCG(9, 10))
	for extra := range 200 {
		data := bytes.Repeat([]byte("a"), 400)
		for range 4 {
			copy(data[rnd.IntN(390):], []string{"zqxj", "qzjx"}[rnd.IntN(2)])
		}
		check(t, sets, data, 0, extra, naive(sets["scalar"].patterns, data, 0))
	}
}

func TestFindAppends(t *testing.T) {
	for name, s := range ways(t, small) {
		before := Hit{7, 99}
		hits, next := s.Find(append(make([]Hit, 0, 100), before), []byte("AKIA AKIA"), 0)
		want := []Hit{before, {1, 0}, {1, 5}}
		if diff := cmp.Diff(want, hits); diff != "" || next != 9 {
			t.Errorf("%s: next %d (-want +got):\n%s", name, next, diff)
		}
	}
}

func TestFindWithoutRoom(t *testing.T) {
	s := ways(t, small)["scalar"]
	defer func() {
		if recover() == nil {
			t.Error("Find takes less room than it needs")
		}
	}()
	s.Find(make([]Hit, 0, len(small)-1), nil, 0)
}

func TestFindWithoutExpressions(t *testing.T) {
	for name, s := range ways(t, nil) {
		if hits, next := s.Find(nil, make([]byte, 1000), 0); len(hits) != 0 || next != 1000 {
			t.Errorf("%s: %d hits, next %d", name, len(hits), next)
		}
	}
}

func TestLen(t *testing.T) {
	s := ways(t, small)["scalar"]
	var got []int
	for i := range s.Patterns() {
		got = append(got, s.Len(i))
	}
	want := []int{5, 4, 5, 11, 3, 4, 4, 14, 5, 3, 4, 64, 13, 3, 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	data := mixed(rand.New(rand.NewPCG(7, 8)), ways(t, small)["scalar"], 10_001)
	room := make([]Hit, 0, 1000)
	for name, s := range ways(t, small) {
		if n := testing.AllocsPerRun(10, func() { s.Find(room, data, 3) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("AKIA xoxb- ssn 219-09-9998"), uint16(0), uint16(0))
	f.Add(bytes.Repeat([]byte("a"), 300), uint16(3), uint16(5))
	f.Add([]byte("\nMSH|^~\\&|\"resourceType\" date_of_birth"), uint16(1), uint16(0))
	sets := ways(f, small)
	loaded := ways(f, load())
	f.Fuzz(func(t *testing.T, data []byte, from, extra uint16) {
		if len(data) > 1024 {
			return
		}
		begin := min(int(from), len(data))
		check(t, sets, data, begin, int(extra), naive(sets["scalar"].patterns, data, begin))
		check(t, loaded, data, begin, int(extra), naive(loaded["scalar"].patterns, data, begin))
	})
}

func BenchmarkFind(b *testing.B) {
	text, binary := corpus(b)
	for name, s := range ways(b, load()) {
		for kind, data := range map[string][]byte{"text": text, "binary": binary} {
			for _, size := range []int{256 << 10, 4 << 10, 512} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, kind, size), func(b *testing.B) {
					b.SetBytes(int64(len(data)))
					room := make([]Hit, 0, 4096)
					for b.Loop() {
						for part := range slices.Chunk(data, size) {
							for off := 0; off < len(part); {
								_, off = s.Find(room, part, off)
							}
						}
					}
				})
			}
		}
	}
}
