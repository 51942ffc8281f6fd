package phi

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect/identifier"
)

// labelWords are the labels by which text is looked at. One of them leads each
// record: a record without any holds a name and a telephone number at most.
func labelWords() []string {
	return []string{
		`(?i)[^a-z]dob[^a-z]`, `(?i)date[_ -]of[_ -]birth`, `(?i)dateofbirth`, `(?i)birth[_ -]date`, `(?i)birthdate`,
		`(?i)[^a-z]ssn[^a-z]`, `(?i)social[_ -]security`, `(?i)socialsecurity`,
		`(?i)[^a-z]mrn[^a-z]`, `(?i)medical[_ -]record`, `(?i)medicalrecord`, `(?i)med[_ -]rec[_ -]`, `(?i)patient[_ -]id[^a-z]`, `(?i)patientid[^a-z]`,
		`(?i)patient[_ -]n[aou]`, `(?i)patientn[aou]`, `(?i)[^a-z]patient[:=]`, `(?i)[^a-z]patient [:=]`,
		`(?i)[^a-z]mbi[^a-z]`, `(?i)[^a-z]hicn[^a-z]`, `(?i)medicare[_ :=#-]`, `(?i)member[_ -]id[^a-z]`, `(?i)subscriber[_ -]id[^a-z]`,
	}
}

// labelKind reads a label: its words in lower case without what is between them.
// Anchored: one of labelWords matches it.
func labelKind(key string) (k kind, anchored bool) {
	switch key {
	case "dob", "dateofbirth", "birthdate":
		return dob, true
	case "born":
		return dob, false
	case "ssn", "socialsecuritynumber", "socialsecurityno", "socialsecurity", "socialsecuritynum", "ssnnumber", "ssnno":
		return ssn, true
	case "mrn", "medicalrecordnumber", "medicalrecordno", "medicalrecordnum", "medicalrecord", "medrecno", "medrecnum", "medrecnumber", "patientid",
		"patientno", "patientnumber", "patientnum", "mrnno", "mrnnumber", "patientmrn":
		return mrn, true
	case "chartno", "chartnumber", "hospitalno", "hospitalnumber", "ptid", "recordno":
		return mrn, false
	case "mbi", "hicn", "medicare", "medicareid", "medicareno", "medicarenumber":
		return mbi, true
	case "memberid", "subscriberid":
		return plan, true
	case "policyno", "policynumber", "medicaidid", "medicaidno", "medicaidnumber", "memberno", "membernumber":
		return plan, false
	case "patient", "patientname", "patientfullname":
		return fullName, true
	case "pt", "ptname", "resident", "residentname", "member", "membername", "subscriber", "subscribername", "beneficiary", "beneficiaryname":
		return fullName, false
	case "name", "fullname":
		return anyName, false
	case "lastname", "surname", "familyname":
		return lastName, false
	case "firstname", "givenname":
		return firstName, false
	case "phone", "telephone", "tel", "cell", "mobile", "fax", "contact", "phoneno", "phonenumber":
		return phone, false
	case "email", "mail":
		return email, false
	case "address", "addr", "street":
		return street, false
	case "dx", "diagnosis", "diagnoses", "icd10", "icd10cm", "icd9", "icd":
		return dx, false
	}
	return other, false
}

// labelWeight is what a label with its value speaks of health.
func labelWeight(k kind, key string) int {
	switch {
	case k == mrn, k == mbi, k == dx:
		return enoughContext
	case k == plan:
		return 1
	case k == fullName && (len(key) > 6 && key[:7] == "patient" || key[:2] == "pt"):
		return enoughContext
	}
	return 0
}

// item is a label with its value.
type item struct {
	kind            kind
	anchored        bool
	weight          int
	label, labelEnd int // in the text
	value, end      int
}

// maxItems bounds the items of one text.
const maxItems = 256

// itemsIn adds the labels with valid values that begin between from and to; with
// one, a kind that comes again ends them, since it is of the next record.
func itemsIn(items []item, text []byte, from, to int, one bool) []item {
	var seen [kinds]bool
	for i := from; i < to; {
		if !letterOrFigure(text[i]) {
			i++
			continue
		}
		it, ok := item{}, false
		if labelBegins(text[i:]) {
			it, ok = itemAt(text, i)
		}
		if !ok {
			for i < to && letterOrFigure(text[i]) {
				i++
			}
			continue
		}
		items = append(items, it)
		if i = it.end; one && seen[it.kind] || len(items) == maxItems {
			break
		}
		seen[it.kind] = tells(it.kind)
	}
	return items
}

