package period

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

var update = flag.Bool("update", false, "write the goldens anew")

var begin = time.Date(2026, 9, 28, 7, 0, 0, 0, time.UTC)

// clinicYear is what a small clinic's node could record: seeded, so that it is
// the same in each run.
func clinicYear(seed uint64, n int, step time.Duration) []report.Entry {
	rnd := rand.New(rand.NewPCG(seed, 1))
	digest := func(s string) string { return "sha256:" + strings.Repeat(fmt.Sprintf("%02x", s[0]), 32) }
	policies := []string{digest("p"), digest("q")}
	var out []report.Entry
	for i := range n {
		d := &policy.Decision{
			Seq: uint64(i + 1), Time: begin.Add(time.Duration(i) * step), Kind: "verdict", Gate: policy.GateValidate, Namespace: "clinic-a",
			Target: "clinic-a/web", Container: fmt.Sprintf("c%d", i), Image: "registry.example/clinic/web:2.3", ImageDigest: digest("w"),
			Verdict: policy.Allow, Policy: policies[2*i/n], Coverage: policy.Coverage{Files: 4000, Bytes: 9e7, Rules: 31}, DurationUs: 900,
			PolicyVersion: "clinic 1.2.0", Origin: policy.Origin{Node: fmt.Sprintf("ward-%d", seed)},
		}
		switch k := rnd.IntN(40); {
		case i == 0:
			d.Kind, d.Target, d.Message = "start", "phigated", "phigated 0.3 begins"
		case i == 1 || i == n/2+1:
			d.Kind, d.Target, d.Message = "policy-loaded", "phigated", "policies: clinic (version 1.2.0)"
		case k == 0:
			d.Kind, d.Verdict, d.Message = "unjudged", policy.Block, "scan in progress, 63 %"
		case k == 1:
			d.Verdict, d.Image, d.ImageDigest, d.Target = policy.Block, "registry.example/clinic/portal:1.4", digest("f"), "clinic-a/portal"
			d.Individuals = policy.Individuals{Low: 1103, Point: 1203, High: 1303}
			d.Findings = []policy.Record{table(d.Individuals), port(policy.Warn)}
		case k == 2:
			d.Image, d.ImageDigest, d.Target = "registry.example/etl/loader:9", digest("e"), "etl/loader"
			d.Individuals = policy.Individuals{Low: 430, Point: 489, High: 560}
			r := table(d.Individuals)
			r.Path, r.Action, r.Exception, r.Synthetic = "/opt/lib/testdata/patients.csv", policy.Audit, "EX-2026-014", true
			d.Findings = []policy.Record{r}
			d.Exceptions = []policy.ExceptionUse{{ID: "EX-2026-014", Reason: "Synthetic Synthea data for the integration tests", Ticket: "SEC-812",
				RequestedBy: "a@clinic.example", ApprovedBy: []string{"b@clinic.example"}, ExpiresAt: begin.AddDate(0, 4, 0)}}
		case k < 7:
			d.Image, d.ImageDigest, d.Target = "registry.example/clinic/ftp:3", digest("g"), "clinic-b/transfer"
			d.Findings = []policy.Record{port(policy.Warn)}
			d.Skipped = []policy.SkipEntry{{Where: "/opt/backup.7z", Rule: "files", Reason: "archive of a kind that is not read", Action: policy.Warn}}
		case k == 7:
			d.Kind, d.Verdict, d.Message, d.Target, d.Runtime = "bypass", policy.Allow, "started by a client that never asks", "moby/1f2e3d", "docker"
		case k == 8 && i%3 == 0:
			d.Kind, d.Message = "override", "break-glass until 2026-10-02T08:00:00Z: ward system down; it would have been refused: Table of patients"
		case k == 9 && i%2 == 0:
			d.Kind, d.Verdict, d.Withdraws, d.Message = "withdrawn", policy.Block, d.Seq-1, "came too late"
		case k == 10:
			d.Kind, d.Verdict, d.Repeats, d.Times, d.Message = "repeated", policy.Block, d.Seq-1, 12, "the refusal before it came 12 times more"
		}
		out = append(out, report.Entry{LogID: "node-1", Seq: d.Seq, Leaf: "00", Decision: d})
	}
	return out
}

