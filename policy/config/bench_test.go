package config

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// thousands are 1,000 policies, each with a rule of its own, and 10,000
// exceptions, in files of 100 documents.
func thousands() (files []File) {
	file := func(name string, n int, document func(b *bytes.Buffer, i int)) {
		for first := 0; first < n; first += 100 {
			var b bytes.Buffer
			for i := first; i < first+100; i++ {
				b.WriteString("---\n")
				document(&b, i)
			}
			files = append(files, File{Name: fmt.Sprintf("%s-%05d.yaml", name, first), Data: b.Bytes()})
		}
	}
	file("policy", 1000, func(b *bytes.Buffer, i int) {
		fmt.Fprintf(b, "%s", strings.Replace(ownHead, "clinic", fmt.Sprintf("clinic-%d", i), 1))
		fmt.Fprintf(b, `spec:
  description: What may run in the namespaces of one clinic
  selector: {namespaces: {in: ["clinic-%d"]}}
  rules:
  - {id: run-as-root, action: block}
  - id: registry-%d
    title: Images come from the clinic's registry
    condition: '!image.name.startsWith("registry.example/clinic-%d/")'
    action: block
`, i, i, i)
	})
	file("exception", 10_000, func(b *bytes.Buffer, i int) {
		fmt.Fprintf(b, `apiVersion: phigate.dev/v1alpha1
kind: Exception
metadata: {name: EX-%d}
spec:
  policies: [{name: clinic-%d, rules: [phi-table]}]
  selector: {images: {digests: ["sha256:%064x"]}, namespaces: {in: [clinic-%d]}}
  findings: [{path: "/opt/lib/testdata/**"}]
  reason: Synthetic data for the integration tests
  ticket: SEC-%d
  requestedBy: a@clinic.example
  approvedBy: [b@clinic.example]
  expiresAt: 2027-01-31T00:00:00Z
  downgradeTo: audit
`, i, i%1000, i, i%1000, i)
	})
	return files
}

// BenchmarkLoad: 1,000 policies and 10,000 exceptions; the aim is a second.
func BenchmarkLoad(b *testing.B) {
	files, infos := thousands(), whole()
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if p, problems := Compile(files, infos); p == nil {
			b.Fatal(problems)
		}
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu is the processor time of this process, in nanoseconds: on a busy machine
// the time on the wall says more of the others.
func cpu(b *testing.B) int64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// BenchmarkDecideUnderThousands: one decision with a finding that is excepted,
// under all of them.
func BenchmarkDecideUnderThousands(b *testing.B) {
	p, problems := Compile(thousands(), whole())
	if p == nil {
		b.Fatal(problems)
	}
	s := &policy.Subject{
		Name: "portal", Runtime: "cri", Pod: policy.Pod{Namespace: "clinic-7"}, Sees: policy.FactSpec | policy.FactImage, Spec: &specs.Spec{},
		Image: policy.Image{Ref: "registry.example/clinic-7/portal:1", Digest: fmt.Sprintf("sha256:%064x", 7)},
	}
	r := policy.Report{
		Now:      time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		Findings: []policy.Finding{{Rule: "phi-table", Where: policy.Where{Path: "/opt/lib/testdata/a.csv"}}},
	}
	if v := policy.Decide(p, s, r); v.Action != policy.Allow || len(v.Exceptions) != 1 {
		b.Fatalf("got %s", v.Action)
	}
	b.ReportAllocs()
	for b.Loop() {
		policy.Decide(p, s, r)
	}
}
