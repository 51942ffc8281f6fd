package version

import (
	"cmp"
	"strings"
)

// RPM is the order of rpm-version(7): an epoch, a version and, behind a hyphen,
// a release. A release that only one of them has is passed over, as rpm does
// where a dependency names none.
func RPM(a, b string) int {
	epochA, a := epoch(a)
	epochB, b := epoch(b)
	versionA, releaseA, hasA := strings.Cut(a, "-")
	versionB, releaseB, hasB := strings.Cut(b, "-")
	if d := cmp.Or(numbers(epochA, epochB), segments(versionA, versionB)); d != 0 || !hasA || !hasB {
		return d
	}
	return segments(releaseA, releaseB)
}

// segments compares runs of digits and of letters; what stands between them
// counts for nothing, but that a tilde sorts before the end and a caret right
// behind it (rpmvercmp).
func segments(a, b string) int {
	for {
		_, a = run(a, separates)
		_, b = run(b, separates)
		switch beginsA, beginsB := first(a), first(b); {
		case beginsA == '~' && beginsB == '~', beginsA == '^' && beginsB == '^':
			a, b = a[1:], b[1:]
			continue
		case beginsA == '~', beginsB == '^' && a == "":
			return -1
		case beginsB == '~', beginsA == '^' && b == "":
			return 1
		case beginsA == '^':
			return -1
		case beginsB == '^':
			return 1
		case a == "" || b == "":
			return len(a) - len(b)
		}
		kind := isLetter
		if isDigit(a[0]) {
			kind = isDigit
		}
		var partA, partB string
		partA, a = run(a, kind)
		partB, b = run(b, kind)
		var d int
		switch {
		case partB == "" && isDigit(partA[0]): // numbers are newer than letters
			return 1
		case partB == "":
			return -1
		case isDigit(partA[0]):
			d = numbers(partA, partB)
		default:
			d = strings.Compare(partA, partB)
		}
		if d != 0 {
			return d
		}
	}
}

func separates(c byte) bool { return !isDigit(c) && !isLetter(c) && c != '~' && c != '^' }

// first is the first byte; 0 of nothing.
func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}
