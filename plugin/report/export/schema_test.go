package export

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
)

// field is what a schema says of one field.
type field struct {
	kind     string // "string", "number", "bool", "object"
	required bool   // where the object around it is there
	among    []any  // the values allowed, when not nil
}

// schema is the part of a published schema that we use: each field by its path,
// with [] for the elements of an array. What is below a path in open is ours.
type schema struct {
	fields map[string]field
	open   []string
}

// check says what is wrong with one JSON object.
func (s schema) check(t *testing.T, line []byte) {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatal(err)
	}
	for _, problem := range s.object("", object) {
		t.Error(problem)
	}
}

func (s schema) object(path string, object map[string]any) (problems []string) {
	for name, value := range object {
		problems = append(problems, s.value(join(path, name), value)...)
	}
	for p, f := range s.fields {
		parent, name := "", p
		if i := strings.LastIndex(p, "."); i >= 0 {
			parent, name = p[:i], p[i+1:]
		}
		if _, there := object[strings.TrimSuffix(name, "[]")]; f.required && parent == path && !there {
			problems = append(problems, p+" is required and missing")
		}
	}
	sort.Strings(problems)
	return problems
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (s schema) value(path string, value any) []string {
	if slices.Contains(s.open, path) {
		return nil
	}
	if list, ok := value.([]any); ok {
		var problems []string
		for _, v := range list {
			problems = append(problems, s.value(path+"[]", v)...)
		}
		if len(list) == 0 {
			problems = append(problems, path+" is an empty list")
		}
		return problems
	}
	f, known := s.fields[path]
	if !known {
		return []string{path + " is not in the schema"}
	}
	kind := map[string]string{"string": "string", "float64": "number", "bool": "bool", "map[string]interface {}": "object"}[fmt.Sprintf("%T", value)]
	switch {
	case kind != f.kind:
		return []string{fmt.Sprintf("%s is a %s, the schema wants a %s", path, kind, f.kind)}
	case f.among != nil && !slices.Contains(f.among, value):
		return []string{path + " has a value that the schema does not list"}
	case kind == "string" && value == "":
		return []string{path + " is empty"}
	case kind == "object":
		return s.object(path, value.(map[string]any))
	}
	return nil
}

// table reads "path kind [required] [a,b,c]" lines; numbers are read as numbers.
func table(text string, open ...string) schema {
	s := schema{fields: map[string]field{}, open: open}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		f := field{kind: words[1]}
		for _, w := range words[2:] {
			if w == "required" {
				f.required = true
				continue
			}
			for _, v := range strings.Split(w, ",") {
				var n float64
				if _, err := fmt.Sscan(v, &n); err == nil && f.kind == "number" {
					f.among = append(f.among, n)
				} else {
					f.among = append(f.among, v)
				}
			}
		}
		s.fields[words[0]] = f
	}
	return s
}

// The checks themselves must be able to fail.
func TestSchemaCheckFails(t *testing.T) {
	s := table("a string required\nb number 1,2\nc object\nc.d string required\n")
	for text, want := range map[string]int{
		`{"a":"x"}`: 0, `{}`: 1, `{"a":1}`: 1, `{"a":"x","b":3}`: 1, `{"a":"x","e":1}`: 1, `{"a":"x","c":{}}`: 1, `{"a":"x","c":[{"d":"y"}]}`: 1, `{"a":""}`: 1,
	} {
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		if got := s.object("", object); len(got) != want {
			t.Errorf("%s: %q, want %d problems", text, got, want)
		}
	}
}
