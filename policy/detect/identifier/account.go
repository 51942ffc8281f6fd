package identifier

// VIN says whether a value is a vehicle identification number: 17 characters
// without I, O and Q, the ninth a check digit (49 CFR 565.15(c)). Every eleventh
// such string passes: it needs a label.
func VIN(v []byte) bool {
	const weights = "\x08\x07\x06\x05\x04\x03\x02\x0a\x00\x09\x08\x07\x06\x05\x04\x03\x02"
	// The values of the letters from A on, table III of the rule; 0: not allowed.
	const letters = "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x02\x03\x04\x05\x00\x07\x00\x09\x02\x03\x04\x05\x06\x07\x08\x09"
	if len(v) != len(weights) {
		return false
	}
	sum, figures := 0, 0
	for i, c := range v {
		c = upper(c)
		value := 0
		switch {
		case isDigit(c):
			value = int(c - '0')
			figures++
		case isUpper(c) && letters[c-'A'] > 0:
			value = int(letters[c-'A'])
		default:
			return false
		}
		sum += value * int(weights[i])
	}
	check := byte('0' + sum%11)
	if sum%11 == 10 {
		check = 'X'
	}
	return upper(v[8]) == check && figures >= 5 && figures < len(weights)
}

// Card says whether a value is the number of a payment card: the length of its
// issuer (ISO/IEC 7812) and the Luhn check. The numbers that processors publish
// for tests are Synthetic.
func Card(v []byte) Valid {
	var d [19]byte
	n := compact(v, "- ", d[:])
	if n < 13 || !allDigits(d[:n]) || !cardLength(d[:n]) || !luhn(d[:n], 0) {
		return No
	}
	switch string(d[:n]) {
	case "4111111111111111", "4242424242424242", "4012888888881881", "5555555555554444", "5105105105105100", "378282246310005", "371449635398431",
		"6011111111111117", "6011000990139424", "30569309025904", "38520000023237", "3530111333300000", "4000056655665556", "5200828282828210":
		return Synthetic
	}
	if repeated(d[1:n]) {
		return No
	}
	return Issued
}

func cardLength(d []byte) bool {
	two, n := int(d[0]-'0')*10+int(d[1]-'0'), len(d)
	switch {
	case d[0] == '4':
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, two >= 22 && two <= 27:
		return n == 16
	case two == 34 || two == 37:
		return n == 15
	case two == 36 || two == 38 || two == 30:
		return n == 14
	case two == 35:
		return n == 16
	case two == 60, two == 62, two == 64, two == 65:
		return n == 16 || n == 19
	}
	return false
}
