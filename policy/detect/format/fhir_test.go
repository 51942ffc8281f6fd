package format_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const fhirPatient = `{"resourceType":"Patient","id":"p-7741","identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203",` +
	`"code":"MR"}]},"system":"urn:oid:1.2.36.146","value":"M8842107"},{"system":"http://hl7.org/fhir/sid/us-ssn","value":"237-96-2820"}],` +
	`"name":[{"use":"official","family":"Vandersloot","given":["Ottilie","R"]}],"birthDate":"1961-04-30","telecom":[{"system":"phone",` +
	`"value":"212-736-5000"}],"address":[{"line":["12 Elm Street"],"city":"Troy","postalCode":"12180"}]}`

const fhirPatientXML = `<?xml version="1.0"?><Bundle xmlns="http://hl7.org/fhir"><entry><fullUrl value="urn:uuid:6ff1"/><resource><Patient><id value="p-7741"/>` +
	`<identifier><type><coding><code value="MR"/></coding></type><system value="urn:oid:1.2.36.146"/><value value="M8842107"/></identifier>` +
	`<name><family value="Vandersloot"/><given value="Ottilie"/></name><birthDate value="1961-04-30"/></Patient></resource></entry>` +
	`<entry><resource><Condition><id value="c1"/><subject><reference value="Patient/p-7741"/><display value="Ottilie Vandersloot"/></subject></Condition>` +
	`</resource></entry></Bundle>`

var fhirSecrets = []string{"p-7741", "M8842107", "237-96-2820", "Vandersloot", "Ottilie", "1961-04-30", "212-736-5000", "12 Elm Street", "12180"}

func TestFHIR_accept_json(t *testing.T) {
	bundle := `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:6ff1","resource":` + fhirPatient +
		`},{"resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:6ff1","display":"Vandersloot, Ottilie"}}}]}`
	detecttest.Accept(t, format.FHIR(), []byte(bundle), "/srv/bundle.json", detecttest.Secrets(fhirSecrets...), detecttest.UTF16(), detecttest.People(1),
		detecttest.Padding([]byte(strings.Repeat("2026-01-01 INFO stored {\"a\": [1]}\n", 30)+"\n"), []byte("\nend of the log\n")))
}

func TestFHIR_accept_ndjson(t *testing.T) {
	other := strings.NewReplacer("p-7741", "p-7742", "M8842107", "M8842108", "237-96-2820", "238-96-2821", "Ottilie", "Bartholomew").Replace(fhirPatient)
	detecttest.Accept(t, format.FHIR(), []byte(fhirPatient+"\n"+other+"\n"+fhirPatient+"\n"), "/srv/Patient.ndjson",
		detecttest.Secrets(fhirSecrets...), detecttest.UTF16(), detecttest.People(2))
}

func TestFHIR_accept_xml(t *testing.T) {
	detecttest.Accept(t, format.FHIR(), []byte(fhirPatientXML), "/srv/bundle.xml",
		detecttest.Secrets("p-7741", "M8842107", "Vandersloot", "Ottilie", "1961-04-30"), detecttest.UTF16(), detecttest.People(1),
		detecttest.Padding([]byte(strings.Repeat("<log><a>1</a></log>\n", 20)), []byte("\nend of the log\n")))
}

// counts runs a detector and says what it found under its own rule and `limited`.
func counts(t *testing.T, d detect.Detector, path, content string, size int) (phi, people, limited int, synthetic bool) {
	t.Helper()
	got := detecttest.Run(d, path, []byte(content), size)
	if f := got.Of(d.ID); f != nil {
		phi, people, synthetic = f.Count, f.Individuals.Point, f.Synthetic
	}
	if f := got.Of(detect.RuleLimited); f != nil {
		limited = f.Count
	}
	return phi, people, limited, synthetic
}

