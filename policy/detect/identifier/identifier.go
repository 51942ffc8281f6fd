// Package identifier recognises the values that tell who somebody is, and the
// codes of diseases, drugs and findings that make data about a person health
// data. Each function answers for one value without what surrounds it: blanks,
// quotes and labels are the caller's business.
//
// The identifiers are those of 45 CFR 164.514(b)(2)(i):
//
//	A names                    [Name]
//	B geography below a state  [ZIP], [RestrictedZIP3], [Street]
//	C dates, ages over 89      [ParseDate], [BirthDate], [Age]
//	D, E telephone, fax        [Phone]
//	F e-mail                   [Email]
//	G social security          [SSN]
//	H medical record           [RecordNumber]
//	I health plan              [MBI], [HICN], [RecordNumber]
//	J accounts                 [Card], [RecordNumber]
//	K licences                 [NPI], [DEA]: of those who treat, not of those who are treated
//	L vehicles                 [VIN]
//	M devices                  [UDI]
//	N, O URL, IP address       [IP]
//	P, Q biometrics, photos    kinds of files, not values
//	R any other unique code    [RecordNumber]
//
// Nothing here allocates, keeps or prints a value.
package identifier

// Valid says what a value is worth. The zero value is none.
type Valid uint8

const (
	No        Valid = iota
	Issued          // could have been given to somebody
	Taxpayer        // an ITIN in the form of a social security number: it identifies as well
	Synthetic       // right in form and from a range that nobody gets: test data
)

// OK says whether the value has the form of the identifier, a real one or not.
func (v Valid) OK() bool { return v != No }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLetter(c byte) bool {
	c |= 0x20
	return c >= 'a' && c <= 'z'
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// allDigits says whether v is digits and nothing else; false where it is empty.
func allDigits(v []byte) bool {
	for _, c := range v {
		if !isDigit(c) {
			return false
		}
	}
	return len(v) > 0
}

// equalFold compares with a lower case ASCII word.
func equalFold(v []byte, lower string) bool {
	if len(v) != len(lower) {
		return false
	}
	for i, c := range v {
		if isUpper(c) {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// contains is the set that separators are asked of; sets are a few bytes long.
func contains(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// compact copies what is no separator into out; n is how many bytes there are,
// -1 where there are more than out holds.
func compact(v []byte, separators string, out []byte) (n int) {
	for _, c := range v {
		if contains(separators, c) {
			continue
		}
		if n == len(out) {
			return -1
		}
		out[n] = upper(c)
		n++
	}
	return n
}

// luhn is the mod 10 check of ISO/IEC 7812-1, annex B, over digits whose last
// is the check digit; sum is what digits before them add.
func luhn(digits []byte, sum int) bool {
	double := false
	for i := len(digits) - 1; i >= 0; i-- {
		d := int(digits[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return sum%10 == 0
}
