package rules

import (
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// BenchmarkOrdinaryPod is the time that the catalogue adds to each create.
func BenchmarkOrdinaryPod(b *testing.B) {
	data, err := os.ReadFile("testdata/specs/ordinary.json")
	if err != nil {
		b.Fatal(err)
	}
	s := &policy.Subject{Spec: &specs.Spec{}, Sees: everything}
	decode(b, data, s.Spec)
	all := All()
	for b.Loop() {
		for _, r := range all {
			r.Check(s)
		}
	}
}
