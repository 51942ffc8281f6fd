package version

import (
	"cmp"
	"slices"
	"strings"
)

// APK is the order of apk-tools: numbers between dots, a letter, suffixes as
// _rc1 or _p2, a commit behind a tilde and the packager's revision, -r3.
func APK(a, b string) int {
	for initial := true; ; initial = false {
		var x, y apkToken
		x, a = apkNext(a, initial)
		y, b = apkNext(b, initial)
		switch {
		case x.kind != y.kind && x.early():
			return -1
		case x.kind != y.kind && y.early():
			return 1
		case x.kind != y.kind: // the one that goes on in a part further in front is newer
			return int(y.kind) - int(x.kind)
		case x.kind == apkEnd:
			return 0
		}
		if d := x.compare(y, initial); d != 0 {
			return d
		}
	}
}

// apkKind is a part of a version; they stand in this order.
type apkKind uint8

const (
	apkDigits apkKind = iota
	apkLetter
	apkSuffix
	apkCommit
	apkRevision
	apkOther // what is none of them
	apkEnd
)

type apkToken struct {
	kind   apkKind
	text   string
	number string // of a suffix
}

// apkSuffixes are those before a release and those after it.
var apkSuffixes = []string{"alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"}

func (t apkToken) rank() int { return slices.Index(apkSuffixes, t.text) }

// early says whether it is a suffix before the release.
func (t apkToken) early() bool {
	return t.kind == apkSuffix && t.rank() < slices.Index(apkSuffixes, "")
}

func (t apkToken) compare(o apkToken, initial bool) int {
	switch t.kind {
	case apkDigits:
		if !initial && (t.text[0] == '0' || o.text[0] == '0') { // a fraction, as Gentoo has it
			return strings.Compare(t.text, o.text)
		}
		return numbers(t.text, o.text)
	case apkRevision:
		return numbers(t.text, o.text)
	case apkSuffix:
		return cmp.Or(t.rank()-o.rank(), numbers(t.number, o.number))
	}
	return strings.Compare(t.text, o.text)
}

// apkNext takes the next part off.
func apkNext(s string, initial bool) (t apkToken, rest string) {
	if s == "" {
		return apkToken{kind: apkEnd}, ""
	}
	if initial || s[0] == '.' {
		if digits, rest := run(strings.TrimPrefix(s, "."), isDigit); digits != "" {
			return apkToken{kind: apkDigits, text: digits}, rest
		}
	}
	switch {
	case s[0] >= 'a' && s[0] <= 'z':
		return apkToken{kind: apkLetter, text: s[:1]}, s[1:]
	case s[0] == '_':
		word, rest := run(s[1:], isLetter)
		number, rest := run(rest, isDigit)
		if t = (apkToken{kind: apkSuffix, text: word, number: number}); word != "" && t.rank() >= 0 {
			return t, rest
		}
	case s[0] == '~':
		commit, rest := run(s[1:], func(c byte) bool { return c != '-' })
		return apkToken{kind: apkCommit, text: commit}, rest
	case strings.HasPrefix(s, "-r"):
		if digits, rest := run(s[2:], isDigit); digits != "" {
			return apkToken{kind: apkRevision, text: digits}, rest
		}
	}
	return apkToken{kind: apkOther, text: s}, ""
}