func TestFHIR(t *testing.T) {
	resource := func(kind, rest string) string { return `{"resourceType":"` + kind + `",` + rest + `}` }
	patient := func(rest string) string { return resource("Patient", rest) }
	name := `"name":[{"family":"Vandersloot","given":["Ottilie"]}]`
	for label, c := range map[string]struct {
		content              string
		phi, people, limited int
	}{
		"patient":             {fhirPatient, 1, 1, 0},
		"type_last":           {`{` + name + `,"birthDate":"1961-04-30","resourceType":"Patient"}`, 1, 1, 0},
		"indented":            {"{\n  \"resourceType\" : \"Patient\",\n  \"birthDate\" : \"1961-04-30\"\n}\n", 1, 1, 0},
		"single_quotes":       {`{'resourceType': 'Patient', 'name': [{'family': 'Vandersloot'}]}`, 1, 1, 0},
		"name_alone":          {patient(name), 1, 1, 0},
		"dstu2_name":          {patient(`"name":[{"family":["Vandersloot"],"given":["Ottilie"]}]`), 1, 1, 0},
		"name_as_text":        {patient(`"name":[{"text":"Ottilie Vandersloot"}]`), 1, 1, 0},
		"birth_alone":         {patient(`"birthDate":"1961-04-30"`), 1, 1, 0},
		"number_alone":        {patient(`"identifier":[{"value":"M8842107"}]`), 1, 1, 0},
		"person":              {resource("Person", name), 1, 1, 0},
		"relative":            {resource("RelatedPerson", name+`,"patient":{"reference":"Patient/1"}`), 1, 1, 0},
		"relative_of_patient": {fhirPatient + resource("RelatedPerson", `"name":[{"family":"Kowalczyk"}],"patient":{"reference":"Patient/p-7741"}`), 2, 1, 0},
		"contained":           {resource("Observation", `"contained":[`+patient(`"id":"p",`+name)+`],"subject":{"reference":"#p"}`), 1, 1, 0},
		"contained_twice": {resource("Claim", `"contained":[`+patient(`"id":"p","birthDate":"1961-04-30",`+name)+`]`) +
			resource("Claim", `"contained":[`+patient(`"id":"p","birthDate":"1972-04-30","name":[{"family":"Kowalczyk","given":["Ada"]}]`)+`]`), 2, 2, 0},
		"parameters":       {resource("Parameters", `"parameter":[{"name":"resource","resource":`+patient(name)+`}]`), 1, 1, 0},
		"in_other_json":    {`{"log":{"body":` + patient(name) + `}}`, 1, 1, 0},
		"in_a_log":         {`2026-01-01 POST {"a": 1} got=` + patient(name) + " ok\n", 1, 1, 0},
		"same_by_id":       {patient(`"id":"77",`+name) + patient(`"id":"77","birthDate":"1961-04-30"`), 2, 1, 0},
		"reference_alone":  {resource("Condition", `"subject":{"reference":"Patient/77"}`), 0, 0, 1},
		"reference_uuid":   {resource("Condition", `"patient":{"reference":"urn:uuid:77"}`), 0, 0, 1},
		"display_names":    {resource("Condition", `"subject":{"reference":"Patient/77","display":"Ottilie Vandersloot"}`), 1, 1, 0},
		"display_is_none":  {resource("Condition", `"subject":{"reference":"Patient/77","display":"the patient"}`), 0, 0, 1},
		"logical":          {resource("Condition", `"subject":{"identifier":{"system":"urn:x","value":"M8842107"}}`), 1, 1, 0},
		"participant":      {resource("Appointment", `"participant":[{"actor":{"reference":"Patient/77","display":"Ottilie Vandersloot"}}]`), 1, 1, 0},
		"year_of_birth":    {patient(`"id":"77","birthDate":"1961"`), 0, 0, 1},
		"cut_off":          {fhirPatient[:len(fhirPatient)-80], 1, 1, 0},
		"deep":             {strings.Repeat(`{"a":[`, 25) + patient(name), 1, 1, 0},
		"after_a_cut_line": {fhirPatient[:60] + "\n" + fhirPatient, 1, 1, 1},
		"both_notations":   {fhirPatient + "\n" + fhirPatientXML, 3, 1, 0},
		"xml_patient":      {`<f:Patient xmlns:f="http://hl7.org/fhir"><f:name><f:text value="Ottilie Vandersloot"/></f:name></f:Patient>`, 1, 1, 0},
		"xml_contained": {`<Claim xmlns="http://hl7.org/fhir"><contained><Patient><id value="p"/><name><family value="Vandersloot"/></name></Patient></contained></Claim>`,
			1, 1, 0},

		"empty_patient":      {patient(`"active":true`), 0, 0, 0},
		"template":           {patient(`"id":"{{id}}","name":[{"family":"{{PID.5.1}}","given":["{{PID.5.2}}"]}],"birthDate":"{{PID.7}}","identifier":[{"value":"{{PID.3}}"}]`), 0, 0, 0},
		"liquid":             {`{"resourceType":"Patient",{% if x %}"birthDate":"{{ x | date }}",{% endif %}"name":[{"family":"{% f %}"}]}`, 0, 0, 0},
		"practitioner":       {resource("Practitioner", name+`,"identifier":[{"value":"1234567893"}]`), 0, 0, 0},
		"organization":       {resource("Organization", `"name":"General Hospital","id":"77"`), 0, 0, 0},
		"model":              {resource("StructureDefinition", `"name":"Patient","type":"Patient","example":[{"valueReference":{"reference":"Patient/1","display":"Peter Chalmers"}}]`), 0, 0, 0},
		"another_product":    {`{"ResourceType":"Patient","resourceType":"AWS::S3::Bucket","name":{"family":"Vandersloot"},"subject":{"reference":"Patient/1"}}`, 0, 0, 0},
		"program":            {`const p = {"resourceType": "Patient", "name": names(), "birthDate": date("1961-04-30")}`, 0, 0, 0},
		"contact_alone":      {patient(`"contact":[{"name":{"family":"Vandersloot"}}]`), 0, 0, 0},
		"name_of_other_kind": {`{"resourceType":"Observation","name":{"family":"Vandersloot"}}`, 0, 0, 0},
	} {
		t.Run(label, func(t *testing.T) {
			for _, size := range []int{1 << 20, 100, 7} {
				phi, people, limited, _ := counts(t, format.FHIR(), "/a", c.content, size)
				if got := [3]int{phi, people, limited}; got != [3]int{c.phi, c.people, c.limited} {
					t.Errorf("windows of %d: %d records of %d people and %d limited, want %d, %d, %d", size, phi, people, limited, c.phi, c.people, c.limited)
				}
			}
		})
	}
}

