package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Strict reads one YAML document into out, a pointer to a struct with json
// tags. An unknown key, a key twice, a value of the wrong type and a key
// without a value are problems, each with its line, column and, where a known
// word is near, a suggestion. Lists, nested structs, maps with text keys, text,
// booleans, integers, [time.Duration] as text ("2s") and
// [encoding.TextUnmarshaler] are understood. An empty file leaves out as it is.
func Strict(name string, data []byte, out any) Problems {
	src, text := load(File{Name: name, Data: data})
	if len(src.problems) > 0 {
		return src.problems
	}
	docs := src.parse(text)
	switch {
	case len(src.problems) > 0 || len(docs) == 0:
		return src.problems
	case len(docs) > 1:
		src.problem(docs[1].at, "a second document begins here; this file must hold one")
		return src.problems
	}
	src.decode(docs[0], out)
	return src.problems
}

// decode reads a document into the struct that out points to.
func (s *source) decode(doc *node, out any) {
	v := reflect.ValueOf(out).Elem()
	d := &decoder{source: s, root: v.Type()}
	d.value("the document", doc, v)
}

// decoder reads nodes into Go values.
type decoder struct {
	*source
	root reflect.Type // to say where a misplaced key belongs
}

// noded is implemented by types that read their node themselves.
type noded interface {
	fromNode(d *decoder, name string, n *node)
}

// located is a value with its place in the file.
type located[T any] struct {
	Value T
	Set   bool
	at    position
}

func (l *located[T]) fromNode(d *decoder, name string, n *node) {
	l.at, l.Set = n.at, true
	d.value(name, n, reflect.ValueOf(&l.Value).Elem())
}

// later is a key that belongs to a later version of the language: known, and
// refused, because what it says would not be enforced.
type later struct{}

var (
	laterType    = reflect.TypeFor[later]()
	durationType = reflect.TypeFor[time.Duration]()
)

func (d *decoder) value(name string, n *node, v reflect.Value) {
	if n.kind == null {
		d.problem(n.at, "%s has no value; write one, or leave the key out", name)
		return
	}
	if r, ok := v.Addr().Interface().(noded); ok {
		r.fromNode(d, name, n)
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.unmarshal(name, n, u)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(name, n, v.Elem())
	case reflect.Struct:
		d.structure(name, n, v)
	case reflect.Slice:
		d.slice(name, n, v)
	case reflect.Map:
		d.mapOf(name, n, v)
	default:
		d.simple(name, n, v)
	}
}

func (d *decoder) want(name string, n *node, k kind) bool {
	if n.kind == k {
		return true
	}
	d.problem(n.at, "%s must be %s, and here is %s", name, k, n.kind)
	return false
}

func (d *decoder) text(name string, n *node) (string, bool) {
	if n.kind == scalar || n.kind == quoted {
		return n.text, true
	}
	d.problem(n.at, "%s must be a single value, and here is %s", name, n.kind)
	return "", false
}

func (d *decoder) unmarshal(name string, n *node, u encoding.TextUnmarshaler) {
	text, ok := d.text(name, n)
	if !ok {
		return
	}
	if err := u.UnmarshalText([]byte(text)); err != nil {
		d.problem(n.at, "%s: %s is not accepted: %s", name, shown(text), shown(err.Error()))
	}
}

func (d *decoder) structure(name string, n *node, v reflect.Value) {
	if !d.want(name, n, mapping) {
		return
	}
	if p, ok := v.Addr().Interface().(interface{ place(position) }); ok {
		p.place(n.at)
	}
	known, keys := d.fields(v.Type())
	for _, f := range n.fields {
		index, ok := known[f.key]
		switch {
		case !ok:
			d.unknown(f, keys)
		case v.Type().FieldByIndex(index).Type == laterType:
			d.problem(f.at, "`%s` is not supported by this version yet; remove it, since it would not be enforced", f.key)
		default:
			value := f.value
			if value.kind == null {
				value = &node{kind: null, at: f.at}
			}
			d.value("`"+f.key+"`", value, v.FieldByIndex(index))
		}
	}
}

// fields are a struct's keys, found out once for all documents of a file.
func (d *decoder) fields(t reflect.Type) (index map[string][]int, keys []string) {
	if known, ok := d.structs[t]; ok {
		return known.index, known.keys
	}
	index, keys = fieldsOf(t)
	if d.structs == nil {
		d.structs = map[reflect.Type]structKeys{}
	}
	d.structs[t] = structKeys{index, keys}
	return index, keys
}

// structKeys are what fieldsOf says of a struct.
type structKeys struct {
	index map[string][]int
	keys  []string
}

// unknown says where a misplaced key belongs: text that was copied from a web
// page has often lost its indentation.
func (d *decoder) unknown(f field, keys []string) {
	if near := nearest(f.key, keys); near != "" {
		d.add(f.at, near, false, "unknown key %s", []any{shown(f.key)})
		return
	}
	if home := homeOf(d.root, f.key, "", 0); home != "" {
		d.problem(f.at, "key `%s` belongs below `%s`; check the indentation", f.key, home)
		return
	}
	d.problem(f.at, "unknown key %s; known here are %s", shown(f.key), listed(keys, "and"))
}

func (d *decoder) slice(name string, n *node, v reflect.Value) {
	if !d.want(name, n, list) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.value(fmt.Sprintf("entry %d of %s", i+1, name), item, v.Index(i))
	}
}

func (d *decoder) mapOf(name string, n *node, v reflect.Value) {
	if !d.want(name, n, mapping) {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.fields)))
	for _, f := range n.fields {
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(shown(f.key), f.value, value)
		v.SetMapIndex(reflect.ValueOf(f.key).Convert(v.Type().Key()), value)
	}
}

func (d *decoder) simple(name string, n *node, v reflect.Value) {
	text, ok := d.text(name, n)
	if !ok {
		return
	}
	bad := func(want string) { d.problem(n.at, "%s must be %s, and here is %s", name, want, shown(text)) }
	switch {
	case v.Type() == durationType:
		value, err := time.ParseDuration(text)
		if err != nil {
			bad("a duration such as 2s or 5m")
		}
		v.SetInt(int64(value))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if n.kind == quoted || text != "true" && text != "false" {
			bad("true or false")
		}
		v.SetBool(text == "true")
	case v.CanInt():
		value, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			bad("a whole number")
		}
		v.SetInt(value)
	case v.CanUint():
		value, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			bad("a whole number that is not negative")
		}
		v.SetUint(value)
	default:
		d.problem(n.at, "%s cannot be set in a file", name)
	}
}

// fieldsOf lists the keys of a struct, those of embedded structs among them.
func fieldsOf(t reflect.Type) (index map[string][]int, keys []string) {
	index = map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous || key == "-" || key == "" {
			continue
		}
		index[key] = f.Index
		if f.Type != laterType {
			keys = append(keys, key)
		}
	}
	return index, keys
}

// homeOf finds the first place of a schema that knows a key, "spec.rules[]".
func homeOf(t reflect.Type, key, path string, depth int) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			path += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || depth > 6 {
		return ""
	}
	index, keys := fieldsOf(t)
	if _, ok := index[key]; ok && path != "" {
		return path
	}
	for _, k := range keys {
		next := k
		if path != "" {
			next = path + "." + k
		}
		if home := homeOf(t.FieldByIndex(index[k]).Type, key, next, depth+1); home != "" {
			return home
		}
	}
	return ""
}
