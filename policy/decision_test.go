package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/phigate/phigate/policy"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "a b-c/é.csv", "a b-c/é.csv"},
		{"line_break", "a\nb\r\t", `a\nb\r\t`},
		{"escape_sequence", "\x1b[31mred", `\x1b[31mred`},
		{"not_utf8", "a\xff\xfeb", `a\xff\xfeb`},
		{"half_a_character", "a\xc3", `a\xc3`},
		{"direction_override", "exe\u202egpj", `exe\u202egpj`},
		{"invisible", "a\u200bb\u00a0c\ufeff", `a\u200bb\u00a0c\ufeff`},
		{"replacement_character", "a\ufffdb", "a\ufffdb"},
		{"line_separator", "a\u2028b", `a\u2028b`},
		{"quotes_stay", `a'b"c\d`, `a'b"c\d`},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := policy.Printable(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := policy.Printable(strings.Repeat("x", 5000) + "end"); len(got) != 1005 || !strings.HasSuffix(got, "end") {
		t.Errorf("a long text has %d bytes, want 1005 with both its ends", len(got))
	}
}

// FuzzPrintable: one line of valid UTF-8 without control characters, bounded,
// and stable.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"a", "\x00", "\xff", "\u202e", strings.Repeat("é", 600), "\U0010ffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := policy.Printable(s)
		if !utf8.ValidString(got) || len(got) > 10*1024+16 || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u202e' }) {
			t.Errorf("%d bytes made %d unsafe ones", len(s), len(got))
		}
		if len(got) <= 1024 && policy.Printable(got) != got {
			t.Error("printing twice differs from printing once")
		}
	})
}

func decision(findings ...policy.Record) *policy.Decision {
	return &policy.Decision{Target: "clinic-a/portal", Seq: 4711, Verdict: policy.Block, Findings: findings}
}

