package catalogue_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/detect/detecttest"
)

// securityRow is an alias of a detector of credentials or configuration.
var securityRow = regexp.MustCompile(`^SEC-0[0-2][0-9]$`)

// TestSamples asks each detector of a row SEC about the cases of its txtar. A
// case is a folder, clean_NAME or violating_NAME, with the files of an image; in
// it the file NAMES lists names that are not opened, with their mode, and WANT
// what is found there, as "path: message". In a file, {noise:12} stands for so
// many random characters, {b64:TEXT} and {hex:7f45} for what they say, and {-:}
// for nothing, so that the samples hold no secret.
func TestSamples(t *testing.T) {
	rows := map[string]bool{}
	for _, d := range catalogue.All() {
		if len(d.Aliases) == 0 || !securityRow.MatchString(d.Aliases[0]) {
			continue
		}
		rows[d.ID] = true
		t.Run(d.ID, func(t *testing.T) {
			archive, err := txtar.ParseFile(filepath.Join("testdata", d.ID+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			cases := casesOf(t, archive)
			var clean, violating int
			for name, c := range cases {
				switch {
				case strings.HasPrefix(name, "clean_") && len(c.want) == 0:
					clean++
				case strings.HasPrefix(name, "violating_") && len(c.want) > 0:
					violating++
				default:
					t.Errorf("%s is named neither clean_ nor violating_, or wants the other", name)
				}
				t.Run(name, func(t *testing.T) {
					if diff := cmp.Diff(c.want, c.found(d)); diff != "" {
						t.Errorf("findings (-want +got):\n%s", diff)
					}
				})
			}
			if clean == 0 || violating == 0 {
				t.Errorf("%d clean and %d violating cases, want one of each at least", clean, violating)
			}
		})
	}
	for n := 1; n <= 20; n++ {
		row := fmt.Sprintf("SEC-%03d", n)
		if !slices.ContainsFunc(catalogue.All(), func(d detect.Detector) bool { return slices.Contains(d.Aliases, row) }) {
			t.Errorf("row %s of the catalogue has no detector", row)
		}
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !rows[strings.TrimSuffix(filepath.Base(f), ".txtar")] {
			t.Errorf("%s belongs to no row", f)
		}
	}
}

// sample is one case.
type sample struct {
	files map[string][]byte
	names []detect.Entry
	want  []string
}

func casesOf(t *testing.T, archive *txtar.Archive) map[string]*sample {
	t.Helper()
	cases := map[string]*sample{}
	for _, f := range archive.Files {
		name, path, ok := strings.Cut(f.Name, "/")
		if !ok {
			t.Fatalf("%s lies in no case", f.Name)
		}
		c := cases[name]
		if c == nil {
			c = &sample{files: map[string][]byte{}, want: []string{}}
			cases[name] = c
		}
		lines := strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		switch path {
		case "WANT":
			c.want = lines
		case "NAMES":
			for _, line := range lines {
				c.names = append(c.names, entryOf(t, line))
			}
		default:
			c.files["/"+path] = []byte(expanded(t, string(f.Data)))
		}
	}
	return cases
}

// entryOf reads "4755 /usr/bin/x", "d1777 /tmp" or "l777 /a -> b"; a plus behind the
// mode stands for file capabilities.
func entryOf(t *testing.T, line string) (e detect.Entry) {
	t.Helper()
	mode, path, _ := strings.Cut(line, " ")
	e.Path, e.Link, _ = strings.Cut(path, " -> ")
	mode, e.Capabilities = strings.CutSuffix(mode, "+")
	for letter, kind := range map[string]detect.EntryKind{"d": detect.Folder, "l": detect.Link, "s": detect.Special} {
		if rest, ok := strings.CutPrefix(mode, letter); ok {
			mode, e.Kind = rest, kind
		}
	}
	bits, err := strconv.ParseUint(mode, 8, 12)
	if err != nil || !strings.HasPrefix(e.Path, "/") {
		t.Fatalf("%q is no name with its mode", line)
	}
	e.Mode = uint32(bits)
	return e
}

const randomText = "q8Zr2LwXv9TbN4hKc7YpD3mGs6FjR1aEu5Wq0oVtHxJkCzBnPyAiLdMfSgUe"

var macro = regexp.MustCompile(`\{(noise|b64|hex|-):([^{}]*)\}`)

// expanded resolves what stands in braces, the innermost first.
func expanded(t *testing.T, text string) string {
	t.Helper()
	for macro.MatchString(text) {
		text = macro.ReplaceAllStringFunc(text, func(m string) string {
			parts := macro.FindStringSubmatch(m)
			switch parts[1] {
			case "noise":
				n, err := strconv.Atoi(parts[2])
				if err != nil || n > len(randomText) {
					t.Fatalf("%s: no number of characters, or too many", m)
				}
				return randomText[:n]
			case "b64":
				return base64.StdEncoding.EncodeToString([]byte(parts[2]))
			case "hex":
				data, err := hex.DecodeString(parts[2])
				if err != nil {
					t.Fatalf("%s: no hexadecimal bytes", m)
				}
				return string(data)
			}
			return parts[2]
		})
	}
	return text
}

// tableDate stands in messages and changes with the table.
var tableDate = regexp.MustCompile(` \(table of [0-9-]+\)`)

// found is what the detector says about the case.
func (c *sample) found(d detect.Detector) []string {
	found := []string{}
	for _, e := range c.names {
		if d.Name != nil {
			if message := d.Name(e); message != "" {
				found = append(found, e.Path+": "+message)
			}
		}
	}
	for path, content := range c.files {
		for _, f := range detecttest.Run(d, path, content).Findings {
			found = append(found, path+": "+tableDate.ReplaceAllString(f.Message, ""))
		}
	}
	slices.Sort(found)
	return found
}