// labelBegins says by two letters whether a word could begin a label.
func labelBegins(word []byte) bool {
	if len(word) < 3 {
		return false
	}
	switch [2]byte{word[0] | 0x20, word[1] | 0x20} {
	case [2]byte{'d', 'o'}, [2]byte{'d', 'a'}, [2]byte{'d', 'i'}, [2]byte{'d', 'x'}, [2]byte{'b', 'i'}, [2]byte{'b', 'o'}, [2]byte{'b', 'e'},
		[2]byte{'s', 's'}, [2]byte{'s', 'o'}, [2]byte{'s', 'u'}, [2]byte{'s', 't'}, [2]byte{'m', 'r'}, [2]byte{'m', 'e'}, [2]byte{'m', 'b'},
		[2]byte{'m', 'o'}, [2]byte{'m', 'a'}, [2]byte{'p', 'a'}, [2]byte{'p', 't'}, [2]byte{'p', 'o'}, [2]byte{'p', 'h'}, [2]byte{'c', 'h'},
		[2]byte{'c', 'e'}, [2]byte{'c', 'o'}, [2]byte{'h', 'o'}, [2]byte{'h', 'i'}, [2]byte{'r', 'e'}, [2]byte{'n', 'a'}, [2]byte{'f', 'u'},
		[2]byte{'f', 'a'}, [2]byte{'f', 'i'}, [2]byte{'l', 'a'}, [2]byte{'g', 'i'}, [2]byte{'t', 'e'}, [2]byte{'e', 'm'}, [2]byte{'a', 'd'},
		[2]byte{'i', 'c'}:
		return true
	}
	return false
}

// longestLabel is how many words a label has at most.
const longestLabel = 4

// itemAt reads the label that begins with the word at begin, the longest that
// there is, and the value behind it.
func itemAt(text []byte, begin int) (it item, ok bool) {
	var key [64]byte
	n, words, end := 0, 0, begin
	var ends [longestLabel]int
	var lengths [longestLabel]int
	for words < longestLabel {
		for end < len(text) && letterOrFigure(text[end]) && n < len(key) {
			c := text[end]
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			key[n] = c
			n, end = n+1, end+1
		}
		ends[words], lengths[words] = end, n
		words++
		if end+1 >= len(text) || !labelGap(text[end]) || !letterOrFigure(text[end+1]) {
			break
		}
		end++
	}
	for i := words - 1; i >= 0; i-- {
		name := string(key[:lengths[i]])
		k, anchored := labelKind(name)
		if k == other || i == 0 && quotedKey(text, begin, ends[0]) || attribute(text, begin, ends[i]) || k == anyName && anothers(text, begin) {
			continue
		}
		it = item{kind: k, anchored: anchored, weight: labelWeight(k, name) + ownerWeight(text, begin), label: begin, labelEnd: ends[i]}
		if it.value, it.end, ok = valueBehind(text, ends[i], k); ok {
			return it, true
		}
	}
	return item{}, false
}

// labelGap is what stands between the words of a label.
func labelGap(c byte) bool { return c == ' ' || c == '_' || c == '-' }

