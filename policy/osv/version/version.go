// Package version orders versions as the package managers do that gave them.
// Each order is total over any text and takes time linear in it: what is no
// version of its kind is compared by the same rules all the same.
package version

import (
	"cmp"
	"strings"
)

// Compare says whether a is older than b (negative), newer (positive) or the
// same.
type Compare func(a, b string) int

// numbers compares two runs of digits of any length.
func numbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(len(a)-len(b), strings.Compare(a, b))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// run cuts off the longest beginning whose bytes are all of a kind.
func run(s string, of func(byte) bool) (head, rest string) {
	n := 0
	for n < len(s) && of(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

// epoch cuts off the number before the first colon; "0" without one.
func epoch(s string) (number, rest string) {
	digits, rest := run(s, isDigit)
	if digits != "" && strings.HasPrefix(rest, ":") {
		return digits, rest[1:]
	}
	return "0", s
}
