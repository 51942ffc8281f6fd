package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// oldLine is a record as an earlier version kept it.
func oldLine(json string) string { return fmt.Sprintf("%08x %s\n", checksum([]byte(json)), json) }

// oldLog is a log of an earlier version with these numbers.
func oldLog(seqs ...int) string {
	var b strings.Builder
	for _, seq := range seqs {
		b.WriteString(oldLine(fmt.Sprintf(`{"seq":%d,"time":"2026-03-01T00:00:%02dZ","kind":"verdict","target":"old %d"}`, seq, seq, seq)))
	}
	return b.String()
}

// The log of an earlier version is taken over where it is whole. Where it is not,
// a record says so, and either way its file is kept as it was, by its digest.
func TestImport(t *testing.T) {
	flipped := []byte(oldLog(1, 2, 3))
	flipped[len(flipped)/2] ^= 1
	tests := map[string]struct {
		old   string
		taken int // records that keep their numbers
		said  string
	}{
		"whole":                 {oldLog(1, 2, 3), 3, "the 3 records before this one"},
		"torn_at_the_end":       {oldLog(1, 2) + "0badc0de {\"seq\":3,", 2, "the 2 records before this one"},
		"empty":                 {"", 0, "the 0 records before this one"},
		"a_flipped_bit":         {string(flipped), 0, "holds 2 readable records and is not whole"},
		"a_number_is_missing":   {oldLog(1, 3), 0, "holds 2 readable records and is not whole"},
		"a_number_comes_twice":  {oldLog(1, 2, 2), 0, "holds 3 readable records and is not whole"},
		"its_beginning_is_gone": {oldLog(2, 3), 0, "holds 2 readable records and is not whole"},
		"a_line_is_empty":       {oldLog(1) + "\n" + oldLog(2), 0, "holds 2 readable records and is not whole"},
		"no_log_at_all":         {"\x00\xff\n\x7fELF\n\n", 0, "holds 0 readable records and is not whole"},
		"no_record_in_a_line":   {oldLog(1) + oldLine(`{"seq":2,"time":7}`), 0, "holds 2 readable records and is not whole"},
		"a_line_without_end":    {oldLog(1) + strings.Repeat("x", maxPayload+1) + "\n", 0, "holds 1 readable records and is not whole"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "decisions")
			if err := os.WriteFile(dir+".log", []byte(tt.old), 0o600); err != nil {
				t.Fatal(err)
			}
			l := newLog(t, dir)
			record(t, l, 1)
			l.Close()
			got := rows(t, dir)
			if len(got) != tt.taken+2 || got[tt.taken].Kind != "log-imported" {
				t.Fatalf("got %+v; want %d records taken over, what is said of them, and one more", got, tt.taken)
			}
			for i, r := range got[:tt.taken] {
				if r.Target != fmt.Sprint("old ", i+1) {
					t.Errorf("record %d is %q", i+1, r.Target)
				}
			}
			kept, err := os.ReadFile(filepath.Join(dir, importedName))
			if err != nil || !bytes.Equal(kept, []byte(tt.old)) {
				t.Errorf("the old file was not kept as it was: %v", err)
			}
			if said := messageOf(t, dir, uint64(tt.taken+1)); !strings.Contains(said, tt.said) || !strings.Contains(said, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(tt.old)))) {
				t.Errorf("said %q; want %q and the file's digest", said, tt.said)
			}
			l = newLog(t, dir) // and it is not taken over again
			if l.Seq() != uint64(tt.taken+2) {
				t.Errorf("opened again, the log has %d records, want %d", l.Seq(), tt.taken+2)
			}
		})
	}
}

func messageOf(t *testing.T, dir string, seq uint64) (said string) {
	t.Helper()
	found := errors.New("found")
	err := Entries(t.Context(), dir, seq, func(e Entry) error {
		said = e.Decision.Message
		return found
	})
	if !errors.Is(err, found) {
		t.Fatal(err)
	}
	return said
}

// What is no file of phigate's is left alone, and the log does not open.
func TestImportRefuses(t *testing.T) {
	tests := map[string]func(path string) error{
		"a_link":   func(path string) error { return os.Symlink("/etc/passwd", path) },
		"a_pipe":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a_folder": func(path string) error { return os.Mkdir(path, 0o700) },
	}
	for name, put := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "decisions")
			if err := put(dir + ".log"); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "the log of an earlier version") {
				t.Errorf("Open = %v", err)
			}
			if _, err := os.Lstat(dir + ".log"); err != nil {
				t.Errorf("it was not left alone: %v", err)
			}
		})
	}
}