func letterOrFigure(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// quotedKey says whether a word is a key of JSON, which has a detector of its own.
func quotedKey(text []byte, begin, end int) bool {
	return begin > 0 && text[begin-1] == '"' && end < len(text) && (text[end] == '"' || text[end] == '\\')
}

// attribute says whether a word is an attribute of XML, which has a detector of
// its own, too.
func attribute(text []byte, begin, end int) bool {
	if end+1 >= len(text) || text[end] != '=' || text[end+1] != '"' && text[end+1] != '\'' {
		return false
	}
	tag := tagAround(text[:begin])
	return tag >= 0 && tag+1 < begin && letterOrFigure(text[tag+1])
}

// anothers says whether a word before "name" says that it is no person's or not
// the patient's: "file name", "Attending Name".
func anothers(text []byte, begin int) bool {
	if begin < 2 || !labelGap(text[begin-1]) || !letterOrFigure(text[begin-2]) {
		return false
	}
	from := begin - 1
	for from > 0 && letterOrFigure(text[from-1]) {
		from--
	}
	var buf [maxWord]byte
	switch string(lowerWord(text[from:begin-1], &buf)) {
	case "client", "legal", "person", "s", "customer", "your", "the", "and", "with":
		return false
	}
	return true
}

// ownerWeight looks at the word before a label: "PATIENT_SSN".
func ownerWeight(text []byte, begin int) int {
	const owner = "patient"
	if from := begin - 1 - len(owner); from >= 0 && labelGap(text[begin-1]) && bytes.EqualFold(text[from:begin-1], []byte(owner)) {
		return enoughContext
	}
	return 0
}

// valueBehind finds the value that follows a label. Names, contacts and
// diagnoses need a colon or an equals sign between; numbers and dates that have
// a form of their own need a blank.
func valueBehind(text []byte, at int, k kind) (begin, end int, ok bool) {
	delimited := false
	i := at
	for ; i < len(text) && i < at+8; i++ {
		c := text[i]
		if c == ':' || c == '=' {
			delimited = true
		} else if c != ' ' && c != '\t' && c != '#' && c != '"' && c != '\'' && c != '.' && c != '>' && c != '*' {
			break
		}
	}
	if i == at || i == len(text) {
		return 0, 0, false
	}
	strict := delimited || k == ssn || k == mrn || k == mbi || k == dob
	if !strict {
		return 0, 0, false
	}
	end = valueEnd(text, i, k)
	return i, end, end > i
}

// valueEnd is where a valid value that begins at i ends; i where there is none.
func valueEnd(text []byte, i int, k kind) int {
	switch k {
	case dob:
		return dateEnd(text, i)
	case fullName, anyName:
		return nameEnd(text, i)
	case lastName, firstName:
		return plainNameEnd(text, i)
	case phone:
		return spanEnd(text, i, "+-. ()", func(v []byte) bool { return identifier.Phone(v).OK() })
	case street, dx:
		return lineEnd(text, i, k)
	}
	end := i
	for end < len(text) && end < i+80 && (letterOrFigure(text[end]) || bytes.IndexByte([]byte("-_.@+"), text[end]) >= 0) {
		end++
	}
	for end > i && (text[end-1] == '.' || text[end-1] == '-') {
		end--
	}
	v := text[i:end]
	var p person
	valid := p.set(k, v)
	if k == mrn || k == plan {
		valid = valid && len(v) >= 5 && len(v) <= 14 && !identifier.UUID(v)
	}
	if k == mbi {
		valid = valid && p.values[mbi] != nil
	}
	if !valid {
		return i
	}
	return end
}

// dateEnd takes the longest date: "May 17, 1980" has blanks.
func dateEnd(text []byte, i int) int {
	best := i
	for end := i; end < len(text) && end <= i+24; end++ {
		if letterOrFigure(text[end]) || end == i {
			continue
		}
		if _, ok := identifier.BirthDate(text[i:end]); ok {
			best = end
		}
		if bytes.IndexByte([]byte("-/. ,:"), text[end]) < 0 {
			break
		}
	}
	return best
}

// spanEnd takes the longest run of digits and others that is valid.
func spanEnd(text []byte, i int, others string, valid func([]byte) bool) int {
	end := i
	for end < len(text) && end < i+24 && (text[end] >= '0' && text[end] <= '9' || bytes.IndexByte([]byte(others), text[end]) >= 0) {
		end++
	}
	for ; end > i; end-- {
		if c := text[end-1]; c >= '0' && c <= '9' && valid(text[i:end]) {
			return end
		}
	}
	return i
}

// lineEnd takes what is left of the line, up to a wide gap.
func lineEnd(text []byte, i int, k kind) int {
	end := i
	for end < len(text) && end < i+100 && bytes.IndexByte([]byte("\r\n\t;|\""), text[end]) < 0 && !(text[end] == ' ' && end+1 < len(text) && text[end+1] == ' ') {
		end++
	}
	v := bytes.TrimRight(text[i:end], " ,.")
	var p person
	if len(v) < 2 || !p.set(k, v) {
		return i
	}
	return i + len(v)
}

// nameEnd takes two to four words that begin with capitals: "Doe, Jane A.".
func nameEnd(text []byte, i int) int {
	words, end := 0, i
	for pos := i; pos < len(text) && words < 4; {
		stop := pos
		for stop < len(text) && (letterOrFigure(text[stop]) || text[stop] >= 0x80 || text[stop] == '\'' || text[stop] == '-') {
			stop++
		}
		if stop == pos || text[pos] < 'A' || text[pos] > 'Z' && text[pos] < 0x80 || isLabel(text[pos:stop]) {
			break
		}
		words, end = words+1, stop
		pos = stop
		if pos < len(text) && (text[pos] == ',' || text[pos] == '.') {
			pos++
		}
		if pos >= len(text) || text[pos] != ' ' {
			break
		}
		pos++
	}
	if words < 2 || !identifier.Name(text[i:end]) {
		return i
	}
	return end
}

// isLabel says whether a word could not be part of a name because it labels the
// next value.
func isLabel(word []byte) bool {
	var buf [maxWord]byte
	k, _ := labelKind(string(lowerWord(word, &buf)))
	return k != other || bytes.EqualFold(word, []byte("date")) || bytes.EqualFold(word, []byte("medical"))
}

// plainNameEnd takes one word.
func plainNameEnd(text []byte, i int) int {
	end := i
	for end < len(text) && (letterOrFigure(text[end]) || text[end] >= 0x80 || text[end] == '\'' || text[end] == '-') {
		end++
	}
	if end-i > 40 || !identifier.Name(text[i:end]) {
		return i
	}
	return end
}

// maxWord bounds the bytes of a word that is compared.
const maxWord = 24

// lowerWord is a word in lower case, in buf; longer ones are cut.
func lowerWord(word []byte, buf *[maxWord]byte) []byte {
	n := copy(buf[:], word)
	for i, c := range buf[:n] {
		if c >= 'A' && c <= 'Z' {
			buf[i] |= 0x20
		}
	}
	return buf[:n]
}

// eachWord visits the runs of letters and figures until visit says false.
func eachWord(text []byte, visit func(begin, end int) bool) {
	for i := 0; i < len(text); {
		if !letterOrFigure(text[i]) {
			i++
			continue
		}
		begin := i
		for i < len(text) && letterOrFigure(text[i]) {
			i++
		}
		if !visit(begin, i) {
			return
		}
	}
}
