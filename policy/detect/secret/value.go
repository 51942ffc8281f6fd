package secret

import (
	"bytes"
	"math"
)

// entropy is Shannon's, in bits per byte.
func entropy(value []byte) float64 {
	var counts [256]int
	for _, b := range value {
		counts[b]++
	}
	sum := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(value))
			sum -= p * math.Log2(p)
		}
	}
	return sum
}

func isDigit(b byte) bool  { return b >= '0' && b <= '9' }
func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isWord(b byte) bool   { return isDigit(b) || isLetter(b) || b == '_' }
func isSpace(b byte) bool  { return b == ' ' || b >= '\t' && b <= '\r' }

// fold gives the letter in lower case.
func fold(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b | 0x20
	}
	return b
}

// begins says whether a token can begin at the offset: no word goes on there.
// A letter behind a backslash is an escape, "\n".
func begins(text []byte, at int) bool {
	if at == 0 || !isWord(text[at]) || !isWord(text[at-1]) {
		return true
	}
	return at > 1 && text[at-2] == '\\' && (text[at-1] == 'n' || text[at-1] == 'r' || text[at-1] == 't')
}

// beginsName says whether a word begins at the offset, if not in the middle of a
// name then by a capital: "a_twitter", "aTwitter".
func beginsName(text []byte, at int) bool {
	return at == 0 || !isLetter(text[at-1]) || begins(text, at) || text[at] < 'a' && text[at-1] >= 'a'
}

// ends says whether a token can end at the offset.
func ends(text []byte, at int) bool {
	return at >= len(text) || !isWord(text[at]) || !isWord(text[at-1])
}

// behind is what may stand behind a value that a label announces.
const behind = "\"'`;,)]}<&|\\"

// delimited says whether a value ends at the offset.
func delimited(text []byte, at int) bool {
	return at >= len(text) || isSpace(text[at]) || bytes.IndexByte([]byte(behind), text[at]) >= 0
}

// samples are words that people put where a secret belongs.
var samples = [...]string{
	"example", "placeholder", "changeme", "change_me", "change-me", "changeit", "xxxx", "****", "....", "redacted", "dummy", "sample",
	"your_", "your-", "yourkey", "yourtoken", "yoursecret", "yourpass", "yourapi", "mykey", "mysecret", "insert_", "replace_", "replace-", "replaceme",
	"abcdefghij", "0123456789", "foobar", "notasecret", "not-a-secret", "not_a_secret", "fake", "todo", "verylongsecret",
}

// sampleRun is a run of one byte that no random value has.
const sampleRun = 12

// sample says whether the value only shows where a secret belongs.
func sample(value []byte) bool {
	run := 1
	for i := 1; i < len(value); i++ {
		if value[i] != value[i-1] || value[i] == 'A' { // zeros in base64
			run = 0
		}
		if run++; run >= sampleRun {
			return true
		}
	}
	for _, word := range samples {
		if containsFold(value, word) {
			return true
		}
	}
	return published(value)
}

// containsFold looks for a word in lower case.
func containsFold(text []byte, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if hasPrefixFold(text[i:], word) {
			return true
		}
	}
	return false
}

func hasPrefixFold(text []byte, word string) bool {
	if len(text) < len(word) {
		return false
	}
	for i := range len(word) {
		if fold(text[i]) != word[i] {
			return false
		}
	}
	return true
}

// template says whether something is put into the value when it is used:
// "${A}", "{{ .A }}", "$(cat a)", "%A%", "%s", "<a>", "@A@", "[A]", "$A".
func template(value []byte) bool {
	if len(value) == 0 {
		return true
	}
	first, last := value[0], value[len(value)-1]
	switch {
	case first == '$', first == '%' && (last == '%' || len(value) == 2), first == '@' && last == '@',
		first == '<', first == '[' && last == ']', first == '{' && last == '}', first == '#' && last == '#':
		return true
	}
	return bytes.Contains(value, []byte("${")) || bytes.Contains(value, []byte("{{")) || bytes.Contains(value, []byte("$(")) ||
		bytes.Contains(value, []byte("%(")) || bytes.Contains(value, []byte("#{"))
}

// varied says whether there are both letters and digits.
func varied(value []byte) bool {
	digits, letters := 0, 0
	for _, b := range value {
		if isDigit(b) {
			digits++
		}
		if isLetter(b) {
			letters++
		}
	}
	return digits > 0 && letters > 0
}
