package phi_test

import (
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

const dataset = `<?xml version="1.0"?>
<dataset>
  <PATIENT PATIENT_ID="40296060" LAST_NAME="Spinka" FIRST_NAME="Merle" BIRTH_DATE="1988-04-29"/>
  <PATIENT PATIENT_ID="33619778" LAST_NAME="Pagac" FIRST_NAME="Caleb" BIRTH_DATE="1971-05-16"/>
  <DRUG CODE="7" NAME="x"/>
</dataset>
`

const elements = `<patients>
  <patient><mrn>40296060</mrn><name><first>Merle</first><last>Spinka</last></name><dob>1988-04-29</dob></patient>
  <patient><mrn>33619778</mrn><name><first>Caleb</first><last>Pagac</last></name><dob>1971-05-16</dob></patient>
</patients>
`

func TestXML_accept(t *testing.T) {
	detecttest.Accept(t, phi.XML(), []byte(dataset), "/srv/dataset.xml",
		detecttest.Secrets("Spinka", "Merle", "40296060", "Pagac", "Caleb", "1988-04-29"),
		detecttest.UTF16(), detecttest.People(2))
}

func TestXML_accept_elements(t *testing.T) {
	detecttest.Accept(t, phi.XML(), []byte(elements), "/srv/export.xml",
		detecttest.Secrets("Spinka", "Merle", "40296060", "Pagac", "Caleb", "1988-04-29"),
		detecttest.UTF16(), detecttest.People(2))
}

func TestXML(t *testing.T) {
	for name, c := range map[string]struct {
		content         string
		records, people int
		other           string
	}{
		"attributes":      {`<Patient lastName="Doe" dob="1980-02-01"/>`, 1, 1, ""},
		"elements":        {`<Patient><LastName>Doe</LastName><DateOfBirth>1980-02-01</DateOfBirth></Patient>`, 1, 1, ""},
		"one_after_other": {`<P><patient lastName="Doe" dob="1980-02-01"/></P><P><patient lastName="Roe" dob="1981-02-01"/></P>`, 2, 2, ""},
		"single_quotes":   {`<Patient lastName='Doe' dob='1980-02-01'/>`, 1, 1, ""},
		"split_in_rows": {`<dataset><person person_id="3" birthdate="1980-02-01"/><person_name person_id="3" given_name="Jane" family_name="Doe"/>` +
			`<patient patient_id="3" creator="1"/></dataset>`, 1, 1, ""},

		"people":     {`<Employees><row lastName="Doe" dob="1980-02-01" ssn="237-96-2820"/></Employees>`, 0, 0, "pii"},
		"rows_apart": {`<patients><row><lastName>Doe</lastName></row><row><dob>1980-02-01</dob></row></patients>`, 0, 0, ""},
		"cda":        {`<ClinicalDocument xmlns="urn:hl7-org:v3"><patient><lastName>Doe</lastName><dob>1980-02-01</dob></patient></ClinicalDocument>`, 0, 0, ""},
		"schema":     {`<xs:element name="patient"><xs:attribute name="dob" type="xs:date"/></xs:element><dob>xs:date</dob>`, 0, 0, ""},
		"code":       {"if patient.dob=\"1980-02-01\" && x<y { lastName=\"Doe\" }", 0, 0, ""},
		"template":   {`<patient lastName="{{last}}" dob="${dob}" ssn="***"/>`, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkResult(t, "phi-xml", detecttest.Run(phi.XML(), "/srv/a.xml", []byte(c.content)), c.records, c.people, c.other)
		})
	}
}
