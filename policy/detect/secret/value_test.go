package secret

import (
	"hash/crc32"
	"strings"
	"testing"
)

func TestSample(t *testing.T) {
	for value, want := range map[string]bool{
		"AKIA" + "IOSFODNN7EXAMPLE":              true,
		"ghp_" + strings.Repeat("x", 36):         true,
		"your_" + "token_here":                   true,
		"k" + strings.Repeat("0", 14):            true,
		"hal+9ooo" + "_da!sY":                    true, // NuGet's reference
		"k" + strings.Repeat("A", 22) + "q9fz3m": false,
		"q7Zp2m" + "W9xK4t":                      false,
	} {
		if sample([]byte(value)) != want {
			t.Errorf("a value of %d bytes: want sample %v", len(value), want)
		}
	}
}

func TestTemplate(t *testing.T) {
	for value, want := range map[string]bool{
		"": true, "$A": true, "${A}": true, "pre${A}": true, "{{ .A }}": true, "$(cat a)": true, "%A%": true, "%s": true, "<a>": true,
		"@A@": true, "[A]": true, "%(a)s": true, "p#w{d": false, "a$b": false, "p%41ss": false, "9f3k": false,
	} {
		if template([]byte(value)) != want {
			t.Errorf("%q: want template %v", value, want)
		}
	}
}

func TestEntropy(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "aaaa": 0, "abab": 1, "abcd": 2, "01234567": 3} {
		if got := entropy([]byte(text)); got != want {
			t.Errorf("%q has an entropy of %v, want %v", text, got, want)
		}
	}
}

func TestAssigned(t *testing.T) {
	for text, want := range map[string]bool{
		`word=VALUE`: true, `word = "VALUE"`: true, `"word": "VALUE"`: true, `word_a-b: VALUE`: true, `word := ` + "`VALUE`": true,
		`'word' => 'VALUE'`: true, `("word", "VALUE")`: true, `<word>VALUE</word>`: true, "<word>\n    VALUE\n</word>": true,
		"word: |\n  VALUE": true, `\"word\":\"VALUE\"`: true, `word ?= VALUE`: true, `var word string = "VALUE"`: true, `word=["VALUE"]`: true,
		`word VALUE`: false, `word`: false, `word: other VALUE`: false, "word" + strings.Repeat("x", 40) + "=VALUE": false,
	} {
		at, ok := assigned([]byte(text), strings.Index(text, "word")+len("word"))
		if got := ok && strings.HasPrefix(text[at:], "VALUE"); got != want {
			t.Errorf("%q: value found %v, want %v", text, got, want)
		}
	}
}

// TestGitHub makes a token with a right checksum out of little randomness, and
// then spoils it.
func TestGitHub(t *testing.T) {
	random := strings.Repeat("ab1", 10)
	sum, text := crc32.ChecksumIEEE([]byte(random)), ""
	for range 6 {
		text = string(base62[sum%62]) + text
		sum /= 62
	}
	if !github([]byte("ghp_" + random + text)) {
		t.Error("a right checksum is refused")
	}
	if github([]byte("ghp_" + random + "000000")) {
		t.Error("a wrong checksum and no randomness is no token")
	}
}

func TestBoundaries(t *testing.T) {
	for _, c := range []struct {
		text         string
		at           int
		begins, ends bool
	}{
		{"ab", 1, false, false}, {"=b ", 1, true, true}, {`\nb`, 2, true, false}, {"-b", 1, true, true}, {"b", 0, true, true},
	} {
		if got := begins([]byte(c.text), c.at); got != c.begins {
			t.Errorf("a token begins at %d in %q: %v", c.at, c.text, got)
		}
		if got := c.at == 0 || ends([]byte(c.text), c.at); got != c.ends {
			t.Errorf("a token ends at %d in %q: %v", c.at, c.text, got)
		}
	}
}
