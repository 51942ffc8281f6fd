package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

// TestCDA_in_cdata: a document within a message, near its beginning or far behind it.
func TestCDA_in_cdata(t *testing.T) {
	const document = `<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><id extension="M8842107" root="1.2"/><patient><name><given>Ottilie</given>` +
		`<family>Vandersloot</family></name></patient></patientRole></recordTarget></ClinicalDocument>`
	for _, lead := range []string{"", strings.Repeat("<header>of a message</header>", 500)} {
		for _, head := range []string{"", "\n<?xml version=\"1.0\"?>\n"} {
			text := `<Envelope>` + lead + `<doc><![CDATA[` + head + document + `]]></doc></Envelope>`
			if f := detecttest.Run(format.CDA(), "/srv/a.xml", []byte(text)).Of("phi-cda"); f == nil || f.Individuals.Point != 1 {
				t.Errorf("%d bytes before: found %t", len(lead), f != nil)
			}
		}
	}
}
