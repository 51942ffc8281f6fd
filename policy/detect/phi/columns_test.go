package phi

import (
	"regexp"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for header, want := range map[string]column{
		"last_name": {kind: lastName}, "LastName": {kind: lastName}, "patient.last": {kind: lastName, context: 2, patient: true}, "Patient's Last Name": {kind: lastName, context: 2, patient: true},
		"customer_last_name": {kind: lastName}, "FIRST": {kind: firstName}, "name": {kind: anyName}, "Patient Name": {kind: fullName, context: 2, patient: true},
		"DOB": {kind: dob}, "Date of Birth (MM/DD/YYYY)": {kind: dob}, "patientBirthDate": {kind: dob, context: 2, patient: true}, "birth_dt": {kind: dob},
		"SSN": {kind: ssn}, "social security #": {kind: ssn}, "pt_ssn": {kind: ssn}, "MRN": {kind: mrn, context: 2}, "Medical Record #": {kind: mrn, context: 2},
		"mbi": {kind: mbi, context: 2}, "member_id": {kind: plan, context: 1}, "medicaid_id": {kind: plan, context: 2}, "home_phone": {kind: phone},
		"e-mail address": {kind: email}, "icd10_code": {kind: dx, context: 2}, "dx1": {kind: dx, context: 2}, "condition": {kind: dx, context: 1},
		"admit_date": {context: 1}, "rx_number": {context: 1}, "study_id": {kind: subject}, "year_of_birth": {kind: birthYear},
		"provider_last_name": {context: 1, provider: true}, "npi": {context: 1, provider: true}, "employee_name": {stranger: true},
		"emergencyContactName": {stranger: true}, "file_name": {stranger: true}, "amount": {}, "hire_date": {}, "": {}, "order_id": {}, "month": {},
	} {
		if got := classify([]byte(header)); got != want {
			t.Errorf("classify(%q) = %+v, want %+v", header, got, want)
		}
	}
}

func TestPathContext(t *testing.T) {
	for path, want := range map[string]int{
		"/data/phi/a": 2, "/srv/patients.csv": 2, "/srv/PatientExport.csv": 2, "/srv/my_emr-dump": 2,
		"/srv/members.csv": 1, "/health/claims.csv": 2,
		"/cryptographic/a": 0, "/missingItemRef": 0, "/impatient.txt": 0, "/srv/export.csv": 0,
	} {
		if got := pathContext(path); got != want {
			t.Errorf("pathContext(%q) = %d, want %d", path, got, want)
		}
	}
}

// TestAnchors_cover_labels: what leads a record of text wakes the detector,
// however its words are written.
func TestAnchors_cover_labels(t *testing.T) {
	anchors := compile(t, labelWords())
	for _, label := range []string{
		"dob", "date of birth", "birth date", "ssn", "social security number", "social security no", "social security", "social security num", "ssn number",
		"ssn no", "mrn", "medical record number", "medical record no", "medical record num", "medical record", "med rec no", "med rec num", "med rec number",
		"patient id", "patient no", "patient number", "patient num", "mrn no", "mrn number", "patient mrn", "mbi", "hicn", "medicare", "medicare id",
		"medicare no", "medicare number", "member id", "subscriber id", "patient", "patient name",
	} {
		for _, separator := range []string{" ", "_", "-"} {
			text := strings.ReplaceAll(label, " ", separator)
			if _, anchored := labelKind(strings.ReplaceAll(label, " ", "")); !anchored {
				t.Errorf("%q is no label", label)
			}
			for _, end := range []string{": 1", "=1"} {
				if !matches(anchors, "\n"+text+end) || !matches(anchors, "\n"+strings.ToUpper(text)+end) {
					t.Errorf("%q wakes nobody", text+end)
				}
			}
		}
	}
}

// TestAnchors_cover_headers: what identifies in a table wakes the detector.
func TestAnchors_cover_headers(t *testing.T) {
	anchors := compile(t, headerWords())
	for _, header := range []string{
		"dob", "DOB", "birth_date", "birthdate", "BirthDate", "patientDob", "patientDOB", "date of birth", "dateofbirth", "brthdt", "birthdt", "birth_dt",
		"year_of_birth", "ssn", "SSN", "patientSSN", "pt_ssn", "social security", "socialSecurityNumber", "soc_sec", "mrn", "patientMrn", "medical_record_no",
		"medrecno", "med_rec_no", "patient_id", "patientId", "patid", "patient_no", "patient name", "patientname", "chart_no", "chartno", "hin", "mbi", "hicn",
		"medicare_id", "medicaidid", "member_id", "memberId", "subscriber_id", "last_name", "lastName", "last", "LAST", "lname", "surname", "family_name",
		"familyName", "ptlast", "mbrlstnm", "nachname", "geburtsdatum", "patient", "study_id", "usubjid", "person_id", "patient_num", "demographic_no", "\"last\"",
	} {
		for _, text := range []string{"\n" + header + ",x", "x," + header + "\n", "x|" + header + "|y", "\"x\",\"" + header + "\""} {
			if !matches(anchors, text) {
				t.Errorf("%q wakes nobody", text)
			}
		}
	}
}

// compile has package regexp stand in for the prefilter.
func compile(t *testing.T, exprs []string) (out []*regexp.Regexp) {
	t.Helper()
	for _, e := range exprs {
		re, err := regexp.Compile(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, re)
	}
	return out
}

func matches(anchors []*regexp.Regexp, text string) bool {
	for _, re := range anchors {
		if re.MatchString(text) {
			return true
		}
	}
	return false
}
