package version

import (
	"cmp"
	"strings"
)

// Dpkg is the order of deb-version(7): an epoch, the upstream's version and,
// behind the last hyphen, the packager's revision.
func Dpkg(a, b string) int {
	epochA, a := epoch(a)
	epochB, b := epoch(b)
	upstreamA, revisionA := revision(a)
	upstreamB, revisionB := revision(b)
	return cmp.Or(numbers(epochA, epochB), debian(upstreamA, upstreamB), debian(revisionA, revisionB))
}

func revision(s string) (upstream, revision string) {
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// debian compares by turns what is no digit, byte by byte, and digits as a
// number.
func debian(a, b string) int {
	for a != "" || b != "" {
		var textA, textB, digitsA, digitsB string
		textA, a = run(a, noDigit)
		textB, b = run(b, noDigit)
		for i := range max(len(textA), len(textB)) {
			if d := weight(textA, i) - weight(textB, i); d != 0 {
				return d
			}
		}
		digitsA, a = run(a, isDigit)
		digitsB, b = run(b, isDigit)
		if d := numbers(digitsA, digitsB); d != 0 {
			return d
		}
	}
	return 0
}

func noDigit(c byte) bool { return !isDigit(c) }

// weight sorts a tilde before the end, the end before letters, and letters
// before all else.
func weight(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case isLetter(s[i]):
		return int(s[i])
	}
	return int(s[i]) + 256
}
