package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const (
	ncpdpHeader = "610066D0B1123456789010110123456789     20260301CERT000001"
	ncpdpClaim  = ncpdpHeader + "\x1e\x1cAM04\x1cC2W33619778\x1cCCCALEB\x1cCDPAGAC\x1cC61" +
		"\x1e\x1cAM01\x1cC419710516\x1cC51\x1cCACALEB\x1cCBPAGAC\x1cCM433 MERTZ CROSSROAD\x1cCNTAUNTON\x1cCQ2015550188" +
		"\x1d\x1e\x1cAM07\x1cEM1\x1cD21234567\x1cE103\x1cD700006094268\x1e\x1cAM03\x1cEZ01\x1cDB1234567893\x1cDRWELBY"

	ncpdpEdi = "UNA:+./*'UIB+UNOA:0++77777777:C+++SENDER:D+RECIPIENT:P+20260301:112544'UIH+SCRIPT:010:006:NEWRX+59338+ORD201'" +
		"PVD+PC+DD1234567:DH*1234567893:HPI+++Welby:Marcus:::++Clinic One'PVD+P2+1120188:D3+++++Corner Pharmacy'" +
		"PTT+1+19710516+Pagac:Caleb:::+M+445776216:SY+433 Mertz Crossroad:Taunton:MA:02780+2015550188:TE'" +
		"DRU+P:Hydrochlorothiazide 50 MG'UIT+59338+9'UIZ++1'"

	ncpdpXML = `<?xml version="1.0"?><Message xmlns="http://www.ncpdp.org/schema/SCRIPT" version="010" release="006"><Header/><Body><NewRx>` +
		`<Pharmacy><StoreName>Corner</StoreName></Pharmacy><Prescriber><Name><LastName>Welby</LastName><FirstName>Marcus</FirstName></Name></Prescriber>` +
		`<Patient><PatientRelationship>1</PatientRelationship><Identification><SocialSecurity>445776216</SocialSecurity></Identification>` +
		`<Name><LastName>Pagac</LastName><FirstName>Caleb</FirstName></Name><Gender>M</Gender><DateOfBirth><Date>1971-05-16</Date></DateOfBirth>` +
		`</Patient><MedicationPrescribed/></NewRx></Body></Message>`
	ncpdpNewXML = `<Message DatatypesVersion="2017071" TransportVersion="2017071" TransactionDomain="SCRIPT" TransactionVersion="2017071"><Body><NewRx>` +
		`<Patient><HumanPatient><Identification></Identification><Name><LastName>Spinka</LastName><FirstName>Merle</FirstName></Name>` +
		`<Gender>F</Gender><DateOfBirth><Date>1965-01-02</Date></DateOfBirth><EmergencyContact><Name><LastName>Spinka</LastName></Name></EmergencyContact>` +
		`</HumanPatient></Patient><Pharmacy/></NewRx></Body></Message>`
)

func TestNCPDP_accept(t *testing.T) {
	other := strings.NewReplacer("W33619778", "W40296060", "PAGAC", "SPINKA", "CALEB", "MERLE", "19710516", "19650102").Replace(ncpdpClaim)
	sample := "\x0200T000000\x03\r\n\x02G1000000001" + ncpdpClaim + "\x03\r\n\x02G1000000002" + other + "\x03\r\n\x0299000002\x03"
	detecttest.Accept(t, format.NCPDP(), []byte(sample), "/var/spool/claims.ncpdp",
		detecttest.Secrets("PAGAC", "CALEB", "W33619778", "19710516", "SPINKA", "MERLE", "MERTZ CROSSROAD"),
		detecttest.Padding([]byte("batch\n"), []byte("\nend\n")), detecttest.People(2))
}

func TestNCPDP_accept_edifact(t *testing.T) {
	detecttest.Accept(t, format.NCPDP(), []byte(ncpdpEdi), "/var/spool/rx.edi",
		detecttest.Secrets("Pagac", "Caleb", "19710516", "445776216"), detecttest.Padding([]byte("in:\n"), []byte("\n")), detecttest.UTF16(), detecttest.People(1))
}

