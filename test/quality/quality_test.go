package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/catalogue"
)

// corpus finds the labelled files, or skips, loudly.
func corpus(t *testing.T) (dir string, entries []entry) {
	t.Helper()
	dir = defaultCorpus()
	if os.Getenv("PHIGATE_CORPUS") == "" {
		dir = filepath.Join("..", "..", dir)
	}
	entries, err := manifest(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && os.Getenv("PHIGATE_CORPUS") == "":
		t.Skip("NO CORPUS: recall and precision were not measured; set PHIGATE_CORPUS to the folder with MANIFEST.tsv")
	case err != nil:
		t.Fatal(err)
	}
	return dir, entries
}

// TestCorpus holds the detectors to the labels, and looks for every identifier
// that they met in all that is put out.
func TestCorpus(t *testing.T) {
	dir, entries := corpus(t)
	ids := &identities{seen: map[string]struct{}{}}
	facts, err := scan(t.Context(), dir, ids)
	if err != nil {
		t.Fatal(err)
	}
	scores := judge(entries, byFile(facts))
	for _, short := range shortfalls(scores) {
		t.Error(short)
	}
	for _, s := range scores {
		for _, path := range append(s.missed, s.off...) {
			t.Logf("missed: %s", path)
		}
		for _, path := range s.wrong {
			t.Logf("wrong: %s", path)
		}
	}
	if len(ids.seen) < 100 {
		t.Fatalf("only %d identifiers were met: the search below proves nothing", len(ids.seen))
	}
	out := normalised(outputs(t, facts.Findings, facts.Skipped))
	for id := range ids.seen {
		for _, part := range parts(id) {
			if bytes.Contains(out, part) {
				t.Fatalf("an identifier of %d characters stands in the outputs", len(part))
			}
		}
	}
}

// outputs are what people and machines get to see of findings, without the
// files' own names.
func outputs(t *testing.T, findings []policy.Finding, skipped []policy.Skipped) []byte {
	t.Helper()
	infos := map[string]policy.Info{}
	for _, info := range catalogue.Infos() {
		infos[info.ID] = info
	}
	d := &policy.Decision{Verdict: policy.Block}
	for _, f := range findings {
		f.Where.Path, f.Where.Inside, f.Fingerprint = "", "", ""
		d.Findings = append(d.Findings, policy.Record{Rule: f.Rule, Action: policy.Block, Field: f.Where.String(), Message: f.Message,
			Count: f.Count, Individuals: f.Individuals, Severity: infos[f.Rule].Severity})
	}
	for _, k := range skipped {
		d.Skipped = append(d.Skipped, policy.SkipEntry{Rule: k.Rule, Reason: k.Reason})
	}
	var out bytes.Buffer
	if err := report.Text(&out, d, false); err != nil {
		t.Fatal(err)
	}
	if err := report.JSON(&out, d); err != nil {
		t.Fatal(err)
	}
	out.WriteString(d.Line())
	fmt.Fprintf(&out, "%+v", d)
	return out.Bytes()
}

// normalised is text as keys are made of it.
func normalised(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r >= 0x80:
			return r
		}
		return -1
	}, text)
}

// parts are the pieces of an identity that are long enough to be told from
// other text by chance.
func parts(identity string) [][]byte {
	const telling = 6
	var out [][]byte
	for _, part := range strings.FieldsFunc(identity, func(r rune) bool { return r < ' ' }) {
		if len(part) >= telling && strings.ContainsAny(part, "0123456789") {
			out = append(out, []byte(part))
		}
	}
	return out
}

// TestGoalsCanFail: a class that misses its goals is said to.
func TestGoalsCanFail(t *testing.T) {
	entries := []entry{{path: "a", format: "hl7v2", label: "phi", people: 10}, {path: "b", format: "hl7v2", label: "phi"}, {path: "c", format: "hl7v2", label: "clean"}}
	for name, c := range map[string]struct {
		found map[string]*verdict
		short int
	}{
		"all_right": {map[string]*verdict{"/a": {phi: 1, people: 10}, "/b": {phi: 1}}, 0},
		"missed":    {map[string]*verdict{"/a": {phi: 1, people: 10}}, 1},
		"raised":    {map[string]*verdict{"/a": {phi: 1, people: 10}, "/b": {phi: 1}, "/c": {phi: 1}}, 1},
		"estimate":  {map[string]*verdict{"/a": {phi: 1, people: 9}, "/b": {phi: 1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shortfalls(judge(entries, c.found)); len(got) != c.short {
				t.Errorf("%d goals missed, want %d", len(got), c.short)
			}
		})
	}
}

// TestBelow: files keep the path that they have on this machine, and those of a
// folder within another count once.
func TestBelow(t *testing.T) {
	root := t.TempDir()
	within := filepath.Join(root, "usr", "local")
	if err := os.MkdirAll(within, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(within, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	roots, err := distinct([]string{within, root, root + "-other"})
	if want := []string{root, root + "-other"}; err != nil || !slices.Equal(roots, want) {
		t.Errorf("folders %q, %v, want %q", roots, err, want)
	}
	var paths []string
	err = below{rootfs.Dir(root), root}.Walk(t.Context(), func(e rootfs.Entry) error {
		paths = append(paths, e.Path)
		return nil
	}, func(path string, err error) { t.Errorf("%s: %v", path, err) })
	if want := []string{root + "/usr", within, within + "/a"}; err != nil || !slices.Equal(paths, want) {
		t.Errorf("paths %q, %v, want %q", paths, err, want)
	}
}
