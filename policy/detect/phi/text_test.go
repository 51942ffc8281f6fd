package phi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

const note = `DISCHARGE SUMMARY
Patient: Pagac, Caleb   MRN: 33619778   DOB: 1971-05-16
Attending NPI 1225723208
Patient presented with chest pain. Diagnosis: E11.9. Contact (781) 555-0198.
`

const logged = `2026-03-01T12:00:01Z INFO  intake patient_name="Merle Spinka" dob=1988-04-29 mrn=40296060 ssn=237-96-2820 dx=F32.9
2026-03-02T12:01:01Z INFO  intake patient_name="Caleb Pagac" dob=1971-05-16 mrn=33619778 ssn=445-77-6216 dx=E11.9
2026-03-03T12:02:01Z INFO  intake patient_name="Merle Spinka" dob=1988-04-29 mrn=40296060 ssn=237-96-2820 dx=I10
`

func TestText_accept(t *testing.T) {
	detecttest.Accept(t, phi.Text(), []byte(note), "/srv/note.txt",
		detecttest.Secrets("Pagac", "Caleb", "33619778", "1971-05-16", "E11.9"),
		detecttest.Padding([]byte("To whom it may concern\n\n"), []byte("\nRegards\n")),
		detecttest.UTF16(), detecttest.People(1))
}