func TestNCPDP_accept_xml(t *testing.T) {
	detecttest.Accept(t, format.NCPDP(), []byte(ncpdpXML+"\n"+ncpdpNewXML+"\n"), "/var/spool/rx.xml",
		detecttest.Secrets("Pagac", "Caleb", "1971-05-16", "445776216", "Spinka", "Merle"), detecttest.Padding([]byte("in:\n"), []byte("\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestNCPDP(t *testing.T) {
	replace := func(in string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(in) }
	json := []string{"\x1c", `\u001c`, "\x1d", `\u001d`, "\x1e", `\u001e`}
	eligibility := ncpdpClaim[:strings.Index(ncpdpClaim, "\x1d")]
	turned := ncpdpHeader + "\x1e\x1cAM01\x1cC419710516\x1cCACALEB\x1cCBPAGAC\x1e\x1cAM04\x1cC2W33619778"
	for name, c := range map[string]struct {
		content          string
		records, persons int
	}{
		"claim":              {ncpdpClaim, 1, 1},
		"patient_first":      {turned, 1, 1},
		"lines":              {ncpdpClaim + "\n" + ncpdpClaim + "\n", 2, 1},
		"segments_by_lines":  {replace(ncpdpClaim, "\x1e", "\n\x1e"), 1, 1},
		"eligibility_twice":  {eligibility + "\r\n" + replace(eligibility, "CALEB", "DORA", "W33619778", "W4", "19710516", "19730101") + "\r\n", 2, 2},
		"family":             {ncpdpClaim + "\n" + replace(ncpdpClaim, "CALEB", "DORA", "19710516", "20050516", "C61", "C63"), 2, 2},
		"response":           {"D0B11A010123456789     20260301\x1e\x1cAM20\x1cF4OK\x1e\x1cAM25\x1cC2W33619778\x1e\x1cAM29\x1cCACALEB\x1cCBPAGAC\x1cC419710516\x1d\x1e\x1cAM21\x1cANP", 1, 1},
		"insurance_alone":    {ncpdpHeader + "\x1e\x1cAM04\x1cC2W33619778\x1d\x1e\x1cAM07\x1cD21", 1, 1},
		"blank_padded":       {replace(ncpdpClaim, "CALEB", "CALEB     ", "W33619778", "W33619778       "), 1, 1},
		"patient_number":     {ncpdpHeader + "\x1e\x1cAM01\x1cCX01\x1cCY445776216", 1, 1},
		"json":               {`{"claim":"` + replace(ncpdpClaim, json...) + `"}`, 1, 1},
		"json_mixed":         {`{"claim":"` + replace(replace(ncpdpClaim, json...), `\u001c`, `\u001C`, `\u001e`, `\u001E`) + `"}`, 1, 1},
		"program":            {`raw := "` + replace(ncpdpClaim, "\x1c", `\x1c`, "\x1d", `\x1d`, "\x1e", `\x1e`) + `"`, 1, 1},
		"edifact":            {ncpdpEdi, 1, 1},
		"edifact_lines":      {replace(ncpdpEdi, "'", "'\r\n"), 1, 1},
		"edifact_control":    {replace(ncpdpEdi, "UNA:+./*'", "UNA\x1c\x1d. \x1f\x1e", ":", "\x1c", "+", "\x1d", "'", "\x1e", "*", "\x1f"), 1, 1},
		"edifact_without_na": {strings.TrimPrefix(ncpdpEdi, "UNA:+./*'"), 1, 1},
		"edifact_two":        {ncpdpEdi + replace(ncpdpEdi, "Pagac:Caleb", "Spinka:Merle", "445776216:SY", "", "19710516", "19650102"), 2, 2},
		"xml":                {ncpdpXML, 1, 1},
		"xml_prefixed":       {replace(ncpdpXML, "xmlns=", "xmlns:s=", "<Message", "<s:Message", "</Message", "</s:Message", "<Patient>", "<s:Patient>", "</Patient>", "</s:Patient>"), 1, 1},
		"xml_2017":           {ncpdpNewXML, 1, 1},
		"xml_bare":           {replace(ncpdpNewXML, ` TransactionDomain="SCRIPT"`, ""), 1, 1},
		"xml_truncated":      {ncpdpNewXML[:strings.Index(ncpdpNewXML, "<Emergency")], 1, 1},
		"xml_deep":           {strings.Repeat("<p>text</p>\n", 40_000) + ncpdpNewXML, 1, 1},

		"no_patient":        {ncpdpHeader + "\x1d\x1e\x1cAM07\x1cEM1\x1cD21234567\x1cD700006094268", 0, 0},
		"empty_patient":     {ncpdpHeader + "\x1e\x1cAM01\x1cC419710516\x1cC51\x1cCA \x1cCB ", 0, 0},
		"edifact_error":     {"UNA:+./*'UIB+UNOA:0++:0'UIH+SCRIPT:008:001:ERROR'STS+900+007+Missing'UIT++3'UIZ++1'", 0, 0},
		"edifact_no_name":   {replace(ncpdpEdi, "Pagac:Caleb:::", "", "445776216:SY", ""), 0, 0},
		"xml_schema":        {`<xs:schema targetNamespace="http://www.ncpdp.org/schema/SCRIPT"><xs:element name="Patient"/></xs:schema>`, 0, 0},
		"xml_template":      {replace(ncpdpNewXML, "Spinka", "${last}", "Merle", "${first}"), 0, 0},
		"xml_other_patient": {`<Patient><Name><LastName>Pagac</LastName></Name></Patient><p>http://www.ncpdp.org/schema/SCRIPT</p>`, 0, 0},
		"xml_veterinary":    {replace(ncpdpNewXML, "HumanPatient", "NonHumanPatient", ` TransactionDomain="SCRIPT"`, ""), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(c.content), 4096, 5} {
				same(t, format.NCPDP(), c.content, size, c.records, c.persons)
			}
		})
	}
}

func TestNCPDP_thousand(t *testing.T) {
	var b strings.Builder
	for i := range 1200 {
		b.WriteString(strings.NewReplacer("W33619778", fmt.Sprint("W", 33000000+i), "CALEB", fmt.Sprint("C", i)).Replace(ncpdpClaim) + "\r\n")
	}
	same(t, format.NCPDP(), b.String(), 64<<10, 1200, 1200)
}

func FuzzNCPDP(f *testing.F) {
	detecttest.Fuzz(f, format.NCPDP(), ncpdpClaim, ncpdpEdi, ncpdpXML, ncpdpNewXML, "\x1cAM01", "\x1cAM04\"\x1cAM29\x1d", `\u001cAM01\u00`, "UIH+SCRIPT", "UIH\x1dSCRIPT\x1d", "<HumanPatient><")
}
