package conf

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/policy/osv"
)

// advisory is one about all versions of a Go module.
func advisory(id string) string {
	return fmt.Sprintf(`{"id":%q,"modified":"2026-03-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`, id)
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReadAdvisories: files, archives and folders of both; what is none is said
// with its place, and does not hide the others.
func TestReadAdvisories(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := put("good/a.json", []byte(advisory("GO-1")))
	all := put("good/deep/all.zip", zipped(t, map[string]string{"GO-2.json": advisory("GO-2"), "GO-3.json": advisory("GO-3"), "README": "{"}))
	put("good/notes.txt", []byte("{"))
	mixed := put("mixed/all.zip", zipped(t, map[string]string{"GO-4.json": advisory("GO-4"), "GO-5.json": "{"}))
	bad := put("bad.json", []byte(`{"name":"patientname"}`))
	cut := put("cut.zip", zipped(t, map[string]string{"a.json": advisory("GO-6")})[:100])
	npm := put("npm.json", []byte(strings.Replace(advisory("GO-7"), `"Go"`, `"npm"`, 1)))
	fifo := filepath.Join(dir, "fifo.json")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		paths []string
		want  int // advisories; 0: there is no database
		err   string
	}{
		"file":    {[]string{one}, 1, ""},
		"archive": {[]string{all}, 2, ""},
		"folder":  {[]string{filepath.Join(dir, "good")}, 3, ""},
		"mixed":   {[]string{mixed}, 1, "1 of 2 advisories cannot be read, the first: " + mixed + "!GO-5.json: no OSV advisory: the JSON is wrong or ends at byte 1"},
		"bad":     {[]string{bad}, 0, bad + ": no OSV advisory: it has no id"},
		"cut":     {[]string{cut}, 0, cut + ": no zip archive, or a damaged one"},
		"others":  {[]string{npm}, 0, "none is about packages that are compared"},
		"missing": {[]string{filepath.Join(dir, "none")}, 0, "does not exist: name a file"},
		"fifo":    {[]string{fifo}, 0, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := ReadAdvisories(t.Context(), c.paths)
			got := 0
			if d != nil {
				got = d.Advisories()
			}
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%d advisories, error %v; want %d, %q", got, err, c.want, c.err)
			}
			if err != nil && strings.Contains(err.Error(), "patientname") {
				t.Error("the error quotes the file")
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := ReadAdvisories(ended, []string{one}); d != nil || err == nil {
		t.Error("goes on when it was told to end")
	}
}

// TestHugeAdvisory: a packed one that inflates beyond the bound costs no more
// than the bound.
func TestHugeAdvisory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.zip")
	if err := os.WriteFile(path, zipped(t, map[string]string{"a.json": strings.Repeat(" ", 4*osv.MaxAdvisory)}), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := ReadAdvisories(t.Context(), []string{path}); d != nil || err == nil || !strings.Contains(err.Error(), "more than 8 MiB") {
		t.Errorf("error %v, want that it is too large", err)
	}
}

func TestStampAdvisories(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	stamp := func() string { return StampAdvisories([]string{dir}) }
	before := stamp()
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	after := stamp()
	if before == after || after != stamp() {
		t.Error("a new file is not seen, or one that is the same")
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if stamp() == after {
		t.Error("a change is not seen")
	}
}
