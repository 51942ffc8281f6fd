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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// written is the folder of a log of n records that was closed, and its segment.
func written(t *testing.T, n int) (dir string, segment []byte) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "log")
	l := newLog(t, dir)
	record(t, l, n)
	l.Close()
	data, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	return dir, data
}

// copyLog is a copy of a log's folder whose first segment is replaced.
func copyLog(t *testing.T, dir string, segment []byte) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{headName, signerName, ownKeyName} { // CopyFS makes them readable to all
		if err := os.Chmod(filepath.Join(copied, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(copied, segmentName(1)), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

// endOf is where the nth frame of a segment ends.
func endOf(segment []byte, n int) int {
	end := blockSize
	for range n {
		end += frameSize(segment[end:])
	}
	return end
}

// A power cut may leave head behind the records, and the last batch torn.
func TestTornTailIsMovedAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := newLog(t, dir)
	record(t, l, 2)
	l.Close()
	early, err := os.ReadFile(filepath.Join(dir, headName))
	if err != nil {
		t.Fatal(err)
	}
	l = newLog(t, dir)
	record(t, l, 1)
	l.Close()
	if err := os.WriteFile(filepath.Join(dir, headName), early, 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	two := endOf(data, 2)
	for cut := two + 1; cut < len(data); cut += 29 {
		for _, kind := range []string{"cut", "zeros", "garbage"} {
			t.Run(fmt.Sprintf("%s_at_%d", kind, cut), func(t *testing.T) {
				torn := append([]byte{}, data[:cut]...)
				switch kind {
				case "zeros":
					torn = append(torn, make([]byte, len(data)-cut)...)
				case "garbage":
					torn = append(torn, bytes.Repeat([]byte{0xa5}, len(data)-cut)...)
				}
				dir := copyLog(t, dir, torn)
				l := newLog(t, dir)
				record(t, l, 1)
				if diff := cmp.Diff(verdicts(3), rows(t, dir)); diff != "" {
					t.Error(diff)
				}
				tail, err := os.ReadFile(filepath.Join(dir, segmentName(1)+".torn-1"))
				if err != nil || string(tail) != string(torn[two:]) {
					t.Errorf("%d bytes moved aside, %v; want %d", len(tail), err, len(torn)-two)
				}
			})
		}
	}
}

// Every byte of the log in turn has a bit flipped: no flip passes, none stops
// the log, and none loses the file.
func TestDamageIsSetAside(t *testing.T) {
	dir, data := written(t, 3)
	for at := range data {
		if at%5 != 0 { // all of them are flipped for Verify, which writes nothing
			continue
		}
		if at > 200 && at < blockSize-10 { // the first line's padding
			continue
		}
		bad := append([]byte{}, data...)
		bad[at] ^= 0x10
		dir := copyLog(t, dir, bad)
		l, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("flip at byte %d: %v", at, err)
		}
		_, err = l.Record(t.Context(), verdict("new"))
		l.Close()
		want := []row{{Seq: 4, Kind: "log-damaged"}, {Seq: 5, Kind: "verdict", Target: "new"}}
		if diff := cmp.Diff(want, rows(t, dir)); diff != "" || err != nil {
			t.Fatalf("flip at byte %d: %v, %s", at, err, diff)
		}
		kept, err := os.ReadFile(filepath.Join(dir, segmentName(1)+".damaged-1"))
		if err != nil || string(kept) != string(bad) {
			t.Fatalf("flip at byte %d: the damaged file was not kept whole: %v", at, err)
		}
	}
}

func TestMissingRecordIsDamage(t *testing.T) {
	dir, data := written(t, 3)
	one, two := endOf(data, 1), endOf(data, 2)
	dir = copyLog(t, dir, append(data[:one:one], data[two:]...))
	var damage *DamageError
	err := Entries(t.Context(), dir, 0, func(Entry) error { return nil })
	if !errors.As(err, &damage) || damage.After != 1 || damage.Offset != int64(one) {
		t.Fatalf("reading a log without record 2 = %v", err)
	}
	newLog(t, dir)
	if diff := cmp.Diff([]row{{Seq: 4, Kind: "log-damaged"}}, rows(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// What recovery finds, and what the log then holds.
func TestRecovery(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, dir string)
		want   []row
	}{
		"nothing_happened": {func(*testing.T, string) {}, verdicts(3)},
		"the_segment_is_gone": {func(t *testing.T, dir string) { remove(t, dir, segmentName(1)) },
			[]row{{Seq: 4, Kind: "log-damaged"}}},
		"the_segment_is_empty": {func(t *testing.T, dir string) { truncate(t, dir, segmentName(1), 0) },
			[]row{{Seq: 4, Kind: "log-damaged"}}},
		"the_segment_is_sparse": {func(t *testing.T, dir string) { truncate(t, dir, segmentName(1), 100<<30) },
			[]row{{Seq: 4, Kind: "log-damaged"}}},
		"records_are_cut_off": {func(t *testing.T, dir string) { truncate(t, dir, segmentName(1), blockSize) },
			[]row{{Seq: 4, Kind: "log-damaged"}}},
		"head_is_gone": {func(t *testing.T, dir string) { remove(t, dir, headName) },
			append(verdicts(3), row{Seq: 4, Kind: "log-damaged"})},
		"head_is_zeros": {func(t *testing.T, dir string) { truncate(t, dir, headName, 0); truncate(t, dir, headName, 2*blockSize) },
			append(verdicts(3), row{Seq: 4, Kind: "log-damaged"})},
		"head_and_first_line_are_gone": {func(t *testing.T, dir string) {
			remove(t, dir, headName)
			flip(t, filepath.Join(dir, segmentName(1)), 9)
		}, []row{{Seq: 1, Kind: "log-damaged"}}},
		"head_and_key_are_gone": {func(t *testing.T, dir string) { remove(t, dir, headName); remove(t, dir, ownKeyName) },
			append(verdicts(3), row{Seq: 4, Kind: "log-damaged"})},
		"an_unfinished_segment_follows": {func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, segmentName(4)), []byte("torn"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, verdicts(3)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, _ := written(t, 3)
			tt.change(t, dir)
			l := newLog(t, dir)
			next := l.Seq() + 1
			record(t, l, 1)
			want := append(tt.want, row{Seq: next, Kind: "verdict", Target: fmt.Sprint("t", next)})
			if diff := cmp.Diff(want, rows(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, dir, name string, size int64) {
	t.Helper()
	if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
		t.Fatal(err)
	}
}

// What must not be opened is refused with the next step, and left as it is.
func TestOpenRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, dir string)
		want   string
	}{
		"a_readable_key": {func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, signerName), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "chmod go-rwx"},
		"a_later_format": {func(t *testing.T, dir string) {
			line, err := makeBlock(header{Format: "phigate-log/2", First: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, segmentName(1)), line, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "use the version that wrote it"},
		"another_log's_head": {func(t *testing.T, dir string) {
			other, _ := written(t, 5)
			data, err := os.ReadFile(filepath.Join(other, headName))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, headName), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "put back the files that belong together"},
		"a_damaged_signer": {func(t *testing.T, dir string) { truncate(t, dir, signerName, 10) }, "it is not a note key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, _ := written(t, 3)
			tt.change(t, dir)
			before, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(dir, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, want an error with %q", err, tt.want)
			}
			if after, err := os.ReadFile(filepath.Join(dir, segmentName(1))); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the segment was changed (%v)", err)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := hookLog(t, dir, func(file) error { return nil })
	l.segmentSize = blockSize + 2000
	record(t, l, 50)
	l.Close()
	firsts, err := listSegments(os.DirFS(dir), dir)
	if err != nil || len(firsts) < 5 {
		t.Fatalf("segments %v, %v; want several", firsts, err)
	}
	l = newLog(t, dir)
	record(t, l, 1)
	if diff := cmp.Diff(verdicts(51), rows(t, dir)); diff != "" {
		t.Error(diff)
	}
	for _, n := range []uint64{1, 5, 20, 51, 60} {
		want := max(51, n) - n + 1
		if got, err := LastOf(t.Context(), dir, n); err != nil || got != want {
			t.Errorf("LastOf(%d) = %d, %v; want %d", n, got, err, want)
		}
	}
}

// No acknowledged record is lost when the process is killed at any moment, and
// nothing is called damaged: each writer goes on where the one before was killed.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	if os.Getenv("AUDIT_TEST_WRITER") != "" {
		writeForEver(os.Getenv("AUDIT_TEST_WRITER"))
	}
	logs, rounds := 1, 200
	if soak() {
		logs, rounds = 4, 2500 // side by side: most of a round is waiting
	}
	paths, acknowledged := make([]string, logs), make([]uint64, logs)
	p := newProgress(t, "kill -9", logs*rounds)
	var wg sync.WaitGroup
	for i := range logs {
		paths[i] = filepath.Join(t.TempDir(), "log")
		wg.Go(func() {
			for round := range rounds {
				acknowledged[i] = max(acknowledged[i], killAfter(t, paths[i], round%23))
				p.done.Add(1)
			}
		})
	}
	wg.Wait()
	all := uint64(0)
	for i, path := range paths {
		checkKilled(t, path, acknowledged[i])
		all += acknowledged[i]
	}
	tried(t, "%d kills with %d records acknowledged", logs*rounds, all)
}

func checkKilled(t *testing.T, path string, acknowledged uint64) {
	t.Helper()
	l := newLog(t, path)
	if l.Seq() < acknowledged || acknowledged == 0 {
		t.Errorf("the log ends at %d, and %d was acknowledged", l.Seq(), acknowledged)
	}
	l.Close()
	for _, r := range rows(t, path) {
		if r.Kind != "verdict" {
			t.Errorf("record %d is a false alarm: %s", r.Seq, r.Kind)
		}
	}
	v, err := Verify(t.Context(), path, VerifyOptions{Keys: ownKeys(t, path)})
	if err != nil || !v.OK() || v.Last < acknowledged || v.Macs != v.Last {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

// killAfter starts a writer, kills it after some acknowledgements and returns the
// highest number that it acknowledged.
func killAfter(t *testing.T, path string, acks int) (acknowledged uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriterLosesNothingAcknowledged$")
	cmd.Env = append(os.Environ(), "AUDIT_TEST_WRITER="+path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return 0
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var seq uint64
		if _, err := fmt.Sscanf(lines.Text(), "ack %d", &seq); err == nil {
			acknowledged = max(acknowledged, seq)
		}
		if acks--; acks <= 0 {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	return acknowledged
}

func writeForEver(path string) {
	l, err := Open(path, Options{Checkpoint: 5 * time.Millisecond})
	if err == nil {
		l.segmentSize = 1 << 20 // kills meet rotations, too, and opening takes as long in the last round as in the first
	}
	for err == nil {
		var seq uint64
		if seq, err = l.Record(context.Background(), verdict("x")); err == nil {
			fmt.Printf("ack %d\n", seq)
		}
	}
	os.Exit(1)
}

// Whatever a segment holds, a log opens and goes on.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("\x00\x00\x00"))
	line, err := makeBlock(header{Format: segmentFormat, First: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(appendFrame(line, 1, lastOfBatch, newMaccer(Key{}), []byte(`{"seq":1,"time":"2026-03-01T00:00:00Z","kind":"start"}`+"\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := filepath.Join(t.TempDir(), "log")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, segmentName(1)), data, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, Options{})
		var foreign *ForeignError
		if errors.As(err, &foreign) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := l.Record(t.Context(), verdict("x")); err != nil {
			t.Fatal(err)
		}
	})
}