func table(i policy.Individuals) policy.Record {
	return policy.Record{Rule: "phi-table", Severity: policy.Critical, Action: policy.Block, Path: "/data/phi/patients.csv", Message: "Table of patients",
		Fix: "Remove the file from the image and from the layers below it.", Citations: []string{"45 CFR 164.312(a)(1)", "45 CFR 164.502(a)"}, Individuals: i}
}

func port(a policy.Action) policy.Record {
	return policy.Record{Rule: "plaintext-ports", Severity: policy.Medium, Action: a, Field: "image.config.ExposedPorts", Message: "port 21/tcp offered",
		Fix: "Serve the files by SFTP.", Citations: []string{"45 CFR 164.312(e)(1)"}}
}

// infos are a few rules, and not the catalogue, which grows.
func infos() []policy.Info {
	return []policy.Info{
		{ID: "phi-table", Title: "Table of patients", Cites: []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures}},
		{ID: "privileged", Title: "Privileged container", Cites: []hipaa.Citation{hipaa.AccessControl, hipaa.RiskManagement}},
		{ID: "plaintext-ports", Title: "Port of a protocol without encryption", Cites: []hipaa.Citation{hipaa.TransmissionSecurity}},
		{ID: "secret-in-env", Title: "Secret in the environment", Cites: []hipaa.Citation{hipaa.PasswordManagement}},
	}
}

// collected is the report on several logs.
func collected(logs map[string][]report.Entry, names ...string) *Report {
	c := New(time.Time{}, time.Time{}, infos())
	for i, name := range names {
		c.Log(name, Proof{Verified: i == 0, UpTo: uint64(len(logs[name])), Checked: "a checkpoint that was given", Checkpoint: "at number 900, 12 November 2026",
			Root: strings.Repeat("ab", 32), Witnesses: []string{"witness.clinic.example"}, Problem: map[bool]string{false: "no checkpoint was given"}[i == 0]})
		for _, e := range logs[name] {
			c.Add(name, e)
		}
	}
	return c.Finish(begin.AddDate(0, 3, 0), "0.3")
}

func twoNodes() *Report {
	return collected(map[string][]report.Entry{
		"phigate.dev/log/node-1": clinicYear(1, 900, 71*time.Minute), "phigate.dev/log/node-2": clinicYear(2, 400, 150*time.Minute),
	}, "phigate.dev/log/node-1", "phigate.dev/log/node-2")
}

func TestGoldens(t *testing.T) {
	reports := map[string]*Report{"nodes": twoNodes(), "empty": collected(map[string][]report.Entry{}, "phigate.dev/log/node-1"), "hostile": hostileReport()}
	for name, r := range reports {
		for ext, write := range map[string]func(*bytes.Buffer) error{
			"html": func(b *bytes.Buffer) error { return HTML(b, r) }, "json": func(b *bytes.Buffer) error { return JSON(b, r) }, "csv": func(b *bytes.Buffer) error { return CSV(b, r) },
		} {
			t.Run(name+"_"+ext, func(t *testing.T) {
				var b bytes.Buffer
				if err := write(&b); err != nil {
					t.Fatal(err)
				}
				golden := filepath.Join("testdata", name+"."+ext)
				if *update {
					if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), b.String()); diff != "" {
					t.Errorf("%s (-want +got), or run with -update:\n%s", golden, diff)
				}
			})
		}
	}
}

