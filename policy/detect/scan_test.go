package detect_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

func keyed(identity []byte) (sum [16]byte) {
	for i, b := range identity {
		sum[i%len(sum)] = sum[i%len(sum)]*31 + b
	}
	return sum
}

// scanOf makes a Scan with the smallest buffer.
func scanOf(t *testing.T, detectors ...detect.Detector) *detect.Scan {
	t.Helper()
	set, err := detect.NewSet(detectors)
	if err != nil {
		t.Fatal(err)
	}
	set.Block = 1
	return set.NewScan(keyed)
}

// feed writes content in pieces of random length.
func feed(c *detect.Scan, content []byte, random *rand.Rand) {
	for len(content) > 0 {
		n := min(1+random.IntN(5000), len(content))
		c.Write(content[:n])
		content = content[n:]
	}
}

// near records each match with what it saw.
func near(anchors []string, see func(h detect.Hit)) detect.Detector {
	return detect.Detector{Info: policy.Info{ID: "near"}, Anchors: anchors, Near: func(h detect.Hit, s *detect.Sink) {
		see(h)
		s.Found(h.Off)
	}}
}

func TestScan_near_finds_each_match_once(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for round := range 30 {
		content := bytes.Repeat([]byte("."), 5000+random.IntN(60_000))
		var want []int64
		for at := random.IntN(300); at+6 < len(content); at += 6 + random.IntN(3000) {
			copy(content[at:], "needle")
			want = append(want, int64(at))
		}
		var got []int64
		c := scanOf(t, near([]string{"needle"}, func(h detect.Hit) {
			got = append(got, h.Off)
			if string(h.Text[h.At:h.End]) != "needle" {
				t.Errorf("round %d: the match at %d is not where Text says", round, h.Off)
			}
			before, after := min(int(h.Off), detect.NearBefore), min(len(content)-int(h.Off)-6, detect.NearAfter)
			if h.At < before || len(h.Text)-h.End < after {
				t.Errorf("round %d: %d bytes before and %d after the match at %d, want %d and %d", round, h.At, len(h.Text)-h.End, h.Off, before, after)
			}
		}))
		c.Open("/f", int64(len(content)))
		feed(c, content, random)
		result := c.Close()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d: matches (-want +got):\n%s", round, diff)
		}
		if len(want) > 0 && (len(result.Findings) != 1 || result.Findings[0].Count != len(want) || result.Findings[0].Where.Offset != want[0]) {
			t.Errorf("round %d: %d findings", round, len(result.Findings))
		}
	}
}

// TestScan_line_ends_at_the_edges: anchors may ask for a line end that the file
// does not have.
func TestScan_line_ends_at_the_edges(t *testing.T) {
	for _, content := range []string{"needle", "a\nneedle\nb", "needle\n", "\nneedle"} {
		hits := 0
		c := scanOf(t, near([]string{`[\n]needle[\n]`}, func(h detect.Hit) { hits++ }))
		c.Open("/f", int64(len(content)))
		c.Write([]byte(content))
		c.Close()
		if hits != 1 {
			t.Errorf("%q: %d hits, want 1", content, hits)
		}
	}
}

// recorder is a reader that keeps what it gets.
type recorder struct {
	got    []byte
	starts []int64 // of windows behind a gap
	next   int64
	closed int
	idle   func(r *recorder) bool
}

func (r *recorder) Window(w detect.Window) {
	if w.Off != r.next || len(r.starts) == 0 {
		r.starts = append(r.starts, w.Off)
	}
	r.got = append(r.got, w.Data...)
	r.next = w.Off + int64(len(w.Data))
}
func (r *recorder) Close() { r.closed++ }
func (r *recorder) Idle() bool {
	return r.idle != nil && r.idle(r)
}

func reading(r *recorder, d detect.Detector) detect.Detector {
	d.ID = "reading"
	d.Open = func(detect.Meta, *detect.Sink) detect.Reader { return r }
	return d
}

func TestScan_eager_reader_gets_every_byte_once(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	content := make([]byte, 100_000)
	for i := range content {
		content[i] = byte('a' + random.IntN(26))
	}
	r := &recorder{}
	c := scanOf(t, reading(r, detect.Detector{}))
	c.Open("/f", int64(len(content)))
	feed(c, content, random)
	c.Close()
	if !bytes.Equal(r.got, content) || r.closed != 1 || len(r.starts) != 1 {
		t.Errorf("%d bytes of %d, closed %d times, %d gaps", len(r.got), len(content), r.closed, len(r.starts))
	}
}

