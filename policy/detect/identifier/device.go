package identifier

import "bytes"

// UDI says whether a value is a unique device identifier (21 CFR 830.20) in the
// form of GS1, HIBCC or ICCBBA, with the part that is one device's: a serial or
// lot number. A code of the product alone, as on every package, identifies
// nobody.
func UDI(v []byte) bool {
	if len(v) < 12 || len(v) > 120 {
		return false
	}
	switch {
	case bytes.HasPrefix(v, []byte("(01)")):
		return gs1(v[4:])
	case v[0] == '+':
		return hibcc(v)
	case v[0] == '=':
		return iccbba(v)
	}
	return false
}

// gs1 wants 14 digits with their check digit (GS1 General Specifications, 7.9)
// and an application identifier of production: (10) lot, (11) made, (17) until,
// (21) serial.
func gs1(v []byte) bool {
	if len(v) < 18 || !allDigits(v[:14]) {
		return false
	}
	sum := 0
	for i, c := range v[:14] {
		d := int(c - '0')
		if i%2 == 0 {
			d *= 3
		}
		sum += d
	}
	if sum%10 != 0 {
		return false
	}
	for _, ai := range []string{"(21)", "(10)", "(11)", "(17)"} {
		if i := bytes.Index(v[14:], []byte(ai)); i >= 0 && len(v) > 14+i+len(ai) {
			return true
		}
	}
	return false
}

// hibcc wants "+", a letter, three letters or digits of the labeller, the
// product, and secondary data after "/$" (ANSI/HIBC 2.6).
func hibcc(v []byte) bool {
	if !isUpper(v[1]) || !isAlnum(v[2]) || !isAlnum(v[3]) || !isAlnum(v[4]) {
		return false
	}
	slash := bytes.IndexByte(v, '/')
	if slash < 7 || slash+2 >= len(v) {
		return false
	}
	for _, c := range v[1:slash] {
		if !isAlnum(c) {
			return false
		}
	}
	return v[slash+1] == '$' || isDigit(v[slash+1])
}

// iccbba wants the data structures "=/" (processor and product) and "=," or
// "=}" or "=>" (serial, lot, expiry) of ISBT 128.
func iccbba(v []byte) bool {
	if v[1] != '/' || !isUpper(v[2]) {
		return false
	}
	return bytes.Contains(v[3:], []byte("=,")) || bytes.Contains(v[3:], []byte("=}")) || bytes.Contains(v[3:], []byte("&,"))
}

func isAlnum(c byte) bool { return isDigit(c) || isLetter(c) }
