package version

import (
	"cmp"
	"strings"
)

// Semantic is the order of semver.org 2.0.0, clause 11: numbers, then what
// stands behind a hyphen, which comes before the release. A "v" in front, as
// Go's modules have it, and what stands behind a plus do not count; missing
// numbers are 0.
func Semantic(a, b string) int {
	coreA, preA := semantic(a)
	coreB, preB := semantic(b)
	if d := dotted(coreA, coreB, "0"); d != 0 {
		return d
	}
	switch {
	case preA == "" || preB == "":
		return len(preB) - len(preA)
	}
	return dotted(preA, preB, "")
}

func semantic(s string) (core, pre string) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "+")
	core, pre, _ = strings.Cut(s, "-")
	return core, pre
}

// dotted compares part by part; what has fewer is padded.
func dotted(a, b, padding string) int {
	for a != "" || b != "" {
		partA, partB := padding, padding
		if a != "" {
			partA, a, _ = strings.Cut(a, ".")
		}
		if b != "" {
			partB, b, _ = strings.Cut(b, ".")
		}
		if d := identifiers(partA, partB); d != 0 {
			return d
		}
	}
	return 0
}

// identifiers: numbers come before words, and nothing before both.
func identifiers(a, b string) int {
	switch isA, isB := allDigits(a), allDigits(b); {
	case isA && isB:
		return numbers(a, b)
	case isA != isB && a != "" && b != "":
		return cmp.Compare(boolean(isB), boolean(isA))
	}
	return strings.Compare(a, b)
}

func allDigits(s string) bool {
	_, rest := run(s, isDigit)
	return s != "" && rest == ""
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
