package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect/identifier"
)

// said is [filled] without the words that stand for what is not known, and
// without quotes around.
func said(v []byte) []byte {
	v = filled(bytes.Trim(v, " \t\r\n\"'\x00"))
	if identifier.Placeholder(v) || bytes.Contains(v, []byte("}}")) {
		return nil
	}
	return v
}

// named is a person's name in the place for one, nil when it is none.
func named(v []byte) []byte {
	if v = said(v); len(v) > 0 && (len(v) == 1 && initial(v[0]) || identifier.Name(v)) {
		return v
	}
	return nil
}

func initial(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// whole parts a full name, "Last, First" or "First Last", that may have titles
// and words beside it; ok says that it looks like a person's: two words or more
// that begin with capitals. What stands in parentheses is left out.
func whole(v []byte) (last, first []byte, ok bool) {
	if i := bytes.IndexByte(v, '('); i > 0 {
		v = v[:i]
	}
	if v = named(v); v == nil || len(v) > 80 {
		return nil, nil, false
	}
	if family, given, comma := bytes.Cut(v, []byte(",")); comma {
		last, first = bytes.TrimSpace(family), firstWord(given)
		return last, first, proper(last) && proper(first)
	}
	words := bytes.Fields(v)
	for len(words) > 0 && title(words[0]) {
		words = words[1:]
	}
	if len(words) < 2 || len(words) > 5 {
		return nil, nil, false
	}
	for _, w := range words {
		if !proper(w) && len(w) > 3 { // "van", "de"
			return nil, nil, false
		}
	}
	last, first = words[len(words)-1], words[0]
	return last, first, proper(last) && proper(first)
}

func firstWord(v []byte) []byte {
	if words := bytes.Fields(v); len(words) > 0 {
		return words[0]
	}
	return nil
}

func title(w []byte) bool {
	switch string(bytes.TrimRight(w, ".")) {
	case "Mr", "Mrs", "Ms", "Miss", "Dr", "Prof":
		return true
	}
	return false
}

// proper says that a word begins as names do.
func proper(w []byte) bool {
	return len(w) > 0 && (w[0] >= 'A' && w[0] <= 'Z' || w[0] >= 0x80)
}

// synthea says that a text names the best known maker of synthetic patients.
func synthea(v []byte) bool { return bytes.Contains(v, []byte("ynthea")) }
