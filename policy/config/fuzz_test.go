package config

import (
	"testing"

	"github.com/phigate/phigate/policy"
)

// FuzzCompile: no panic, a policy or a problem, and each problem is bounded
// and of one line.
func FuzzCompile(f *testing.F) {
	for _, file := range deployed(f) {
		f.Add(file.Data)
	}
	for _, text := range []string{
		"", "---\n---\na: 1", "a: |\n  b\n", "? [a]\n: b", "{a: [1, {b: c}]}", "a: >-\n\n", "- - - a", "\ufeffa: 1\r\nb: 2",
		"a: 'b''c'", "a: 0x1F\nb: .inf\nc: ~\nd: null\ne:", "%YAML 1.2\n---\na: 1", "a: \"\\u0041\"", "<<: {a: 1}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, problems := Compile([]File{{Name: "p.yaml", Data: data}}, catalogue())
		if (p == nil) != (len(problems.Errors()) > 0) {
			t.Fatalf("policy %v and %d errors", p != nil, len(problems.Errors()))
		}
		for _, problem := range problems {
			if line := problem.Error(); len(problem.Text) > maxText || policy.Printable(line) != line {
				t.Errorf("problem at %d:%d is not one bounded line", problem.Line, problem.Column)
			}
		}
	})
}
