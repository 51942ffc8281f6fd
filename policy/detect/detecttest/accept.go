package detecttest

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// Option says what else is known of a sample.
type Option func(*options)

type options struct {
	secrets       []string
	before, after []byte
	padded, wide  bool
	people        int
	rule          string
}

// Secrets are the sample's sensitive values. No piece of five bytes or more
// between blanks and punctuation of any may stand in a result.
func Secrets(values ...string) Option { return func(o *options) { o.secrets = values } }

// Padding is what may stand before and after the sample without changing what
// is found, except for its offset.
func Padding(before, after []byte) Option {
	return func(o *options) { o.before, o.after, o.padded = before, after, true }
}

// UTF16 says that the sample is text that must be found in UTF-16 too.
func UTF16() Option { return func(o *options) { o.wide = true } }

// People is how many people the sample is about.
func People(n int) Option { return func(o *options) { o.people = n } }

// Rule is the rule under which the sample is reported when it is not the
// detector's own.
func Rule(id string) Option { return func(o *options) { o.rule = id } }

// Accept runs the tests that every detector must pass. The detector must find
// something in the sample; failures never print any of it.
func Accept(t *testing.T, d detect.Detector, sample []byte, path string, opts ...Option) {
	t.Helper()
	o := options{rule: d.ID}
	for _, opt := range opts {
		opt(&o)
	}
	a := &acceptance{detector: d, scan: scanOf(d), sample: sample, path: path, options: o}
	a.want = a.run(sample)
	found := a.want.Of(o.rule)
	if found == nil {
		t.Fatalf("%s: nothing found in the sample under rule %s", d.ID, o.rule)
	}
	if got := found.Individuals.Point; got != o.people {
		t.Errorf("%s: %d people, want %d", d.ID, got, o.people)
	}
	t.Run("split", a.split)
	t.Run("windows", a.windows)
	t.Run("truncation", a.truncation)
	t.Run("padding", a.padding)
	t.Run("seams", a.seams)
	t.Run("hole", a.hole)
	t.Run("huge_line", a.hugeLine)
	t.Run("empty", a.empty)
	t.Run("noise", a.noise)
	t.Run("utf16", a.utf16)
	t.Run("no_leak", a.noLeak)
}

type acceptance struct {
	options
	detector detect.Detector
	scan     *detect.Scan // one for all runs, so that what lingers shows
	sample   []byte
	path     string
	want     Result
}

// run gives the detector a file in pieces of the given sizes.
func (a *acceptance) run(content []byte, sizes ...int) Result {
	return run(a.scan, a.path, content, sizes...)
}

// most is how many positions of a sample are tried, evenly spread in long ones.
const most = 500

func stride(positions int) int { return 1 + positions/most }

// same compares with what was found in one window.
func (a *acceptance) same(t *testing.T, got Result, how string, at int) bool {
	t.Helper()
	if diff := cmp.Diff(a.want, got); diff != "" {
		t.Errorf("%s: %s %d changes the result (-want +got):\n%s", a.detector.ID, how, at, diff)
		return false
	}
	return true
}

// split cuts the sample in two.
func (a *acceptance) split(t *testing.T) {
	for i := 1; i < len(a.sample); i += stride(len(a.sample)) {
		if !a.same(t, a.run(a.sample, i, len(a.sample)), "a split at", i) {
			return
		}
	}
}