// hostileReport holds what a pod's author can write into names.
func hostileReport() *Report {
	d := &policy.Decision{Seq: 1, Time: begin, Kind: "verdict", Target: `=HYPERLINK("x")</td><script>alert(1)</script>`, Image: `"><img src=x onerror=alert(1)>`,
		Verdict: policy.Block, Policy: "@p", Individuals: policy.Individuals{High: 1, Point: 1},
		Findings: []policy.Record{{Rule: "+cmd|' /C calc'!A0", Path: "-2+3<svg onload=x>", Message: "@SUM(1)", Fix: "\tx", Citations: []string{"=1"}}},
		Skipped:  []policy.SkipEntry{{Where: "</script>", Rule: "<b>", Reason: "{{.}}"}}}
	return collected(map[string][]report.Entry{"<log>": {{LogID: "<log>", Seq: 1, Decision: d}}}, "<log>")
}

// Totals equal the sums of their parts, in every report.
func TestNumbersReconcile(t *testing.T) {
	for name, r := range map[string]*Report{"nodes": twoNodes(), "hostile": hostileReport()} {
		t.Run(name, func(t *testing.T) { reconcile(t, r) })
	}
}

func reconcile(t *testing.T, r *Report) {
	t.Helper()
	same := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	n := r.Totals
	same("verdicts", n.Blocked+n.Warned+n.Audited+n.Clean, n.Judged)
	same("records", n.Judged+n.Unjudged+n.Withdrawn+n.Counts+n.Overrides+n.Bypasses+n.Own+n.Beats, n.Records)
	var all Bucket
	for _, b := range r.Timeline {
		all.add(b)
	}
	if want := (Bucket{Blocked: n.Blocked, Warned: n.Warned + n.Audited, Clean: n.Clean, Unjudged: n.Unjudged, Audited: n.Audited, Excepted: n.Excepted}); all != want {
		t.Errorf("timeline %+v, want %+v", all, want)
	}
	records, findings, decided, skipped := 0, r.Unlisted, 0, r.Coverage.Unlisted
	for _, l := range r.Logs {
		records += l.Records
	}
	for _, v := range r.Violations {
		findings += v.Findings
	}
	for _, p := range r.Policies {
		decided += p.Decisions
	}
	for _, s := range r.Coverage.Reasons {
		skipped += s.Times
	}
	same("records of the logs", records, n.Records)
	same("findings of the violations", findings, n.Findings)
	same("decisions under the policies", decided, n.Judged)
	same("what was not looked at", skipped, r.Coverage.Skipped)
	for _, i := range r.People.Images {
		same("decisions on "+i.Image, i.Refused+i.Admitted, i.Decisions)
	}
}

// Decisions on one image are about the same people.
func TestPeopleOfOneImageAreCountedOnce(t *testing.T) {
	r := twoNodes()
	if len(r.People.Images) != 2 {
		t.Fatalf("%d images, want 2", len(r.People.Images))
	}
	want := policy.Individuals{Low: 1103, Point: 1203 + 489, High: 1303 + 560}
	if r.People.Individuals != want {
		t.Errorf("people %+v, want %+v", r.People.Individuals, want)
	}
	if want := (policy.Individuals{Low: 430, Point: 489, High: 560}); r.People.Ran != want {
		t.Errorf("of admitted images %+v, want %+v", r.People.Ran, want)
	}
}

