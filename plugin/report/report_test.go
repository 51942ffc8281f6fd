package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

var update = flag.Bool("update", false, "write the goldens anew")

func base() *policy.Decision {
	return &policy.Decision{
		Seq: 17, Time: time.Date(2026, 3, 1, 10, 0, 0, 5e8, time.UTC), Kind: "verdict", Gate: policy.GateValidate,
		Target: "clinic/app", Container: "c0ffee", Runtime: "cri", Namespace: "clinic", Pod: "app-0", PodUID: "u-1",
		Image: "registry.example/clinic/app:1", ImageDigest: "sha256:" + strings.Repeat("a", 64),
		Verdict: policy.Allow, Policy: "sha256:" + strings.Repeat("b", 64),
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
		Coverage: policy.Coverage{Files: 4711, Bytes: 123456789, Rules: 13}, DurationMs: 41, DurationUs: 41200,
	}
}

func blocked() *policy.Decision {
	d := base()
	d.Verdict = policy.Block
	layer := "sha256:" + strings.Repeat("c", 64)
	d.Findings = []policy.Record{
		{Rule: "phi-table", Severity: policy.Critical, Action: policy.Block, Path: "/data/phi/patients.csv", Layer: layer,
			Message: "patient table", Fix: "Remove the file from the image and mount it from an encrypted volume.",
			Citations: []string{"45 CFR 164.312(a)(1)", "45 CFR 164.502(b)"}, Count: 1203,
			Individuals: policy.Individuals{Low: 1100, Point: 1200, High: 1300}},
		{Rule: "phi-table", Severity: policy.Critical, Action: policy.Block, Path: "/old/patients.csv", Layer: layer, Deleted: true,
			Message: "patient table", Fix: "Remove the file from the image and mount it from an encrypted volume.",
			Citations: []string{"45 CFR 164.312(a)(1)"}, Individuals: policy.Individuals{Low: 3, Point: 3, High: 3}},
		{Rule: "cleartext-listener", Severity: policy.High, Action: policy.Warn, Field: "image.config.ExposedPorts",
			Message: "port 21/tcp (FTP)", Fix: "Serve the files by SFTP.", Citations: []string{"45 CFR 164.312(e)(1)"}},
		{Rule: "clinic-own", Severity: policy.Low, Action: policy.Audit, Message: "own rule", Citations: []string{}},
	}
	d.Skipped = []policy.SkipEntry{{Where: "/opt/big.zip", Rule: "files", Reason: "encrypted archive", Action: policy.Warn}}
	d.Deferred = []policy.Deferred{
		{Rule: "capabilities", Gate: policy.GateStart, Missing: "capabilities"},
		{Rule: "all-capabilities", Gate: policy.GateStart, Missing: "capabilities"},
		{Rule: "no-new-privileges", Gate: policy.GateStart, Missing: "no_new_privileges"},
	}
	d.Individuals = policy.Individuals{Low: 1103, Point: 1203, High: 1303}
	d.Notes = []string{"policy clinic enforces from 2026-12-15T00:00:00Z on"}
	return d
}

func many() *policy.Decision {
	d := base()
	d.Verdict = policy.Block
	for i := range 30 {
		d.Findings = append(d.Findings, policy.Record{Rule: "private-key", Severity: policy.High, Path: fmt.Sprintf("/k/%02d", i),
			Message: "unencrypted private key", Citations: []string{"45 CFR 164.312(a)(2)(iv)"}})
		d.Skipped = append(d.Skipped, policy.SkipEntry{Where: fmt.Sprintf("/z/%02d", i), Rule: "files", Reason: "unreadable"})
	}
	d.FindingsTotal, d.SkippedTotal = 5000, 60
	return d
}

