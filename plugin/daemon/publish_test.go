package daemon

import (
	"crypto/rand"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/audit/witness"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/origin"
	"github.com/phigate/phigate/policy"
)

// published is a recorder whose checkpoints leave the node.
func published(t *testing.T, dir string, config conf.AuditLog) *recorder {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r, err := openRecorder(dir, &origin.Process{}, log)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPublisher(config, "", r, log)
	if err != nil {
		t.Fatal(err)
	}
	r.publish.Store(p)
	done := make(chan struct{})
	ctx := t.Context()
	go func() { defer close(done); p.run(ctx) }()
	t.Cleanup(func() { <-done; r.Close() })
	return r
}

// waitFor asks the status until it is as wanted.
func waitFor(t *testing.T, r *recorder, what string, is func(ask.LogStatus) bool) ask.LogStatus {
	t.Helper()
	for range 400 {
		if s := r.status(); is(s) {
			return s
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the log is not %s: %+v", what, r.status())
	return ask.LogStatus{}
}

func decide(t *testing.T, r *recorder, n int) {
	t.Helper()
	for range n {
		if _, err := r.Record(t.Context(), &policy.Decision{Kind: "start", Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}); err != nil {
			t.Fatal(err)
		}
	}
}

// A phigated whose checkpoints a witness and a file have, that is put back to an
// earlier copy of its log: the alarm is in the status and in the log.
func TestWitnessedLogThatIsRolledBack(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "decisions")
	first, err := openRecorder(dir, &origin.Process{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	decide(t, first, 2)
	logKey, err := note.NewVerifier(first.open().VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	earlier := filepath.Join(top, "earlier", "decisions")
	copyLog(t, dir, earlier)

	skey, vkey, err := note.GenerateKey(rand.Reader, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := cosign.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	server, err := witness.NewServer(signer, []note.Verifier{logKey}, filepath.Join(top, "witness"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	config := conf.AuditLog{Witnesses: []conf.Witness{{URL: web.URL, Key: vkey}}, CheckpointFile: filepath.Join(top, "kept.txt")}

	t.Run("witnessed", func(t *testing.T) {
		r := published(t, dir, config)
		decide(t, r, 20)
		waitFor(t, r, "witnessed", func(s ask.LogStatus) bool {
			return len(s.Outlets) == 2 && s.Outlets[0].Size == 22 && s.Outlets[1].Size == 22 && s.Checkpoint == 22
		})
		kept, err := os.ReadFile(config.CheckpointFile)
		if err != nil || !strings.Contains(string(kept), "\n22\n") {
			t.Errorf("the file holds no checkpoint of 22 records (%v)", err)
		}
	})
	t.Run("rolled_back", func(t *testing.T) {
		r := published(t, earlier, config)
		decide(t, r, 1)
		waitFor(t, r, "in alarm", func(s ask.LogStatus) bool { return s.Outlets[0].Alarm && s.Seq == 4 })
		found := false
		err := audit.Entries(t.Context(), earlier, 1, func(e audit.Entry) error {
			found = found || e.Decision.Kind == "log-alarm" && strings.Contains(e.Decision.Message, "rolled back")
			return nil
		})
		if err != nil || !found {
			t.Errorf("the alarm is not in the log (%v)", err)
		}
	})
	t.Run("gone", func(t *testing.T) {
		web.Close()
		r := published(t, dir, config)
		decide(t, r, 1)
		s := waitFor(t, r, "without its witness", func(s ask.LogStatus) bool { return s.Outlets[0].Error != "" })
		if s.Outlets[0].Alarm {
			t.Error("a witness that is gone is no alarm")
		}
	})
}

func copyLog(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(to, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	}); err != nil {
		t.Fatal(err)
	}
}
