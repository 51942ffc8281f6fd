package audit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Full segments are copied off before they are removed, and not removed when they
// cannot be; the log and its archive together verify as one.
func TestArchive(t *testing.T) {
	dir, off := filepath.Join(t.TempDir(), "log"), t.TempDir()
	clock := time.Now()
	l, err := open(dir, Options{Checkpoint: 1 << 40}, func() time.Time { return clock }, folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.segmentSize = blockSize + 3000
	record(t, l, 40)
	present := func(dir string) []uint64 {
		firsts, err := listSegments(os.DirFS(dir), dir)
		if err != nil {
			t.Fatal(err)
		}
		return firsts
	}
	all := present(dir)
	if err := l.Archive(t.Context(), Archive{Folder: filepath.Join(off, "absent"), Keep: time.Hour}); err == nil {
		t.Error("a folder that is not there took a segment")
	}
	clock = clock.Add(100 * time.Hour)
	if err := l.Archive(t.Context(), Archive{Command: []string{"/bin/false"}, Keep: time.Hour}); err == nil || !slices.Equal(present(dir), all) {
		t.Errorf("a command that failed: %v, segments %v; want an error and all", err, present(dir))
	}
	clock = clock.Add(-100 * time.Hour)
	if err := l.Archive(t.Context(), Archive{Folder: off, Keep: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if got := present(off); !slices.Equal(got, all[:len(all)-1]) || !slices.Equal(present(dir), all) {
		t.Errorf("archived %v of %v, left %v", got, all, present(dir))
	}
	clock = clock.Add(100 * time.Hour)
	if err := l.Archive(t.Context(), Archive{Folder: off, Keep: time.Hour}); err != nil {
		t.Fatal(err)
	}
	record(t, l, 1) // begins a segment: the last one's records are old
	if got := present(dir); got[0] != all[len(all)-1] || got[len(got)-1] <= all[len(all)-1] {
		t.Errorf("left %v of %v; want the last, and one begun for its age", got, all)
	}
	pruned := 0
	if err := Entries(t.Context(), dir, 1, func(e Entry) error {
		if e.Decision.Kind == "log-pruned" && strings.Contains(e.Decision.Message, "sha256:") {
			pruned++
		}
		return nil
	}); err != nil || pruned != len(all)-1 {
		t.Errorf("%d records of removal, %v; want %d", pruned, err, len(all)-1)
	}
	l.Close()
	for _, first := range present(dir) {
		data, err := os.ReadFile(filepath.Join(dir, segmentName(first)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(off, segmentName(first)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v, err := Verify(t.Context(), off, VerifyOptions{Verifier: l.verifier, Keys: ownKeys(t, dir)})
	if err != nil || !v.OK() || v.First != 1 || v.Macs != v.Last {
		t.Errorf("archive and log together: %+v, %v", v, err)
	}
}

func TestArchiveCommandGetsEachSegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := hookLog(t, dir, func(file) error { return nil })
	l.segmentSize = blockSize + 3000
	record(t, l, 20)
	list := filepath.Join(t.TempDir(), "list")
	a := Archive{Command: []string{"/bin/sh", "-c", `echo "$1" >> ` + list, "archiver"}}
	for range 2 { // the second time there is nothing to do
		if err := l.Archive(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(list)
	firsts, _ := listSegments(os.DirFS(dir), dir)
	if err != nil || strings.Count(string(got), "\n") != len(firsts)-1 || !strings.Contains(string(got), filepath.Join(dir, segmentName(1))) {
		t.Errorf("the command got %q, %v; want %d segments", got, err, len(firsts)-1)
	}
}
