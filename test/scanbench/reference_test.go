package main

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect/prefilter"
)

func exprs() []string {
	return append(anchored(), `\d\d-\d`, `(?i)[^a-c]x[\-\d]`, `[\x01-\x03z][z][\t\r]`)
}

// anchored are those that are rare enough for the prefilter.
func anchored() []string {
	return []string{`aaa`, `(?i)abcab`, `[ab]bc\d`, `\d\d-7`, `[^a]abc`, `\x41\n\[`, `bca`, `Ab[A\]]`}
}

// noise is of the bytes that the expressions are about.
func noise(size int) []byte {
	const of = "aabbccABCxX-[]\n\t\r\x01\x02z0123456789"
	rnd := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, size)
	for i := range data {
		data[i] = of[rnd.IntN(len(of))]
	}
	return data
}

func TestReferenceAgreesWithRegexp(t *testing.T) {
	r, err := newReference(exprs())
	if err != nil {
		t.Fatal(err)
	}
	data := noise(20_000)
	var want []prefilter.Hit
	var all []*regexp.Regexp
	for _, expr := range exprs() {
		all = append(all, regexp.MustCompile(`\A(?s:`+expr+`)`))
	}
	seen := map[int]bool{}
	for off := range data {
		for i, re := range all {
			if re.Match(data[off:]) {
				want = append(want, prefilter.Hit{Pattern: int32(i), Off: int32(off)})
				seen[i] = true
			}
		}
	}
	if len(seen) < len(all)-1 {
		t.Fatalf("%d of %d expressions match at all", len(seen), len(all))
	}
	if diff := cmp.Diff(want, r.find(nil, data)); diff != "" {
		t.Errorf("%d hits wanted (-want +got):\n%s", len(want), diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, expr := range []string{`ab\`, `a[b`, `a[b\`, `\xg0`, `\x4`, `[a-`} {
		if _, err := parse(expr); err == nil {
			t.Errorf("%q is parsed", expr)
		}
	}
}

func TestCoreOf(t *testing.T) {
	tests := map[string]struct {
		expr string
		want core
	}{
		"all":           {`(?i)abc`, core{0, 3}},
		"behind":        {`a[bc]def`, core{2, 3}},
		"first_of_same": {`ab\dcd`, core{0, 2}},
		"cases":         {`[aA][bB]c\d`, core{0, 3}},
		"none":          {`\d\d\d`, core{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			positions, err := parse(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			if got := coreOf(positions); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// compared runs the comparison of one file.
func compared(t *testing.T, fast, slow []string, data []byte, size int) *comparison {
	t.Helper()
	set, err := prefilter.Compile(fast)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := newReference(slow)
	if err != nil {
		t.Fatal(err)
	}
	c := &comparison{set: set, plain: plain, room: make([]prefilter.Hit, 0, set.Patterns()+10)}
	if err := c.file(strings.NewReader(string(data)), "/file", make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestComparison(t *testing.T) {
	data := noise(30_000)
	whole := compared(t, anchored(), anchored(), data, len(data)+1)
	if whole.hits == 0 || whole.differing > 0 || whole.bytes != int64(len(data)) {
		t.Fatalf("the whole file: %s", whole)
	}
	for _, size := range []int{overlap + 1, 101, 1000, 4095, len(data), len(data) - 1} {
		cut := compared(t, anchored(), anchored(), data, size)
		if cut.hits != whole.hits || cut.differing > 0 || cut.bytes != whole.bytes {
			t.Errorf("in pieces of %d: %s; want %s", size, cut, whole)
		}
	}
}

func TestComparisonTells(t *testing.T) {
	other := anchored()
	other[0] = "ccc"
	c := compared(t, anchored(), other, noise(30_000), 4095)
	if got := c.String(); c.differing == 0 || !strings.Contains(got, "DIFFERENT") || !strings.Contains(got, "/file from byte 0") {
		t.Errorf("another expression: %s", got)
	}
}
