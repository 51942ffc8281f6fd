package identifier_test

import (
	"testing"

	"github.com/phigate/phigate/policy/detect/identifier"
)

func TestSSN(t *testing.T) {
	for text, want := range map[string]identifier.Valid{
		"237-96-2820": identifier.Issued, "237962820": identifier.Issued, "237 96 2820": identifier.Issued, "899-99-9998": identifier.Issued,
		"999-17-5017": identifier.Synthetic, "999-70-5017": identifier.Synthetic, "912-49-5017": identifier.Synthetic, "912-93-5017": identifier.Synthetic,
		"912-70-5017": identifier.Taxpayer, "900-50-1234": identifier.Taxpayer, "999999998": identifier.Synthetic,
		"000-12-3456": identifier.No, "666-12-3456": identifier.No, "237-00-2820": identifier.No, "237-96-0000": identifier.No,
		"078-05-1120": identifier.No, "219-09-9999": identifier.No, "457-55-5462": identifier.No, "987-65-4325": identifier.No,
		"111-11-1111": identifier.No, "123-45-6789": identifier.No, "2820": identifier.No, "***-**-2820": identifier.No, "": identifier.No,
		"237-96 2820": identifier.No, "2379-6-2820": identifier.No, "237-96-28200": identifier.No, "REDACTED": identifier.No, "{{ssn}}": identifier.No,
	} {
		if _, got := identifier.SSN([]byte(text)); got != want {
			t.Errorf("SSN(%q) = %d, want %d", text, got, want)
		}
	}
	if identifier.DashedSSN([]byte("237962820")).OK() || !identifier.DashedSSN([]byte("237-96-2820")).OK() {
		t.Error("DashedSSN: want the form with dashes alone")
	}
}

func TestMedicare(t *testing.T) {
	for text, want := range map[string]bool{
		"2FH5-UF6-NK84": true, "2fh5uf6nk84": true, "2F55-U66-NK84": true,
		"1EG4-TE5-MK73": false, "1EG4TE5MK72": false, "0FH5UF6NK84": false, "2SH5UF6NK84": false, "2FH5UF6NK8": false, "2FH5UF6NK845": false,
		"22H5UF6NK84": false, "": false,
	} {
		if _, got := identifier.MBI([]byte(text)); got != want {
			t.Errorf("MBI(%q) = %t, want %t", text, got, want)
		}
	}
	for text, want := range map[string]identifier.Valid{
		"237962820A": identifier.Issued, "237-96-2820-B1": identifier.Issued, "237962820C2": identifier.Issued,
		"237962820": identifier.No, "237962820Z": identifier.No, "000962820A": identifier.No, "A": identifier.No, "": identifier.No,
	} {
		if _, got := identifier.HICN([]byte(text)); got != want {
			t.Errorf("HICN(%q) = %d, want %d", text, got, want)
		}
	}
}

// check is a validator and what it must say.
type check struct {
	name  string
	valid func([]byte) bool
	yes   []string
	no    []string
}

