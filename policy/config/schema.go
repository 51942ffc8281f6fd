package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// Schema is the JSON Schema (draft 7) of policy files, for editors: it is read
// off the structs that documents are decoded into, whose tags hold the texts. It
// says less than the compiler, which alone decides what is in force.
func Schema(catalogue []policy.Info) ([]byte, error) {
	s := schemer{required: requiredKeys(), words: schemaWords(catalogue)}
	var kinds []any
	types := roots()
	for _, id := range slices.SortedFunc(maps.Keys(types), func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) }) {
		kind := s.of(types[id], "")
		properties := kind["properties"].(map[string]any)
		properties["apiVersion"], properties["kind"] = map[string]any{"const": id[0]}, map[string]any{"const": id[1]}
		kind["title"] = id[1] + " of " + id[0]
		kinds = append(kinds, kind)
	}
	out, err := json.MarshalIndent(map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#", "title": "phigate policy", "oneOf": kinds,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(out, '\n'), nil
}

// schemaWords are the words that a tag `words:"..."` names. Of a rule's ID they
// are proposals, since an own rule has one of its own.
func schemaWords(catalogue []policy.Info) map[string][]string {
	words := map[string][]string{"runtime": runtimes[:], "operator": operators[:], "profile": profileNames(), "scanner": {}, "rule": {}, "paragraph": {}}
	for _, sc := range scanners() {
		words["scanner"] = append(words["scanner"], sc.name)
	}
	for _, info := range catalogue {
		words["rule"] = append(words["rule"], info.ID)
	}
	for _, c := range hipaa.All() {
		words["paragraph"] = append(words["paragraph"], c.Paragraph())
	}
	return words
}

type schemer struct {
	required map[reflect.Type][]string
	words    map[string][]string
}

// worded is a type that takes one of a few words.
type worded interface{ words() []string }

// of is the schema of what a type is decoded from.
func (s schemer) of(t reflect.Type, words string) map[string]any {
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem(), words)
	}
	if w, ok := reflect.Zero(t).Interface().(worded); ok {
		return map[string]any{"enum": w.words()}
	}
	switch {
	case t == reflect.TypeFor[policy.Severity]():
		return map[string]any{"enum": []string{"critical", "high", "medium", "low", "info"}}
	case t == reflect.TypeFor[entry]():
		return map[string]any{"anyOf": []any{map[string]any{"type": "string"}, map[string]any{"type": "object", "minProperties": 1, "maxProperties": 1}}}
	case t == reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem(), words)}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem(), "")}
	case t.Kind() == reflect.Struct:
		if value, ok := t.FieldByName("Value"); ok { // located
			return s.of(value.Type, words)
		}
		return s.object(t)
	}
	return s.plain(t, words)
}

// plain is a single value. A text may be written without quotes, as a number is.
func (s schemer) plain(t reflect.Type, words string) map[string]any {
	text := map[string]any{"type": []string{"string", "number"}}
	switch {
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() != reflect.String:
		return map[string]any{"type": "integer"}
	case words == "rule" || words == "paragraph":
		return map[string]any{"anyOf": []any{map[string]any{"enum": s.words[words]}, text}}
	case words != "":
		return map[string]any{"enum": s.words[words]}
	}
	return text
}

func (s schemer) object(t reflect.Type) map[string]any {
	index, keys := fieldsOf(t)
	properties := map[string]any{}
	for _, key := range keys {
		f := t.FieldByIndex(index[key])
		if f.Type == reflect.TypeFor[byAuthor]() {
			continue
		}
		p := s.of(f.Type, f.Tag.Get("words"))
		if doc := f.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		properties[key] = p
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if required := s.required[t]; len(required) > 0 {
		out["required"] = required
	}
	return out
}
