package rules

import (
	"regexp"
	"strconv"
	"strings"
)

// identifier is what one variable says of one person, without the value.
type identifier struct {
	what   string
	person string // what sets this person apart from others in the same environment
	sure   bool   // it suffices alone; a date of birth or a name needs a patient or another beside it
}

// identify judges one "KEY=value".
func identify(entry string) (identifier, bool) {
	key, value := splitEnv(entry)
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	if value == "" || pointsElsewhere(value) {
		return identifier{}, false
	}
	names := words(key)
	for _, l := range labels {
		if rest, ok := cutLabel(names, l.phrases); ok && l.valid(value) {
			return identifier{what: l.what, person: personKey(rest), sure: l.alone || containsAny(rest, patientWords)}, true
		}
	}
	if what := inText(value); what != "" {
		return identifier{what: what, person: "text " + key, sure: true}, true
	}
	return identifier{}, false
}

// patientWords in a name say that the person is a patient.
var patientWords = []string{"PATIENT", "PT", "RESIDENT", "BENEFICIARY", "SUBSCRIBER", "INSURED", "ENROLLEE"}

// labels are the identifiers that a variable's name can announce at its end.
var labels = []struct {
	what    string
	phrases []string
	valid   func(value string) bool
	alone   bool
}{
	{"social security number", []string{"SSN", "SOCIAL SECURITY NUMBER", "SOCIAL SECURITY NO", "SOCIAL SECURITY", "SOCSEC"}, validSSN, true},
	{"Medicare number", []string{"MBI", "MEDICARE ID", "MEDICARE NUMBER", "MEDICARE NO", "MEDICARE BENEFICIARY ID", "BENEFICIARY ID", "HICN"}, validMBI, true},
	{"medical record number", []string{"MRN", "MEDICAL RECORD NUMBER", "MEDICAL RECORD NO", "MEDREC", "MED REC NO", "CHART NO", "CHART NUMBER", "HOSPITAL NO", "PATIENT ID", "PATIENT NO", "PATIENT NUMBER"}, validMRN, true},
	{"date of birth", []string{"DOB", "DATE OF BIRTH", "BIRTHDATE", "BIRTH DATE", "BIRTHDAY", "BIRTH DAY", "DATEOFBIRTH"}, validBirthDate, false},
}

// cutLabel says whether a name ends with one of the phrases, but for a number
// or "VALUE" behind it, and returns the words before. "SSN_COLUMN" or
// "MRN_LENGTH" is about identifiers and holds none.
func cutLabel(names []string, phrases []string) (rest []string, ok bool) {
	var index []string
	for n := len(names); n > 0 && (names[n-1] == "VALUE" || digitsOnly(names[n-1])); n = len(names) {
		index, names = append(index, names[n-1]), names[:n-1]
	}
	for _, p := range phrases {
		if endsWith(names, []string{p}) {
			before := names[:len(names)-len(strings.Fields(p))]
			if strings.HasPrefix(p, "PATIENT") {
				before = append(before[:len(before):len(before)], "PATIENT")
			}
			return append(before[:len(before):len(before)], index...), true
		}
	}
	return nil, false
}

