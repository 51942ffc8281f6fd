package rules

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words splits a variable's name at everything that is no letter or digit, and
// where a small letter is followed by a capital: "dbPassword", "DB_PASSWORD" and
// "db.password" are DB, PASSWORD. A word boundary of a regular expression does
// not split at an underscore.
func words(key string) []string {
	out := make([]string, 0, 4)
	add := func(word string) {
		if word != "" {
			out = append(out, strings.ToUpper(word))
		}
	}
	start, last := 0, rune(0)
	for i, r := range key {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			add(key[start:i])
			_, size := utf8.DecodeRuneInString(key[i:])
			start = i + size
		case unicode.IsUpper(r) && unicode.IsLower(last):
			add(key[start:i])
			start = i
		}
		last = r
	}
	add(key[start:])
	return out
}

// stands says whether the phrase, "API KEY", stands in the words from number i
// on. It takes the phrase apart without allocating: this runs for every word of
// the dictionaries and every variable, while the runtime waits.
func stands(words []string, i int, phrase string) bool {
	for ; i < len(words); i++ {
		rest, ok := strings.CutPrefix(phrase, words[i])
		if !ok || rest == "" {
			return ok
		}
		if phrase, ok = strings.CutPrefix(rest, " "); !ok {
			return false
		}
	}
	return false
}

// contains says whether the words hold the phrase.
func contains(words []string, phrase string) bool {
	for i := range words {
		if stands(words, i, phrase) {
			return true
		}
	}
	return false
}

func containsAny(words []string, phrases []string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return contains(words, p) })
}

// endsWith says whether the words end with one of the phrases.
func endsWith(words []string, phrases []string) bool {
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	return slices.ContainsFunc(phrases, func(p string) bool {
		if !strings.HasSuffix(p, last) {
			return false
		}
		first := len(words) - 1 - strings.Count(p, " ")
		return first >= 0 && stands(words, first, p)
	})
}

// splitEnv is one "KEY=value". Without "=" the whole could be a value, so there
// is no key that may be printed.
func splitEnv(entry string) (key, value string) {
	key, value, ok := strings.Cut(entry, "=")
	if !ok {
		return "", entry
	}
	return key, value
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

// keyName is a variable's name as messages may say it: only what looks like a
// name and not like a credential or a number that someone put on the wrong side.
func keyName(key string) string {
	const strange = "of a strange name"
	if !plainKey.MatchString(key) || knownSecret(key) != "" || digits(key) > 5 || randomLooking(key) && !strings.Contains(key, "_") {
		return strange
	}
	for _, part := range strings.FieldsFunc(key, func(r rune) bool { return strings.ContainsRune("_.-", r) }) {
		if len(part) > 40 || knownSecret(part) != "" {
			return strange
		}
	}
	return key
}

func digits(text string) (n int) {
	for _, r := range text {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// serviceLink matches what the kubelet sets for each Service in the namespace
// (kubelet/envvars): a service called "token" makes TOKEN_PORT.
var serviceLink = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_|$)|_PORT_[0-9]+_(TCP|UDP|SCTP)(_|$)`)

func kubernetesService(key, value string) bool {
	if serviceLink.MatchString(key) || strings.HasPrefix(key, "KUBERNETES_") {
		return true
	}
	return strings.HasSuffix(key, "_PORT") &&
		(strings.HasPrefix(value, "tcp://") || strings.HasPrefix(value, "udp://") || strings.HasPrefix(value, "sctp://"))
}
