package witness

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/policy"
)

// node is a log whose checkpoints are at hand.
type node struct {
	dir  string
	log  *audit.Log
	seen chan audit.Checkpoint
}

func openNode(t *testing.T, dir string) *node {
	t.Helper()
	n := &node{dir: dir, seen: make(chan audit.Checkpoint, 100)}
	log, err := audit.Open(dir, audit.Options{Checkpoint: 5 * time.Millisecond, Publish: func(c audit.Checkpoint) { n.seen <- c }})
	if err != nil {
		t.Fatal(err)
	}
	n.log = log
	t.Cleanup(func() { log.Close() })
	return n
}

// record logs some decisions and returns the checkpoint that covers them.
func (n *node) record(t *testing.T, target string, records int) audit.Checkpoint {
	t.Helper()
	for range records {
		d := &policy.Decision{Kind: "verdict", Target: target, Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}
		if _, err := n.log.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for {
		select {
		case c := <-n.seen:
			if c.Size == n.log.Seq() {
				return c
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no checkpoint")
		}
	}
}

func (n *node) verifier(t *testing.T) note.Verifier {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.dir, "verifier"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newWitness is a witness of the logs, and the key to check it by.
func newWitness(t *testing.T, dir string, skey string, logs ...note.Verifier) *httptest.Server {
	t.Helper()
	signer, err := cosign.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(signer, logs, dir, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server
}

func newKey(t *testing.T) (skey string, v note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	v, err = cosign.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return skey, v
}

func (n *node) client(server *httptest.Server, v note.Verifier) *Client {
	return &Client{URL: server.URL, Verifier: v, HTTP: server.Client(), Prove: n.log.Consistency}
}

func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "log")
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
	return to
}

func TestWitnessFollowsALog(t *testing.T) {
	n := openNode(t, filepath.Join(t.TempDir(), "log"))
	skey, v := newKey(t)
	state := t.TempDir()
	client := n.client(newWitness(t, state, skey, n.verifier(t)), v)
	var kept []byte
	for _, records := range []int{1, 6, 1, 9} {
		c := n.record(t, "x", records)
		lines, err := client.Submit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(bytes.Clone(c.Note), lines...)
		if _, opened, err := audit.OpenCheckpoint(kept, n.verifier(t), v); err != nil || len(opened.Sigs) != 2 {
			t.Fatalf("the cosigned checkpoint of %d records does not open: %v", c.Size, err)
		}
	}
	// A client, and a witness, that begin anew go on from what was signed.
	client = n.client(newWitness(t, state, skey, n.verifier(t)), v)
	if _, err := client.Submit(t.Context(), n.record(t, "x", 3)); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	got, err := audit.Verify(t.Context(), n.dir, audit.VerifyOptions{
		Verifier: readKey(t, n.dir), Checkpoints: []audit.NamedNote{{From: "kept", Note: kept}}, Witnesses: []note.Verifier{v}})
	if err != nil || !got.OK() || len(got.Checkpoints) == 0 || len(got.Checkpoints[0].Witnesses) != 1 {
		t.Errorf("verify with the witnessed checkpoint: %+v, %v", got, err)
	}
}

func readKey(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "verifier"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// A log that is put back to an earlier copy cannot get a signature: not while it
// is shorter, and not when it has grown past what was signed.
func TestWitnessRefusesRollbackAndFork(t *testing.T) {
	n := openNode(t, filepath.Join(t.TempDir(), "log"))
	skey, v := newKey(t)
	server := newWitness(t, t.TempDir(), skey, n.verifier(t))
	n.record(t, "early", 5)
	n.log.Close()
	earlier := copyFolder(t, n.dir)
	n = openNode(t, n.dir)
	if _, err := n.client(server, v).Submit(t.Context(), n.record(t, "true", 5)); err != nil {
		t.Fatal(err)
	}
	back := openNode(t, earlier)
	var rollback *RollbackError
	if _, err := back.client(server, v).Submit(t.Context(), back.record(t, "false", 2)); !errors.As(err, &rollback) || rollback.Witness != 10 {
		t.Errorf("a log that was rolled back: %v", err)
	}
	var fork *ForkError
	if _, err := back.client(server, v).Submit(t.Context(), back.record(t, "false", 3)); !errors.As(err, &fork) {
		t.Errorf("a fork of the same size: %v", err)
	}
	if _, err := back.client(server, v).Submit(t.Context(), back.record(t, "false", 7)); !errors.As(err, &fork) {
		t.Errorf("a longer fork: %v", err)
	}
}

// The answers that C2SP tlog-witness asks for.
func TestProtocol(t *testing.T) {
	n := openNode(t, filepath.Join(t.TempDir(), "log"))
	stranger := openNode(t, filepath.Join(t.TempDir(), "log"))
	skey, _ := newKey(t)
	server := newWitness(t, t.TempDir(), skey, n.verifier(t))
	c := n.record(t, "x", 4)
	other := stranger.record(t, "x", 4)
	forged := bytes.Replace(c.Note, []byte("\n4\n"), []byte("\n5\n"), 1)
	body := func(old string, lines string, note []byte) string {
		return "old " + old + "\n" + lines + "\n" + string(note)
	}
	tests := []struct {
		name, body string
		want       int
	}{
		{"nothing", "", 400},
		{"no_old", "\n" + string(c.Note), 400},
		{"leading_zero", body("00", "", c.Note), 400},
		{"old_is_larger", body("5", "", c.Note), 400},
		{"no_hash", body("0", "x\n", c.Note), 400},
		{"too_many_hashes", body("0", strings.Repeat("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n", 64), c.Note), 400},
		{"unknown_log", body("0", "", other.Note), 404},
		{"unsigned", body("0", "", forged), 403},
		{"never_signed", body("2", "", c.Note), 409},
		{"proof_from_nothing", body("0", "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n", c.Note), 422},
		{"first", body("0", "", c.Note), 200},
		{"again", body("4", "", c.Note), 200},
		{"stale", body("0", "", c.Note), 409},
		{"no_proof", body("4", "", n.record(t, "x", 1).Note), 422},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := server.Client().Post(server.URL+"/add-checkpoint", "text/plain", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.want {
				t.Errorf("answered %d %q, want %d", resp.StatusCode, got, tt.want)
			}
			if tt.want == http.StatusConflict {
				want := map[string]string{"never_signed": "0\n", "stale": "4\n"}[tt.name]
				if string(got) != want || resp.Header.Get("Content-Type") != "text/x.tlog.size" {
					t.Errorf("the conflict says %q, want %q", got, want)
				}
			}
		})
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("old 1\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\nx\n1\ny\n"))
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseRequest(body)
		if err == nil && !bytes.Equal(r.bytes(), body) {
			t.Errorf("it reads as another request: %s", fmt.Sprintf("%d hashes", len(r.proof)))
		}
	})
}
