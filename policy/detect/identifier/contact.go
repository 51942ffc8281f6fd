package identifier

import "bytes"

// Phone reads a telephone or fax number. Ten digits, or eleven after a 1, follow
// the North American plan: area and exchange begin with 2 to 9 and are no N11;
// exchange 555 with 0100 to 0199 is for fiction (NANPA) and Synthetic. Another
// country's begins with a plus or 00 and has 8 to 15 digits (ITU-T E.164).
func Phone(v []byte) Valid {
	var d [20]byte
	n, plus := 0, false
	for i, c := range v {
		switch {
		case isDigit(c):
			if n == len(d) {
				return No
			}
			d[n] = c
			n++
		case c == '+' && n == 0:
			plus = true
		case c|0x20 == 'x' && n >= 10: // an extension
			if !extension(v[i:]) {
				return No
			}
			return phone(d[:n], plus)
		case !contains("-. ()/", c):
			return No
		}
	}
	return phone(d[:n], plus)
}

// FormattedPhone is [Phone] for numbers with a separator or a plus, which need no
// label to be likely one.
func FormattedPhone(v []byte) Valid {
	if allDigits(v) || bytes.Count(v, []byte(".")) == 1 {
		return No
	}
	return Phone(v)
}

func extension(v []byte) bool {
	for len(v) > 0 && contains("xX.: ", v[0]) {
		v = v[1:]
	}
	return allDigits(v) && len(v) <= 6
}

func phone(d []byte, plus bool) Valid {
	if len(d) == 11 && d[0] == '1' {
		return northAmerican(d[1:])
	}
	if len(d) == 10 && !plus && d[0] != '0' {
		return northAmerican(d)
	}
	if len(d) > 2 && d[0] == '0' && d[1] == '0' {
		d, plus = d[2:], true
	}
	if plus && len(d) >= 8 && len(d) <= 15 && d[0] != '0' {
		return Issued
	}
	return No
}

func northAmerican(d []byte) Valid {
	service := func(p []byte) bool { return p[1] == '1' && p[2] == '1' }
	switch {
	case d[0] < '2' || d[3] < '2' || service(d) || service(d[3:]):
		return No
	case string(d[3:8]) == "55501":
		return Synthetic
	case string(d[:3]) == "555" || repeated(d):
		return No // a specimen
	}
	return Issued
}

func repeated(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// Email reads a mail address. Those of no person (no-reply, the mailer) are
// none; those of the domains that RFC 2606 and 6761 keep for examples and tests
// are Synthetic.
func Email(v []byte) Valid {
	at := bytes.IndexByte(v, '@')
	if at < 1 || len(v) > 254 || at > 64 {
		return No
	}
	local, domain := v[:at], v[at+1:]
	for _, c := range local {
		if !isLetter(c) && !isDigit(c) && !contains("._%+-'", c) && c < 0x80 {
			return No
		}
	}
	if !domainName(domain) || impersonal(local) {
		return No
	}
	if exampleDomain(domain) {
		return Synthetic
	}
	return Issued
}

// domainName wants at least two labels, the last of letters.
func domainName(v []byte) bool {
	dot := bytes.LastIndexByte(v, '.')
	if dot < 1 || len(v)-dot < 3 || v[0] == '.' || v[0] == '-' {
		return false
	}
	for i, c := range v {
		switch {
		case isLetter(c):
		case i > dot:
			return false
		case c == '.' && v[i+1] == '.':
			return false
		case !isDigit(c) && c != '-' && c != '.':
			return false
		}
	}
	return true
}

func impersonal(local []byte) bool {
	for _, word := range []string{"noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster", "root", "nobody",
		"webmaster", "hostmaster", "support", "info", "admin", "contact", "sales", "help"} {
		if equalFold(local, word) {
			return true
		}
	}
	return false
}

func exampleDomain(v []byte) bool {
	for _, end := range []string{"example.com", "example.org", "example.net", ".example", ".test", ".invalid", ".localhost"} {
		if from := len(v) - len(end); from >= 0 && equalFold(v[from:], end) && (from == 0 || end[0] == '.' || v[from-1] == '.') {
			return true
		}
	}
	return false
}
