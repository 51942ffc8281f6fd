package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

// written is a log of n records as bytes.
func written(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	l := newLog(t, path)
	record(t, l, n)
	l.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// endOf is where the nth line of a log ends.
func endOf(data []byte, n int) int {
	end := 0
	for range n {
		end += bytes.IndexByte(data[end:], '\n') + 1
	}
	return end
}

func TestTornTailIsMovedAside(t *testing.T) {
	data := written(t, 3)
	two := endOf(data, 2)
	for cut := two + 1; cut < len(data); cut += 7 {
		t.Run(fmt.Sprintf("cut_at_%d", cut), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			l := newLog(t, path)
			record(t, l, 1)
			if diff := cmp.Diff(verdicts(3), rows(t, path)); diff != "" {
				t.Error(diff)
			}
			tail, err := os.ReadFile(path + ".torn-1")
			if err != nil || string(tail) != string(data[two:cut]) {
				t.Errorf("%d bytes moved aside, %v; want %d", len(tail), err, cut-two)
			}
		})
	}
}

// Every byte of the log in turn has a bit flipped: no flip passes, none stops
// the log, and none loses the file.
func TestDamageIsSetAside(t *testing.T) {
	data := written(t, 3)
	for at := range len(data) - 1 { // without its last newline the log is torn
		path := filepath.Join(t.TempDir(), "log")
		bad := append([]byte{}, data...)
		bad[at] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(path, quiet())
		if err != nil {
			t.Fatalf("flip at byte %d: %v", at, err)
		}
		_, err = l.Record(t.Context(), verdict("new"))
		l.Close()
		got := rows(t, path)
		if err != nil || len(got) != 2 || got[0].Kind != "log-damaged" || got[1].Seq != got[0].Seq+1 || got[0].Seq < 3 {
			t.Fatalf("flip at byte %d: %v, the new log holds %d records, first kind %q", at, err, len(got), got[0].Kind)
		}
		kept, err := os.ReadFile(path + ".damaged-1")
		if err != nil || string(kept) != string(bad) {
			t.Fatalf("flip at byte %d: the damaged file was not kept whole: %v", at, err)
		}
	}
}

func TestMissingRecordIsDamage(t *testing.T) {
	data := written(t, 3)
	one, two := endOf(data, 1), endOf(data, 2)
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, append(data[:one:one], data[two:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	err := ReadFile(t.Context(), path, 0, func([]byte, *policy.Decision) error { return nil })
	if !errors.As(err, &damage) || damage.After != 1 || damage.Offset != int64(one) {
		t.Fatalf("reading a log without record 2 = %v", err)
	}
	newLog(t, path)
	if diff := cmp.Diff([]row{{Seq: 4, Kind: "log-damaged"}}, rows(t, path)); diff != "" {
		t.Error(diff)
	}
}

// No acknowledged record is lost when the process is killed at any moment.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if os.Getenv("AUDIT_TEST_WRITER") != "" {
		writeForEver(os.Getenv("AUDIT_TEST_WRITER"))
	}
	acknowledged := uint64(0)
	for round := range 10 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriterLosesNothingAcknowledged$")
		cmd.Env = append(os.Environ(), "AUDIT_TEST_WRITER="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(30+round*7)*time.Millisecond, func() { cmd.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var seq uint64
			if _, err := fmt.Sscanf(lines.Text(), "ack %d", &seq); err == nil {
				acknowledged = max(acknowledged, seq)
			}
		}
		cmd.Wait()
		l := newLog(t, path)
		if l.Seq() < acknowledged {
			t.Fatalf("round %d: record %d was acknowledged, the log ends at %d", round, acknowledged, l.Seq())
		}
		l.Close()
	}
	if got := rows(t, path); uint64(len(got)) < acknowledged || acknowledged == 0 {
		t.Errorf("%d records, %d acknowledged", len(got), acknowledged)
	}
}

func writeForEver(path string) {
	l, err := Open(path, quiet())
	for err == nil {
		var seq uint64
		if seq, err = l.Record(context.Background(), verdict("x")); err == nil {
			fmt.Printf("ack %d\n", seq)
		}
	}
	os.Exit(1)
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte("\x00\x00\x00"))
	f.Add([]byte("7d2b1c00 {\"seq\":1,\"time\":\"x\"}\n1234"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(path, quiet())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := l.Record(t.Context(), verdict("x")); err != nil {
			t.Fatal(err)
		}
	})
}