// personKey tells people apart by the numbers and roles in a variable's name;
// the words for a patient tell nothing apart.
func personKey(rest []string) string {
	var out []string
	for _, w := range rest {
		if !contains(patientWords, w) && w != "VALUE" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

var ssnForm = regexp.MustCompile(`^([0-9]{3})[- ]?([0-9]{2})[- ]?([0-9]{4})$`)

// validSSN follows the numbers that the Social Security Administration gives
// out. Area 9xx is never given and accepted all the same, since the name says
// what it is and Synthea's people have 999.
func validSSN(value string) bool {
	m := ssnForm.FindStringSubmatch(value)
	if m == nil || m[1] == "000" || m[1] == "666" || m[2] == "00" || m[3] == "0000" {
		return false
	}
	all := m[1] + m[2] + m[3]
	switch all {
	case "078051120", "219099999", "457555462", "123456789", "987654321": // printed on specimens
		return false
	}
	return strings.Trim(all, all[:1]) != "" && !strings.HasPrefix(all, "98765432")
}

// mbiForm is the Medicare Beneficiary Identifier of the CMS: letters without
// S, L, O, I, B and Z.
var mbiForm = regexp.MustCompile(`^[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]-?[AC-HJKMNP-RT-Y]{2}[0-9]{2}$`)

func validMBI(value string) bool {
	v := strings.ToUpper(value)
	// The second is the specimen that CMS prints.
	return mbiForm.MatchString(v) && strings.ReplaceAll(v, "-", "") != "1EG4TE5MK73"
}

var mrnForm = regexp.MustCompile(`^[A-Za-z]{0,4}-?[0-9A-Za-z]{4,12}$`)

// validMRN wants 5 to 12 letters and digits, at least 4 of them digits; the
// label does the rest. Numbers that count nothing but zeros or nines are none.
func validMRN(value string) bool {
	n := len(strings.ReplaceAll(value, "-", ""))
	return mrnForm.MatchString(value) && n >= 5 && n <= 12 && digits(value) >= 4 && strings.Trim(value, "09-") != ""
}

var dateForms = []*regexp.Regexp{
	regexp.MustCompile(`^(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2})([T ].*)?$`),
	regexp.MustCompile(`^(?P<m>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2})[-/.](?P<y>[0-9]{4})$`),
	regexp.MustCompile(`^(?P<d>[0-9]{1,2})[-/.](?P<m>[0-9]{1,2})[-/.](?P<y>[0-9]{4})$`),
	regexp.MustCompile(`^(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})$`),
}

// validBirthDate wants a whole date from 1900 on; a pure package has no clock to
// ask for the end.
func validBirthDate(value string) bool {
	for _, form := range dateForms {
		m := form.FindStringSubmatch(value)
		if m == nil {
			continue
		}
		part := func(name string) int {
			n, _ := strconv.Atoi(m[form.SubexpIndex(name)]) // digits by the form
			return n
		}
		y, mo, d := part("y"), part("m"), part("d")
		if y >= 1900 && y <= 2099 && mo >= 1 && mo <= 12 && d >= 1 && d <= 31 && !(y == 1900 && mo == 1 && d == 1) {
			return true
		}
	}
	return false
}

var (
	ssnText = regexp.MustCompile(`(?i)\b(?:ssn|social[ _]security(?:[ _](?:number|no))?)["']?\s*[:=#]?\s*["']?([0-9]{3}-[0-9]{2}-[0-9]{4})\b`)
	mrnText = regexp.MustCompile(`(?i)\b(?:mrn|medical record (?:number|no)\.?)["']?\s*[:=#]\s*["']?([0-9A-Za-z-]{5,13})\b`)
	mbiText = regexp.MustCompile(`(?i)\b(?:mbi|medicare)\b.{0,20}?\b([1-9][A-Z][0-9A-Z][0-9]-?[A-Z][0-9A-Z][0-9]-?[A-Z]{2}[0-9]{2})\b`)
	// hl7 is a patient segment with an identifier or a name, HL7 v2 chapter 3.
	hl7 = regexp.MustCompile(`(^|[\r\n]|\\[rn])PID\|[^|]*\|[^|]*\|([^|]*[0-9][^|]*\||[^|]*\|[^|]*\|[A-Za-z]+\^)`)
	// fhir is a Patient resource that is more than its type.
	fhirType  = regexp.MustCompile(`"resourceType"\s*:\s*"Patient"`)
	fhirField = regexp.MustCompile(`"(family|birthDate)"\s*:\s*"[^"{}]+"`)
)

// texts are identifiers with their label inside a value; the hints as in [known].
var texts = []struct {
	what  string
	hints []string
	form  *regexp.Regexp
	valid func(string) bool
}{
	{"social security number", []string{"ssn", "social"}, ssnText, validSSN},
	{"Medicare number", []string{"mbi", "medicare"}, mbiText, validMBI},
	{"medical record number", []string{"mrn", "medical"}, mrnText, validMRN},
}

// inText finds identifiers in a value that holds more than one datum: a
// message, a JSON text, a list.
func inText(value string) string {
	lower, numbers := strings.ToLower(value), digits(value) >= 4
	for _, t := range texts {
		if !numbers || !holdsAny(lower, t.hints) {
			continue
		}
		for _, m := range t.form.FindAllStringSubmatch(value, -1) {
			if t.valid(m[1]) {
				return t.what
			}
		}
	}
	switch {
	case strings.Contains(value, "PID|") && hl7.MatchString(value):
		return "HL7 message with a patient"
	case strings.Contains(value, "resourceType") && fhirType.MatchString(value) && fhirField.MatchString(value):
		return "FHIR patient"
	}
	return ""
}
