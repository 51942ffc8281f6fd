package identifier

// ZIP says whether a value is a ZIP code, of five digits or nine. Any number of
// five digits is: it needs a label.
func ZIP(v []byte) bool {
	switch len(v) {
	case 5, 9:
		return allDigits(v) && string(v[:5]) != "00000"
	case 10:
		return v[5] == '-' && allDigits(v[:5]) && allDigits(v[6:]) && string(v[:5]) != "00000"
	}
	return false
}

// RestrictedZIP3 says whether the first three digits of a ZIP code stand for
// 20,000 people or fewer. In de-identified data they must be 000 (164.514(b)(2)
// (i)(B); the list of HHS's guidance, by the census of 2000).
func RestrictedZIP3(zip []byte) bool {
	if len(zip) < 3 {
		return false
	}
	switch string(zip[:3]) {
	case "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884", "890", "893":
		return true
	}
	return false
}

// Street says whether a value is the street line of an address: a number, and a
// word for a street at the end of words or before a unit; or a post office box.
func Street(v []byte) bool {
	if len(v) < 6 || len(v) > 120 {
		return false
	}
	if isBox(v) {
		return true
	}
	n := 0
	for n < len(v) && (isDigit(v[n]) || v[n] == '-') {
		n++
	}
	if n == 0 || n > 7 || n == len(v) || v[n] != ' ' {
		return false
	}
	begin, names := n+1, 0
	for i := begin; i <= len(v); i++ {
		if i < len(v) && !contains(" ,.", v[i]) {
			continue
		}
		if word := v[begin:i]; len(word) > 0 {
			if names > 0 && streetWord(word) {
				return true
			}
			names++
		}
		begin = i + 1
	}
	return false
}

// isBox knows "PO Box 12" and "P.O. Box 12".
func isBox(v []byte) bool {
	for _, start := range []string{"po box ", "p.o. box ", "p o box "} {
		if len(v) > len(start) && equalFold(v[:len(start)], start) {
			return isDigit(v[len(start)])
		}
	}
	return false
}

// streetWord are the suffixes of USPS Publication 28, appendix C1, that are
// common and no other word.
func streetWord(w []byte) bool {
	var lower [12]byte
	if len(w) > len(lower) {
		return false
	}
	for i, c := range w {
		lower[i] = c | 0x20
	}
	switch string(lower[:len(w)]) {
	case "st", "street", "ave", "avenue", "rd", "road", "blvd", "boulevard", "dr", "drive", "ln", "lane", "ct", "court", "pl", "place", "ter", "terrace",
		"cir", "circle", "hwy", "highway", "pkwy", "parkway", "way", "trl", "trail", "sq", "square", "aly", "alley", "loop", "plz", "plaza", "apt", "suite",
		"unit", "throughway", "underpass":
		return true
	}
	return false
}