func TestScan_reader_wakes_before_the_match(t *testing.T) {
	const far = 50_000
	content := append(bytes.Repeat([]byte("."), far), "needle and the rest"...)
	r := &recorder{}
	c := scanOf(t, reading(r, detect.Detector{Anchors: []string{"needle"}}))
	c.Open("/f", int64(len(content)))
	c.Write(content)
	c.Close()
	if len(r.starts) != 1 || r.starts[0] > far-2048 || r.starts[0] < far-16<<10 || r.next != int64(len(content)) {
		t.Errorf("windows from %v to %d", r.starts, r.next)
	}
}

func TestScan_idle_reader_sleeps_until_the_next_match(t *testing.T) {
	filler := strings.Repeat(".", 100_000)
	content := []byte(filler + "needle" + filler + "needle" + filler)
	r := &recorder{idle: func(r *recorder) bool { return true }}
	c := scanOf(t, reading(r, detect.Detector{Anchors: []string{"needle"}}))
	c.Open("/f", int64(len(content)))
	c.Write(content)
	c.Close()
	if len(r.starts) != 2 || len(r.got) > 64<<10 || bytes.Count(r.got, []byte("needle")) != 2 {
		t.Errorf("%d gaps, %d bytes of %d", len(r.starts), len(r.got), len(content))
	}
}

// TestScan_no_match_is_slept_through: whatever the reader's mood, each match is
// in what it got.
func TestScan_no_match_is_slept_through(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for round := range 50 {
		var content []byte
		want := 0
		for range 40 {
			content = append(content, bytes.Repeat([]byte("."), random.IntN(6000))...)
			content = append(content, "needle"...)
			want++
		}
		r := &recorder{idle: func(*recorder) bool { return random.IntN(2) == 0 }}
		c := scanOf(t, reading(r, detect.Detector{Anchors: []string{"needle"}}))
		c.Open("/f", int64(len(content)))
		feed(c, content, random)
		c.Close()
		if got := bytes.Count(r.got, []byte("needle")); got != want {
			t.Fatalf("round %d: the reader got %d of %d matches", round, got, want)
		}
	}
}

