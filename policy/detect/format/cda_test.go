package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const cdaRole = `<patientRole><id extension="M8842107" root="2.16.840.1.113883.19.5"/><id extension="237-96-2820" root="2.16.840.1.113883.4.1"/>` +
	`<addr use="HP"><streetAddressLine>12 Elm Street</streetAddressLine><city>Troy</city></addr><telecom value="tel:+1(212)736-5000"/>` +
	`<patient><name use="L"><given>Ottilie</given><family>Vandersloot</family></name><birthTime value="19610430"/>` +
	`<guardian><guardianPerson><name><given>Hugo</given><family>Vandersloot</family></name></guardianPerson></guardian></patient>` +
	`<providerOrganization><id root="1.2.3" extension="99999"/><name>General Hospital</name></providerOrganization></patientRole>`

func cdaDocument(role string) string {
	return `<?xml version="1.0"?>` + "\n" + `<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc"><title>Summary</title>` +
		`<recordTarget>` + role + `</recordTarget><author><assignedAuthor><assignedPerson><name><given>Ada</given><family>Brandt</family></name>` +
		`</assignedPerson></assignedAuthor></author></ClinicalDocument>`
}

func TestCDA_accept(t *testing.T) {
	detecttest.Accept(t, format.CDA(), []byte(cdaDocument(cdaRole)), "/srv/ccd.xml",
		detecttest.Secrets("M8842107", "237-96-2820", "12 Elm Street", "736-5000", "Ottilie", "Vandersloot", "19610430"),
		detecttest.UTF16(), detecttest.People(1),
		detecttest.Padding([]byte(strings.Repeat("<log><a>1</a></log>\n", 20)), []byte("\nend of the log\n")))
}

