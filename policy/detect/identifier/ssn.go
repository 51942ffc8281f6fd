package identifier

// SSN reads a social security number: nine digits, as they are or in the form
// AAA-GG-SSSS with dashes, blanks or dots. Numbers that the SSA has never given
// out, that were printed on specimens, or that count up or repeat are none.
// Area 9xx is no social security number; it is taken as an ITIN or as Synthea's
// (999), since in a place that says SSN both identify somebody.
func SSN(v []byte) (digits [9]byte, valid Valid) {
	switch len(v) {
	case 9:
		copy(digits[:], v)
	case 11:
		if !contains("- .", v[3]) || v[6] != v[3] {
			return digits, No
		}
		copy(digits[:], v[:3])
		copy(digits[3:], v[4:6])
		copy(digits[5:], v[7:])
	default:
		return digits, No
	}
	if !allDigits(digits[:]) {
		return digits, No
	}
	return digits, classifySSN(string(digits[:]))
}

// DashedSSN is [SSN] for the form AAA-GG-SSSS alone, which needs no label to be
// likely one.
func DashedSSN(v []byte) Valid {
	if len(v) != 11 || v[3] != '-' {
		return No
	}
	_, valid := SSN(v)
	return valid
}

func classifySSN(s string) Valid {
	if s[:3] == "000" || s[:3] == "666" || s[3:5] == "00" || s[5:] == "0000" || specimenSSN(s) {
		return No
	}
	switch {
	case s[0] != '9':
		return Issued
	case s[:3] != "999" && itinGroup(s[3:5]):
		return Taxpayer
	}
	return Synthetic
}

// specimenSSN knows the numbers of advertisements and forms (SSA, "Social
// Security cards issued by Woolworth"; 987-65-4320 to 4329 are set aside for
// advertisements), and those that nobody would take for one.
func specimenSSN(s string) bool {
	switch s {
	case "078051120", "219099999", "219099998", "457555462", "123456789", "012345678", "234567890", "345678901", "111223333", "123121234", "123456780",
		"987654321":
		return true
	}
	if s[:8] == "98765432" {
		return true
	}
	for i := 1; i < len(s); i++ {
		if s[i] != s[0] {
			return false
		}
	}
	return true
}

// itinGroup are the middle digits of individual taxpayer numbers (IRS,
// Publication 1915 and Notice 2021): 50-65, 70-88, 90-92, 94-99.
func itinGroup(g string) bool {
	n := int(g[0]-'0')*10 + int(g[1]-'0')
	return n >= 50 && n <= 65 || n >= 70 && n <= 88 || n >= 90 && n <= 92 || n >= 94
}