func TestScan_holes(t *testing.T) {
	r := &recorder{}
	var hits []int64
	c := scanOf(t, reading(r, detect.Detector{}), near([]string{"needle"}, func(h detect.Hit) { hits = append(hits, h.Off) }))
	c.Open("/f", 1<<40)
	c.Write([]byte("needle nee"))
	c.Hole(1 << 30)
	c.Write([]byte("dle needle"))
	c.Hole(1 << 31)
	c.Close()
	const second = 10 + 1<<30
	if diff := cmp.Diff([]int64{0, second + 4}, hits); diff != "" {
		t.Errorf("matches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{0, second}, r.starts); diff != "" || string(r.got) != "needle needle needle" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
}

func TestScan_utf16(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	text := strings.Repeat("plain text, ", 5000) + "äß😀 needle " + strings.Repeat("more text ", 3000)
	for name, c := range map[string]struct {
		order binary.AppendByteOrder
		mark  string
	}{
		"little": {binary.LittleEndian, "\uFEFF"}, "big": {binary.BigEndian, "\uFEFF"},
		"little_unmarked": {binary.LittleEndian, ""}, "big_unmarked": {binary.BigEndian, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			var off int64
			scan := scanOf(t, reading(r, detect.Detector{}), near([]string{"needle"}, func(h detect.Hit) { off = h.Off }))
			content := utf16Bytes(c.order, c.mark+text)
			scan.Open("/f", int64(len(content)))
			feed(scan, content, random)
			result := scan.Close()
			if got := string(r.got); got != c.mark+text {
				t.Errorf("%d bytes of text, want %d", len(got), len(c.mark+text))
			}
			want := int64(len(utf16Bytes(c.order, c.mark+text[:strings.Index(text, "needle")])))
			if len(result.Findings) != 1 || abs(result.Findings[0].Where.Offset-want) > 16 || off == 0 {
				t.Errorf("%d findings, want one near offset %d", len(result.Findings), want)
			}
		})
	}
}

func abs(n int64) int64 { return max(n, -n) }

func utf16Bytes(order binary.AppendByteOrder, text string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

// TestScan_forgets: nothing of one file shows in the next.
func TestScan_forgets(t *testing.T) {
	c := scanOf(t, near([]string{"needle"}, func(detect.Hit) {}), detect.Detector{
		Info: policy.Info{ID: "crash"}, Anchors: []string{"crash"}, Near: func(detect.Hit, *detect.Sink) { panic("needle") },
	})
	for round, content := range []string{"needle crash", "nothing", "nee", "dle", "needle"} {
		c.Open(fmt.Sprint("/", round), int64(len(content)))
		c.Write([]byte(content))
		r := c.Close()
		findings, skipped := strings.Count(content, "needle"), strings.Count(content, "crash")
		if len(r.Findings) != findings || len(r.Skipped) != skipped {
			t.Errorf("file %d: %d findings and %d skipped, want %d and %d", round, len(r.Findings), len(r.Skipped), findings, skipped)
		}
	}
}

// crashing panics where it is told to.
type crashing struct{ window, idle, row, close bool }

func (c crashing) Window(detect.Window)     { panicIf(c.window) }
func (c crashing) Idle() bool               { panicIf(c.idle); return false }
func (c crashing) Row(int64, [][]byte) bool { panicIf(c.row); return true }
func (c crashing) Close()                   { panicIf(c.close) }

func panicIf(yes bool) {
	if yes {
		panic("needle")
	}
}

func TestScan_crashes_are_skipped(t *testing.T) {
	for name, at := range map[string]crashing{"window": {window: true}, "idle": {idle: true}, "close": {close: true}, "row": {row: true}} {
		t.Run(name, func(t *testing.T) {
			d := detect.Detector{Info: policy.Info{ID: "crash"}, Anchors: []string{"needle"},
				Open:  func(detect.Meta, *detect.Sink) detect.Reader { return at },
				Table: func(detect.TableMeta, *detect.Sink) detect.RowReader { return at }}
			c := scanOf(t, d)
			var r detect.Result
			if at.row {
				c.OpenTable("/f", nil)
				c.Row([][]byte{[]byte("needle")})
				r = c.CloseTable()
			} else {
				c.Open("/f", 6)
				c.Write([]byte("needle"))
				r = c.Close()
			}
			want := []policy.Skipped{{Rule: "crash", Reason: "detector crashed", Kind: policy.Undecided}}
			if diff := cmp.Diff(want, r.Skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSet_names_the_detector_with_a_bad_anchor(t *testing.T) {
	_, err := detect.NewSet([]detect.Detector{{Info: policy.Info{ID: "fine"}, Anchors: []string{"fine"}}, {Info: policy.Info{ID: "bad"}, Anchors: []string{"[a"}}})
	if err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("got %v", err)
	}
}

func TestScan_allocates_nothing_for_a_file_without_matches(t *testing.T) {
	content := bytes.Repeat([]byte("no match in here\n"), 200)
	c := scanOf(t, near([]string{"needle"}, func(detect.Hit) {}))
	allocs := testing.AllocsPerRun(100, func() {
		c.Open("/f", int64(len(content)))
		c.Write(content)
		c.Close()
	})
	if allocs > 0 {
		t.Errorf("%.0f allocations", allocs)
	}
}

func TestRecord_level(t *testing.T) {
	for name, c := range map[string]struct {
		record detect.Record
		want   detect.Level
	}{
		"empty":                    {detect.Record{}, detect.Nothing},
		"name_alone":               {detect.Record{Has: detect.Name, Weight: 2}, detect.Nothing},
		"name_in_a_health_format":  {detect.Record{Has: detect.Name | detect.HealthFormat}, detect.PHI},
		"format_without_person":    {detect.Record{Has: detect.HealthFormat | detect.Phone}, detect.Nothing},
		"ssn_and_diagnosis":        {detect.Record{Has: detect.SSN | detect.Diagnosis}, detect.PHI},
		"ssn_without_health":       {detect.Record{Has: detect.SSN}, detect.PII},
		"ssn_and_one_term":         {detect.Record{Has: detect.SSN | detect.HealthTerm}, detect.PII},
		"ssn_term_and_path":        {detect.Record{Has: detect.SSN | detect.HealthTerm, Weight: 1}, detect.PHI},
		"name_and_birth":           {detect.Record{Has: detect.Name | detect.BirthDate, Weight: 2}, detect.PHI},
		"name_and_phone":           {detect.Record{Has: detect.Name | detect.Phone}, detect.PII},
		"phone_and_email_alone":    {detect.Record{Has: detect.Phone | detect.Email | detect.Address, Weight: 2}, detect.Nothing},
		"coded_rows":               {detect.Record{Has: detect.Diagnosis, Rows: true}, detect.Limited},
		"coded_rows_with_one_term": {detect.Record{Has: detect.HealthTerm, Rows: true}, detect.Nothing},
		"member_and_mrn":           {detect.Record{Has: detect.Plan | detect.MRN, Weight: 2}, detect.PHI},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.record.Level(); got != c.want {
				t.Errorf("level %d, want %d", got, c.want)
			}
		})
	}
}

func TestSink_levels_and_people(t *testing.T) {
	records := []detect.Record{
		{Off: 10, Has: detect.SSN | detect.Diagnosis, Keys: []detect.Key{detect.SSNKey([]byte("111"))}},
		{Off: 20, Has: detect.SSN | detect.Diagnosis, Keys: []detect.Key{detect.SSNKey([]byte("222"))}, Synthetic: true},
		{Off: 30, Has: detect.SSN | detect.Diagnosis, Keys: []detect.Key{detect.SSNKey([]byte("1-1-1"))}},
		{Off: 40, Has: detect.SSN, Keys: []detect.Key{detect.SSNKey([]byte("333"))}, Synthetic: true},
		{Off: 50, Has: detect.Diagnosis, Rows: true},
	}
	d := detect.Detector{Info: policy.Info{ID: "phi-x", Title: "An x"}, Anchors: []string{"needle"}, Near: func(_ detect.Hit, s *detect.Sink) {
		for _, r := range records {
			s.Record(r)
		}
	}}
	c := scanOf(t, d)
	c.Open("/f", 6)
	c.Write([]byte("needle"))
	r := c.Close()
	people := func(n int) policy.Individuals { return policy.Individuals{Low: n, Point: n, High: n} }
	want := []policy.Finding{
		{Rule: "phi-x", Message: "An x", Count: 3, Where: policy.Where{Offset: 10}, Individuals: people(2)},
		{Rule: "pii", Message: "personal data without health context", Count: 1, Where: policy.Where{Offset: 40}, Individuals: people(1), Synthetic: true},
		{Rule: "limited", Message: "coded health records of individuals", Count: 1, Where: policy.Where{Offset: 50}},
	}
	if diff := cmp.Diff(want, r.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if r.People == nil || r.People.Estimate().Point != 2 {
		t.Error("PHI is not about two people")
	}
}

func TestKeys_are_the_same_in_each_format(t *testing.T) {
	sum := func(k detect.Key) int {
		d := detect.Detector{Anchors: []string{"needle"}, Near: func(_ detect.Hit, s *detect.Sink) {
			s.Record(detect.Record{Has: detect.SSN | detect.Diagnosis, Keys: []detect.Key{k}})
			s.Record(detect.Record{Has: detect.SSN | detect.Diagnosis, Keys: []detect.Key{detect.NameBirthKey([]byte("O'Neil"), []byte("Ann"), []byte("19800201"))}})
			s.Record(detect.Record{Has: detect.SSN | detect.Diagnosis, Keys: []detect.Key{detect.MRNKey([]byte("12345"), []byte("H"))}})
		}}
		c := scanOf(t, d)
		c.Open("/f", 6)
		c.Write([]byte("needle"))
		return c.Close().People.Estimate().Point
	}
	for i, k := range []detect.Key{
		detect.NameBirthKey([]byte("ONEIL"), []byte("ann"), []byte("1980-02-01")),
		detect.MRNKey([]byte("0012345"), []byte("h")),
	} {
		if got := sum(k); got != 2 {
			t.Errorf("key %d: %d people, want 2", i, got)
		}
	}
	if !detect.MRNKey(nil, []byte("H")).Empty() || !slices.ContainsFunc([]detect.Key{detect.NameKey([]byte("-"), nil)}, detect.Key.Empty) {
		t.Error("a key without content is not empty")
	}
}

// TestScan_busy_files: a file of anchors alone does not keep a detector busy for
// ever, is said, and what something came of does not count.
func TestScan_busy_files(t *testing.T) {
	const many = 250_000
	for name, c := range map[string]struct {
		finds   bool
		skipped int
	}{"in_vain": {false, 1}, "with_findings": {true, 0}} {
		t.Run(name, func(t *testing.T) {
			hits := 0
			d := detect.Detector{Info: policy.Info{ID: "near"}, Anchors: []string{"needle"}, Near: func(h detect.Hit, s *detect.Sink) {
				if hits++; c.finds {
					s.Found(h.Off)
				}
			}}
			scan := scanOf(t, d)
			content := bytes.Repeat([]byte("needle"), many)
			for range 2 {
				hits = 0
				scan.Open("/f", int64(len(content)))
				scan.Write(content)
				if r := scan.Close(); len(r.Skipped) != c.skipped || (hits == many) != c.finds {
					t.Errorf("%d skipped after %d of %d matches, want %d", len(r.Skipped), hits, many, c.skipped)
				}
			}
		})
	}
}

// TestScan_utf16_offset: the place of what stands behind text that is not ASCII is an
// estimate, and within the file.
func TestScan_utf16_offset(t *testing.T) {
	c := scanOf(t, near([]string{"needle"}, func(detect.Hit) {}))
	for _, size := range []int{7, 4096} {
		content := []byte{0xFE, 0xFF}
		for _, r := range utf16.Encode([]rune(strings.Repeat("\ud504", 3000) + "needle")) {
			content = binary.BigEndian.AppendUint16(content, r)
		}
		c.Open("/a", int64(len(content)))
		for rest := content; len(rest) > 0; {
			n := min(size, len(rest))
			c.Write(rest[:n])
			rest = rest[n:]
		}
		got := c.Close().Findings
		if len(got) != 1 || got[0].Where.Offset < 0 || got[0].Where.Offset > int64(len(content)) {
			t.Errorf("pieces of %d: %+v of %d bytes", size, got, len(content))
		}
	}
}