// windows cuts the sample in many, of one size and of random sizes.
func (a *acceptance) windows(t *testing.T) {
	for size := 1; size <= 64; size++ {
		if !a.same(t, a.run(a.sample, size), "windows of", size) {
			return
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		sizes := make([]int, 1+random.IntN(16))
		for i := range sizes {
			sizes[i] = 1 + random.IntN(1+len(a.sample)/2)
		}
		if !a.same(t, a.run(a.sample, sizes...), "random windows, round", round) {
			return
		}
	}
}

// truncation cuts the sample off: it may find less and must not find more, nor
// panic.
func (a *acceptance) truncation(t *testing.T) {
	all := a.want.Of(a.rule).Count
	for i := 0; i < len(a.sample); i += stride(len(a.sample)) {
		got := a.run(a.sample[:i], 7)
		if found := got.Of(a.rule); found != nil && found.Count > all {
			t.Fatalf("%s: %d findings in the first %d bytes, %d in all", a.detector.ID, found.Count, i, all)
		}
	}
}

func (a *acceptance) padding(t *testing.T) {
	if a.padded {
		a.moved(t, a.before)
	}
}

// seams puts the sample across the edge of a Scan's buffer.
func (a *acceptance) seams(t *testing.T) {
	if !a.padded {
		return
	}
	const edge = blockBytes + blockBytes/2 // some edge is in there, at each step another byte at it
	first, last := edge-len(a.sample)-len(a.before), edge+100
	for n := first; n < last && !t.Failed(); n += stride(last - first) {
		a.moved(t, append(bytes.Repeat([]byte{'\n'}, max(0, n)), a.before...))
	}
}

// moved wants the same found behind other bytes, at other offsets.
func (a *acceptance) moved(t *testing.T, before []byte) {
	t.Helper()
	content := bytes.Join([][]byte{before, a.sample, a.after}, nil)
	var want []policy.Finding
	for _, f := range a.want.Findings {
		f.Where.Offset += int64(len(before))
		want = append(want, f)
	}
	got := a.run(content, 1000)
	if diff := cmp.Diff(want, got.Findings); diff != "" {
		t.Errorf("%s: %d bytes before the sample change the result (-want +got):\n%s", a.detector.ID, len(before), diff)
	}
}

// hole puts a hole of a terabyte after the sample: what is before it counts.
func (a *acceptance) hole(t *testing.T) {
	const far = 1 << 40
	c := scanOf(a.detector)
	c.Open(a.path, far+1)
	write(c, a.sample)
	c.Hole(far - int64(len(a.sample)))
	write(c, []byte{'\n'})
	if diff := cmp.Diff(a.want.Findings, c.Close().Findings); diff != "" {
		t.Errorf("%s: a hole behind the sample changes the result (-want +got):\n%s", a.detector.ID, diff)
	}
}

// The huge line, and the memory that may be held meanwhile.
const (
	hugeBytes   = 64 << 20
	hugeWindow  = 256 << 10
	memoryBound = 8 << 20
)

// hugeLine follows the sample, and half of it, with a line of 64 MiB.
func (a *acceptance) hugeLine(t *testing.T) {
	for name, start := range map[string][]byte{"whole": a.sample, "half": a.sample[:len(a.sample)/2], "none": []byte("a")} {
		line := bytes.Repeat([]byte(`a,"b`), hugeWindow/4)
		c := scanOf(a.detector)
		before := heap()
		c.Open(a.path, hugeBytes)
		write(c, start)
		for off := 0; off < hugeBytes; off += hugeWindow {
			c.Write(line)
			if off%(hugeBytes/8) == 0 {
				if grown := int64(heap()) - int64(before); grown > memoryBound {
					t.Fatalf("%s: %s sample and %d bytes of a line hold %d bytes of memory", a.detector.ID, name, off, grown)
				}
			}
		}
		if found := c.Close().Findings; name == "whole" && len(found) == 0 {
			t.Errorf("%s: a huge line behind the sample hides it", a.detector.ID)
		}
	}
}

// heap is the memory in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (a *acceptance) empty(t *testing.T) {
	if got := a.run(nil); got.Findings != nil || got.Skipped != nil {
		t.Errorf("%s: something found in an empty file", a.detector.ID)
	}
}

// noise is random bytes, and random pieces of the sample.
func (a *acceptance) noise(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 50 {
		noise := make([]byte, 20_000)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		if got := a.run(noise, 977); len(got.Findings) > 0 {
			t.Fatalf("%s: something found in noise, round %d", a.detector.ID, round)
		}
		for i := 0; i < len(noise); {
			from := random.IntN(len(a.sample))
			i += copy(noise[i:], a.sample[from:min(len(a.sample), from+random.IntN(40))])
			i++
		}
		a.run(noise, 977)
	}
}

func (a *acceptance) utf16(t *testing.T) {
	if !a.wide {
		return
	}
	for name, order := range map[string][2]int{"little_endian": {0, 1}, "big_endian": {1, 0}} {
		var content []byte
		for _, u := range utf16.Encode([]rune("\uFEFF" + string(a.sample))) {
			unit := [2]byte{byte(u), byte(u >> 8)}
			content = append(content, unit[order[0]], unit[order[1]])
		}
		for _, size := range []int{len(content), 1, 7} {
			got, want := a.run(content, size).Of(a.rule), a.want.Of(a.rule)
			if got == nil || got.Count != want.Count || got.Individuals != want.Individuals {
				t.Errorf("%s: UTF-16 %s in windows of %d bytes is judged otherwise", a.detector.ID, name, size)
			}
		}
	}
}

// noLeak looks for the sample's values in the results. Names of packages are
// facts like names of files: they go to no output.
func (a *acceptance) noLeak(t *testing.T) {
	const telling = 5
	text, err := json.Marshal(Result{Findings: a.want.Findings, Skipped: a.want.Skipped})
	if err != nil {
		t.Fatalf("%s: %v", a.detector.ID, err)
	}
	for i, secret := range a.secrets {
		if !bytes.Contains(a.sample, []byte(secret)) {
			t.Errorf("%s: secret %d is not in the sample: the test proves nothing", a.detector.ID, i)
		}
		for _, piece := range strings.FieldsFunc(secret, func(r rune) bool { return strings.ContainsRune(" ,;|^~&\t\r\n-", r) }) {
			if len(piece) >= telling && bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(piece))) {
				t.Errorf("%s: the result holds a piece of secret %d", a.detector.ID, i)
			}
		}
	}
}
