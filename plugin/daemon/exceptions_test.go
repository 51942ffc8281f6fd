package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

// TestEndings: 14 days before the end and at the end, each once, over reloads
// and restarts; another end is told of anew.
func TestEndings(t *testing.T) {
	end := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	x := &policy.Exception{ID: "EX-1", Policies: []policy.ExceptedRules{{Policy: policy.Baseline, Rules: []string{"phi-table"}}}, ExpiresAt: end}
	var got []string
	path := filepath.Join(t.TempDir(), "said.json")
	fresh := func() *endings { // as after a restart
		return &endings{
			path: path, policy: func() *policy.Policy { return &policy.Policy{Exceptions: policy.NewExceptions(x)} },
			note: func(kind, message string) { got = append(got, kind+": "+strings.SplitN(message, ":", 2)[0]) },
			log:  slog.New(slog.DiscardHandler),
		}
	}
	look := func(now time.Time) {
		t.Helper()
		if err := fresh().look(now); err != nil {
			t.Fatal(err)
		}
	}
	for _, before := range []time.Duration{endingSoon + time.Second, endingSoon, endingSoon - time.Hour, time.Second, 0, -time.Hour, -endingSoon} {
		look(end.Add(-before))
	}
	want := []string{"exception-ending: exception EX-1 ends at 2027-01-31T00", "exception-ended: exception EX-1 ended at 2027-01-31T00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, x.ExpiresAt = nil, end.Add(20*24*time.Hour)
	look(x.ExpiresAt.Add(-time.Hour))
	if len(got) != 1 {
		t.Errorf("another end: got %q", got)
	}
	got, x.ExpiresAt = nil, end.Add(-60*24*time.Hour)
	look(end)
	if got != nil {
		t.Errorf("an end of long ago: got %q", got)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	x.ExpiresAt = end
	look(end)
	if len(got) != 1 {
		t.Errorf("a damaged file: got %q, want it said again", got)
	}
}