func TestValidators(t *testing.T) {
	valid := func(f func([]byte) identifier.Valid) func([]byte) bool {
		return func(v []byte) bool { return f(v) == identifier.Issued }
	}
	test := func(f func([]byte) identifier.Valid) func([]byte) bool {
		return func(v []byte) bool { return f(v) == identifier.Synthetic }
	}
	for _, c := range []check{
		{"npi", identifier.NPI, []string{"1234567893", "1401154632", "1225723208"}, []string{"1234567890", "3234567893", "123456789", "12345678934", "", "a234567893"}},
		{"dea", identifier.DEA, []string{"AB1234563", "F91234563"}, []string{"AB1234560", "IB1234563", "AB123456", "ab1234563", ""}},
		{"phone", valid(identifier.Phone), []string{"(508) 555-2164", "508-234-5678", "5082345678", "1-508-234-5678", "+1 508 234 5678",
			"508.234.5678", "508-234-5678 x123"},
			[]string{"(508) 555-0164", "911-234-5678", "508-911-5678", "108-234-5678", "555-234-5678", "234-5678", "1.234.567.8901.2", "2222222222", "",
				"20240102123", "508-234-5678 y", "0123456789"}},
		{"phone_abroad", valid(identifier.Phone), []string{"+44 20 7946 0958", "0044 20 7946 0958", "+49 30 123456"}, []string{"+44 20", "+0 207946 0958"}},
		{"phone_test", test(identifier.Phone), []string{"(508) 555-0164", "+1-617-555-0100"}, []string{"(508) 555-0264"}},
		{"phone_formatted", valid(identifier.FormattedPhone), []string{"(508) 555-2164", "508-234-5678"}, []string{"5082345678", "50823456.78"}},
		{"email", valid(identifier.Email), []string{"jane.doe@clinic.com", "j+x@a-b.co.uk"}, []string{"jane", "@clinic.com", "jane@", "jane@clinic", "jane@x..com",
			"no-reply@clinic.com", "jane@clinic.com2", "a b@c.com", "jane@example.org", "", "jane@.com", "git@github.com:x/y.git"}},
		{"email_test", test(identifier.Email), []string{"jane@example.org", "jane@mail.example.com", "jane@host.test"}, []string{"jane@myexample.org"}},
		{"zip", identifier.ZIP, []string{"02155", "021550000", "02155-1234"}, []string{"2155", "00000", "02155-", "0215a", "02155 1234", ""}},
		{"restricted_zip", identifier.RestrictedZIP3, []string{"036", "89312"}, []string{"021", "03", ""}},
		{"street", identifier.Street, []string{"784 Stamm Lock Unit 46", "12 N Main St", "12 Main Street, Apt 3", "PO Box 12", "P.O. Box 7", "100-12 First Ave."},
			[]string{"Main Street", "12 St", "12 monkeys ran", "12345678 Main St", "", "12", "version 3 st"}},
		{"record_number", identifier.RecordNumber, []string{"12345678", "MRN-004512", "A12-3456"}, []string{"123", "abcd", "0000000", "1234;5678", "",
			"123456789012345678901", "99999", "{{mrn}}"}},
		{"uuid", identifier.UUID, []string{"9d188916-8390-282b-3ec2-73fce6e08649"}, []string{"9d188916-8390-282b-3ec2-73fce6e0864", "9d188916083900282b03ec2073fce6e08649"}},
		{"name", identifier.Name, []string{"Spinka", "Maynard46", "O'Brien", "Schmidt, Curt", "José", "Mary Ann", "Caleb, Jr."},
			[]string{"", "x", "REDACTED", "{{name}}", "<name>", "string", "N/A", "****", "XXXX", "Last Name", "$name", "a/b", "%s", "12345678a", "null", "foo()[1]"}},
		{"proper_name", identifier.ProperName, []string{"Spinka", "Mary Ann"}, []string{"spinka", "A very long name with words"}},
		{"placeholder", identifier.Placeholder, []string{"", "REDACTED", "****", "XXX-XX-XXXX", "{{x}}", "<ssn>", "${SSN}", "n/a", "[NAME]", "null", "%s"},
			[]string{"Doe", "237-96-2820"}},
		{"vin", identifier.VIN, []string{"1M8GDM9AXKP042788", "1HGCM82633A004352", "1hgcm82633a004352"},
			[]string{"1M8GDM9A1KP042788", "1M8GDM9AXKP04278", "IM8GDM9AXKP042788", "11111111111111111", ""}},
		{"card", valid(identifier.Card), []string{"4539578763621486", "4539 5787 6362 1486"}, []string{"4539578763621487", "4111111111111111", "1234567812345670", "", "0000000000000000"}},
		{"card_test", test(identifier.Card), []string{"4111 1111 1111 1111", "378282246310005"}, nil},
		{"udi", identifier.UDI, []string{"(01)13465995954594(11)760704(17)010719(10)8477791433724820(21)488266988", "+H123ABC45/$$0420020216LOT123", "=/A9999XYZ100T0474=,000025"},
			[]string{"(01)13465995954591(11)760704", "(01)13465995954594", "+12:30 hours/3", "", "= 4 / 3 = 1, 2, 3"}},
		{"icd10", identifier.ICD10, []string{"J45.909", "I10", "E119", "U07.1", "S72.001A", "C4A.0", "Z79.4"}, []string{"J4", "j45.909", "U17.1", "J45.", "J45.12345", "JA5.1", "", "X"}},
		{"icd10_dotted", identifier.DottedICD10, []string{"J45.909", "E11.9"}, []string{"I10", "E119", "E11."}},
		{"icd9", identifier.ICD9, []string{"250.00", "V58.61", "E880.9", "401"}, []string{"25", "250.000", "E88", "X58.61", ""}},
		{"ndc", identifier.NDC, []string{"0002-7597-01", "50242-040-62", "60575-4112-1", "12345-6789-01", "12345678901"}, []string{"123-456-789", "1-2", "1234567890", "0002-7597-01-1", ""}},
		{"loinc", identifier.LOINC, []string{"8302-2", "2345-7", "718-7", "55284-4"}, []string{"8302-3", "8302", "-2", "0302-2", "1234567-8", ""}},
		{"snomed", identifier.SNOMED, []string{"73211009", "195662009", "185345009", "111088007", "409534002"}, []string{"73211008", "12345", "073211009", "", "1234567890123456789"}},
		{"cpt", identifier.CPT, []string{"99213", "G0008", "0001F"}, []string{"9921", "992133", "GG008", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, v := range c.yes {
				if !c.valid([]byte(v)) {
					t.Errorf("value %d is refused", i)
				}
			}
			for i, v := range c.no {
				if c.valid([]byte(v)) {
					t.Errorf("value %d of those to refuse is taken", i)
				}
			}
		})
	}
}

