package audit

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// signing is a log that signs a checkpoint when it is closed, on a disk that syncs nothing.
func signing(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := open(dir, Options{Log: quiet(), Checkpoint: 1 << 40}, time.Now, hooked{folder(dir), func(file) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A proof is at most 1 KiB up to the greatest log whose paths have 17 hashes, and
// the Go team's packages take it.
func TestProofIsOneKibibyte(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	tests := []struct {
		records, seq uint64
		want         int
	}{
		{100_000, 1, 1013},
		{100_000, 65_537, 1017},
		{131_072, 1, 1013},
		{131_072, 131_072, 1018}, // the longest there is in 17 hashes
		{131_073, 131_072, 1063}, // beyond 1 KiB from here on
	}
	for _, tt := range tests {
		l := signing(t, dir)
		record(t, l, int(tt.records-l.Seq()))
		verifier := l.verifier
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		proof, err := Prove(t.Context(), dir, tt.seq, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		checkProof(t, proof, dir, tt.seq, verifier)
		if len(proof) != tt.want || tt.records <= 131_072 && len(proof) > 1024 {
			t.Errorf("the proof of record %d of %d has %d bytes, want %d", tt.seq, tt.records, len(proof), tt.want)
		}
	}
}

// A log of an earlier version, whose ID has 32 letters, goes on under that ID.
func TestLongIDStays(t *testing.T) {
	dir, id := filepath.Join(t.TempDir(), "log"), originPrefix+strings.Repeat("0a1b2c3d", 4)
	skey, vkey, err := note.GenerateKey(rand.Reader, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{signerName: skey, verifierName: vkey} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // made, and opened again
		l := signing(t, dir)
		record(t, l, 5)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Verify(t.Context(), dir, VerifyOptions{Keys: ownKeys(t, dir)})
	if err != nil || !got.OK() || got.Log != id || got.Proven != 10 || got.Macs != 10 {
		t.Fatalf("got %+v, %v; want 10 records of %s", got, err, id)
	}
	for seq := range uint64(10) {
		proof, err := Prove(t.Context(), dir, seq+1, nil, "")
		if err != nil {
			t.Fatal(fmt.Errorf("record %d: %w", seq+1, err))
		}
		checkProof(t, proof, dir, seq+1, vkey)
	}
}