func TestText_accept_log(t *testing.T) {
	detecttest.Accept(t, phi.Text(), []byte(logged), "/var/log/app.log",
		detecttest.Secrets("Spinka", "Merle", "40296060", "237-96-2820", "Pagac", "1988-04-29"),
		detecttest.Padding([]byte("starting\n"), []byte("stopping\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		content        string
		people, others int
		other          string
	}{
		"note":          {note, 1, 0, ""},
		"env":           {"PATH=/bin\nPATIENT_NAME=Jane Doe\nPATIENT_DOB=1980-02-01\nPATIENT_MRN=12345678\n", 1, 0, ""},
		"env_ssn":       {"TEST_PATIENT_SSN=237-96-2820\n", 1, 0, ""},
		"social":        {"The patient's Social Security Number is listed. Social Security Number: 237-96-2820. She was admitted with pain.", 1, 0, ""},
		"social_blank":  {"clinic chart, patient SSN 237-96-2820", 1, 0, ""},
		"medicare":      {"Medicare: 2FH5-UF6-NK84", 1, 0, ""},
		"medical_no":    {"Medical Record Number: 12345678\nDate of Birth: May 17, 1980\n", 1, 0, ""},
		"medical_hash":  {"Medical Record # 12345678, Date of Birth 05/17/1980\n", 1, 0, ""},
		"inline":        {"Patient: Jane A. Doe DOB: 2/1/1980 Diagnosis: asthma", 1, 0, ""},
		"forms":         {"Patient: Jane Doe\nDOB: 1980-02-01\nMRN: 12345678\n\nPatient: Joan Roe\nDOB: 1981-02-01\nMRN: 12345679\n", 2, 0, ""},
		"crlf":          {strings.ReplaceAll(note, "\n", "\r\n"), 1, 0, ""},
		"upper":         {"PATIENT NAME: DOE, JANE\nDOB: 01-FEB-1980\nMEDICAL RECORD NO: 12345678", 1, 0, ""},
		"others_name":   {"File name: Jane Doe\nAttending Name: Joan Roe\nDOB: 1980-02-01 diagnosis patient", 0, 0, ""},
		"name_before":   {"Name: Jane Doe\nPhone: 508-234-5678\nDOB: 1980-02-01\nDiagnosis: asthma\n", 1, 0, ""},
		"names_before":  {"Name: Joan Roe\n\nSurname: Poe\nSurname: Doe\nDOB: 1980-02-01\nDiagnosis: asthma\n", 1, 0, ""},
		"markdown":      {"*   **Patient ID**: 12345678\n*   **Name**: Sarah Poe\n*   **Date of Birth**: 1978-05-15\n", 1, 0, ""},
		"yaml":          {"- name: Jane Doe\n  dob: 1980-02-01\n  mrn: 12345678\n- name: Joan Roe\n  dob: 1981-02-01\n  mrn: 12345679\n", 2, 0, ""},
		"padding_lines": {strings.Repeat("x", 900) + "\n" + note, 1, 0, ""},

		"no_health":     {"Name: Jane Doe\nSSN: 237-96-2820\n", 0, 0, "pii"},
		"no_value":      {"Patient: MRN: DOB: SSN: Diagnosis:", 0, 0, ""},
		"help":          {"--ssn NUMBER   the patient's SSN\n--dob DATE   date of birth, such as 1980-02-01\n", 0, 0, ""},
		"code":          {"type Patient struct {\n\tMRN string `json:\"mrn\"`\n\tDOB time.Time\n}\npatientID := row.PatientID // patient id\n", 0, 0, ""},
		"python":        {"patient = Patient(mrn=mrn, dob=dob, ssn=ssn)\npatient.ssn = None\n", 0, 0, ""},
		"template":      {"Patient: {{name}}  MRN: {{mrn}}  DOB: {{dob}}\nSSN: ***-**-2820 Diagnosis", 0, 0, ""},
		"redacted":      {"Patient: REDACTED MRN: REDACTED DOB: REDACTED SSN: XXX-XX-XXXX diagnosis", 0, 0, ""},
		"specimen":      {"patient diagnosis SSN: 123-45-6789, SSN: 078-05-1120, Medicare: 1EG4-TE5-MK73", 0, 0, ""},
		"date_alone":    {"patient clinic DOB: 1980-02-01", 0, 0, ""},
		"far_apart":     {"Patient: Jane Doe\n" + strings.Repeat("- \n", 400) + "DOB: 1980-02-01\n", 0, 0, ""},
		"json":          {`{"ssn":"237-96-2820","patient":"x","diagnosis":"E11.9"}`, 0, 0, ""},
		"attributes":    {`<patient name="Jane Doe" ssn="237-96-2820" dob="1980-02-01"/>`, 0, 0, ""},
		"other_numbers": {"MRN: 123 patient DOB: 1980, SSN: 237-96, medical record 7", 0, 0, ""},
		"doberman":      {"dobermann: 1980-02-01 ssnake=237-96-2820 clinic patient", 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := detecttest.Run(phi.Text(), "/srv/a.txt", []byte(c.content))
			f := got.Of("phi-text")
			if (f != nil) != (c.people > 0) || f != nil && (f.Individuals.Point != c.people || f.Count != c.people) {
				t.Errorf("found: %t, want %d people", f != nil, c.people)
			}
			if (c.other != "") != (len(got.Findings) > 0 && f == nil) || c.other != "" && got.Of(c.other) == nil {
				t.Errorf("%d findings, want one under %q", len(got.Findings), c.other)
			}
		})
	}
}

// TestText_many: each line of a log is one record.
func TestText_many(t *testing.T) {
	var b strings.Builder
	const lines = 2000
	for i := range lines {
		fmt.Fprintf(&b, "INFO admit patient=\"Jane Doe\" mrn=%08d dob=1980-02-01\n", 10_000_000+i)
	}
	got := detecttest.Run(phi.Text(), "/var/log/a", []byte(b.String()))
	if f := got.Of("phi-text-many"); f == nil || f.Count != lines || f.Individuals.Point < lines*8/10 || f.Individuals.Point > lines*12/10 {
		t.Error("the lines or the people were miscounted")
	}
}

// TestText_ten_patients: one patient is a warning, ten are blocked.
func TestText_ten_patients(t *testing.T) {
	for people, rule := range map[int]string{1: "phi-text", 9: "phi-text", 10: "phi-text-many", 40: "phi-text-many"} {
		var b strings.Builder
		for i := range people {
			fmt.Fprintf(&b, "2026-03-01 INFO admit patient=\"Doe, Jane%c%c\" mrn=%08d dob=1980-02-%02d ssn=237-96-%04d diagnosis=J45.909\n\n\n", 'a'+rune(i/26), 'a'+rune(i%26), 40_000_000+i, 1+i%28, 2820+i)
		}
		got := detecttest.Run(phi.Text(), "/var/log/app.log", []byte(b.String()))
		if found := got.Of(rule); found == nil || found.Individuals.Point != people {
			t.Errorf("%d people are not found under %s", people, rule)
		}
	}
}
