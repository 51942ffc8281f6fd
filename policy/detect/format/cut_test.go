package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

// TestCutIsSaid: an identifier that is longer than is kept is told, since what
// was not read may tell more people apart. Narratives and attachments are looked
// at elsewhere, and may be long.
func TestCutIsSaid(t *testing.T) {
	long := func(n int) string { return strings.Repeat("Vandersloot ", n/12+1)[:n] }
	const kB = 1 << 10
	fhir := func(key string, n int) string {
		return `{"resourceType":"Patient","birthDate":"1961-04-30","name":[{"` + key + `":"` + long(n) + `"}]}`
	}
	fhirXML := func(key string, n int) string {
		return `<Patient xmlns="http://hl7.org/fhir"><birthDate value="1961-04-30"/><name><` + key + ` value="` + long(n) + `"/></name></Patient>`
	}
	cda := func(element string, n int) string {
		return `<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><id extension="M8842107" root="1.2"/><patient><name><family>Vandersloot</family><` +
			element + `>` + long(n) + `</` + element + `></name></patient></patientRole></recordTarget></ClinicalDocument>`
	}
	script := func(n int) string {
		return `<Message xmlns="http://www.ncpdp.org/schema/SCRIPT"><Body><Patient><Name><LastName>Vandersloot</LastName><FirstName>` + long(n) + `</FirstName></Name></Patient></Body></Message>`
	}
	for name, c := range map[string]struct {
		detector     detect.Detector
		fits, longer string
		harmless     string // just as long, where nobody is identified
	}{
		"fhir_json": {format.FHIR(), fhir("family", 60*kB), fhir("family", 65*kB), fhir("text", 65*kB)},
		"fhir_xml":  {format.FHIR(), fhirXML("family", 3*kB), fhirXML("family", 5*kB), fhirXML("note", 5*kB)},
		"cda":       {format.CDA(), cda("given", 60*kB), cda("given", 65*kB), cda("given", kB) + `<text xmlns="urn:hl7-org:v3">` + long(65*kB) + `</text>`},
		"script":    {format.NCPDP(), script(60 * kB), script(65 * kB), script(kB) + "<text>" + long(65*kB) + "</text>"},
	} {
		t.Run(name, func(t *testing.T) {
			for text, want := range map[string]int{c.fits: 0, c.longer: 1, c.harmless: 0} {
				got := detecttest.Run(c.detector, "/srv/a", []byte(text))
				if got.Of(c.detector.ID) == nil || len(got.Skipped) != want {
					t.Errorf("%d bytes: found %t, %d skipped, want %d", len(text), got.Of(c.detector.ID) != nil, len(got.Skipped), want)
				}
			}
		})
	}
}
