package identifier

import "bytes"

// RecordNumber says whether a value can be the number of a record, a member or
// an account: 4 to 20 letters, digits and separators, at least 4 of them digits,
// and not zeros or nines alone. Nearly every number is one: it needs a label.
func RecordNumber(v []byte) bool {
	length, figures, plain := 0, 0, 0
	for i, c := range v {
		switch {
		case isDigit(c):
			if figures++; c == '0' || c == '9' {
				plain++
			}
		case isLetter(c):
		case contains("-./ ", c) && i > 0 && i < len(v)-1:
			continue
		default:
			return false
		}
		length++
	}
	return length >= 4 && length <= 20 && figures >= 4 && plain < length
}

// UUID says whether a value is a UUID (RFC 9562, section 4): as a key it is one
// person's and tells nobody who that is.
func UUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// Name says whether a value can be a person's name: mostly letters, of a name's
// length, no template or program text. Where it stands must say the rest.
func Name(v []byte) bool {
	if len(v) < 2 || len(v) > 100 || Placeholder(v) || notAName(v) {
		return false
	}
	letters, figures := 0, 0 // Synthea's names end with figures
	for _, c := range v {
		switch {
		case isLetter(c) || c >= 0x80:
			letters++
		case isDigit(c):
			figures++
		case contains("{}<>$%@=\\/_:;[]#*|!?\"+~^", c) || c < ' ':
			return false
		}
	}
	return letters*2 > len(v) && figures < 8
}

// ProperName is [Name] for values that begin with a capital and have at most
// three words, as names do and most other cells do not.
func ProperName(v []byte) bool {
	return len(v) <= 40 && isUpper(v[0]) && bytes.Count(v, []byte(" ")) <= 2 && Name(v)
}

// notAName are words that stand where a schema, a form or a program speaks of
// names.
func notAName(v []byte) bool {
	var lower [16]byte
	if len(v) > len(lower) {
		return false
	}
	for i, c := range v {
		if isUpper(c) {
			c |= 0x20
		}
		lower[i] = c
	}
	switch string(lower[:len(v)]) {
	case "string", "text", "varchar", "char", "integer", "int", "number", "numeric", "boolean", "bool", "date", "datetime", "object", "array", "true",
		"false", "yes", "no", "name", "last", "first", "last name", "first name", "lastname", "firstname", "full name", "fullname", "family", "given",
		"surname", "required", "optional", "default", "value", "label", "field", "column", "description", "example", "type", "varchar2",
		"nvarchar", "str", "var", "self", "this", "new", "old", "not null", "primary key", "patient", "patients", "member", "subscriber", "resident",
		"male", "female", "other", "person", "user", "date of birth", "dob", "ssn", "mrn", "patient name", "id":
		return true
	}
	return false
}

// Placeholder says whether a value stands for one that is not there: blanked
// out, to be filled in, or not known.
func Placeholder(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	switch v[0] {
	case '{', '<', '$', '%', '[', '@', ':', '&', '#', '?':
		return true
	}
	if bytes.Contains(v, []byte("{{")) || bytes.Contains(v, []byte("${")) || bytes.Contains(v, []byte("**")) || bytes.Contains(v, []byte("%s")) {
		return true
	}
	return masked(v) || unknown(v)
}

// masked says whether nothing is left but what blanks out: XXX-XX-XXXX, ____.
func masked(v []byte) bool {
	for _, c := range v {
		if !contains("xX*#_-. ()/?", c) {
			return false
		}
	}
	return true
}

func unknown(v []byte) bool {
	for _, word := range []string{"null", "none", "n/a", "na", "nan", "nil", "unknown", "undefined", "redacted", "removed", "masked", "withheld", "deleted",
		"anonymous", "anonymized", "anonymised", "deidentified", "de-identified", "not available", "not applicable", "tbd", "\\n", "unk", "empty",
		"confidential", "hidden", "suppressed"} {
		if equalFold(v, word) {
			return true
		}
	}
	return false
}