// TestFHIR_synthetic: what marks test data is told, and found all the same.
func TestFHIR_synthetic(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		want    bool
	}{
		"real":    {fhirPatient, false},
		"synthea": {strings.Replace(fhirPatient, "urn:oid:1.2.36.146", "https://github.com/synthetichealth/synthea", 1), true},
		"ssn_999": {strings.Replace(fhirPatient, "237-96-2820", "999-96-2820", 1), true},
		"phone":   {strings.Replace(fhirPatient, "212-736-5000", "212-555-0142", 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			phi, _, _, synthetic := counts(t, format.FHIR(), "/a", c.content, 1<<20)
			if phi != 1 || synthetic != c.want {
				t.Errorf("%d records, synthetic %v, want 1, %v", phi, synthetic, c.want)
			}
		})
	}
}

// TestFHIR_people counts many people of a large export.
func TestFHIR_people(t *testing.T) {
	const want = 3000
	var b bytes.Buffer
	for i := range want {
		fmt.Fprintf(&b, `{"resourceType":"Patient","id":"p%d","name":[{"family":"Vander%d","given":["A"]}],"birthDate":"1961-04-30"}`+"\n", i, i)
		fmt.Fprintf(&b, `{"resourceType":"Encounter","subject":{"reference":"Patient/p%d","display":"Anna Vander%d"}}`+"\n", i, i)
	}
	phi, people, _, _ := counts(t, format.FHIR(), "/a", b.String(), 1<<20)
	if phi != 2*want || people != want {
		t.Errorf("%d records of %d people, want %d of %d", phi, people, 2*want, want)
	}
}

func TestFHIR_hostile(t *testing.T) {
	const million = 1_000_000
	deep := strings.Repeat(`{"contained":[`, million)
	for name, c := range map[string]struct{ content, path string }{
		"nested":       {`{"resourceType":"Bundle","x":` + deep + "\n" + fhirPatient, "/a.json"},
		"long_string":  {`{"resourceType":"Patient","photo":[{"data":"` + strings.Repeat("QUJD", 8*million) + `"}],"birthDate":"1961-04-30"}`, "/a.json"},
		"many_names":   {`{"resourceType":"Patient","name":[` + strings.Repeat(`{"family":"Vandersloot"},`, million/4) + `{}],"birthDate":"1961-04-30"}`, "/a.json"},
		"identifiers":  {`{"resourceType":"Patient","identifier":[` + strings.Repeat(`{"value":"M8842107"},`, million/4) + `{}],"birthDate":"1961-04-30"}`, "/a.json"},
		"xml_depth":    {`<Patient xmlns="http://hl7.org/fhir"><birthDate value="1961-04-30"/>` + strings.Repeat("<Patient>", million), "/a.xml"},
		"xml_entities": {`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Patient xmlns="http://hl7.org/fhir"><x>` + strings.Repeat("&b;", million) + `</x><birthDate value="1961-04-30"/></Patient>`, "/a.xml"},
	} {
		t.Run(name, func(t *testing.T) {
			if phi, people, _, _ := counts(t, format.FHIR(), c.path, c.content, 256<<10); phi != 1 || people != 1 {
				t.Errorf("%d records of %d people, want 1 of 1", phi, people)
			}
		})
	}
}

// FuzzFHIR: no panic, and the same answer however the file is cut.
func FuzzFHIR(f *testing.F) {
	detecttest.Fuzz(f, format.FHIR(), fhirPatient, fhirPatientXML,
		`x","value":"1"}],"resourceType":"Patient"}}]{"resourceType":"Observation","subject":{"reference":"Patient?identifier=a|b"}}`,
		`</a><Patient xmlns="http://hl7.org/fhir"><contained><Person><name/><telecom><value value="a@b.org"/></telecom></Person>`)
}
