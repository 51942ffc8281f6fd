package gitleaks

import (
	"regexp"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"
)

func TestGlobs(t *testing.T) {
	tests := map[string][]string{
		`\.pem$`:                       {"/**/*.pem"},
		`(^|/)\.env$`:                  {"/.env", "/*/**/.env"},
		`^vendor/`:                     {"/vendor/**/*"},
		`(?:^|/)node_modules(?:/.*)?$`: {"/node_modules/**/*", "/node_modules", "/*/**/node_modules/**/*", "/*/**/node_modules"},
		`\.(?:p12|pfx)$`:               {"/**/*.p12", "/**/*.pfx"},
		`^.*\.lock$`:                   {"/**/*.lock"},
		`go\.sum`:                      {"/**/*go.sum*", "/**/*go.sum*/**/*"},
		`^src/[^/]+\.sql$`:             {"/src/?*.sql"},
		`a\[b\]$`:                      {`/**/*a\[b\]`},
	}
	for expression, want := range tests {
		got, err := Globs(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expression, diff)
		}
	}
	for _, expression := range []string{`(?i)\.pem$`, `a.b`, `a.*b`, `[a-z]+\.sql$`, `(`, ``, `.*`, `\bkey\b`, `(a|b|c|d)(a|b|c|d)(a|b|c|d)`} {
		if got, err := Globs(expression); err == nil {
			t.Errorf("%s: got %v, want that there is no glob", expression, got)
		}
	}
}

// paths are those over which globs and expressions are compared.
func paths() []string {
	parts := []string{"a", "b", ".env", "x.pem", "vendor", "node_modules", "go.sum", "ab", "a.sql"}
	out := []string{}
	for _, one := range parts {
		out = append(out, one)
		for _, two := range parts {
			out = append(out, one+"/"+two, one+"/"+two+"/a", "x/"+one+"/"+two)
		}
	}
	return out
}

// FuzzGlobs: the globs match exactly the paths that the expression matches.
func FuzzGlobs(f *testing.F) {
	for _, expression := range []string{
		`\.pem$`, `(^|/)\.env$`, `^vendor/`, `(?:^|/)node_modules(?:/.*)?$`, `\.(p12|pem)$`, `^.*\.pem$`, `go\.sum`, `^a/[^/]+\.sql$`,
		`a`, `/a/`, `^a$`, `a?b`, `[ab]$`, `^[^/]*$`, `^(a|b/.*)$`, `^^a`, `a$$`, `/`, `^/a`, `a/$`, `.*a.*`,
	} {
		f.Add(expression)
	}
	all := paths()
	f.Fuzz(func(t *testing.T, expression string) {
		globs, err := Globs(expression)
		if err != nil {
			return
		}
		re, err := regexp.Compile(expression)
		if err != nil {
			t.Fatalf("%q has globs and is no expression", expression)
		}
		for _, path := range append(all, strings.ReplaceAll(expression, "/", ""), expression) {
			if strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || strings.Contains(path, "//") || path == "" || strings.ContainsAny(path, "\n\\") {
				continue // no path of a file
			}
			matched := false
			for _, g := range globs {
				ok, err := doublestar.Match(g, "/"+path)
				if err != nil {
					t.Fatalf("%q: glob %q: %v", expression, g, err)
				}
				matched = matched || ok
			}
			if matched != re.MatchString(path) {
				t.Errorf("%q as %q: path %q matches %v, want %v", expression, globs, path, matched, !matched)
			}
		}
	})
}
