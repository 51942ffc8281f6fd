package attacks

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/audit/witness"
	"github.com/phigate/phigate/plugin/cli"
	"github.com/phigate/phigate/policy"
)

// node is phigate's own log, what its auditor has, and its witness.
type node struct {
	t       testing.TB
	dir     string         // the log as it is in the end
	copies  map[int]string // as it was, by the number of its records
	records [][]byte

	firstKeys, checkpoint string // files that the auditor keeps
	verifier              string
	witness               string // what the witness keeps
	signer                note.Signer
	cosigner              note.Verifier
}

// newNode logs the decisions, enrolled to an auditor, with a checkpoint kept and
// witnessed when there were as many records as are kept.
func newNode(t testing.TB) *node {
	t.Helper()
	n := &node{t: t, dir: filepath.Join(t.TempDir(), "log"), copies: map[int]string{}, witness: t.TempDir()}
	auditor := t.TempDir()
	n.firstKeys, n.checkpoint = filepath.Join(auditor, "k0"), filepath.Join(auditor, "checkpoint")
	enrolled, err := audit.Enrol(n.dir, func(keys []byte) ([]byte, error) {
		return []byte("wrapped to the auditor"), os.WriteFile(n.firstKeys, keys, 0o600)
	}, audit.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	n.verifier = enrolled.Verifier
	n.newWitness()
	for _, until := range []int{early, kept, late, total} {
		n.log(until)
	}
	err = audit.Entries(t.Context(), n.dir, 1, func(e audit.Entry) error {
		n.records = append(n.records, bytes.Clone(e.Raw))
		return nil
	})
	if err != nil || len(n.records) != total {
		t.Fatalf("%d records, %v; want %d", len(n.records), err, total)
	}
	return n
}

func (n *node) newWitness() {
	skey, vkey, err := note.GenerateKey(rand.Reader, "witness.example")
	if err == nil {
		n.signer, err = cosign.NewSignerForCosignatureV1(skey)
	}
	if err == nil {
		n.cosigner, err = cosign.NewVerifierForCosignatureV1(vkey)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// log brings the log to a number of records and keeps a copy of it.
func (n *node) log(until int) {
	l, seen := n.open(n.dir)
	for l.Seq() < uint64(until) {
		if _, err := l.Record(n.t.Context(), decision(l.Seq()+1)); err != nil {
			n.t.Fatal(err)
		}
	}
	if until == kept {
		c := n.await(l, seen)
		if err := errors.Join(n.submit(l, c, n.witness), os.WriteFile(n.checkpoint, c.Note, 0o600)); err != nil {
			n.t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		n.t.Fatal(err)
	}
	n.copies[until] = copyOf(n.t, n.dir)
}

// decision is one as containers of a clinic give; every third is a refusal.
func decision(seq uint64) *policy.Decision {
	d := &policy.Decision{
		Kind: "verdict", Gate: policy.GateValidate, Target: "clinic-a/portal", Container: fmt.Sprintf("%012x", seq*0x9e3779b97f4a), Namespace: "clinic-a", Pod: "portal-5d4f7c9b8-x2x7k",
		Image: "registry.example/clinic/portal:1.4.2", Verdict: policy.Allow, Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	}
	if seq%3 == 0 {
		d.Verdict = policy.Block
	}
	return d
}

func (n *node) open(dir string) (*audit.Log, chan audit.Checkpoint) {
	seen := make(chan audit.Checkpoint, 1000)
	l, err := audit.Open(dir, audit.Options{Checkpoint: 5 * time.Millisecond, Publish: func(c audit.Checkpoint) { seen <- c }})
	if err != nil {
		n.t.Fatal(err)
	}
	return l, seen
}

// await is the checkpoint of all that was logged.
func (n *node) await(l *audit.Log, seen chan audit.Checkpoint) audit.Checkpoint {
	for {
		select {
		case c := <-seen:
			if c.Size == l.Seq() {
				return c
			}
		case <-time.After(10 * time.Second):
			n.t.Fatal("no checkpoint")
		}
	}
}

// submit asks the witness, whose state is in a folder, for its signature.
func (n *node) submit(l *audit.Log, c audit.Checkpoint, state string) error {
	v, err := note.NewVerifier(n.verifier)
	if err != nil {
		return err
	}
	s, err := witness.NewServer(n.signer, []note.Verifier{v}, state, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	server := httptest.NewServer(s)
	defer server.Close()
	client := &witness.Client{URL: server.URL, Verifier: n.cosigner, HTTP: server.Client(), Prove: l.Consistency}
	for {
		_, err := client.Submit(n.t.Context(), c)
		if !errors.Is(err, audit.ErrNoHashes) {
			return err
		}
		time.Sleep(time.Millisecond) // they are being made again
	}
}

func (n *node) title() string { return "phigate's log" }

func (n *node) edited(m means, steps []step) (string, error) {
	dir := copyOf(n.t, n.dir)
	f, err := readForger(dir)
	if err != nil {
		return "", err
	}
	if m >= noKey {
		return dir, f.rewrite(payloads(n.records, steps), steps, m == stolenKey)
	}
	return dir, f.move(steps, m == itsSum)
}

func (n *node) copied(records int) (string, error) { return copyOf(n.t, n.copies[records]), nil }

// forked goes on from the first copy as phigated would, with the keys that are in it.
func (n *node) forked() (string, error) {
	dir := copyOf(n.t, n.copies[early])
	l, seen := n.open(dir)
	for l.Seq() < total+5 {
		d := decision(l.Seq())
		d.Verdict = policy.Allow
		if _, err := l.Record(n.t.Context(), d); err != nil {
			return "", err
		}
	}
	n.await(l, seen)
	return dir, l.Close()
}

// anew is begun by phigated itself, which finds its name and its signing key.
func (n *node) anew() (string, error) {
	dir := filepath.Join(n.t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"signer.key", "verifier"} {
		copyFile(n.t, n.dir, dir, name)
	}
	n2 := *n
	n2.dir, n2.copies = dir, map[int]string{}
	n2.log(early + 5)
	return dir, nil
}

func (n *node) pruned() (string, error) {
	dir := copyOf(n.t, n.dir)
	f, err := readForger(dir)
	if err != nil {
		return "", err
	}
	return dir, f.prune(early)
}

// verify asks phigate audit verify, and then the witness, once phigated goes on
// with the log.
func (n *node) verify(dir string) ([]answer, error) {
	var out []answer
	for _, with := range []struct {
		name string
		args []string
	}{
		{"", nil},
		{"K0", []string{"--k0", n.firstKeys, "--key", n.verifier}},
		{"the checkpoint", []string{"--checkpoint", n.checkpoint, "--key", n.verifier}},
		{"`--whole`", []string{"--whole", "--key", n.verifier}},
	} {
		a, err := ask(dir, with.args)
		if err != nil {
			return nil, err
		}
		a.with = with.name
		out = append(out, a)
	}
	l, seen := n.open(copyOf(n.t, dir))
	defer l.Close()
	if _, err := l.Record(n.t.Context(), decision(1)); err != nil {
		return nil, err
	}
	refused := n.submit(l, n.await(l, seen), copyOf(n.t, n.witness))
	return append(out, answer{with: "the witness", found: refused != nil}), nil
}

// ask runs phigate audit verify: its exit code is the answer, its JSON the place.
func ask(dir string, args []string) (answer, error) {
	var out, errs bytes.Buffer
	code := cli.Main(append([]string{"audit", "verify", "--log", dir, "--format", "json"}, args...), "test", &out, &errs)
	var said audit.Verified
	switch err := json.Unmarshal(out.Bytes(), &said); {
	case err != nil || code != cli.ExitClean && code != cli.ExitTampered:
		return answer{}, fmt.Errorf("phigate audit verify ended with %d: %s", code, errs.String())
	case code == cli.ExitClean:
		return answer{}, nil
	}
	first := said.Problems[0]
	if first.UpTo > first.Seq {
		return answer{found: true, place: fmt.Sprintf("(%d-%d)", first.Seq, first.UpTo)}, nil
	}
	return answer{found: true, place: fmt.Sprintf("(%d)", first.Seq)}, nil
}
