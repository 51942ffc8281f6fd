package phi

import (
	"bytes"
	"strconv"
)

// digits copies the digits of a value, nil where it holds anything but digits
// and the given separators, or more than 16 digits.
func digits(v []byte, separators string) []byte {
	var out [16]byte
	n := 0
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			if n == len(out) {
				return nil
			}
			out[n] = c
			n++
		case bytes.IndexByte([]byte(separators), c) < 0:
			return nil
		}
	}
	return out[:n:n]
}

// validSSN returns the nine digits of a social security number as the SSA
// issues them. Areas 900 to 999 are taken too: in a column of that name they
// are taxpayer numbers (ITIN) or synthetic (Synthea), and both identify.
func validSSN(v []byte) []byte {
	d := digits(v, "- ")
	if len(d) != 9 {
		return nil
	}
	s := string(d)
	switch {
	case s[:3] == "000", s[:3] == "666", s[3:5] == "00", s[5:] == "0000":
		return nil
	// Numbers that were printed in advertisements and specimens.
	case s == "078051120", s == "219099999", s == "457555462", s >= "987654320" && s <= "987654329", s == "123456789":
		return nil
	case bytes.Count(d, d[:1]) == len(d):
		return nil
	}
	return d
}

// dashedSSN is the form AAA-GG-SSSS.
func dashedSSN(v []byte) bool {
	return len(v) == 11 && v[3] == '-' && v[6] == '-' && validSSN(v) != nil
}

// validMBI returns a Medicare beneficiary identifier without its dashes: 11
// characters, the 2nd, 5th, 8th and 9th a letter other than S, L, O, I, B, Z
// (CMS, Understanding the MBI Format). The specimen on CMS's card is refused.
func validMBI(v []byte) []byte {
	out := make([]byte, 0, 11)
	for _, c := range v {
		if c == '-' || c == ' ' {
			continue
		}
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if len(out) == 11 {
			return nil
		}
		out = append(out, c)
	}
	if len(out) != 11 || bytes.HasPrefix(out, []byte("1EG4TE5MK7")) {
		return nil
	}
	for i, c := range out {
		digit := c >= '0' && c <= '9'
		letter := c >= 'A' && c <= 'Z' && bytes.IndexByte([]byte("SLOIBZ"), c) < 0
		ok := digit
		switch i {
		case 0:
			ok = c >= '1' && c <= '9'
		case 1, 4, 7, 8:
			ok = letter
		case 2, 5:
			ok = digit || letter
		}
		if !ok {
			return nil
		}
	}
	return out
}

// validNumber returns a record or member number: from 4 to 20 letters, digits
// and separators, at least 4 of them digits.
func validNumber(v []byte) []byte {
	out, n := make([]byte, 0, 20), 0
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			n++
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case c >= 'A' && c <= 'Z':
		case c == '-' || c == ' ' || c == '.' || c == '/':
			continue
		default:
			return nil
		}
		if len(out) == 20 {
			return nil
		}
		out = append(out, c)
	}
	if n < 4 || bytes.Count(out, []byte("0")) == len(out) {
		return nil
	}
	return out
}

// validName says whether a value can be a person's name.
func validName(v []byte) bool {
	if len(v) < 2 || len(v) > 100 || bytes.ContainsAny(v, "{}<>$%@=\\/_:;[]#*|") {
		return false
	}
	switch string(bytes.ToLower(v)) {
	case "null", "none", "n/a", "na", "nan", "nil", "unknown", "string", "text", "varchar", "true", "false", "redacted", "removed", "xxx", "xxxx",
		"name", "last", "first", "last name", "first name", "lastname", "firstname":
		return false
	}
	letters, figures := 0, 0 // Synthea's names end with figures
	for _, c := range v {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80:
			letters++
		case c >= '0' && c <= '9':
			figures++
		}
	}
	return letters*2 > len(v) && figures < 8
}

// validContact says whether a value is a telephone number or a mail address.
func validContact(v []byte) bool {
	if at := bytes.IndexByte(v, '@'); at > 0 {
		return bytes.IndexByte(v[at:], '.') > 1
	}
	d := digits(v, "+-. ()x")
	return len(d) >= 10 && len(d) <= 15
}

// validICD10 is an ICD-10-CM code with its dot: without one, any short word
// would do.
func validICD10(v []byte) bool {
	if len(v) < 5 || len(v) > 8 || v[3] != '.' {
		return false
	}
	if v[0] < 'A' || v[0] > 'Z' || v[1] < '0' || v[1] > '9' || !(v[2] >= '0' && v[2] <= '9' || v[2] == 'A' || v[2] == 'B') {
		return false
	}
	for _, c := range v[4:] {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

// date is a calendar date; day and month may be the other way round.
type date struct{ year, month, day int }

func (d date) ok() bool {
	// This package knows no clock: 2099 stands for "not in the future".
	return d.year >= 1890 && d.year <= 2099 && d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= 31
}

func (d date) key() string {
	return strconv.Itoa(d.year*10000 + d.month*100 + d.day)
}

// validDate reads the notations that tables use: 1980-05-17 with or without a
// time, 19800517, 5/17/1980, 17.05.1980, 17-May-1980.
func validDate(v []byte) (date, bool) {
	if i := bytes.IndexByte(v, 'T'); i >= 8 {
		v = v[:i]
	}
	if i := bytes.IndexByte(v, ':'); i >= 0 { // a time follows the date
		if i = bytes.IndexByte(v[:i], ' '); i < 0 {
			return date{}, false
		}
		v = v[:i]
	}
	if len(v) > 20 {
		return date{}, false
	}
	var parts [4][]byte
	n := 0
	for _, p := range bytes.FieldsFunc(v, func(r rune) bool { return r == '-' || r == '/' || r == '.' || r == ' ' || r == ',' }) {
		if n == 3 {
			return date{}, false
		}
		parts[n] = p
		n++
	}
	var d date
	switch {
	case n == 1 && (len(parts[0]) == 8 || len(parts[0]) == 14) && number(parts[0][:8]) > 0:
		d = compact(parts[0][:8])
	case n == 3:
		d = ordered(parts[0], parts[1], parts[2])
	}
	return d, d.ok()
}

func compact(v []byte) date {
	d := date{number(v[:4]), number(v[4:6]), number(v[6:8])}
	if !d.ok() {
		d = date{number(v[4:8]), number(v[:2]), number(v[2:4])}
	}
	return d
}

func ordered(a, b, c []byte) date {
	switch {
	case len(a) == 4:
		return date{number(a), month(b), number(c)}
	case len(c) != 4 && len(c) != 2:
		return date{}
	}
	year := number(c)
	if len(c) == 2 && year >= 0 {
		year += 1900
	}
	d := date{year, month(a), number(b)}
	if !d.ok() {
		d.month, d.day = month(b), number(a)
	}
	return d
}

// month reads a number or the first three letters of an English name.
func month(v []byte) int {
	if n := number(v); n >= 0 || len(v) < 3 {
		return n
	}
	i := bytes.Index([]byte("janfebmaraprmayjunjulaugsepoctnovdec"), bytes.ToLower(v[:3]))
	if i < 0 || i%3 != 0 {
		return -1
	}
	return i/3 + 1
}

// number reads up to 9 digits, -1 for anything else.
func number(v []byte) int {
	if len(v) == 0 || len(v) > 9 {
		return -1
	}
	n := 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
