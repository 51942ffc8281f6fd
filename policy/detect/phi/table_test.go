package phi_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

const patients = `mrn,last_name,first_name,dob,ssn,diagnosis
40296060,Spinka,Merle,1988-04-29,237-96-2820,J45.909
33619778,Pagac,"Caleb, Jr.",1971-05-16,445-77-6216,"asthma,
severe"
40296060,Spinka,Merle,1988-04-29,237-96-2820,I10
`

const nameless = `Spinka,Merle,1988-04-29,237-96-2820,J45.909
Pagac,Caleb,1971-05-16,445-77-6216,E11.9
Mosciski,Maynard,2014-10-06,367-15-3410,F32.9
Schmidt,Curt,2008-04-07,527-50-8899,E11.9
`

func TestTable_accept(t *testing.T) {
	detecttest.Accept(t, phi.Table(), []byte(patients), "/srv/export.csv",
		detecttest.Secrets("Spinka", "Merle", "40296060", "237-96-2820", "Pagac", "Caleb", "1988-04-29", "J45.909"),
		detecttest.Padding([]byte("Report of the clinic, page 1\n\n"), []byte("3 rows\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestTable_accept_headerless(t *testing.T) {
	detecttest.Accept(t, phi.Table(), []byte(nameless), "/srv/export.csv",
		detecttest.Secrets("Spinka", "Merle", "237-96-2820", "Mosciski", "1988-04-29", "J45.909"),
		detecttest.UTF16(), detecttest.People(4))
}

func TestTable(t *testing.T) {
	for name, c := range map[string]struct {
		path, content string
		rows, people  int // under the detector's own rule
		other         string
	}{
		"comma":            {"/a.csv", patients, 3, 2, ""},
		"tab":              {"/a.tsv", strings.ReplaceAll(strings.ReplaceAll(patients, ", Jr.", ""), ",", "\t"), 3, 2, ""},
		"semicolon":        {"/a.txt", "MRN;LastName;FirstName;DOB\n12345678;Doe;Jane;01.02.1980\n", 1, 1, ""},
		"pipe":             {"/a", "| mrn | last | first | dob |\n|---|---|---|---|\n| 12345678 | Doe | Jane | 1980-02-01 |\n", 1, 1, ""},
		"cr_only":          {"/a", strings.ReplaceAll(patients, "\n", "\r"), 3, 2, ""},
		"crlf":             {"/a", strings.ReplaceAll(patients, "\n", "\r\n"), 3, 2, ""},
		"bom":              {"/a", "\uFEFF" + patients, 3, 2, ""},
		"quoted_header":    {"/a", "\"mrn\",\"last\",\"dob\"\n\"12345678\",\"Doe\",\"2/1/1980\"\n", 1, 1, ""},
		"camel_case":       {"/a", "patientLastName,patientFirstName,patientBirthDate\nDoe,Jane,1-Feb-1980\n", 1, 1, ""},
		"synthea":          {"/patients.csv", "Id,BIRTHDATE,SSN,FIRST,LAST\nx,2014-10-06,999-17-5017,Maynard46,Mosciski958\n", 1, 1, ""},
		"medicare":         {"/a", "mbi,name\n2FH5-UF6-NK84,x\n", 1, 1, ""},
		"split_birth_date": {"/a", "demographic_no,last_name,year_of_birth,month_of_birth,date_of_birth\n7,Doe,1980,02,01\n", 1, 1, ""},
		"member_and_claim": {"/a", "member_id,last,dob,dx\nW12345678,Doe,19800201,E11\n", 1, 1, ""},
		"preamble":         {"/a", "sep=,\n# generated\n" + patients, 3, 2, ""},
		"stray_quote": {
			"/a", "mrn,last,dob,note\n12345678,Doe,1980-02-01,\"tall\n12345679,Roe,1981-02-01,fine\n12345670,Poe,1982-02-01,fine\n", 3, 3, "",
		},
		"stray_quotes": {
			"/a", "mrn,last,dob,note\n12345678,Doe,1980-02-01,\"tall\n12345679,Roe,1981-02-01,fine\n12345670,Poe,1982-02-01,\"wide\n", 3, 3, "",
		},
		"stray_quotes_more_cells": {
			"/a", "mrn,last,dob,note\n12345678,Doe,1980-02-01,\"tall\n12345679,Roe,1981-02-01,\",x\n", 2, 2, "",
		},
		"key_ssn":       {"/phi/a", "last,dob,ssn\nDoe,1980-02-01,237-96-2820\nDoe,1980-02-01,237962820\n", 2, 1, ""},
		"key_name":      {"/phi/a", "last,first,dob\nDoe,Jane,1980-02-01\nDOE,JANE,02/01/1980\n", 2, 1, ""},
		"key_mrn_first": {"/a", "mrn,ssn\n12345678,237-96-2820\n12345679,237-96-2820\n", 2, 2, ""},
		"path_context":  {"/data/phi/people.csv", "last,first,dob\nDoe,Jane,1980-02-01\n", 1, 1, ""},
		"headerless":    {"/a", nameless, 4, 4, ""},

		"wordy_header": {
			"/a", "Patient's Last Name,Name of Patient (First),Date of Birth (MM/DD/YYYY),Medical Record #\nDoe,Jane,02/01/1980,12345678\n", 1, 1, "",
		},
		"customers": {"/a", "customer_last_name,customer_dob,rx_number,drug_name\nDoe,1980-02-01,7,x\n", 1, 1, ""},

		"no_health_context":    {"/data/people.csv", "last,first,dob,ssn\nDoe,Jane,1980-02-01,237-96-2820\n", 0, 0, "pii"},
		"path_within_word":     {"/cryptographic/missingItemRef/people.csv", "last,first,dob\nDoe,Jane,1980-02-01\n", 0, 0, "pii"},
		"staff":                {"/a", "emp_no,last_name,first_name,hire_date,phone\n21863004,Doe,Jane,2014-10-06,(508) 555-0164\n", 0, 0, "pii"},
		"providers":            {"/a", "npi,provider_last_name,specialty,phone\n1401154632,Doe,Oncology,(508) 555-0164\n", 0, 0, ""},
		"provider_directory":   {"/hospital/a", "NPI,Last Name,First Name,Phone,Diagnosis\n1401154632,Doe,Jane,(508) 555-0164,E11.9\n", 0, 0, ""},
		"month_and_country":    {"/patients.csv", "last,month_of_birth,country_of_birth,zip\nDoe,02,1980-02-01,02155\n", 0, 0, ""},
		"order_numbers":        {"/a", "order_id,tracking,diagnosis\n584-76-5105,1Z968,none\n", 0, 0, ""},
		"coded_rows":           {"/a", "study_id,birth_year,zip3,sex,dx\nd41df6768,2014,021,M,F32.9\n", 0, 0, "limited"},
		"header_alone":         {"/patients.csv", "mrn,last_name,first_name,dob,ssn,diagnosis\n", 0, 0, ""},
		"template":             {"/patients.csv", "mrn,last,first,dob\n{{mrn}},{{last}},{{first}},{{dob}}\n", 0, 0, ""},
		"redacted":             {"/patients.csv", "last,first,dob,ssn\nREDACTED,REDACTED,****,***-**-2820\n", 0, 0, ""},
		"specimen_number":      {"/patients.csv", "name,ssn\nx,078-05-1120\nx,123-45-6789\nx,000-12-3456\n", 0, 0, ""},
		"binary":               {"/patients.csv", "\x00\x01" + patients, 0, 0, ""},
		"headerless_two_typed": {"/a", "a,237-96-2820,J45.909\nb,445-77-6216,E11.9\nc,367-15-3410,F32.9\n", 0, 0, ""},
		"headerless_no_health": {"/a", strings.NewReplacer("J45.909", "a", "E11.9", "b", "F32.9", "c").Replace(nameless), 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkResult(t, "phi-table", detecttest.Run(phi.Table(), c.path, []byte(c.content)), c.rows, c.people, c.other)
		})
	}
}

// checkResult compares what was found under the rule, how often and about how
// many people, and whether the other rule and no third one was found.
func checkResult(t *testing.T, rule string, got detecttest.Result, count, people int, other string) {
	t.Helper()
	for _, f := range got.Findings {
		switch {
		case f.Rule == rule && (f.Count != count || f.Individuals.Point != people):
			t.Errorf("%d records of %d people, want %d of %d", f.Count, f.Individuals.Point, count, people)
		case f.Rule != rule && f.Rule != other:
			t.Errorf("found under %s", f.Rule)
		}
	}
	if count > 0 && got.Of(rule) == nil {
		t.Error("nothing found")
	}
	if other != "" && got.Of(other) == nil {
		t.Errorf("nothing found under %s", other)
	}
}

// TestTable_long_row: a row longer than the bound is read up to it, and said.
func TestTable_long_row(t *testing.T) {
	content := "mrn,last,dob,note\n12345678,Doe,1980-02-01," + strings.Repeat("x", 3<<20) + "\n12345679,Roe,1981-02-01,x\n"
	got := detecttest.Run(phi.Table(), "/a.csv", []byte(content), 256<<10)
	if f := got.Of("phi-table"); f == nil || f.Count != 2 {
		t.Error("the rows were not both found")
	}
	if len(got.Skipped) != 1 {
		t.Errorf("%d things skipped, want the rest of the long row", len(got.Skipped))
	}
	// The same line in a file that is no table is no one's loss.
	got = detecttest.Run(phi.Table(), "/a.js", []byte("var a, b\n"+strings.Repeat("x,", 2<<20)), 256<<10)
	if got.Findings != nil || got.Skipped != nil {
		t.Error("a long line of a program is reported")
	}
}

// TestTable_many: rows beyond the first lines count.
func TestTable_many(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("mrn,last,dob\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "%08d,Doe,1980-02-01\n", 10_000_000+i/2)
	}
	got := detecttest.Run(phi.Table(), "/a.csv", b.Bytes(), 64<<10)
	if f := got.Of("phi-table"); f == nil || f.Count != 20_000 || f.Individuals.Point < 9_500 || f.Individuals.Point > 10_500 {
		t.Error("the rows or the people were miscounted")
	}
}

// TestTable_wide: the first column that says something may stand far behind the
// beginning of the header.
func TestTable_wide(t *testing.T) {
	for _, columns := range []int{10, 60, 70, 100, 200, 300} {
		head, row := strings.Repeat("some_column_name,", columns), strings.Repeat("0,", columns)
		content := "some text,before it\n" + head + "mrn,last_name,first_name,dob,diagnosis\n" + row + "40296060,Spinka,Merle,1988-04-29,I10\n"
		if f := detecttest.Run(phi.Table(), "/srv/a.csv", []byte(content)).Of("phi-table"); f == nil || f.Individuals.Point != 1 {
			t.Errorf("%d columns before: found %t, want a patient", columns, f != nil)
		}
	}
}

// TestCutIsSaid: columns, headers and identifiers beyond what is kept are told.
func TestCutIsSaid(t *testing.T) {
	wide := func(n int) string {
		return "last,first,dob,ssn" + strings.Repeat(",c", n) + "\nDoe,Jane,1980-02-01,237-96-2820" + strings.Repeat(",1", n) + "\n"
	}
	head := "last,first,dob,ssn," + strings.Repeat("some_other_column,", 4000)
	long := strings.Repeat("Doe ", 17<<10)
	for name, c := range map[string]struct {
		detector detect.Detector
		text     string
		skipped  int
	}{
		"columns_fit":        {phi.Table(), wide(4000), 0},
		"columns_are_more":   {phi.Table(), wide(4100), 1},
		"header_is_longer":   {phi.Table(), head + "\nDoe,Jane,1980-02-01,237-96-2820\n", 1},
		"text_of_an_element": {phi.XML(), `<patient><lastName>` + long + `</lastName><dob>1980-02-01</dob></patient>`, 1},
		"other_text":         {phi.XML(), `<patient><lastName>Doe</lastName><dob>1980-02-01</dob><note>` + long + `</note></patient>`, 0},
		"attribute":          {phi.XML(), `<patient lastName="` + long[:5000] + `" dob="1980-02-01"/>`, 1},
		"string":             {phi.JSON(), `{"patient": {"lastName": "` + long + `", "dob": "1980-02-01"}}`, 1},
		"other_string":       {phi.JSON(), `{"patient": {"lastName": "Doe", "dob": "1980-02-01", "note": "` + long + `"}}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := detecttest.Run(c.detector, "/srv/a", []byte(c.text)); len(got.Skipped) != c.skipped {
				t.Errorf("%d skipped, want %d", len(got.Skipped), c.skipped)
			}
		})
	}
}

// TestTable_later: another table is found however many rows of none stand before it.
func TestTable_later(t *testing.T) {
	text := "last,first,dob,mrn,diagnosis\nDoe,Jane,1980-02-01,40296060,E11.9\n" + strings.Repeat("drug,dose,unit,form\n", 5000) +
		"diagnosis,mrn,dob,first,last\nE11.9,33619778,1981-02-01,Jim,Roe\n"
	got := detecttest.Run(phi.Table(), "/srv/a", []byte(text))
	if f := got.Of("phi-table"); f == nil || f.Individuals.Point != 2 {
		t.Errorf("found %t, want two people", f != nil)
	}
}