func TestCDA(t *testing.T) {
	role := func(rest string) string { return cdaDocument("<patientRole>" + rest + "</patientRole>") }
	prefixed := strings.NewReplacer("</", "</h:", "<?", "<?", "<", "<h:").Replace(cdaDocument(cdaRole)[len(`<?xml version="1.0"?>`)+1:])
	prefixed = strings.ReplaceAll(strings.Replace(prefixed, "xmlns=", "xmlns:h=", 1), "<h:/h:", "</h:")
	for name, c := range map[string]struct {
		content     string
		phi, people int
	}{
		"document":       {cdaDocument(cdaRole), 1, 1},
		"prefixed":       {prefixed, 1, 1},
		"two_documents":  {cdaDocument(cdaRole) + "\n" + cdaDocument(strings.NewReplacer("M8842107", "M8842108", "237-96-2820", "238-96-2821", "Ottilie", "Ada").Replace(cdaRole)), 2, 2},
		"same_person":    {cdaDocument(cdaRole) + cdaDocument(cdaRole), 2, 1},
		"far_behind":     {strings.Replace(cdaDocument(cdaRole), "<title>", strings.Repeat(`<templateId root="2.16.840.1"/>`+"\n", 20_000)+"<title>", 1), 1, 1},
		"fragment":       {"<recordTarget>" + cdaRole + "</recordTarget>", 1, 1},
		"name_alone":     {role(`<patient><name><family>Vandersloot</family></name></patient>`), 1, 1},
		"name_as_text":   {role(`<patient><name>Ottilie Vandersloot</name></patient>`), 1, 1},
		"birth_alone":    {role(`<patient><birthTime value="196104300800+0100"/></patient>`), 1, 1},
		"id_alone":       {role(`<id extension="M8842107" root="1.2.3"/>`), 1, 1},
		"ssn_alone":      {role(`<id extension="237-96-2820" root="2.16.840.1.113883.4.1"/>`), 1, 1},
		"message":        {`<PRPA_IN201306UV02 xmlns="urn:hl7-org:v3"><patient classCode="PAT"><id root="1.2" extension="77131"/><patientPerson><name><given>Ottilie</given><family>Vandersloot</family></name><birthTime value="19610430"/></patientPerson></patient></PRPA_IN201306UV02>`, 1, 1},
		"ccr":            {`<ContinuityOfCareRecord xmlns="urn:astm-org:CCR"><Actors><Actor><Person><Name><CurrentName><Given>Ottilie</Given><Family>Vandersloot</Family></CurrentName></Name><DateOfBirth><ExactDateTime>1961-04-30</ExactDateTime></DateOfBirth></Person></Actor><Actor><Person><Name><CurrentName><Family>Brandt</Family></CurrentName></Name></Person></Actor></Actors></ContinuityOfCareRecord>`, 1, 1},
		"cut_off":        {cdaDocument(cdaRole)[:600], 1, 1},
		"stylesheet_use": {`<?xml-stylesheet href="CDA.xsl"?><!DOCTYPE x>` + cdaDocument(cdaRole), 1, 1},

		"no_patient":    {cdaDocument(""), 0, 0},
		"empty":         {role(`<id nullFlavor="NI"/><patient><name><given/><family nullFlavor="UNK"/></name><birthTime nullFlavor="UNK"/></patient>`), 0, 0},
		"null_role":     {cdaDocument(`<patientRole nullFlavor="NA"><id extension="M8842107" root="1.2.3"/></patientRole>`), 0, 0},
		"template":      {role(`<id extension="{{PID.3}}" root="{{x}}"/><patient><name><given>{{f}}</given><family>${l}</family></name><birthTime value="{{d}}"/></patient>`), 0, 0},
		"guardian":      {role(`<patient><guardian><guardianPerson><name><family>Vandersloot</family></name></guardianPerson></guardian></patient>`), 0, 0},
		"provider":      {role(`<providerOrganization><id root="1.2" extension="777777"/><name>General Hospital</name></providerOrganization>`), 0, 0},
		"address_alone": {role(`<addr><city>Troy</city></addr>`), 0, 0},
		"other_space":   {`<x xmlns="urn:hl7-org:v3"><patient xmlns="urn:zoo"><name>Ottilie Vandersloot</name></patient></x>`, 0, 0},
		"schema":        {`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:hl7-org:v3"><xs:element name="patientRole" type="POCD_MT000040.PatientRole"/></xs:schema>`, 0, 0},
		"stylesheet":    {`<xsl:stylesheet xmlns:n1="urn:hl7-org:v3"><xsl:for-each select="n1:recordTarget/n1:patientRole"><xsl:value-of select="n1:patient/n1:name"/></xsl:for-each></xsl:stylesheet>`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 100, 7} {
				if phi, people, _, _ := counts(t, format.CDA(), "/a.xml", c.content, size); phi != c.phi || people != c.people {
					t.Errorf("windows of %d: %d records of %d people, want %d of %d", size, phi, people, c.phi, c.people)
				}
			}
		})
	}
}

func TestCDA_hostile(t *testing.T) {
	const million = 1_000_000
	laughs := `<!DOCTYPE l [<!ENTITY a0 "aaaaaaaaaa">`
	for i := range 9 {
		laughs += fmt.Sprintf(`<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	for name, content := range map[string]string{
		"entities":   laughs + "]>" + strings.Replace(cdaDocument(cdaRole), "Summary", strings.Repeat("&a9;", million), 1),
		"nested":     strings.Replace(cdaDocument(cdaRole), "<title>", strings.Repeat("<component>", million)+strings.Repeat("</component>", million)+"<title>", 1),
		"ids":        strings.Replace(cdaDocument(cdaRole), "<patientRole>", "<patientRole>"+strings.Repeat(`<id root="1.2" extension="77131"/>`, million/4), 1),
		"attributes": strings.Replace(cdaDocument(cdaRole), "<title>", "<x "+strings.Repeat(`a="b" `, million)+"/><title>", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if phi, people, _, _ := counts(t, format.CDA(), "/a.xml", content, 256<<10); phi != 1 || people != 1 {
				t.Errorf("%d records of %d people, want 1 of 1", phi, people)
			}
		})
	}
}

// FuzzCDA: no panic, and the same answer however the file is cut.
func FuzzCDA(f *testing.F) {
	detecttest.Fuzz(f, format.CDA(), cdaDocument(cdaRole),
		`</a>patientRole><patientRole><id extension="1" root=""/><patient><name>A, B</name></patient>`,
		`<Actor xmlns="urn:astm-org:CCR"><DateOfBirth><ExactDateTime>1961-04-30T`)
}
