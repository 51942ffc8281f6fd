package identifier

// MBI reads a Medicare beneficiary identifier, with or without dashes: 11
// characters, the first 1 to 9, the 2nd, 5th, 8th and 9th a letter other than S,
// L, O, I, B and Z, the 3rd and 6th a letter or a digit (CMS, "Understanding the
// Medicare Beneficiary Identifier Format"). It has no check digit, so that random
// codes have its form: it needs a label. The specimens that CMS prints are none.
func MBI(v []byte) (id [11]byte, ok bool) {
	if len(v) < len(id) || len(v) > len(id)+2 || compact(v, "- ", id[:]) != len(id) {
		return id, false
	}
	switch string(id[:9]) {
	case "1EG4TE5MK":
		return id, false
	}
	for i, c := range id {
		letter := isUpper(c) && !contains("SLOIBZ", c)
		fits := isDigit(c)
		switch i {
		case 0:
			fits = c >= '1' && c <= '9'
		case 1, 4, 7, 8:
			fits = letter
		case 2, 5:
			fits = fits || letter
		}
		if !fits {
			return id, false
		}
	}
	return id, true
}

// HICN reads a health insurance claim number, which Medicare used before the
// MBI: a social security number and the code of the beneficiary, a letter and
// perhaps one more character (CMS, "HICN, Beneficiary Identification Codes").
func HICN(v []byte) (ssn [9]byte, valid Valid) {
	end := len(v) - 1
	if end < 9 {
		return ssn, No
	}
	if !isLetter(v[end]) { // the code is a letter and a figure
		end--
	} else if isLetter(v[end-1]) {
		end--
	}
	if end < 9 || !contains("ABCDEFHJKMTWabcdefhjkmtw", v[end]) {
		return ssn, No
	}
	if v[end-1] == '-' {
		end--
	}
	return SSN(v[:end])
}
