package identifier

// ICD10 says whether a value has the form of an ICD-10-CM code, with its dot or
// as claims write it without: a letter, a digit, a digit or A or B, and up to four
// more. Of the U codes those that begin with U0 are in use.
func ICD10(v []byte) bool {
	if len(v) < 3 || len(v) > 8 || !isUpper(v[0]) || !isDigit(v[1]) || !isDigit(v[2]) && v[2] != 'A' && v[2] != 'B' {
		return false
	}
	if v[0] == 'U' && v[1] != '0' {
		return false
	}
	rest := v[3:]
	if len(rest) > 0 && rest[0] == '.' {
		if rest = rest[1:]; len(rest) == 0 {
			return false
		}
	}
	for _, c := range rest {
		if !isDigit(c) && (!isUpper(c) || c == 'U') {
			return false
		}
	}
	return len(rest) <= 4
}

// DottedICD10 is [ICD10] for codes with a dot, which need no label to be likely
// one: without, any short word would do.
func DottedICD10(v []byte) bool { return len(v) >= 5 && v[3] == '.' && ICD10(v) }

// ICD9 says whether a value has the form of an ICD-9-CM code: 250.00, V58.61,
// E880.9. So have prices and versions: it needs a label.
func ICD9(v []byte) bool {
	whole := 3
	if len(v) > 0 && v[0] == 'E' {
		whole = 4
	}
	if len(v) < whole || !isDigit(v[0]) && v[0] != 'V' && v[0] != 'E' || !allDigits(v[1:whole]) {
		return false
	}
	rest := v[whole:]
	return len(rest) == 0 || rest[0] == '.' && len(rest) <= 3 && allDigits(rest[1:])
}

// NDC says whether a value is a national drug code: 4-4-2, 5-3-2, 5-4-1 or
// 5-4-2 digits, or eleven digits as claims write it (21 CFR 207.33). Eleven
// digits need a label.
func NDC(v []byte) bool {
	if len(v) == 11 && allDigits(v) {
		return true
	}
	var groups [3]int
	g := 0
	for _, c := range v {
		switch {
		case isDigit(c):
			groups[g]++
		case c == '-' && g < 2:
			g++
		default:
			return false
		}
	}
	switch groups {
	case [3]int{4, 4, 2}, [3]int{5, 3, 2}, [3]int{5, 4, 1}, [3]int{5, 4, 2}:
		return true
	}
	return false
}

// LOINC says whether a value is a LOINC code: up to six digits, a dash and a
// mod 10 check digit (LOINC Users' Guide, appendix).
func LOINC(v []byte) bool {
	n := len(v)
	if n < 3 || n > 8 || v[n-2] != '-' || !allDigits(v[:n-2]) || !isDigit(v[n-1]) || v[0] == '0' {
		return false
	}
	var d [7]byte
	copy(d[:], v[:n-2])
	d[n-2] = v[n-1]
	return luhn(d[:n-1], 0)
}

// SNOMED says whether a value is a SNOMED CT identifier: 6 to 18 digits, a
// partition of a concept, a description or a relationship, and a Verhoeff check
// digit (SNOMED CT Release File Specifications, chapter 6).
func SNOMED(v []byte) bool {
	n := len(v)
	if n < 6 || n > 18 || !allDigits(v) || v[0] == '0' || v[n-3] > '1' || v[n-2] > '2' {
		return false
	}
	return verhoeff(v)
}

// verhoeff checks digits whose last is the check digit: multiplication in the
// dihedral group of order ten after a permutation that depends on the place
// (J. Verhoeff, Error Detecting Decimal Codes, 1969).
func verhoeff(digits []byte) bool {
	const permutation = "1576283094"
	c := byte(0)
	for i := range digits {
		d := digits[len(digits)-1-i] - '0'
		for range i % 8 {
			d = permutation[d] - '0'
		}
		c = dihedral(c, d)
	}
	return c == 0
}

// dihedral multiplies two of the five rotations, 0 to 4, and five reflections, 5
// to 9, of a pentagon.
func dihedral(a, b byte) byte {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-b)%5
	}
	return (5 + a - b) % 5
}

// CPT says whether a value has the form of a CPT or HCPCS code: five digits, four
// and a letter, or a letter and four. It needs a label.
func CPT(v []byte) bool {
	if len(v) != 5 || !allDigits(v[1:4]) {
		return false
	}
	return isDigit(v[0]) && (isDigit(v[4]) || isUpper(v[4])) || isUpper(v[0]) && isDigit(v[4])
}
