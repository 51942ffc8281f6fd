package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
)

// Facts that have words of their own.
const (
	whatPolicy    = "policy"
	whatException = "exception"
	whatAction    = "action"
	whatName      = "name"
)

// compiled takes the facts from the compiled form. What cannot be compared
// there, the checks themselves, is taken from what is written.
func (m *meaning) compiled() {
	for i := range m.policy.Documents {
		d := &m.policy.Documents[i]
		m.scope[d.Name] = scopeOf(d.Selector)
		m.facts[factKey{d.Name, "", whatPolicy}] = fact{words: []string{"in force"}}
		for rule, action := range d.Actions {
			m.facts[factKey{d.Name, rule, whatAction}] = fact{words: []string{action.String()}}
		}
		m.walk(d.Name, "", reflect.ValueOf(*d), reflect.TypeFor[policy.Document]())
	}
	for _, e := range m.policy.Exceptions.All() {
		m.scope[e.ID] = "until " + e.ExpiresAt.UTC().Format(time.RFC3339)
		m.facts[factKey{e.ID, "", whatException}] = fact{words: []string{"in force"}}
		for _, p := range e.Policies {
			m.facts[factKey{e.ID, "", "rules of " + p.Policy}] = fact{words: sorted(p.Rules), set: true}
		}
		var places []string
		for _, f := range e.Findings {
			places = append(places, f.String())
		}
		m.facts[factKey{e.ID, "", "findings"}] = fact{words: sorted(places), set: true}
		m.walk(e.ID, "", reflect.ValueOf(*e), reflect.TypeFor[policy.Exception]())
	}
}

// sorted are words in their order, each once.
func sorted(words []string) []string {
	out := slices.Sorted(slices.Values(words))
	return slices.Compact(out)
}

// words are the keys of settings where the compiled form has another name.
func words() map[string]string {
	return map[string]string{
		"selector.notNamespaces": "selector.namespaces.notIn", "selector.namespaces": "selector.namespaces.in",
		"selector.imageGlobs": "selector.images.match", "selector.imageDigests": "selector.images.digests",
		"selector.podExpressions": "selector.podLabels.matchExpressions",
		"platform":                "platformNamespaces",
	}
}

// unsaid are fields of a document that say nothing, or that are said otherwise.
func unsaid(t reflect.Type, field string) bool {
	if t == reflect.TypeFor[policy.Document]() {
		return slices.Contains([]string{"Name", "Version", "Source", "Actions", "Inherited", "Rules", "FileRules", "Conditions"}, field)
	}
	return slices.Contains([]string{"ID", "Source", "Policies", "Findings"}, field)
}

func (m *meaning) walk(name, path string, v reflect.Value, t reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || len(f.Index) > 1 || unsaid(t, f.Name) {
			continue
		}
		key := lower(f.Name)
		if path != "" {
			key = path + "." + key
		}
		m.value(name, key, v.FieldByIndex(f.Index))
	}
}

// value files one value of the compiled form under its path.
func (m *meaning) value(name, path string, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Func || v.Kind() == reflect.Interface:
		return
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() && v.Type().Elem().Kind() != reflect.Struct {
			m.put(name, path, false, fmt.Sprint(v.Elem().Interface()))
		}
		return
	case v.Type() == reflect.TypeFor[time.Time]():
		if at := v.Interface().(time.Time); !at.IsZero() {
			m.put(name, path, false, at.UTC().Format(time.RFC3339))
		}
		return
	case v.Kind() == reflect.Struct:
		m.walk(name, path, v, v.Type())
		return
	case v.Kind() == reflect.Slice:
		if !v.IsNil() {
			var all []string
			for i := range v.Len() {
				all = append(all, fmt.Sprint(v.Index(i).Interface()))
			}
			m.put(name, path, true, all...)
		}
		return
	case v.Kind() == reflect.Map:
		var all []string
		for it := v.MapRange(); it.Next(); {
			all = append(all, fmt.Sprintf("%v=%v", it.Key().Interface(), it.Value().Interface()))
		}
		if len(all) > 0 {
			m.put(name, path, true, all...)
		}
		return
	case v.IsZero():
		return
	}
	m.put(name, path, false, fmt.Sprint(v.Interface()))
}

func (m *meaning) put(name, path string, set bool, all ...string) {
	if word, ok := words()[path]; ok {
		path = word
	}
	m.facts[factKey{name, "", path}] = fact{words: sorted(all), set: set}
}

// lower is a field's name as a key: "EnforceAfter", "enforceAfter".
func lower(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// written takes from a document what its own rules look for, and what else
// they say besides their action.
func (m *meaning) written(doc *node) {
	name, rules, kind := doc.get("metadata", "name"), doc.get("spec", "rules"), doc.get("kind")
	if when := doc.get("spec", "selector", "when"); name != nil && when != nil {
		m.put(name.text, "selector.when", false, when.text)
	}
	if name == nil || rules == nil || rules.kind != list || kind.text != "Policy" {
		return
	}
	for _, rule := range rules.items {
		id := rule.get("id")
		if id == nil {
			id = rule.get("name")
		}
		if id == nil {
			continue
		}
		for _, f := range rule.fields {
			if slices.Contains([]string{"id", "name", "action", "description"}, f.key) {
				continue
			}
			key := factKey{name.text, m.ruleName(id.text), f.key}
			m.facts[key] = fact{words: f.value.words(""), set: f.value.kind != scalar && f.value.kind != quoted}
		}
	}
}

// ruleName is a rule's ID where a row number of the catalogue stands.
func (m *meaning) ruleName(id string) string {
	for name, info := range m.policy.Catalogue {
		if slices.Contains(info.Aliases, id) {
			return name
		}
	}
	return id
}

// get follows keys through mappings; nil where one is missing.
func (n *node) get(keys ...string) *node {
	for _, key := range keys {
		i := slices.IndexFunc(n.fields, func(f field) bool { return f.key == key })
		if i < 0 {
			return nil
		}
		n = n.fields[i].value
	}
	return n
}

// words are the values of a tree with the keys that lead to them, sorted.
func (n *node) words(path string) []string {
	var out []string
	switch n.kind {
	case mapping:
		for _, f := range n.fields {
			out = append(out, f.value.words(path+f.key+": ")...)
		}
	case list:
		for _, item := range n.items {
			out = append(out, item.words(path)...)
		}
	default:
		out = append(out, path+n.text)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
