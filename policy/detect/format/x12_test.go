package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const (
	x12ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260301*1253*^*00501*000000905*1*P*:~\n"
	x12End = "GE*1*1~\nIEA*1*000000905~\n"

	subscriberClaim = "HL*2*1*22*0~\nSBR*P*18*******CI~\nNM1*IL*1*PAGAC*CALEB*T***MI*W33619778~\nN3*433 MERTZ CROSSROAD~\nN4*TAUNTON*MA*02780~\n" +
		"DMG*D8*19710516*M~\nNM1*PR*2*EXAMPLE HEALTH*****PI*11122333~\nCLM*A37*500***11:B:1*Y*A*Y*I~\nHI*ABK:E119~\n" +
		"NM1*82*1*WELBY*MARCUS****XX*1234567893~\n"
	dependentClaim = "HL*3*1*22*1~\nSBR*P********CI~\nNM1*IL*1*SPINKA*MERLE****MI*W40296060~\nDMG*D8*19650102*F~\n" +
		"HL*4*3*23*0~\nPAT*19~\nNM1*QC*1*SPINKA*JULES~\nDMG*D8*20100203*M~\nCLM*B11*80***11:B:1*Y*A*Y*I~\nHI*ABK:J069~\n"
	otherPayer = "SBR*S*01*******CI~\nOI***Y***Y~\nNM1*IL*1*PAGAC*NORMA****MI*Z5551~\nNM1*PR*2*ANOTHER PLAN*****PI*22~\n"
)

// transaction is a set within its group and interchange.
func transaction(group, set, body string) string {
	return x12ISA + "GS*" + group + "*SENDER*RECEIVER*20260301*0802*1*X*005010~\n" + set + body + "SE*25*0001~\n" + x12End
}

func claims(body string) string {
	return transaction("HC", "ST*837*0001*005010X222A1~\n", "BHT*0019*00*0123*20260301*0932*CH~\nNM1*41*2*BILLING*****46*99~\n"+
		"NM1*40*2*RECEIVER*****46*11~\nHL*1**20*1~\nNM1*85*2*MEDICAL GROUP*****XX*1234567893~\nREF*EI*123456789~\n"+body)
}

func TestX12_accept(t *testing.T) {
	detecttest.Accept(t, format.X12(), []byte(claims(subscriberClaim+otherPayer+dependentClaim)), "/var/spool/claims.837",
		detecttest.Secrets("PAGAC", "CALEB", "W33619778", "19710516", "SPINKA", "JULES", "20100203", "MERTZ CROSSROAD"),
		detecttest.Padding([]byte("received:\nISA and GS and ST\n"), []byte("\nend of the log\n")), detecttest.UTF16(), detecttest.People(2))
}

func TestX12_accept_headers_missing(t *testing.T) {
	detecttest.Accept(t, format.X12(), []byte(strings.ReplaceAll(subscriberClaim, "\n", "")+"IEA*1*1~"), "/var/spool/claims.part",
		detecttest.Secrets("PAGAC", "CALEB", "W33619778"), detecttest.People(1))
}