func TestNoticeDays(t *testing.T) {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	tests := map[string]struct {
		found             time.Time
		people            policy.Individuals
		notice, secretary time.Time
		atOnce, border    bool
	}{
		"few":           {day(2026, 9, 28), policy.Individuals{Low: 3, Point: 3, High: 3}, day(2026, 11, 27), day(2027, 3, 1), false, false},
		"few_leap_year": {day(2027, 12, 31), policy.Individuals{Low: 3, Point: 3, High: 3}, day(2028, 2, 29), day(2028, 2, 29), false, false},
		"499":           {day(2026, 1, 1), policy.Individuals{Low: 499, Point: 499, High: 499}, day(2026, 3, 2), day(2027, 3, 1), false, false},
		"500":           {day(2026, 1, 1), policy.Individuals{Low: 500, Point: 500, High: 500}, day(2026, 3, 2), day(2026, 3, 2), true, false},
		"around":        {day(2026, 1, 1), policy.Individuals{Low: 430, Point: 489, High: 560}, day(2026, 3, 2), day(2027, 3, 1), false, true},
		"around_above":  {day(2026, 1, 1), policy.Individuals{Low: 430, Point: 510, High: 560}, day(2026, 3, 2), day(2026, 3, 2), true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := noticeOf(tt.found.Add(23*time.Hour), tt.people)
			if want := (Notice{tt.notice, tt.secretary, tt.atOnce, tt.border}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestPeriodIsHalfOpen(t *testing.T) {
	c := New(begin.Add(time.Hour), begin.Add(3*time.Hour), nil)
	for _, e := range clinicYear(1, 10, time.Hour) {
		c.Add("x", e)
	}
	r := c.Finish(begin, "")
	if r.Logs[0].From != 2 || r.Logs[0].To != 3 || r.Totals.Records != 2 {
		t.Errorf("records %d to %d, %d in all; want 2 and 3", r.Logs[0].From, r.Logs[0].To, r.Totals.Records)
	}
}

// A log that has signs of life and then none is said to be silent, unless phigate
// stopped.
func TestSilenceIsAnIncident(t *testing.T) {
	c := New(time.Time{}, time.Time{}, nil)
	for i, at := range []struct {
		kind   string
		second int
	}{{"start", 0}, {"heartbeat", 10}, {"heartbeat", 20}, {"stop", 30}, {"start", 5000}, {"heartbeat", 5010}, {"heartbeat", 9000}} {
		d := &policy.Decision{Seq: uint64(i + 1), Kind: at.kind, Time: begin.Add(time.Duration(at.second) * time.Second)}
		c.Add("log", report.Entry{Seq: d.Seq, Decision: d})
	}
	r := c.Finish(begin, "")
	if len(r.Incidents) != 1 || r.Incidents[0].Kind != "silence" || r.Incidents[0].Evidence.Seq != 7 || r.Totals.Beats != 4 {
		t.Errorf("%+v, %d signs of life", r.Incidents, r.Totals.Beats)
	}
	reconcile(t, r)
}

// A spreadsheet takes no cell for a formula.
func TestCSVHoldsNoFormula(t *testing.T) {
	var b bytes.Buffer
	if err := CSV(&b, hostileReport()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, cell := range rows[1] {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			t.Errorf("a cell begins like a formula")
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, twoNodes()); err != nil {
		t.Fatal(err)
	}
	got := new(Report)
	if err := json.Unmarshal(b.Bytes(), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(twoNodes(), got, cmpopts.IgnoreUnexported(Log{})); diff != "" {
		t.Error(diff)
	}
}

// The memory does not grow with the logs: distinct names without end are counted.
func TestMemoryIsBounded(t *testing.T) {
	c := New(time.Time{}, time.Time{}, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 60000
	for i := range n {
		id := fmt.Sprint(i)
		d := &policy.Decision{Seq: uint64(i + 1), Time: begin.Add(time.Duration(i) * time.Hour), Kind: []string{"verdict", "bypass"}[i%2], Target: "t" + id, Container: id,
			Image: "i" + id, Verdict: policy.Allow, Policy: "p" + id, Individuals: policy.Individuals{Low: 1, Point: 1, High: 1},
			Findings: []policy.Record{{Rule: "r" + id, Path: "/" + id, Exception: "x" + id, Citations: []string{"c" + id}}}, Skipped: []policy.SkipEntry{{Where: id, Rule: id, Reason: id}}}
		c.Add("log", report.Entry{Seq: d.Seq, Decision: d})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 24<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	r := c.Finish(begin, "")
	if len(r.Violations) != maxViolations || len(r.Coverage.Reasons) != maxReasons || len(r.Incidents) != maxIncidents || r.Unlisted == 0 || r.People.Unlisted == 0 {
		t.Errorf("%d violations, %d reasons, %d incidents", len(r.Violations), len(r.Coverage.Reasons), len(r.Incidents))
	}
	if len(r.Timeline) > maxBars+2 || r.Totals.Findings != n/2 {
		t.Errorf("%d bars, %d findings", len(r.Timeline), r.Totals.Findings)
	}
}
