package install

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// table is a TOML table as the library decodes it.
type table = map[string]any

func parse(name string, data []byte) (table, error) {
	var t table
	err := toml.Unmarshal(data, &t)
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, column := at.Position()
		return nil, fmt.Errorf("%s:%d:%d: not TOML: %s; nothing was changed", name, row, column, strings.TrimPrefix(at.Error(), "toml: "))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: not TOML: %w; nothing was changed", name, err)
	}
	if t == nil {
		t = table{}
	}
	return t, nil
}

// at is the value below nested tables, or nil.
func at(t table, keys ...string) any {
	var v any = t
	for _, key := range keys {
		below, ok := v.(table)
		if !ok {
			return nil
		}
		v = below[key]
	}
	return v
}

// texts are the strings of an array.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// version is the configuration's own; 0 where none is said.
func version(t table) int64 {
	v, _ := t["version"].(int64)
	return v
}

// addImport adds a pattern to the imports of a configuration, and changes no
// other byte: a line where there are no imports, else one more element. What
// comes out is parsed again and must be what went in, but for that.
func addImport(name string, data []byte, pattern string) ([]byte, error) {
	before, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	imports, isList := before["imports"].([]any)
	if _, there := before["imports"]; there && !isList {
		return nil, fmt.Errorf("%s: imports is not a list; nothing was changed", name)
	}
	where, err := places(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; nothing was changed", name, err)
	}
	out := where.insert(data, pattern, len(imports) > 0)
	want := maps.Clone(before)
	want["imports"] = append([]any{pattern}, imports...)
	return out, verify(name, out, want)
}

// verify parses what an edit made and says whether it means what it should.
func verify(name string, data []byte, want table) error {
	got, err := parse(name, data)
	if err != nil || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%s: the line cannot be added without touching others; add /etc/containerd/conf.d/*.toml to its imports yourself; nothing was changed", name)
	}
	return nil
}

// place says where in a configuration an import goes.
type place struct {
	list    int // behind the "[" of imports, or -1
	line    int // the beginning of the line for a new key
	newline string
}

// places finds the imports key and where top-level keys end. Offsets are those
// of the library's parser, so that strings and comments that look like keys
// mislead nobody.
func places(data []byte) (place, error) {
	p := place{list: -1, newline: "\n"}
	if bytes.Contains(data, []byte("\r\n")) {
		p.newline = "\r\n"
	}
	var parser unstable.Parser
	parser.Reset(data)
	for parser.NextExpression() {
		e := parser.Expression()
		if e.Kind != unstable.KeyValue {
			break // a table: top-level keys have ended
		}
		keys := e.Key()
		keys.Next()
		key := keys.Node()
		end := int(key.Raw.Offset + key.Raw.Length)
		switch string(key.Data) {
		case "imports":
			open := bytes.IndexByte(data[end:], '[')
			if open < 0 {
				return p, errors.New("imports is not a list")
			}
			p.list = end + open + 1
		case "version": // stays the first line
			p.line = nextLine(data, end)
		}
	}
	return p, parser.Error()
}

func nextLine(data []byte, from int) int {
	if i := bytes.IndexByte(data[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(data)
}

// insert puts the pattern first into the list, where no comment and no missing comma is in
// its way, or writes a line of its own. containerd reads the list in order and
// the later file wins, so what is first gives way to the operator's own; where that matters, doctor says so.
func (p place) insert(data []byte, pattern string, more bool) []byte {
	quoted := "'" + pattern + "'"
	var at int
	var text string
	if p.list >= 0 {
		at, text = p.list, quoted
		if more {
			text += ", "
		}
	} else {
		at, text = p.line, "imports = ["+quoted+"]"+p.newline
		if at == len(data) && at > 0 && data[at-1] != '\n' {
			text = p.newline + text
		}
	}
	return slices.Concat(data[:at], []byte(text), data[at:])
}