func hostile() *policy.Decision {
	d := base()
	d.Target, d.Image = "evil\x1b[2J\nALLOWED  evil", "img\u202egpj"
	d.Findings = []policy.Record{{Rule: "r\nALLOWED", Path: "/a\nb", Message: "m\r\x1b]0;x", Fix: "f\n\n", Citations: []string{"c\n"}}}
	d.Skipped = []policy.SkipEntry{{Where: "/s\n", Rule: "\x1b", Reason: "\n"}}
	d.Deferred = []policy.Deferred{{Rule: "d\n", Gate: "g\n", Missing: "\x07"}}
	d.Notes = []string{"n\n"}
	return d
}

func withdrawn() *policy.Decision {
	d := base()
	d.Kind, d.Seq, d.Withdraws, d.Verdict = "withdrawn", 18, 17, policy.Block
	d.Message = "decision 17 came too late to be recorded in time; its request was refused"
	return d
}

func scanned() *policy.Decision {
	return &policy.Decision{Kind: "verdict", Gate: policy.GateScan, Target: "./image.tar", Verdict: policy.Allow, Mode: policy.AuditOnly,
		Coverage: policy.Coverage{Files: 1, Bytes: 12, Rules: 1}, DurationUs: 312}
}

func TestGoldens(t *testing.T) {
	text := func(w io.Writer, d *policy.Decision) error { return Text(w, d, false) }
	colored := func(w io.Writer, d *policy.Decision) error { return Text(w, d, true) }
	list := func(w io.Writer, _ *policy.Decision) error {
		return List(w, []*policy.Decision{base(), blocked(), many(), hostile(), withdrawn(), {Seq: 1, Kind: "start", Message: "phigated 0.1"}})
	}
	sarif := func(w io.Writer, d *policy.Decision) error { return SARIF(w, d, infos(), "0.1") }
	tests := []struct {
		name  string
		d     *policy.Decision
		write func(io.Writer, *policy.Decision) error
	}{
		{"blocked.txt", blocked(), text}, {"blocked.color.txt", blocked(), colored}, {"blocked.json", blocked(), JSON},
		{"clean.txt", base(), text}, {"many.txt", many(), text}, {"hostile.txt", hostile(), text},
		{"withdrawn.txt", withdrawn(), text}, {"scan.txt", scanned(), text}, {"scan.json", scanned(), JSON},
		{"list.txt", nil, list},
		{"blocked.html", blocked(), HTML}, {"hostile.html", hostile(), HTML}, {"withdrawn.html", withdrawn(), HTML}, {"blocked.sarif", blocked(), sarif},
	}
	for _, tt := range tests {
		t.Run(strings.NewReplacer(".", "_").Replace(tt.name), func(t *testing.T) {
			var b bytes.Buffer
			if err := tt.write(&b, tt.d); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", tt.name)
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

// Text from outside begins no line and holds no escape.
func TestHostileTextStaysInItsLine(t *testing.T) {
	var b bytes.Buffer
	if err := errors.Join(Text(&b, hostile(), false), List(&b, []*policy.Decision{hostile()})); err != nil {
		t.Fatal(err)
	}
	verdicts := 0
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "ALLOWED") {
			verdicts++
		}
	}
	if verdicts != 1 || strings.ContainsAny(b.String(), "\x1b\r\x07\u202e") {
		t.Errorf("%d verdict lines, want 1, or a control character came through", verdicts)
	}
}

func TestJSONReadsBack(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, blocked()); err != nil {
		t.Fatal(err)
	}
	got := new(policy.Decision)
	if err := json.Unmarshal(b.Bytes(), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(blocked(), got); diff != "" {
		t.Error(diff)
	}
}

func TestWriteErrorsAreReported(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	for name, err := range map[string]error{
		"text": Text(w, base(), false), "json": JSON(w, base()), "sarif": SARIF(w, base(), nil, ""), "html": HTML(w, base()), "list": List(w, []*policy.Decision{base()}),
	} {
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s on a closed pipe = %v", name, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 999999: "1.0 MB", 2_000_000_000: "2.0 GB", 1 << 62: "4.6 EB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}