func TestLine(t *testing.T) {
	table := policy.Record{
		Rule: "phi-table", Message: "patient table", Path: "/data/phi/patients.csv", Citations: []string{"45 CFR 164.312(a)(1)", "45 CFR 164.502(a)"},
		Individuals: policy.Individuals{Point: 1200},
	}
	port := policy.Record{Rule: "plaintext-ports", Action: policy.Warn, Message: "port 21/tcp offered", Field: "image.config.ExposedPorts", Citations: []string{"45 CFR 164.312(e)(1)"}}
	with := func(r policy.Record, change func(*policy.Record)) policy.Record { change(&r); return r }
	for _, c := range []struct {
		name string
		d    *policy.Decision
		want string
	}{
		{"one", decision(table), "patient table in image file /data/phi/patients.csv (~1,200 people) [phi-table, 45 CFR 164.312(a)(1)]"},
		{"both_of_the_worked_example", decision(table, port), "patient table in image file /data/phi/patients.csv (~1,200 people) [phi-table, 45 CFR 164.312(a)(1)]; " +
			"warned: port 21/tcp offered in image.config.ExposedPorts [plaintext-ports, 45 CFR 164.312(e)(1)]"},
		{"same_rule_is_named_once", decision(table, table, table), "patient table in image file /data/phi/patients.csv (~1,200 people) [phi-table, 45 CFR 164.312(a)(1)]; 2 more"},
		{"deleted_and_one_person", decision(with(table, func(r *policy.Record) { r.Deleted = true; r.Individuals.Point = 1 })),
			"patient table in deleted image file /data/phi/patients.csv (~1 person) [phi-table, 45 CFR 164.312(a)(1)]"},
		{"no_citation", decision(policy.Record{Rule: "r", Message: "m"}), "m [r]"},
		{"audited_is_counted_alone", decision(table, with(port, func(r *policy.Record) { r.Action = policy.Audit })), "patient table in image file /data/phi/patients.csv (~1,200 people) [phi-table, 45 CFR 164.312(a)(1)]; 1 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := "phigate: blocked clinic-a/portal: " + c.want + "; see: phigate decisions 4711"
			if got := c.d.Line(); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
	t.Run("skipped", func(t *testing.T) {
		d := &policy.Decision{Target: "x", Skipped: []policy.SkipEntry{
			{Where: "image", Rule: "files", Reason: "scan in progress, 63 %"}, {Where: "/a", Rule: "files", Reason: "encrypted", Action: policy.Warn},
		}}
		if got, want := d.Line(), "phigate: blocked x: image: scan in progress, 63 %; 1 more"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
	t.Run("totals_beyond_the_record", func(t *testing.T) {
		d := decision(table)
		d.FindingsTotal = 5000
		if got := d.Line(); !strings.Contains(got, "; 4999 more; ") {
			t.Errorf("got %s", got)
		}
	})
}

// TestLineOfLongNames: whatever the names, the line is bounded, of one line,
// and names the first violation with its rule.
func TestLineOfLongNames(t *testing.T) {
	for name, path := range map[string]string{
		"4096_bytes": "/" + strings.Repeat("p", 4095), "4096_bytes_not_utf8": "/" + strings.Repeat("\xff", 4095), "line_breaks": strings.Repeat("/\n", 400),
	} {
		t.Run(name, func(t *testing.T) {
			p := &policy.Policy{Catalogue: catalogue()}
			s := &policy.Subject{Name: path}
			v := policy.Decide(p, s, policy.Report{Findings: []policy.Finding{{Rule: "blocks", Message: "patient table", Where: policy.Where{Path: path}}}})
			line := policy.NewDecision(s, v, now, time.Second).Line()
			if !strings.Contains(line, "patient table in image file /") || !strings.Contains(line, "[blocks, 45 CFR 164.312(a)(1)]") || len(line) > 1024 || policy.Printable(line) != line {
				t.Errorf("got %d bytes: %.300s", len(line), line)
			}
		})
	}
}

func TestNewDecisionBounds(t *testing.T) {
	p := &policy.Policy{Catalogue: catalogue()}
	var r policy.Report
	for range policy.MaxRecorded + 1 {
		r.Findings = append(r.Findings, policy.Finding{Rule: "warns"})
		r.Skipped = append(r.Skipped, policy.Skipped{Kind: policy.OutOfScope})
	}
	r.Findings = append(r.Findings, policy.Finding{Rule: "blocks"})
	r.Skipped = append(r.Skipped, policy.Skipped{Kind: policy.Undecided})
	d := policy.NewDecision(subject(), policy.Decide(p, subject(), r), now, 1500*time.Microsecond)
	if len(d.Findings) != policy.MaxRecorded || d.FindingsTotal != policy.MaxRecorded+2 || len(d.Skipped) != policy.MaxRecorded || d.SkippedTotal != policy.MaxRecorded+2 {
		t.Errorf("recorded %d of %d findings and %d of %d skipped", len(d.Findings), d.FindingsTotal, len(d.Skipped), d.SkippedTotal)
	}
	if d.Findings[0].Rule != "blocks" || d.Skipped[0].Action != policy.Block {
		t.Error("the gravest must be among those recorded")
	}
	if d.DurationMs != 1 || d.DurationUs != 1500 {
		t.Errorf("duration: got %d ms, %d us", d.DurationMs, d.DurationUs)
	}
}

// TestDecisionJSON: lists are never null, and words are words.
func TestDecisionJSON(t *testing.T) {
	d := policy.NewDecision(subject(), policy.Decide(&policy.Policy{Catalogue: catalogue()}, subject(), policy.Report{}), now, 0)
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"verdict":"allow"`, `"mode":"enforce"`, `"findings":[]`, `"skipped":[]`, `"target":"clinic-a/portal"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
	var back policy.Decision
	if err := json.Unmarshal(out, &back); err != nil || back.Verdict != policy.Allow || !back.Time.Equal(now) {
		t.Errorf("reading it back: %v, verdict %s", err, back.Verdict)
	}
}
