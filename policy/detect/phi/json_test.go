package phi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

const listed = `{
  "count": 2,
  "patients": [
    {"mrn": "40296060", "name": {"first": "Merle", "last": "Spinka"}, "dob": "1988-04-29", "ssn": "237-96-2820",
     "diagnoses": [{"icd10": "J45.909"}, {"icd10": "I10"}]},
    {"mrn": "33619778", "name": {"first": "Caleb", "last": "Pagac"}, "dob": "1971-05-16", "address": {"street": "784 Stamm Lock Unit 46"}}
  ]
}
`

const perLine = `{"patient":{"lastName":"Spinka","firstName":"Merle","birthDate":"1988-04-29"},"diagnosis":"J45.909"}
{"patient":{"lastName":"Pagac","firstName":"Caleb","birthDate":"1971-05-16"},"diagnosis":"I10"}
{"patient":{"lastName":"Spinka","firstName":"Merle","birthDate":"1988-04-29"},"diagnosis":"E11.9"}
`

func TestJSON_accept(t *testing.T) {
	detecttest.Accept(t, phi.JSON(), []byte(listed), "/srv/export.json",
		detecttest.Secrets("Spinka", "Merle", "40296060", "237-96-2820", "Pagac", "Caleb", "1988-04-29", "J45.909"),
		detecttest.Padding([]byte("\n"), []byte("\n[]\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestJSON_accept_lines(t *testing.T) {
	detecttest.Accept(t, phi.JSON(), []byte(perLine), "/srv/export.ndjson",
		detecttest.Secrets("Spinka", "Merle", "Pagac", "Caleb", "1988-04-29", "J45.909"),
		detecttest.Padding([]byte("{\"a\":1}\n"), []byte("{\"b\":2}\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestJSON(t *testing.T) {
	one := `"mrn":"12345678","lastName":"Doe","dob":"1980-02-01"`
	for name, c := range map[string]struct {
		content         string
		records, people int
		other           string
	}{
		"flat":             {"{" + one + "}", 1, 1, ""},
		"pretty":           {"{\n  \"patient_id\": 12345678,\n  \"last_name\": \"Doe\",\n  \"birth_date\": \"1980-02-01\"\n}\n", 1, 1, ""},
		"in_a_log":         {"2026-03-01 INFO saved {" + one + "} in 3 ms\n2026-03-01 INFO saved {\"mrn\":\"12345679\",\"lastName\":\"Roe\",\"dob\":\"1981-02-01\"}\n", 2, 2, ""},
		"in_a_string":      {`{"msg":"{\"mrn\":\"12345678\",\"lastName\":\"Doe\",\"dob\":\"1980-02-01\"}"}`, 1, 1, ""},
		"wrapped":          {`{"data":{"patient":{` + one + `}},"status":"ok"}`, 1, 1, ""},
		"two_in_an_object": {`{"a1":{"patient":{` + one + `}},"a2":{"patient":{"mrn":"12345679","lastName":"Roe","dob":"1981-02-01"}}}`, 2, 2, ""},
		"by_key":           {`{"x":{` + one + `},"y":{"mrn":"12345679","lastName":"Roe","dob":"1981-02-01"}}`, 2, 2, ""},
		"name_in_parts":    {`{"patient":{"name":[{"family":"Doe","given":["Jane"]}],"dateOfBirth":"1980-02-01"}}`, 1, 1, ""},
		"context_outside":  {`{"diagnosis":"E11.9","person":{"lastName":"Doe","ssn":"237-96-2820"}}`, 1, 1, ""},
		"context_behind":   {`{"person":{"lastName":"Doe","ssn":"237-96-2820"},"diagnosis":"E11.9"}`, 1, 1, ""},
		"synthetic":        {`{"patient":{"last":"Mosciski958","ssn":"999-17-5017"}}`, 1, 1, ""},
		"date_in_parts":    {`{"patient_id":"654178641","name":{"first":"Jane","last":"Doe"},"birth_date":{"month":10,"day":17,"year":1944}}`, 1, 1, ""},
		"named_patients":   {`{"patients":[{"id":"7","name":"Jane Doe","email":"jane@clinic.com","phone":"508-234-5678","diagnosis":"asthma","ssn":""}]}`, 1, 1, ""},
		"array_top":        {"[{" + one + "},{\"mrn\":\"12345679\",\"lastName\":\"Roe\",\"dob\":\"1981-02-01\"}]", 2, 2, ""},
		"cut_off":          {"{" + one + `,"note":"abc`, 1, 1, ""},

		"people":     {`{"lastName":"Doe","firstName":"Jane","dob":"1980-02-01","ssn":"237-96-2820"}`, 0, 0, "pii"},
		"coded":      {`{"subject_id":"a7f3","patient_id":"x","icd10":"E11.9"}`, 0, 0, "limited"},
		"schema":     {`{"properties":{"mrn":{"type":"string"},"dob":{"type":"string","format":"date"},"lastName":{"type":"string"}}}`, 0, 0, ""},
		"fhir":       {`{"resourceType":"Patient","name":[{"family":"Doe","given":["Jane"]}],"birthDate":"1980-02-01"}`, 0, 0, ""},
		"fhir_last":  {`{"name":[{"family":"Doe","given":["Jane"]}],"birthDate":"1980-02-01","resourceType":"Patient"}`, 0, 0, ""},
		"template":   {`{"mrn":"{{mrn}}","lastName":"{{last}}","dob":"{{dob}}","ssn":"${ssn}"}`, 0, 0, ""},
		"translated": {`{"dob":"Date of birth","ssn":"Social security number","lastName":"Last name","mrn":"Medical record number"}`, 0, 0, ""},
		"provider":   {`{"provider":{"lastName":"Doe","dob":"1980-02-01","ssn":"237-96-2820"}}`, 0, 0, ""},
		"contact":    {`{"diagnosis":"E11.9","emergencyContact":{"lastName":"Doe","dob":"1980-02-01","ssn":"237-96-2820"}}`, 0, 0, ""},
		"no_key":     {`["dob","ssn","mrn","lastName"]`, 0, 0, ""},
		"apart":      {`[{"lastName":"Doe","diagnosis":"E11.9"},{"dob":"1980-02-01"},{"mrn":"12345678"}]`, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkResult(t, "phi-json", detecttest.Run(phi.JSON(), "/srv/a.json", []byte(c.content)), c.records, c.people, c.other)
		})
	}
}

// TestJSON_many: a document beyond any block.
func TestJSON_many(t *testing.T) {
	var b strings.Builder
	const records = 3000
	b.WriteString("[")
	for i := range records {
		fmt.Fprintf(&b, "{\"mrn\":\"%08d\",\"lastName\":\"Doe\",\"dob\":\"1980-02-01\",\"note\":\"%s\"},\n", 10_000_000+i, strings.Repeat("x", i%300))
	}
	b.WriteString("{}]")
	got := detecttest.Run(phi.JSON(), "/a.json", []byte(b.String()), 5000)
	if f := got.Of("phi-json"); f == nil || f.Count != records {
		t.Error("the records were miscounted")
	}
}