func TestParseDate(t *testing.T) {
	type date = identifier.Date
	for text, want := range map[string]date{
		"1980-02-01": {1980, 2, 1}, "1980-02-01T10:00:00Z": {1980, 2, 1}, "1980-02-01 12:00:00.000": {1980, 2, 1}, "1980-02-01T10:00": {1980, 2, 1},
		"19800201": {1980, 2, 1}, "02011980": {1980, 2, 1}, "19800201103000": {1980, 2, 1}, "198002011030": {1980, 2, 1},
		"2/1/1980": {1980, 2, 1}, "2/1/80": {1980, 2, 1}, "2/1/05": {2005, 2, 1}, "31.12.1980": {1980, 12, 31}, "31/12/1980": {1980, 12, 31},
		"1-Feb-1980": {1980, 2, 1}, "Feb 1, 1980": {1980, 2, 1}, "February 1st, 1980": {1980, 2, 1}, "1980/2/1": {1980, 2, 1}, "01FEB1980": {1980, 2, 1},
		"1 February 1980": {1980, 2, 1}, "1980-02-29": {1980, 2, 29}, "02/01/1980 00:00": {1980, 2, 1},
		"1980": {}, "1700-02-01": {}, "1980-13-40": {}, "10:30:00": {}, "1.2.3.4": {}, "a-b-cccc": {}, "12345678": {}, "": {}, "1981-02-29": {}, "1980-04-31": {},
		"{{dob}}": {}, "1980-02": {}, "T1980-02-01": {}, "----": {}, "2.0.19": {},
	} {
		got, ok := identifier.ParseDate([]byte(text))
		if ok != (want != date{}) || ok && got != want {
			t.Errorf("ParseDate(%q) = %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"1900-01-01", "2099-12-31", "1899-12-30"} {
		if _, ok := identifier.BirthDate([]byte(text)); ok {
			t.Errorf("BirthDate(%q): want none", text)
		}
	}
	if got := string(date{1980, 2, 1}.Append(nil)); got != "19800201" {
		t.Errorf("Append = %q", got)
	}
}

func TestAge(t *testing.T) {
	for text, want := range map[string]int{"92": 92, "92 y/o": 92, "92yo": 92, "101-year-old": 101, "7 years": 7, "": -1, "old": -1, "140": -1, "92 mg": -1, "1234": -1} {
		got, ok := identifier.Age([]byte(text))
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("Age(%q) = %d, %t", text, got, ok)
		}
	}
}

func TestParts(t *testing.T) {
	if y, ok := identifier.Year([]byte("1980")); !ok || y != 1980 {
		t.Error("Year: want 1980")
	}
	if _, ok := identifier.Year([]byte("80")); ok {
		t.Error("Year: two digits are none")
	}
	if m, ok := identifier.Month([]byte("March")); !ok || m != 3 {
		t.Error("Month: want 3")
	}
	if _, ok := identifier.Month([]byte("13")); ok {
		t.Error("Month: 13 is none")
	}
	if d, ok := identifier.Day([]byte("07")); !ok || d != 7 {
		t.Error("Day: want 7")
	}
	if _, ok := identifier.Day([]byte("32")); ok {
		t.Error("Day: 32 is none")
	}
}

func TestIP(t *testing.T) {
	for text, want := range map[string]identifier.IPClass{
		"8.8.8.8": identifier.Public, "2a00:1450::1": identifier.Public, "10.1.2.3": identifier.Private, "127.0.0.1": identifier.Private,
		"fe80::1": identifier.Private, "255.255.255.255": identifier.Private, "::ffff:10.0.0.1": identifier.Private, "192.0.2.7": identifier.Sample,
		"2001:db8::1": identifier.Sample, "198.19.0.1": identifier.Sample, "1.2.3": identifier.NotIP, "1.2.3.4.5": identifier.NotIP, "": identifier.NotIP,
		"300.1.1.1": identifier.NotIP, "12:30": identifier.NotIP,
	} {
		if got := identifier.IP([]byte(text)); got != want {
			t.Errorf("IP(%q) = %d, want %d", text, got, want)
		}
	}
}

// FuzzValidators: no panic on any bytes, and a value is not changed.
func FuzzValidators(f *testing.F) {
	for _, seed := range []string{"237-96-2820", "2FH5-UF6-NK84", "17MAY1980", "(01)13465995954590(21)4", "+H123ABC45/$$1", "508-234-5678 x1", "a@b.cd", "PO Box 1", "9", "=/A=,"} {
		f.Add([]byte(seed))
	}
	bools := []func([]byte) bool{identifier.NPI, identifier.DEA, identifier.ZIP, identifier.RestrictedZIP3, identifier.Street, identifier.RecordNumber,
		identifier.UUID, identifier.Name, identifier.Placeholder, identifier.VIN, identifier.UDI, identifier.ICD10, identifier.DottedICD10, identifier.ICD9,
		identifier.NDC, identifier.LOINC, identifier.SNOMED, identifier.CPT}
	valids := []func([]byte) identifier.Valid{identifier.DashedSSN, identifier.Phone, identifier.FormattedPhone, identifier.Email, identifier.Card}
	f.Fuzz(func(t *testing.T, v []byte) {
		before := string(v)
		for _, valid := range bools {
			valid(v)
		}
		for _, valid := range valids {
			valid(v)
		}
		identifier.SSN(v)
		identifier.MBI(v)
		identifier.HICN(v)
		identifier.IP(v)
		identifier.Age(v)
		if len(v) > 0 {
			identifier.ProperName(v)
		}
		if d, ok := identifier.ParseDate(v); ok && !d.OK() {
			t.Error("ParseDate answers a date that is not in the calendar")
		}
		if string(v) != before {
			t.Error("a validator changed the value")
		}
	})
}

// TestNoAllocation holds the validators to what the package promises.
func TestNoAllocation(t *testing.T) {
	ssn, date, name, phone, mail := []byte("237-96-2820"), []byte("17-May-1980"), []byte("Schmidt, Curt"), []byte("(508) 555-2164"), []byte("jane@clinic.com")
	if n := testing.AllocsPerRun(100, func() {
		identifier.SSN(ssn)
		identifier.ParseDate(date)
		identifier.Name(name)
		identifier.Phone(phone)
		identifier.Email(mail)
		identifier.MBI(ssn)
		identifier.Card(phone)
		identifier.RecordNumber(ssn)
		identifier.Street(name)
		identifier.SNOMED(ssn)
		identifier.LOINC(ssn)
	}); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
