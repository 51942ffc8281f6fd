package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/report/export"
	"github.com/phigate/phigate/plugin/report/period"
)

// answer runs a command, without those around it.
func answer(ctx context.Context, cmd *cobra.Command, args ...string) (string, error) {
	var out bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

func code(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return ExitClean
	case errors.As(err, &exit):
		return exit.Code
	}
	return ExitInternal
}

func TestReportSumsSeveralLogs(t *testing.T) {
	one, _ := loggedNode(t, 3)
	two, _ := loggedNode(t, 4)
	out, err := answer(t.Context(), newReportCommand(), "--format", "json", "--log", one, "--log", two)
	if err != nil {
		t.Fatal(err)
	}
	var r period.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Logs) != 2 || r.Totals.Judged != 7 || r.Totals.Clean != 7 {
		t.Errorf("%d logs, %d verdicts, %d clean; want 2, 7 and 7", len(r.Logs), r.Totals.Judged, r.Totals.Clean)
	}
}

func TestReportInEachFormat(t *testing.T) {
	dir, _ := loggedNode(t, 3)
	for format, want := range map[string]string{"html": "<h1>What the gate decided</h1>", "json": `"totals": {`, "csv": "rule,title,severity"} {
		out, err := answer(t.Context(), newReportCommand(), "--format", format, "--state-dir", dir)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, or it lacks %q", format, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "r.html")
	out, err := answer(t.Context(), newReportCommand(), "-o", path, "--state-dir", dir)
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || out != "" || info.Mode().Perm() != 0o600 {
		t.Errorf("-o: %v, %v, %d bytes on standard output, %v", err, statErr, len(out), info.Mode())
	}
}

// A damaged log still makes a report, of what is before the damage, and the exit
// code says so.
func TestReportOnADamagedLog(t *testing.T) {
	out, err := answer(t.Context(), newReportCommand(), "--format", "json", "--state-dir", damagedNode(t))
	if code(err) != ExitTampered {
		t.Errorf("exit code %d, want %d", code(err), ExitTampered)
	}
	var r period.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Logs) != 1 || r.Logs[0].Proof.Verified || r.Logs[0].Proof.Problem == "" {
		t.Errorf("%+v", r.Logs)
	}
}

// A log that verifies is said to be verified, and what covers it.
func TestReportSaysWhatTheLogProves(t *testing.T) {
	dir, kept := t.TempDir(), filepath.Join(t.TempDir(), "kept.txt")
	log, err := audit.Open(filepath.Join(dir, "decisions"), audit.Options{Checkpoint: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	decide(t, log, 3)
	log.Close()
	data, err := os.ReadFile(filepath.Join(dir, "decisions", "checkpoint"))
	if err == nil {
		err = os.WriteFile(kept, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := answer(t.Context(), newReportCommand(), "--format", "json", "--log", dir, "--checkpoint", kept)
	if err != nil {
		t.Fatal(err)
	}
	var r period.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if p := r.Logs[0].Proof; !p.Verified || p.UpTo != 3 || !strings.Contains(p.Checkpoint, "kept.txt") || p.Root == "" {
		t.Errorf("%+v", p)
	}
}

func TestExport(t *testing.T) {
	dir, _ := loggedNode(t, 5)
	lines := func(args ...string) int {
		out, err := answer(t.Context(), newExportCommand(), append(args, "--state-dir", dir)...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(out, "\n")
	}
	for _, format := range export.Formats() {
		if n := lines("--format", format); n != 5 {
			t.Errorf("%s: %d lines of 5 records", format, n)
		}
	}
	for args, want := range map[string]int{
		"--seq 2": 1, "--seq 2-": 4, "--seq 2-3": 2, "--seq 4-99": 2, "--from 2020-01-01": 5, "--to 2020-01-01": 0, "--from 2100-01-01": 0, "--to 2100-01-01T00:00:00Z": 5,
	} {
		if n := lines(strings.Fields(args)...); n != want {
			t.Errorf("%s: %d lines, want %d", args, n, want)
		}
	}
}

func TestReportAndExportErrorsSayWhatToDo(t *testing.T) {
	dir, _ := loggedNode(t, 1)
	twin := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(twin, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cmd  *cobra.Command
		args string
		want string
		code int
	}{
		"report_format": {newReportCommand(), "--format pdf", "html, json or csv", ExitUsage},
		"report_from":   {newReportCommand(), "--from yesterday", "2026-11-30", ExitUsage},
		"report_span":   {newReportCommand(), "--from 2026-02-01 --to 2026-01-01", "lies behind", ExitUsage},
		"report_twice":  {newReportCommand(), "--log " + dir + " --log " + dir + "/", "given twice", ExitUsage},
		"report_copies": {newReportCommand(), "--log " + dir + " --log " + twin, "are of one log", ExitUsage},
		"report_both":   {newReportCommand(), "--log " + dir + " --state-dir " + dir, "same thing", ExitUsage},
		"report_no_log": {newReportCommand(), "--log " + t.TempDir(), "has phigated run on this node?", ExitInternal},
		"export_format": {newExportCommand(), "--format xml", "json, ecs, ocsf, fhir or cef", ExitUsage},
		"export_seq":    {newExportCommand(), "--seq 3-2", "17-30", ExitUsage},
		"export_seq_0":  {newExportCommand(), "--seq 0", "17-30", ExitUsage},
		"export_no_log": {newExportCommand(), "--state-dir " + t.TempDir(), "has phigated run on this node?", ExitInternal},
		"export_broken": {newExportCommand(), "--state-dir " + damagedNode(t), "damaged", ExitTampered},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := answer(t.Context(), tt.cmd, strings.Fields(tt.args)...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || code(err) != tt.code {
				t.Errorf("exit code %d, error %v; want %d and %q", code(err), err, tt.code, tt.want)
			}
		})
	}
}
