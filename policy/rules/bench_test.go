package rules

import (
	"os"
	"syscall"
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
	before := cpu(b)
	for b.Loop() {
		for _, r := range all {
			r.Check(s)
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

// BenchmarkJudge is the whole catalogue over an ordinary pod, and the decision;
// the aims are 200 us and 50 KB.
func BenchmarkJudge(b *testing.B) {
	data, err := os.ReadFile("testdata/specs/ordinary.json")
	if err != nil {
		b.Fatal(err)
	}
	s := &policy.Subject{Name: "portal", Runtime: "cri", Spec: &specs.Spec{}, Sees: everything, Pod: policy.Pod{Namespace: "clinic-a"}}
	decode(b, data, s.Spec)
	all := All()
	p := &policy.Policy{Digest: "sha256:p", Catalogue: map[string]policy.Info{}}
	for _, r := range all {
		p.Catalogue[r.ID] = r.Info
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		report := policy.Report{Coverage: policy.Coverage{Rules: len(all)}}
		for _, r := range all {
			report.Findings = append(report.Findings, r.Check(s)...)
		}
		policy.NewDecision(s, policy.Decide(p, s, report), report.Now, 0)
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}
