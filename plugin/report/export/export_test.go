package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

var update = flag.Bool("update", false, "write the goldens anew")

// records are one of each sort, the kinds that have no verdict included.
func records() []report.Entry {
	at := time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.UTC)
	base := policy.Decision{
		Kind: "verdict", Gate: policy.GateValidate, Target: "clinic/app", Container: "c0ffee", Runtime: "cri",
		Namespace: "clinic", Pod: "app-0", PodUID: "3f1c", Image: "registry.example/clinic/app:1",
		ImageDigest: "sha256:" + strings.Repeat("a", 64), Policy: "sha256:" + strings.Repeat("b", 64), Verdict: policy.Allow,
		Coverage: policy.Coverage{Files: 4711, Bytes: 123456789, Rules: 13}, DurationMs: 41, DurationUs: 41200,
		PolicyVersion: "clinic 3", ImageConfig: "sha256:" + strings.Repeat("d", 64),
		Requester: policy.Requester{Name: "jane@clinic.example", From: policy.FromAnnotation},
		Origin: policy.Origin{Node: "node-1", Machine: strings.Repeat("0a", 16), Boot: strings.Repeat("0b", 16), BootTimeUs: 61000000, Clock: policy.ClockSynchronised,
			Version: "1.2.3", Digest: "sha256:" + strings.Repeat("e", 64), KeyID: "00112233"},
	}
	blocked := base
	blocked.Verdict, blocked.Individuals = policy.Block, policy.Individuals{Low: 1100, Point: 1200, High: 1300}
	blocked.Findings = []policy.Record{
		{Rule: "phi-table", Severity: policy.Critical, Action: policy.Block, Path: "/data/phi/patients.csv", Message: "Table of patients", Offset: 7,
			Layer: "sha256:" + strings.Repeat("c", 64), Fix: "Remove the file.", Count: 1203, Individuals: blocked.Individuals,
			Citations: []string{"45 CFR 164.312(a)(1)", "45 CFR 164.502(a)"}, Fingerprint: "00112233445566778899aabbccddeeff"},
		{Rule: "plaintext-ports", Severity: policy.Medium, Action: policy.Warn, Field: "image.config.ExposedPorts", Message: "port 21/tcp offered",
			Fix: "Serve the files by SFTP.", Citations: []string{"45 CFR 164.312(e)(1)"}},
	}
	blocked.Skipped = []policy.SkipEntry{{Where: "/opt/big.zip", Rule: "files", Reason: "encrypted archive", Action: policy.Warn}}
	hostile := blocked
	hostile.Target, hostile.Image = `evil|=\`+"\n"+`ALLOWED`, "img=1|2\\\r\nCEF:0|x"
	hostile.Findings = []policy.Record{{Rule: "r|=\n", Path: "/a=b|c\\\nd", Message: "m\r=\x1b|", Citations: []string{"c|=\n"}}}
	note := func(kind, message string) policy.Decision {
		return policy.Decision{Kind: kind, Target: "phigated", Message: message, Policy: base.Policy}
	}
	unjudged, withdrawn, bypass := base, base, base
	unjudged.Kind, unjudged.Message, unjudged.Verdict = "unjudged", "scan in progress, 63 %", policy.Block
	withdrawn.Kind, withdrawn.Message, withdrawn.Withdraws, withdrawn.Verdict = "withdrawn", "decision 3 came too late", 3, policy.Block
	bypass.Kind, bypass.Message, bypass.Runtime = "bypass", "runs unjudged", "ctr"
	all := []policy.Decision{
		note("start", "phigated 0.1 begins"), note("policy-loaded", "clinic"), base, blocked, hostile, unjudged, withdrawn, bypass,
		note("override", "break-glass"), note("policy-rejected", "clinic.yaml:3: no rule of that name"), note("log-outage", "2 decisions"), note("stop", "phigated ends"),
		{Kind: "verdict", Verdict: policy.Allow, Target: "bare"},
	}
	var out []report.Entry
	for i := range all {
		all[i].Seq, all[i].Time = uint64(i+1), at.Add(time.Duration(i)*time.Second)
		out = append(out, report.Entry{LogID: "node-1.clinic.example/phigate", Seq: all[i].Seq, Leaf: strings.Repeat("0f", 32), Decision: &all[i]})
	}
	return out
}

func written1(t *testing.T, format string, e report.Entry) []byte {
	t.Helper()
	write, ok := To(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	var b bytes.Buffer
	if err := write(&b, e); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGoldens(t *testing.T) {
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			var b bytes.Buffer
			for _, e := range records() {
				b.Write(written1(t, format, e))
			}
			golden := filepath.Join("testdata", format+".golden")
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

// Each line of each format can be traced back to its record and its proof.
func TestEachLineNamesItsLeaf(t *testing.T) {
	for _, format := range Formats() {
		for _, e := range records() {
			for line := range strings.Lines(string(written1(t, format, e))) {
				for _, want := range []string{e.LogID, e.Leaf} {
					if !strings.Contains(line, want) {
						t.Errorf("%s: a line of record %d lacks %q", format, e.Seq, want)
					}
				}
			}
		}
	}
}

// A record is one line, and in OCSF one for each rule, whatever it holds.
func TestHostileTextStaysInItsLine(t *testing.T) {
	for _, format := range Formats() {
		for _, e := range records() {
			out := written1(t, format, e)
			want := 1
			if format == "ocsf" && outcome(e.Decision) != event {
				want = max(1, len(e.Findings))
			}
			if got := bytes.Count(out, []byte("\n")); got != want || bytes.ContainsAny(out, "\r\x1b") {
				t.Errorf("%s: record %d has %d lines, want %d, or a control character came through", format, e.Seq, got, want)
			}
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	for _, e := range records() {
		var got proven
		if err := json.Unmarshal(written1(t, "json", e), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ours(e), got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWriteErrorsAreReported(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	for _, format := range Formats() {
		write, _ := To(format)
		if err := write(w, records()[0]); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s on a closed pipe = %v", format, err)
		}
	}
	if _, ok := To("xml"); ok {
		t.Error("there is no format xml")
	}
}
