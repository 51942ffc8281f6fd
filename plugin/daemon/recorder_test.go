package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/origin"
	"github.com/phigate/phigate/policy"
)

// A log that has failed for good is opened again, and in between says why
// nothing is recorded.
func TestRecorderOpensAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions")
	r, err := openRecorder(path, &origin.Process{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	record := func() (uint64, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return r.Record(ctx, &policy.Decision{Kind: "start", Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}})
	}
	if _, err := record(); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	r.fail(r.open(), broken)
	if _, err := record(); !errors.Is(err, broken) || r.failure() == "" {
		t.Errorf("got %v; want the log's failure", err)
	}
	r.tried = r.tried.Add(-reopenEvery)
	seq, err := record()
	if err != nil || seq != 2 || r.failure() != "" {
		t.Errorf("after it was opened again: record %d, error %v, failure %q; want 2 and none", seq, err, r.failure())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v (error %v), want 0700", info.Mode(), err)
	}
}
