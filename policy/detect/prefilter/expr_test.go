package prefilter

import (
	"regexp"
	"strings"
	"testing"
)

// regexp is asked of each ASCII byte whether it is in the class.
func TestParseAgreesWithRegexp(t *testing.T) {
	pieces := []string{
		`a`, `Z`, `7`, ` `, `_`, `"`, `=`, `\d`, `\x0b`, `\x41`, `\x7F`, `\n`, `\r`, `\t`, `\f`, `\v`, `\.`, `\[`, `\\`, `\-`, `\/`,
		`[abc]`, `[^abc]`, `[a-z]`, `[^a-z0-9]`, `[\d_]`, `[^\d]`, `[a-]`, `[-a]`, `[a\-z]`, `[+--]`, `[A-z]`, `[\x00-\x1f]`, `[\n\r\x0b\x00]`,
		"[!-/:-@\\[-`{-~]", `[.*+?(){}|$]`, `[\]]`, `[a^]`, `[[]`, `[\\]`, `[a-c\d-]`,
	}
	for _, fold := range []string{"", "(?i)"} {
		for _, piece := range pieces {
			expr := fold + piece + piece + piece
			positions, err := parse(expr)
			if err != nil || len(positions) != 3 {
				t.Errorf("%q: %d positions, %v", expr, len(positions), err)
				continue
			}
			re := regexp.MustCompile(fold + `(?s)\A(?:` + piece + `)\z`)
			for b := range byte(0x80) {
				if got, want := positions[0].has(b), re.Match([]byte{b}); got != want {
					t.Errorf("%q and byte %#x: %t, want %t", expr, b, got, want)
				}
			}
		}
	}
}

func TestParseAboveASCII(t *testing.T) {
	tests := map[string]struct {
		expr    string
		in, out string
	}{
		"negated":    {`[^a-z]aa`, "\x80\xFF\xC3A ", "az"},
		"escape":     {`\xffaa`, "\xFF", "\xC3\xBF\x7F"},
		"range":      {`[\x80-\xbf]aa`, "\x80\xA0\xBF", "\x7F\xC0 "},
		"folded":     {`(?i)kaa`, "kK", "\xE2\x84\xAA\x0B\xCB\xEB"},
		"characters": {"\u00e9a", "\xC3", "\xA9\xE9"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			positions, err := parse(tc.expr)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range []byte(tc.in) {
				if !positions[0].has(b) {
					t.Errorf("%#x is not in", b)
				}
			}
			for _, b := range []byte(tc.out) {
				if positions[0].has(b) {
					t.Errorf("%#x is in", b)
				}
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	tests := map[string]struct{ expr, want string }{
		"empty":            {``, "0 positions"},
		"short":            {`ab`, "2 positions, fewer than 3"},
		"long":             {strings.Repeat("a", 65), "more than 64 positions"},
		"dot":              {`ab.d`, `'.' must be escaped`},
		"plus":             {`abc+`, `'+' must be escaped`},
		"repetition":       {`\d{3}-`, `'{' must be escaped`},
		"group":            {`(abc)`, `'(' must be escaped`},
		"flag_within":      {`abc(?i)d`, `'(' must be escaped`},
		"alternative":      {`abc|def`, `'|' must be escaped`},
		"anchor":           {`^abc`, `'^' must be escaped`},
		"bracket":          {`abc]`, `']' must be escaped`},
		"open_class":       {`abc[de`, "without its ]"},
		"empty_class":      {`abc[]`, "must be escaped"},
		"nothing_in_class": {`abc[^\x00-\xff]`, "no byte is in"},
		"named_class":      {`abc[[:alpha:]]`, "named class"},
		"reversed_range":   {`abc[z-a]`, "ends are no bytes in order"},
		"class_as_end":     {`abc[a-\d]`, "ends are no bytes in order"},
		"wide_character":   {"abc[\u00e9]", "ASCII"},
		"wide_end":         {"abc[a-\u00e9]", "ASCII"},
		"word_class":       {`abc\w`, `\w is no escape`},
		"boundary":         {`\bssn\b`, `\b is no escape`},
		"half_hex":         {`abc\x1`, "without two digits"},
		"no_hex":           {`abc\x+1`, "without two digits"},
		"backslash":        {`abc\`, "at the end"},
		"broad":            {`[a-z][a-z]\d\d\d`, "rarest four bytes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]string{"fine", tc.expr})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range []string{"expression 1", tc.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// What compiles here compiles as a regexp, and matches the same ASCII.
func FuzzCompile(f *testing.F) {
	for _, expr := range load() {
		f.Add(expr)
	}
	for _, expr := range []string{``, `(?i)`, `a[^`, `\x`, `[\]-a]aa`, `[a--]bc`, "\xff\xfe\xfd", `[^\x00-\x7e]ab`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := Compile([]string{expr})
		if err != nil {
			return
		}
		if n := s.Len(0); n < shortest || n > longest {
			t.Fatalf("%d positions", n)
		}
		match, ok := sample(s.patterns[0])
		if ok && ascii(expr) {
			agree(t, s.patterns[0], regexp.MustCompile(`\A(?s:`+expr+`)\z`), match)
		}
	})
}

// agree puts each ASCII byte at each position of a match and asks both.
func agree(t *testing.T, positions []class, re *regexp.Regexp, match []byte) {
	t.Helper()
	if !re.Match(match) {
		t.Fatal("regexp finds no match in a match")
	}
	for i, was := range match {
		for b := range byte(0x80) {
			match[i] = b
			if got, want := positions[i].has(b), re.Match(match); got != want {
				t.Fatalf("position %d, byte %#x: %t, want %t", i, b, got, want)
			}
		}
		match[i] = was
	}
}

// sample gives a match of ASCII bytes, if there is one.
func sample(positions []class) (match []byte, ok bool) {
	for i := range positions {
		b := byte(0x7F)
		for ; !positions[i].has(b); b-- {
			if b == 0 {
				return nil, false
			}
		}
		match = append(match, b)
	}
	return match, true
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
