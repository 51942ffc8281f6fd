package version

import (
	"cmp"
	"slices"
	"strings"
)

// Maven is the order of the POM reference, "Version Order Specification".
func Maven(a, b string) int {
	x, y := mavenTokens(a), mavenTokens(b)
	for i := range max(len(x), len(y)) {
		var p, q mavenToken
		switch {
		case i >= len(x):
			q = y[i]
			p = q.padding()
		case i >= len(y):
			p = x[i]
			q = p.padding()
		default:
			p, q = x[i], y[i]
		}
		if d := p.compare(q); d != 0 {
			return d
		}
	}
	return 0
}

// mavenToken is a number or a word with what stands before it, a dot or a
// hyphen.
type mavenToken struct {
	dot  bool
	text string
}

func (t mavenToken) isNumber() bool { return allDigits(t.text) }

// none is what a version can end with and be the same.
func (t mavenToken) none() bool {
	return t.isNumber() && strings.Trim(t.text, "0") == "" || t.rank() == slices.Index(mavenWords, "")
}

// padding is what the shorter of two versions has in this place.
func (t mavenToken) padding() mavenToken {
	if t.isNumber() && t.dot {
		return mavenToken{dot: true, text: "0"}
	}
	return mavenToken{dot: t.dot}
}

// mavenWords have an order of their own; all others come behind them, by the alphabet.
var mavenWords = []string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}

func (t mavenToken) rank() int {
	if i := slices.Index(mavenWords, t.text); i >= 0 {
		return i
	}
	return len(mavenWords)
}

// compare: a word comes before a number behind a hyphen, and that before one
// behind a dot.
func (t mavenToken) compare(o mavenToken) int {
	place := func(t mavenToken) int { return boolean(t.isNumber()) + boolean(t.isNumber() && t.dot) }
	if d := place(t) - place(o); d != 0 {
		return d
	}
	if t.isNumber() {
		return numbers(t.text, o.text)
	}
	return cmp.Or(t.rank()-o.rank(), strings.Compare(t.text, o.text))
}

// mavenTokens splits at dots, hyphens and where digits and letters meet, and
// leaves out what is none at the end and before hyphens.
func mavenTokens(s string) []mavenToken {
	var tokens []mavenToken
	dot := true
	for s = strings.ToLower(s); ; {
		digits, rest := run(s, isDigit)
		word := digits
		if word == "" {
			word, rest = run(s, func(c byte) bool { return !isDigit(c) && !mavenSeparates(c) })
			word = mavenWord(word, rest)
		}
		if word == "" {
			word = "0"
		}
		if !dot {
			tokens = trimMaven(tokens)
		}
		tokens = append(tokens, mavenToken{dot, word})
		if rest == "" {
			return trimMaven(tokens)
		}
		if dot = rest[0] == '.'; mavenSeparates(rest[0]) {
			rest = rest[1:]
		}
		s = rest
	}
}

func mavenSeparates(c byte) bool { return c == '.' || c == '-' || c == '_' }

// mavenWord is a word by its common name.
func mavenWord(word, rest string) string {
	numbered := rest != "" && isDigit(rest[0])
	switch {
	case word == "a" && numbered:
		return "alpha"
	case word == "b" && numbered:
		return "beta"
	case word == "m" && numbered:
		return "milestone"
	case word == "cr":
		return "rc"
	}
	return word
}

func trimMaven(tokens []mavenToken) []mavenToken {
	for len(tokens) > 0 && (tokens[len(tokens)-1].none() || slices.Contains([]string{"final", "ga", "release"}, tokens[len(tokens)-1].text)) {
		tokens = tokens[:len(tokens)-1]
	}
	return tokens
}
