package catalogue_test

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/catalogue"
)

// hostileTexts are pieces of text that keep detectors busy: each is repeated
// until the file is long enough, behind its beginning.
var hostileTexts = map[string]struct{ begin, piece string }{
	"birth_dates":        {"", "dob=1980-02-01 "},
	"birth_dates_lines":  {"", "patient dob: 1980-02-01\n"},
	"records":            {"", "patient name: Doe, Jane dob: 1980-02-01 mrn: 40000017 diagnosis: J45.909\n"},
	"records_one_line":   {"", "patient name: Doe, Jane dob: 1980-02-01 mrn: 40000017 diagnosis: J45.909; "},
	"labels":             {"", "mrn "},
	"labels_bare":        {"", " ssn dob mrn"},
	"label_words":        {"", "patient name medical record "},
	"quotes":             {patientRows, `"`},
	"quoted_cells":       {patientRows, "\"a\"\"b,\n"},
	"open_quotes":        {patientRows, "\"a,\n"},
	"table":              {"", "mrn,last_name,dob,diagnosis\n"},
	"table_rows":         {patientRows, "40000018,Quimby,Ada,1980-02-01,J45.909\n"},
	"header_words":       {"", ",mrn,dob"},
	"insert":             {"", "INSERT INTO "},
	"insert_people":      {"", "INSERT INTO patients (mrn, last_name, dob) VALUES ("},
	"insert_rows":        {"INSERT INTO patients (mrn, last_name, dob) VALUES ", "('40000017','Quimby','1980-02-01'),"},
	"insert_string":      {"INSERT INTO patients (mrn, last_name, dob) VALUES ('", "''"},
	"inserts":            {"", "INSERT INTO patients (mrn, last_name, dob) VALUES ('40000017','Quimby','1980-02-01');\n"},
	"create":             {"", "CREATE TABLE patients (mrn int, last_name text, dob date);\n"},
	"create_open":        {"", "CREATE TABLE patients (mrn"},
	"copy":               {"", "COPY patients (mrn, last_name, dob) FROM stdin;\n"},
	"json_keys":          {"", `"dob":`},
	"json_objects":       {"", `{"lastName":"Quimby","dob":"1980-02-01"},`},
	"json_one_line":      {"[", `{"lastName":"Quimby","firstName":"Ada","dob":"1980-02-01","mrn":"40000017"},`},
	"json_in_strings":    {"[", `"{\"lastName\":\"Quimby\",\"dob\":\"1980-02-01\"}",`},
	"json_nested":        {"", `{"dob":[`},
	"json_open":          {`{"dob":"`, `\"`},
	"json_numbers":       {`{"dob":[`, `1,`},
	"xml_elements":       {"", "<dob>"},
	"xml_attributes":     {"", `<a lastname="Quimby" dob="1980-02-01">`},
	"xml_entities":       {"<dob>", "&amp;"},
	"fhir_anchors":       {"", `"resourceType"`},
	"fhir_patients":      {"", patientJSON + "\n"},
	"fhir_open":          {"", `{"resourceType":"Patient","name":[`},
	"fhir_xml_anchors":   {"", `="http://hl7.org/fhir"`},
	"cda_anchors":        {"", `"urn:hl7-org:v3"`},
	"cda_roles":          {"", "<patientRole>"},
	"hl7_headers":        {"", `MSH|^~\&|`},
	"hl7_lines":          {"", "MSH|^~\\&|\rPID|1||40000017^^^A^MR||Quimby^Ada||19800201\r"},
	"hl7_pids":           {"", "PID|1|"},
	"hl7_repetitions":    {"MSH|^~\\&|\rPID|1||", "4^^^A^MR~"},
	"x12_headers":        {"", "ISA*00*"},
	"x12_groups":         {"", "GS*HC*ST*837*"},
	"x12_members":        {"", "NM1*IL*1*QUIMBY*ADA****MI*40000017~"},
	"ncpdp_segments":     {"", "\x1cAM01"},
	"ncpdp_claims":       {"", "\x1e\x1cAM01\x1cCAADA\x1cCBQUIMBY\x1cC419800201"},
	"ncpdp_escaped":      {"", `\u001cAM01`},
	"script_edifact":     {"", "UIH+SCRIPT"},
	"script_edifact_ptt": {"", "UIH+SCRIPT'PTT+1+19800201+QUIMBY:ADA'"},
	"script_xml":         {"", `HumanPatient>`},
	"script_domain":      {"", `<M TransactionDomain="SCRIPT"`},
	"mumps":              {"", "^DPT(1,0)=\"QUIMBY,ADA^F^2800201\"\n"},
	"mumps_open":         {"", `^DPT(1,`},
	"openehr":            {"", `"openEHR-EHR-COMPOSITION`},
	"pem":                {"", "-----BEGIN RSA PRIVATE KEY-----\n"},
	"pem_bodies":         {"", "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("QUJD", 200)},
	"pgp":                {"", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"},
	"putty":              {"", "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n"},
	"jwt":                {"", "eyJhbGciOi"},
	"jwt_long":           {"eyJhbGciOiJIUzI1NiJ9.eyJ", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0"},
	"aws":                {"", "AKIAQWERTYUIOPASDFGH "},
	"github":             {"", "ghp_"},
	"github_tokens":      {"", "ghp_0123456789abcdefghijABCDEFGHIJ012345\n"},
	"passwords":          {"", `password="`},
	"passwords_valued":   {"", "password = \"q8Zr2LwXv9Tb\"\n"},
	"api_keys":           {"", "api_key="},
	"secrets":            {"", "secret_key: "},
	"urls":               {"", "postgres://a:"},
	"urls_valued":        {"", "postgres://app:q8Zr2LwXv9Tb@db/x\n"},
	"kube":               {"", "\nkind: Secret\n"},
	"kube_token":         {"", "\n    token: A"},
	"kube_key":           {"", "client-key-data"},
	"base64":             {"", "QUtJQVFXRVJUWVVJT1BBU0RGR0g"},
	"zeros":              {"", "\x00"},
	"blanks":             {"", " "},
	"lines":              {"", "\n"},
	"wide":               {"\xff\xfe", "d\x00o\x00b\x00=\x00001\x00"},
}

const (
	patientRows = "mrn,last_name,first_name,dob,diagnosis\n40000017,Quimby,Ada,1980-02-01,J45.909\n"
	patientJSON = `{"resourceType":"Patient","name":[{"family":"Quimby","given":["Ada"]}],"birthDate":"1980-02-01"}`
)

// How fast hostile text must be read: at so many bytes a second at least, which
// leaves room for a busy machine, and in time that grows as its size does.
const (
	hostileRate  = 2 << 20
	hostileBytes = 4 << 20
)

// worked is the processor time of this process: others keep the machine busy.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestHostileText(t *testing.T) {
	set, err := detect.NewSet(catalogue.All())
	if err != nil {
		t.Fatal(err)
	}
	scan := set.NewScan(func(identity []byte) [16]byte {
		sum := sha256.Sum256(identity)
		return [16]byte(sum[:])
	})
	for name, h := range hostileTexts {
		t.Run(name, func(t *testing.T) {
			content := append([]byte(h.begin), bytes.Repeat([]byte(h.piece), hostileBytes/len(h.piece))...)
			began := worked(t)
			scan.Open("/a", int64(len(content)))
			scan.Write(content)
			scan.Close()
			rate := float64(len(content)) / (worked(t) - began).Seconds()
			if rate < hostileRate {
				t.Errorf("%.1f MB/s", rate/1e6)
			}
			t.Logf("%.1f MB/s", rate/1e6)
		})
	}
}
