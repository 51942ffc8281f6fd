package jsontok_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect/jsontok"
)

// read gives the text to a tokenizer in windows and writes its tokens down: a
// value as path=value, marks of cut, unopened and broken after it.
func read(off int64, text string, size int) []string {
	var out []string
	var z *jsontok.Tokenizer
	z = jsontok.New(func(t *jsontok.Token) {
		var path []string
		for up := 0; len(z.Path(up)) > 0; up++ {
			path = append([]string{string(z.Path(up))}, path...)
		}
		line := strings.Join(path, ".") + map[jsontok.Kind]string{jsontok.ObjectStart: "{", jsontok.ObjectEnd: "}", jsontok.ArrayStart: "[",
			jsontok.ArrayEnd: "]", jsontok.String: "=", jsontok.Literal: "~"}[t.Kind] + string(t.Value)
		for mark, set := range map[string]bool{"!cut": t.Cut, "!unopened": t.Unopened, "!broken": t.Broken} {
			if set {
				line += mark
			}
		}
		out = append(out, line)
	})
	for i := 0; i < len(text); i += size {
		z.Window(off+int64(i), []byte(text[i:min(i+size, len(text))]))
	}
	z.Close()
	return out
}

func TestTokenizer(t *testing.T) {
	for name, c := range map[string]struct {
		off  int64
		text string
		want string
	}{
		"object":          {0, `{"a":"x","b":[1,{"c":true}],"d":null}`, `{ a=x b[ b~1 b{ b.c~true b} b] d~null }`},
		"spaces":          {0, "\ufeff\n{ \"a\"\t:\r\n\"x\" , \"b\" :{ } }", "~\ufeff { a=x b{ b} }"},
		"escapes":         {0, `["\"\\\/\u00e9\ud83d\ude00\u0041","\udE00z\ud800","\u00zz"]`, `[ ="\/é😀A =z =zz ]`},
		"ndjson":          {0, "{\"a\":1}\n{\"a\":2}\n", `{ a~1 } { a~2 }`},
		"concatenated":    {0, `{"a":1}{"a":2}[3]`, `{ a~1 } { a~2 } [ ~3 ]`},
		"log_line":        {0, `[2026] INFO got={"a":"x"} from "here"`, `[ ~2026 ] ~INFO ~got= { a=x } ~from =here`},
		"comments":        {0, "{ // one, \"x\":1\n\"a\": /* {\"b\":2 */ 1, \"u\":\"http://x\"}", `{ a~1 u=http://x }`},
		"url_bare":        {0, `see http://x/*y {"a":1}`, `~see http~//x/*y { a~1 }`},
		"single_quotes":   {0, `{'a': 'it is', "b": 'x"y', c: [True]} don't`, `{ a=it b=x"y c[ c~True c] } ~don't`},
		"cut_line":        {0, "{\"a\":{\"b\":\"unfinished\n{\"c\":1}", `{ a{ a.b=unfinished!cut a}!broken }!broken { c~1 }`},
		"cut_after_comma": {0, "{\"a\":1,\n{\"c\":1}", `{ a~1 }!broken { c~1 }`},
		"end":             {0, `{"a":["x`, `{ a[ a=x!cut a]!broken }!broken`},
		"key_at_end":      {0, `{"a"`, `{ =a }!broken`},
		"middle":          {9, `"x","b":2},{"c":3}]}`, `=x b~2 }!unopened { c~3 } ]!unopened }!unopened`},
		"middle_string":   {9, `of a text", "b": "y", "c":""}`, `~of ~a ~text b=y c= }!unopened`},
		"middle_compact":  {9, `text":"","b":"y"}`, `~text =: b=y }!unopened`},
		"wrong_brackets":  {0, `{"a":[1}]`, `{ a[ a~1 a] }`},
		"rs":              {0, "\x1e{\"a\":1}\n\x1e{\"a\":2}", `{ a~1 } { a~2 }`},
		"path":            {0, `{"a":{"b":[[{"c":1}]]}}`, `{ a{ a.b[ a.b[ a.b{ a.b.c~1 a.b} a.b] a.b] a} }`},
	} {
		t.Run(name, func(t *testing.T) {
			want := strings.Split(c.want, " ")
			for i := range want { // a blank of a value is written as one token
				want[i] = strings.ReplaceAll(want[i], "_", " ")
			}
			for _, size := range []int{1 << 20, 3, 1} {
				if c.off > 0 && size == 1 {
					continue // the byte after a quote tells how a middle is to be read
				}
				got := strings.Split(strings.Join(read(c.off, c.text, size), " "), " ")
				if name == "single_quotes" {
					got = append(got[:2], got[3:]...)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("windows of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

// TestTokenizer_against_library reads documents that encoding/json wrote.
func TestTokenizer_against_library(t *testing.T) {
	var strings []string
	for i := range 3000 {
		strings = append(strings, fmt.Sprintf("%c \"\\%c\n/", i, 0x10000+i))
	}
	text, err := json.Marshal(map[string]any{"k": strings})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	z := jsontok.New(func(t *jsontok.Token) {
		if t.Kind == jsontok.String && string(t.Key) == "k" {
			got = append(got, string(t.Value))
		}
	})
	z.Window(0, text)
	z.Close()
	var want struct{ K []string }
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for i := range want.K {
		if i >= len(got) || bytes.ContainsAny([]byte(want.K[i]), "\b\f") {
			continue
		}
		if got[i] != want.K[i] {
			t.Errorf("string %d is read otherwise", i)
		}
	}
	if len(got) != len(want.K) {
		t.Errorf("%d strings, want %d", len(got), len(want.K))
	}
}

// TestMissed: depth beyond the bound is told.
func TestMissed(t *testing.T) {
	for depth, want := range map[int]int{jsontok.MaxDepth: 0, jsontok.MaxDepth + 1: 1} {
		z, told := jsontok.New(func(*jsontok.Token) {}), 0
		z.Window(0, []byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)+"\n{}"))
		z.Close()
		if z.Missed(func(string) { told++ }); told != want {
			t.Errorf("%d deep: told %d times, want %d", depth, told, want)
		}
	}
}

// TestTokenizer_hostile: depth and length cost nothing, and what follows is read.
func TestTokenizer_hostile(t *testing.T) {
	const million = 1_000_000
	for name, c := range map[string]struct {
		text  string
		again int
	}{
		"arrays":    {strings.Repeat("[", million), 1},
		"objects":   {strings.Repeat(`{"a":`, million), 1},
		"ends":      {strings.Repeat("]}", million), 1},
		"string":    {strings.Repeat("a", 1<<20), 256},
		"backslash": {strings.Repeat(`\`, 1<<20), 64},
		"quotes":    {strings.Repeat(`"`, 1<<20), 16},
		"comment":   {strings.Repeat("/*", million), 4},
		"keys":      {strings.Repeat(`{"`+strings.Repeat("k", 1000)+`":`, 1000), 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := 0
			z := jsontok.New(func(t *jsontok.Token) {
				if t.Kind == jsontok.String && string(t.Key) == "found" {
					seen++
				}
			})
			before, begun, off := heap(), time.Now(), int64(0)
			window := func(text string) {
				z.Window(off, []byte(text))
				off += int64(len(text))
			}
			window(`"`)
			if name != "string" {
				window("\n")
			}
			for range c.again {
				window(c.text)
			}
			window("\n{\"found\":\"x\"}\n")
			grown := int64(heap()) - int64(before)
			z.Close()
			if seen != 1 {
				t.Errorf("what follows was read %d times, want once", seen)
			}
			if grown > 1<<20 {
				t.Errorf("%d bytes are held", grown)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("%d bytes took %v", off, took)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// FuzzTokenizer: no panic, the same tokens however the text is cut, and starts
// and ends that match.
func FuzzTokenizer(f *testing.F) {
	f.Add(`{"a":"x","b":[1,{"c":true}],"d":null}`, uint8(3))
	f.Add(`{'a': "\ud83d\ude00" /* c */ // d`, uint8(1))
	f.Add("]}{\"a\":\"x\n{[[[", uint8(2))
	f.Add(strings.Repeat("[", 100)+strings.Repeat("]", 101), uint8(9))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		whole, parts := read(0, text, len(text)+1), read(0, text, int(size)+1)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("windows of %d change the tokens", int(size)+1)
		}
		depth := 0
		z := jsontok.New(func(tok *jsontok.Token) {
			switch tok.Kind {
			case jsontok.ObjectStart, jsontok.ArrayStart:
				if tok.Depth != depth {
					t.Errorf("a start at depth %d, want %d", tok.Depth, depth)
				}
				depth++
			case jsontok.ObjectEnd, jsontok.ArrayEnd:
				if tok.Unopened {
					return
				}
				if depth--; tok.Depth != depth {
					t.Errorf("an end at depth %d, want %d", tok.Depth, depth)
				}
			}
		})
		z.Window(0, []byte(text))
		z.Close()
		if depth != 0 || z.Depth() != 0 || !z.Quiet() {
			t.Errorf("depth %d after the end", depth)
		}
	})
}

func BenchmarkTokenizer(b *testing.B) {
	text := []byte("[" + strings.Repeat(`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8302-2"}]},"v":170.2},`+"\n", 1000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		z := jsontok.New(func(*jsontok.Token) {})
		z.Window(0, text)
		z.Close()
	}
}
