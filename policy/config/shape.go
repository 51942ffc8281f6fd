package config

import (
	"reflect"
	"slices"
)

// shape is what the schema says of a place: what can stand there. It is read
// off the structs that documents are decoded into, so that there is one schema.
type shape struct {
	form     form
	item     *shape            // of a list
	fields   map[string]*shape // of a mapping with known keys
	keys     []string          // the same, in the order of the schema
	required []string          // keys without which the mapping means nothing
}

type form uint8

const (
	formText form = iota
	formList
	formKeys // a mapping with known keys
	formDict // a mapping with keys of the operator's choice and texts as values
	formPair // an entry of the dialect: "key: value" as text or as a mapping
)

// roots are the kinds of document, by apiVersion and kind.
func roots() map[[2]string]reflect.Type {
	return map[[2]string]reflect.Type{
		{ownVersion, "Policy"}:     reflect.TypeFor[ownPolicy](),
		{ownVersion, "Exception"}:  reflect.TypeFor[ownException](),
		{ownVersion, "PolicyTest"}: reflect.TypeFor[ownTest](),
		{dialectVersion, "Policy"}: reflect.TypeFor[dialectPolicy](),
	}
}

// requiredKeys are keys that a mapping cannot do without. That they are missing
// tells a wrong reading early; what else is wrong is the compiler's to say.
func requiredKeys() map[reflect.Type][]string {
	return map[reflect.Type][]string{
		reflect.TypeFor[ownPolicy]():        {"apiVersion", "kind", "metadata", "spec"},
		reflect.TypeFor[ownRule]():          {"id"},
		reflect.TypeFor[labelRequirement](): {"key", "operator"},
		reflect.TypeFor[ownException]():     {"apiVersion", "kind", "metadata", "spec"},
		reflect.TypeFor[exceptionSpec]():    {"policies", "selector", "findings", "reason", "requestedBy", "approvedBy", "expiresAt"},
		reflect.TypeFor[exceptedPolicy]():   {"name", "rules"},
		reflect.TypeFor[ownTest]():          {"apiVersion", "kind", "metadata", "cases"},
		reflect.TypeFor[ownCase]():          {"name", "subject", "want"},
		reflect.TypeFor[ownWant]():          {"action"},
		reflect.TypeFor[dialectPolicy]():    {"apiVersion", "kind", "metadata", "spec"},
		reflect.TypeFor[dialectRule]():      {"name", "scanner", "match", "action"},
	}
}

// shapeOf reads a shape off a type; nil where nothing can stand.
func shapeOf(t reflect.Type) *shape { return shapeIn(t, requiredKeys()) }

func shapeIn(t reflect.Type, required map[reflect.Type][]string) *shape {
	switch {
	case t == laterType, t == reflect.TypeFor[byAuthor]():
		return nil
	case t == reflect.TypeFor[entry]():
		return &shape{form: formPair}
	case t.Kind() == reflect.Pointer:
		return shapeIn(t.Elem(), required)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return &shape{form: formList, item: shapeIn(t.Elem(), required)}
	case t.Kind() == reflect.Map:
		return &shape{form: formDict}
	case t.Kind() != reflect.Struct:
		return &shape{}
	}
	index, keys := fieldsOf(t)
	if len(keys) == 0 {
		if value, ok := t.FieldByName("Value"); ok { // located
			return shapeIn(value.Type, required)
		}
		return &shape{}
	}
	s := &shape{form: formKeys, keys: keys, fields: map[string]*shape{}, required: required[t]}
	for _, key := range keys {
		s.fields[key] = shapeIn(t.FieldByIndex(index[key]).Type, required)
	}
	return s
}

// complete says whether a mapping with these keys can be one.
func (s *shape) complete(keys []string) bool {
	for _, key := range s.required {
		if !slices.Contains(keys, key) {
			return false
		}
	}
	return true
}
