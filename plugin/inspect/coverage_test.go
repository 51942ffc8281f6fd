package inspect

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the file that is generated from the catalogue")

// TestCoverage holds deploy/COVERAGE.md to the catalogue.
func TestCoverage(t *testing.T) {
	const path = "../../deploy/COVERAGE.md"
	var b bytes.Buffer
	if err := Coverage(&b, Catalogue()); err != nil {
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
		t.Errorf("deploy/COVERAGE.md is not what the catalogue says; run go generate ./plugin/inspect (-want +got):\n%s", diff)
	}
}

// TestEveryRowHasARule: the rows of the catalogue of HIPAA safeguards, 32 on the
// spec, 14 on PHI and 20 on credentials and settings. PHI-014 is no rule: what
// cannot be looked at is said as skipped, and the policy's failure section
// decides on it.
func TestEveryRowHasARule(t *testing.T) {
	known := map[string]bool{"PHI-014": true}
	for _, info := range Catalogue() {
		for _, alias := range info.Aliases {
			known[alias] = true
		}
	}
	for kind, rows := range map[string]int{"OCI": 32, "PHI": 14, "SEC": 20} {
		for n := 1; n <= rows; n++ {
			if row := fmt.Sprintf("%s-%03d", kind, n); !known[row] {
				t.Errorf("row %s has no rule or detector", row)
			}
		}
	}
}
