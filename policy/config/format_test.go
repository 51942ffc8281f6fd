package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	detectors "github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/rules"
)

func TestFormat(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"indentation":       {"a:\n        b: 1\n        c:\n            - x\n            -   y: 2\n                z: 3\n", "a:\n  b: 1\n  c:\n  - x\n  - y: 2\n    z: 3\n"},
		"quotes":            {"a: 'x'\nb: \"y\"\nc: 'say \"z\"'\nd: 'it''s'\n'e': f\n", "a: \"x\"\nb: \"y\"\nc: 'say \"z\"'\nd: \"it's\"\n\"e\": f\n"},
		"spaces":            {"a:   1   \nb:\t2\n\n\n\nc: 3\n\n", "a: 1\nb: 2\n\nc: 3\n"},
		"crlf_and_bom":      {"\ufeffa: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"},
		"trailing_comments": {"a: 1    # one\nb:   # two\n    c: 2 # three\n- d\n", ""},
		"comments":          {"# head\n\na: 1    # one\nb:   # two\n    # lead\n    c: 2 # three\n    # foot\n# tail\n", "# head\n\na: 1 # one\nb: # two\n  # lead\n  c: 2 # three\n  # foot\n# tail\n"},
		"list_comments":     {"a:\n  # first\n  - x # X\n  # second\n  -\n    y: 1\n", "a:\n# first\n- x # X\n# second\n- y: 1\n"},
		"flow":              {"a: { b : 1,c: [ 2,3 ] }\nd: []\ne: {}\n", "a: {b: 1, c: [2, 3]}\nd: []\ne: {}\n"},
		"long_flow":         {"a: [" + strings.Repeat("abcdefghijklmno, ", 8) + "z]\n", "a:\n" + strings.Repeat("- abcdefghijklmno\n", 8) + "- z\n"},
		"flow_with_comment": {"a: [x, # X\n  y]\nb: 1\n", "a:\n- x # X\n- y\nb: 1\n"},
		"literal":           {"a: |\n      one\n        two\n\n      three\nb: >-\n  four\n  five\nc: 1\n", "a: |\n  one\n    two\n\n  three\nb: >-\n  four\n  five\nc: 1\n"},
		"folded_plain":      {"a: one\n   two\nb: 1\n", "a: one two\nb: 1\n"},
		"documents":         {"---\n---\na: 1\n# end\n---   # next\nb: 2\n...\n", "a: 1\n# end\n---\n# next\nb: 2\n"},
		"only_comments":     {"# nothing\n", "# nothing\n"},
		"nothing":           {"\n\n", ""},
		"nested_dashes":     {"- - a\n  - b\n- c: {d: 1}\n", "- - a\n  - b\n- c: {d: 1}\n"},
		"list_in_an_item":   {"- a:\n    - b\n  c: 1\n", "- a:\n  - b\n  c: 1\n"},
		"no_value":          {"a:\nb: ~\nc: null\n", "a:\nb: ~\nc: null\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, problems, err := Format(File{Name: "p.yaml", Data: []byte(test.in)})
			if test.want == "" && strings.TrimSpace(test.in) != "" {
				if len(problems) == 0 {
					t.Errorf("got %q, want problems", got)
				}
				return
			}
			if err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("formatted otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

// What is deployed is in canonical form.
func TestFormatDeployed(t *testing.T) {
	for _, file := range deployed(t) {
		got, problems, err := Format(file)
		if err != nil || len(problems) > 0 {
			t.Fatal(file.Name, err, problems)
		}
		if diff := cmp.Diff(string(file.Data), string(got)); diff != "" {
			t.Errorf("%s is not in canonical form (-want +got):\n%s", file.Name, diff)
		}
	}
}

// deployed are the policy files that the repository ships.
func deployed(t testing.TB) (files []File) {
	for _, pattern := range []string{"../../deploy/policies/*.yaml", "../../deploy/examples/*/*.yaml", "../../deploy/examples/*/*/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, File{Name: name, Data: data})
		}
	}
	if len(files) < 9 {
		t.Fatal("no policies are deployed")
	}
	return files
}

// wholeCatalogue is what the commands compile with.
func wholeCatalogue() []policy.Info {
	infos := slices.Clone(detectors.Infos())
	for _, r := range rules.All() {
		infos = append(infos, r.Info)
	}
	return infos
}

// FuzzFormat: what is formatted means the same, and formatting it again
// changes nothing. [Format] itself compares the meaning; what it cannot keep it
// must refuse.
func FuzzFormat(f *testing.F) {
	for _, file := range deployed(f) {
		f.Add(file.Data)
	}
	for _, text := range []string{
		"", "---\n---\na: 1", "a: |\n  b\n", "a: |+\n  b\n\nc: 1\n", "a: |2\n   b\n", "{a: [1, {b: c}]}", "a: >-\n\n", "- - - a\n    # x\n", "\ufeffa: 1\r\nb: 2",
		"a: 'b''c'", "a: 0x1F\nb: .inf\nc: ~\nd: null\ne:", "a: \"\\u0041\"", "a: # b\n  # c\n  - # d\n    e # f\n  # g\n# h\n", "a:\n- b\n#c\n-\n\n  d: e\n",
		"a: {b: c, # d\n  e: [f # g\n]} # h\n", "a: 'b\n\n  c' # d\ne: f\n  g # h\n", "{}\n# a", "--- # a\nb\n... # c\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, problems, err := Format(File{Name: "p.yaml", Data: data})
		if err != nil || len(problems) > 0 {
			return
		}
		second, problems, err := Format(File{Name: "p.yaml", Data: first})
		if err != nil || len(problems) > 0 {
			t.Fatalf("formatted once and not twice: %v %v", err, problems)
		}
		if string(first) != string(second) {
			t.Errorf("formatting twice differs:\n%q\n%q", first, second)
		}
		if a, b := comments(data), comments(first); a != b {
			t.Errorf("%d comments became %d", a, b)
		}
	})
}

// comments counts the comments of a file, as the parser sees them.
func comments(data []byte) (n int) {
	src, text := load(File{Data: data})
	for _, t := range src.tokens(text) {
		if t.Type.String() == "Comment" {
			n++
		}
	}
	return n
}
