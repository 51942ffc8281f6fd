package identifier

import "bytes"

// Date is a calendar date.
type Date struct{ Year, Month, Day int }

// The years that dates of people's records have. This package knows no clock:
// the last stands for "not in the future".
const (
	firstYear = 1890
	lastYear  = 2099
)

// OK says whether the date is in the calendar and within a record's time.
func (d Date) OK() bool {
	if d.Year < firstYear || d.Year > lastYear || d.Month < 1 || d.Month > 12 || d.Day < 1 {
		return false
	}
	switch d.Month {
	case 4, 6, 9, 11:
		return d.Day <= 30
	case 2:
		leap := d.Year%4 == 0 && (d.Year%100 != 0 || d.Year%400 == 0)
		return d.Day <= 28 || leap && d.Day == 29
	}
	return d.Day <= 31
}

// Append adds the date as eight digits, the form in which dates are compared.
func (d Date) Append(to []byte) []byte {
	n := d.Year*10000 + d.Month*100 + d.Day
	for unit := 10_000_000; unit > 0; unit /= 10 {
		to = append(to, byte('0'+n/unit%10))
	}
	return to
}

// BirthDate is [ParseDate] without the dates that stand for "not known".
func BirthDate(v []byte) (Date, bool) {
	d, ok := ParseDate(v)
	switch {
	case !ok, d.Year <= 1900 && d.Month == 1 && d.Day == 1, d == (Date{1899, 12, 30}), d == (Date{1899, 12, 31}),
		d == (Date{2099, 12, 31}), d == (Date{2099, 1, 1}):
		return Date{}, false
	}
	return d, true
}

// ParseDate reads the notations that records use, with or without a time:
// 1980-05-17, 1980/5/17, 19800517, 05171980, 5/17/1980, 17.05.1980, 5/17/80,
// 17-May-1980, 17MAY1980, May 17, 1980, 17th May 1980. Where day and month can
// both be first, the month is. Two digits of a year from 30 on are of the last
// century: people are older than 70 more often than yet to be born.
func ParseDate(v []byte) (Date, bool) {
	if v = withoutTime(v); len(v) < 6 || len(v) > 20 {
		return Date{}, false
	}
	var parts [4][]byte
	n := 0
	for i := 0; i < len(v); {
		begin := i
		for i < len(v) && !contains("-/. ,", v[i]) {
			i++
		}
		if i > begin {
			if n == 3 {
				return Date{}, false
			}
			parts[n] = v[begin:i]
			n++
		}
		i++
	}
	var d Date
	switch {
	case n == 1:
		d = compactDate(parts[0])
	case n == 3:
		d = ordered(parts[0], parts[1], parts[2])
	}
	return d, d.OK()
}

// withoutTime cuts at a T after the date, or before the word with the first colon.
func withoutTime(v []byte) []byte {
	if i := bytes.IndexByte(v, 'T'); i >= 8 && i+1 < len(v) && isDigit(v[i+1]) {
		return v[:i]
	}
	colon := bytes.IndexByte(v, ':')
	if colon < 0 {
		return v
	}
	return v[:max(0, bytes.LastIndexByte(v[:colon], ' '))]
}

// compactDate reads a date without separators; HL7's and X12's may have a time
// behind it.
func compactDate(v []byte) Date {
	if len(v) == 9 && isLetter(v[2]) { // 17MAY1980, as SAS writes it
		return Date{number(v[5:]), month(v[2:5]), number(v[:2])}
	}
	if len(v) != 8 && len(v) != 12 && len(v) != 14 || !allDigits(v) {
		return Date{}
	}
	d := Date{number(v[:4]), number(v[4:6]), number(v[6:8])}
	if !d.OK() && len(v) == 8 {
		d = Date{number(v[4:8]), number(v[:2]), number(v[2:4])}
	}
	return d
}

func ordered(a, b, c []byte) Date {
	if len(a) == 4 && isDigit(a[0]) {
		return Date{number(a), month(b), day(c)}
	}
	year := number(c)
	switch {
	case len(c) == 2 && year >= 30:
		year += 1900
	case len(c) == 2 && year >= 0:
		year += 2000
	case len(c) != 4:
		return Date{}
	}
	d := Date{year, month(a), day(b)}
	if !d.OK() {
		d.Month, d.Day = month(b), day(a)
	}
	return d
}

// months are the first three letters of the English names.
const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// month reads a number or an English name.
func month(v []byte) int {
	if n := number(v); n >= 0 || len(v) < 3 {
		return n
	}
	for i := 0; i < len(months); i += 3 {
		if equalFold(v[:3], months[i:i+3]) {
			return i/3 + 1
		}
	}
	return -1
}

// day reads a number, perhaps an ordinal one.
func day(v []byte) int {
	if n := len(v); n > 2 && isDigit(v[n-3]) && isLetter(v[n-1]) {
		v = v[:n-2]
	}
	return number(v)
}

// number reads up to nine digits, -1 for anything else.
func number(v []byte) int {
	if len(v) > 9 || !allDigits(v) {
		return -1
	}
	n := 0
	for _, c := range v {
		n = n*10 + int(c-'0')
	}
	return n
}

// Year reads a year of birth.
func Year(v []byte) (int, bool) {
	n := number(v)
	return n, len(v) == 4 && n >= firstYear && n <= lastYear
}

// Month reads a month, by its number or its English name.
func Month(v []byte) (int, bool) {
	n := month(v)
	return n, n >= 1 && n <= 12
}

// Day reads a day of a month.
func Day(v []byte) (int, bool) {
	n := number(v)
	return n, n >= 1 && n <= 31 && len(v) <= 2
}

// Age reads "92", "92 y/o", "92yo", "92 years old", "92-year-old". An age over
// 89 identifies, as a date does (164.514(b)(2)(i)(C)).
func Age(v []byte) (years int, ok bool) {
	n := 0
	for n < len(v) && isDigit(v[n]) {
		n++
	}
	years = number(v[:n])
	rest := v[n:]
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '-') {
		rest = rest[1:]
	}
	if years < 0 || n > 3 || years > 130 {
		return 0, false
	}
	return years, len(rest) == 0 || rest[0]|0x20 == 'y'
}
