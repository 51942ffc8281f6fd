package catalogue_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/detect/detecttest"
)

// entry is one labelled file.
type entry struct {
	path, format, label string
	people              int // 0: not said
}

// corpus finds the labelled files: where PHIGATE_CORPUS says, else beside the
// repository.
func corpus(t *testing.T) (dir string, entries []entry) {
	t.Helper()
	dir = os.Getenv("PHIGATE_CORPUS")
	told := dir != ""
	if !told {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	f, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		if told {
			t.Fatalf("opening the corpus: %v", err)
		}
		t.Skip("NO CORPUS: recall and precision were not measured; set PHIGATE_CORPUS to the folder with MANIFEST.tsv")
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		if len(cells) < 4 || cells[0] == "local_path" {
			continue
		}
		e := entry{path: cells[0], format: cells[1], label: cells[2]}
		if _, n, ok := strings.Cut(cells[3], "individuals="); ok {
			if e.people, err = strconv.Atoi(n); err != nil {
				t.Fatalf("reading the manifest: a count of people: %v", err)
			}
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("reading the manifest: %v", err)
	}
	return dir, entries
}

// TestCorpus holds the detectors to the labels. Files of formats that no
// detector reads yet count for precision alone.
func TestCorpus(t *testing.T) {
	dir, entries := corpus(t)
	found, all := map[string]int{}, map[string]int{}
	harmless := map[string]bool{"clean": true, "clean-hard": true, "pii": true, "deid": true}
	for _, e := range entries {
		content := read(t, filepath.Join(dir, e.path))
		hits := map[string]int{} // people by rule
		for _, d := range catalogue.All() {
			if got := detecttest.Run(d, "/"+e.path, content, 64<<10); got.Finding != nil {
				hits[d.ID] = got.Finding.Individuals.Point
			}
		}
		if harmless[e.label] && len(hits) > 0 {
			t.Errorf("%s (%s): found %d violations, want none", e.path, e.label, len(hits))
		}
		rule := readerOf(e.format)
		if rule == "" || e.label != "phi" {
			continue
		}
		all[rule]++
		people, hit := hits[rule]
		if !hit {
			t.Logf("missed: %s", e.path)
			continue
		}
		found[rule]++
		if e.people > 0 && (people*100 < e.people*95 || people*100 > e.people*105) {
			t.Errorf("%s: %d people, want %d within 5 %%", e.path, people, e.people)
		}
	}
	for rule, floor := range map[string]float64{"phi-hl7v2": 0.99, "phi-table": 0.97} {
		if all[rule] == 0 {
			t.Errorf("%s: the corpus has no file for it", rule)
			continue
		}
		recall := float64(found[rule]) / float64(all[rule])
		t.Logf("%s: found %d of %d", rule, found[rule], all[rule])
		if recall < floor {
			t.Errorf("%s: recall %.3f, want at least %.2f", rule, recall, floor)
		}
	}
}

// read returns a file's content; what is compressed is unpacked, which will be
// the work of another part than detectors.
func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading the corpus: %v", err)
	}
	if !strings.HasSuffix(path, ".csv.gz") {
		return content
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err == nil {
		content, err = io.ReadAll(z)
	}
	if err != nil {
		t.Fatalf("unpacking the corpus: %v", err)
	}
	return content
}

// readerOf is the detector that must find a file of the format.
func readerOf(format string) string {
	switch {
	case strings.HasPrefix(format, "hl7v2"):
		return "phi-hl7v2"
	case strings.HasPrefix(format, "csv"), strings.HasPrefix(format, "tsv"), strings.HasPrefix(format, "psv"):
		return "phi-table"
	}
	return ""
}
