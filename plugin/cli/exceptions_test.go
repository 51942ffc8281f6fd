package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/policy"
)

const exceptionFile = `apiVersion: phigate.dev/v1alpha1
kind: Exception
metadata: {name: ID}
spec:
  policies: [{name: hipaa-baseline, rules: [phi-table]}]
  selector: {images: {digests: ["sha256:1111111111111111111111111111111111111111111111111111111111111111"]}}
  findings: [{path: "/opt/testdata/**"}]
  reason: Synthetic data
  requestedBy: a@clinic.example
  approvedBy: [b@clinic.example]
  expiresAt: END
`

// TestExceptionsCommand: the remaining time by the clock or by the log,
// whichever is later, and the uses that a real log holds.
func TestExceptionsCommand(t *testing.T) {
	dir, log := loggedNode(t, 1)
	soon, ended := time.Now().Add(49*time.Hour).UTC(), time.Now().Add(-time.Minute).UTC()
	for range 2 {
		d := &policy.Decision{Kind: "verdict", Verdict: policy.Allow, Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}, Exceptions: []policy.ExceptionUse{{ID: "EX-2"}}}
		if _, err := log.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	for id, end := range map[string]time.Time{"EX-1": ended, "EX-2": soon} {
		text := strings.NewReplacer("ID", id, "END", end.Format(time.RFC3339)).Replace(exceptionFile)
		if err := os.WriteFile(filepath.Join(folder, id+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := newExceptionsCommand(inspect.Catalogue)
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(io.Discard)
		cmd.SetArgs(append(args, "--state-dir", dir, folder))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	var got [][]string
	for line := range strings.Lines(run()) {
		got = append(got, strings.Fields(line)[:4])
	}
	today := time.Now().UTC().Format(time.DateOnly)
	want := [][]string{{"ID", "LEFT", "USES", "LAST"}, {"EX-1", "ended", "0", "never"}, {"EX-2", "2", "days", "2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(run(), today) {
		t.Error("the last use is not told")
	}
	var rows []exceptionRow
	if err := json.Unmarshal([]byte(run("--format", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Holds || !rows[1].Holds || rows[1].Uses != 2 || rows[1].Rules[0] != "hipaa-baseline/phi-table" || rows[1].Places[0] != "/opt/testdata/**" {
		t.Errorf("got %+v", rows)
	}
}

func TestLeft(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "ended", -time.Hour: "ended", time.Second: "0 min", 59 * time.Minute: "59 min", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days", 800 * time.Hour: "33 days",
	} {
		if got := left(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
