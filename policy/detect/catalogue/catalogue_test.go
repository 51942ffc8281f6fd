package catalogue_test

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/catalogue"
)

// TestAll proves that each detector is documented and has its own name.
func TestAll(t *testing.T) {
	id := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	row := regexp.MustCompile(`^(PHI|SEC)-[0-9]{3}$`)
	seen := map[string]bool{}
	if _, err := detect.NewSet(catalogue.All()); err != nil {
		t.Error(err)
	}
	for _, d := range catalogue.All() {
		if d.Open == nil && d.Near == nil && d.Table == nil && d.Name == nil {
			t.Errorf("%s: nothing is asked of it", d.ID)
		}
	}
	for _, d := range catalogue.Infos() {
		t.Run(d.ID, func(t *testing.T) {
			if !id.MatchString(d.ID) {
				t.Errorf("ID %q is not kebab-case", d.ID)
			}
			for _, name := range append([]string{d.ID}, d.Aliases...) {
				if seen[name] {
					t.Errorf("%s is used twice", name)
				}
				seen[name] = true
			}
			if len(d.Aliases) > 1 || len(d.Aliases) == 1 && !row.MatchString(d.Aliases[0]) {
				t.Errorf("aliases are %q, want at most one row of the catalogue", d.Aliases)
			}
			if d.Title == "" || d.Rationale == "" || d.Fix == "" || len(d.Cites) == 0 {
				t.Error("title, rationale, fix or citation is missing")
			}
			if d.Isolation {
				t.Error("what is in a file is no isolation rule")
			}
		})
	}
}

var update = flag.Bool("update", false, "write the file that is generated from the catalogue")

// TestMarkdown holds DETECTORS.md to the catalogue.
func TestMarkdown(t *testing.T) {
	const path = "../DETECTORS.md"
	var b bytes.Buffer
	if err := catalogue.Markdown(&b, catalogue.Infos()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("DETECTORS.md is not what the catalogue says; run go test -update (-want +got):\n%s", diff)
	}
}