func TestX12(t *testing.T) {
	claim := claims(subscriberClaim)
	replace := func(in string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(in) }
	for name, c := range map[string]struct {
		content          string
		records, persons int
	}{
		"professional":           {claim, 1, 1},
		"dependent":              {claims(dependentClaim), 1, 1},
		"both":                   {claims(subscriberClaim + dependentClaim), 2, 2},
		"subscriber_too":         {claims(strings.Replace(dependentClaim, "HL*4", "CLM*A1*5~\nHL*4", 1)), 2, 2},
		"two_dependents":         {claims(dependentClaim + "HL*5*3*23*0~\nNM1*QC*1*SPINKA*NELL~\nDMG*D8*20120203*F~\nCLM*B12*80~\n"), 2, 2},
		"dependent_not_named":    {claims(strings.Replace(dependentClaim, "NM1*QC*1*SPINKA*JULES~\n", "", 1)), 1, 1},
		"other_payer":            {claims(subscriberClaim + otherPayer), 1, 1},
		"same_person_twice":      {claims(subscriberClaim + subscriberClaim), 2, 1},
		"family_number":          {claims(subscriberClaim + replace(subscriberClaim, "CALEB", "DORA", "19710516", "19730101")), 2, 2},
		"levels_missing":         {claims(replace(subscriberClaim, "HL*2*1*22*0~\n", "") + otherPayer + replace(dependentClaim, "HL*3*1*22*1~\n", "", "HL*4*3*23*0~\n", "")), 2, 2},
		"two_interchanges":       {claim + claims(dependentClaim), 2, 2},
		"other_separators_after": {claim + replace(claims(dependentClaim), "*", "|", "~", "!", ":", ">"), 2, 2},
		"end_missing":            {strings.TrimSuffix(claim, x12End) + replace(claims(dependentClaim), "*", "|", "~", "!", ":", ">"), 2, 2},

		"one_line":             {replace(claim, "\n", ""), 1, 1},
		"crlf":                 {replace(claim, "\n", "\r\n"), 1, 1},
		"cr":                   {replace(claim, "\n", "\r"), 1, 1},
		"bom":                  {"\uFEFF" + claim, 1, 1},
		"newline_terminates":   {replace(claim, "~\n", "\n"), 1, 1},
		"crlf_terminates":      {replace(claim, "~\n", "\r\n"), 1, 1},
		"cr_terminates":        {replace(claim, "~\n", "\r"), 1, 1},
		"other_separators":     {replace(claim, "*", "~", ":", "^", "~", "_"), 1, 1},
		"bars":                 {replace(claim, "*", "|", ":", ">", "~", "'"), 1, 1},
		"control_separators":   {replace(claim, "*", "\x1d", ":", "\x1f", "~\n", "\x1c"), 1, 1},
		"blanks_after":         {replace(claim, "~\n", "~  \n"), 1, 1},
		"wrapped":              {wrap(replace(claim, "\n", ""), 80), 1, 1},
		"wrapped_short":        {wrap(replace(claim, "\n", ""), 11), 1, 1},
		"no_isa":               {strings.TrimPrefix(claim, x12ISA), 1, 1},
		"no_gs":                {claim[strings.Index(claim, "ST*"):], 1, 1},
		"persons_alone":        {subscriberClaim, 1, 1},
		"persons_by_lines":     {replace(subscriberClaim, "~\n", "\n"), 1, 1},
		"last_segment":         {"NM1*IL*1*PAGAC*CALEB****MI*W33619778", 1, 1},
		"short_isa":            {replace(claim, "          ", "   "), 1, 1},
		"empty_isa":            {"ISA*00**00**ZZ*A*ZZ*B*260301*1253*^*00501*1*1*P*:~\n" + strings.TrimPrefix(claim, x12ISA), 1, 1},
		"isa_cut_off":          {"ISA*00*          *00*  \n" + strings.TrimPrefix(claim, x12ISA), 1, 1},
		"isa_cut_off_one_line": {"ISA*00*          *00*  \n" + replace(strings.TrimPrefix(claim, x12ISA), "\n", ""), 1, 1},
		"isa_not_terminated":   {replace(claim, "*P*:~\n", "*P*:\n", "~\n", "\n"), 1, 1},
		"log":                  {"2026-03-01 INFO payload=" + replace(claim, "\n", "") + " took 5 ms\n", 1, 1},
		"json":                 {`{"edi":"` + replace(claim, "\n", `\n`) + `"}`, 1, 1},
		"json_newline":         {`{"edi":"` + replace(claim, "~\n", `\r\n`) + `"}`, 1, 1},
		"program":              {"var s = \"" + replace(claim, "\n", "\" +\n\t\t\""), 1, 1},
		"truncated":            {claim[:strings.Index(claim, "DMG")], 1, 1},
		"deep_in_a_file":       {strings.Repeat("ISA, GS and ST\n", 40_000) + claim, 1, 1},
		"unknown_header":       {"NM1*QC*1*SPINKA*JULES~DMG*D8*20100203*M~NM1*QC*1*SPINKA*NELL~DMG*D8*20120203*F~", 2, 2},
		"long_foreign_segment": {x12ISA + strings.Repeat("x", 100_000) + claim, 1, 1},

		"institutional": {transaction("HC", "ST*837*0001*005010X223A2~\n", "BHT*0019*00*1*20260301*0932*CH~\nHL*1**20*1~\n"+subscriberClaim), 1, 1},
		"payment": {transaction("HP", "ST*835*0001~\n", "BPR*I*5~\nTRN*1*1*1~\nN1*PR*PLAN~\nN1*PE*GROUP*XX*1234567893~\nLX*1~\n"+
			"CLP*A1*1*500*400**12*1~\nNM1*QC*1*PAGAC*CALEB****MI*W33619778~\nNM1*IL*1*PAGAC*NORMA****MI*W33619778~\nNM1*74*1*PAGAK*CALEB****C*W33~\n"+
			"NM1*82*1*WELBY*MARCUS****XX*1234567893~\nSVC*HC:99211*12*12~\n"+
			"CLP*A2*1*500*400**12*1~\nNM1*QC*1*SPINKA*MERLE****HN*1EG4TE5MK72~\nSVC*HC:99211*12*12~\n"), 2, 2},
		"payment_corrected": {transaction("HP", "ST*835*0001~\n", "BPR*I*5~\nCLP*A1*1*500*400**12*1~\nNM1*74*1*PAGAK*CALEB****C*W33~\n"), 1, 1},
		"enrolment": {transaction("BE", "ST*834*0001*005010X220A1~\n", "BGN*00*1*20260301~\nN1*P5*EMPLOYER*FI*123456789~\n"+
			"INS*Y*18*030*XN*A~\nREF*0F*33619778~\nREF*SY*445776216~\nNM1*IL*1*PAGAC*CALEB****34*445776216~\nDMG*D8*19710516*M~\nNM1*31*1~\nN3*BOX 1~\n"+
			"INS*N*19*030*XN*A~\nREF*0F*33619778~\nNM1*74*1*PAGAC*DORA~\nDMG*D8*20050516*F~\nNM1*70*1*PAGAK*DORA~\nDMG*D8*20050517*F~\n"), 2, 2},
		"enrolment_ssn_alone": {transaction("BE", "ST*834*0001~\n", "BGN*00*1*20260301~\nINS*Y*18*030*XN*A~\nREF*SY*445776216~\n"), 1, 1},
		"premium": {transaction("RA", "ST*820*0001~\n", "BPR*I*5~\nENT*1*2J*EI*1~\nNM1*IL*1*PAGAC*CALEB****MI*W33619778~\nRMR*AZ*1**5~\n"+
			"ENT*2*2J*EI*2~\nNM1*IL*1*SPINKA*MERLE****MI*W40296060~\nRMR*AZ*1**5~\n"), 2, 2},
		"eligibility": {transaction("HS", "ST*270*0001~\n", "BHT*0022*13*1*20260301*0800~\nHL*1**20*1~\nNM1*PR*2*PLAN*****PI*1~\nHL*2*1*21*1~\n"+
			"NM1*1P*1*WELBY*MARCUS****XX*1234567893~\nHL*3*2*22*0~\nTRN*1*1*1~\nNM1*IL*1*PAGAC*CALEB****MI*W33619778~\nREF*SY*445776216~\nDMG*D8*19710516~\nEQ*30~\n"), 1, 1},
		"eligibility_dependent": {transaction("HB", "ST*271*0001~\n", "BHT*0022*11*1*20260301*0800~\nHL*1**20*1~\nHL*2*1*21*1~\nHL*3*2*22*1~\n"+
			"NM1*IL*1*SPINKA*MERLE****MI*W40296060~\nHL*4*3*23*0~\nTRN*2*1*1~\nNM1*03*1*SPINKA*JULES~\nDMG*D8*20100203*M~\nINS*N*19~\nEB*1**30~\n"), 1, 1},
		"status": {transaction("HR", "ST*276*0001~\n", "BHT*0010*13*1*20260301*0800~\nHL*1**20*1~\nHL*2*1*21*1~\nNM1*41*2*X*****46*1~\nHL*3*2*19*1~\n"+
			"HL*4*3*22*0~\nDMG*D8*19710516*M~\nNM1*IL*1*PAGAC*CALEB****MI*W33619778~\nTRN*1*1~\n"), 1, 1},
		"acknowledgement_277": {transaction("HN", "ST*277*0001~\n", "BHT*0085*08*1*20260301*0800*TH~\nHL*1**20*1~\nHL*3*2*19*1~\nNM1*85*1*WELBY*MARCUS****XX*1234567893~\n"+
			"HL*4*3*PT~\nNM1*QC*1*PAGAC*CALEB****MI*W33619778~\nSTC*A2:20~\n"), 1, 1},
		"authorisation": {transaction("HI", "ST*278*0001~\n", "BHT*0007*13*1*20260301*0800~\nHL*1**20*1~\nHL*2*1*21*1~\nHL*3*2*22*1~\n"+
			"NM1*IL*1*PAGAC*CALEB****MI*W33619778~\nHL*4*3*EV*1~\nUM*AR*I~\nHI*BF:E119~\nNM1*SJ*1*WELBY*MARCUS****XX*1234567893~\nHL*5*4*SS*0~\n"), 1, 1},

		"acknowledgement": {transaction("FA", "ST*999*0001~\n", "AK1*HC*1*005010X222A1~\nAK2*837*0001~\nIK3*NM1*17**1~\nIK5*R*5~\nAK9*R*1*1*0~\n"), 0, 0},
		"interchange_ack": {x12ISA + "TA1*000000905*260301*1253*A*000~\nIEA*0*000000905~\n", 0, 0},
		"purchase_order":  {transaction("PO", "ST*850*0001~\n", "BEG*00*SA*1~\nN1*ST*DOE~\nNM1*IL*1*PAGAC*CALEB****MI*W33619778~\n"), 0, 0},
		"providers_alone": {claims("NM1*82*1*WELBY*MARCUS****XX*1234567893~\nNM1*DN*1*WELBY*MARCUS****XX*1234567893~\n"), 0, 0},
		"organisation":    {claims("HL*2*1*22*0~\nNM1*IL*2*EMPLOYER*****MI*1234~\n"), 0, 0},
		"template":        {claims("HL*2*1*22*0~\nNM1*IL*1*{{last}}*{{first}}****MI*${id}~\n"), 0, 0},
		"guide":           {"<segment xid=\"NM1\"><valid_codes><code>IL</code><code>QC</code></valid_codes></segment>\nNM1*\nIL*1*DOE", 0, 0},
		"words":           {"LIST*837* of ISA*00* and GS*HC* headers\n" + strings.Repeat("a line without segments\n", 5000), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(c.content), 4096, 5} {
				same(t, format.X12(), c.content, size, c.records, c.persons)
			}
		})
	}
}

// wrap breaks text into lines of n bytes.
func wrap(text string, n int) string {
	var b strings.Builder
	for len(text) > n {
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return b.String() + text
}

// TestX12_thousand counts people well beyond the breach threshold.
func TestX12_thousand(t *testing.T) {
	var b strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&b, "%s", strings.NewReplacer("W33619778", fmt.Sprint("W", 33000000+i), "CALEB", fmt.Sprint("C", i)).Replace(subscriberClaim))
	}
	same(t, format.X12(), claims(b.String()), 64<<10, 1200, 1200)
}

func FuzzX12(f *testing.F) {
	detecttest.Fuzz(f, format.X12(), claims(subscriberClaim+dependentClaim), strings.TrimPrefix(claims(subscriberClaim), x12ISA),
		"ISA|00|GS|HC|ISA*00*NM1*IL*1*DOE*JANE\nDMG*D8*19710516\nIEA*",
		"NM1*QC*1*A*B~ST|837|1\nNM1|IL|1|C|D\n", "{\"a\":\"ST*834*1\\nINS*Y\\nREF*SY*445776216\\nNM1*IL*1*A*B\\n\"}")
}
