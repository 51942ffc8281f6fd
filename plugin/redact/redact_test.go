package redact

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
)

func redactor() Redactor {
	return Redactor{Keyed: func(b []byte) (out [16]byte) {
		sum := sha256.Sum256(append([]byte("key"), b...))
		copy(out[:], sum[:])
		return out
	}}
}

func TestText(t *testing.T) {
	for text, class := range map[string]string{
		"/data/219-09-9981.pdf": "social", "/data/219_09_9981": "social", "scan ssn=219099981.tif": "social", "job-ssn-219099981": "social",
		"/x/1EG4-TE5-MK72.txt": "medicare", "pod-1eg4te5mk72-0": "medicare",
		"/hl7/mrn-00482913.hl7": "record", "patient_4821973.json": "record", "patient-id:ab-48219": "record", "/p/medrec.no.93847561": "record",
		"dob-1971-03-04.csv": "date", "born 03/04/1971": "date", "birthdate=19710304": "date",
		"call 202-456-1414 now": "phone", "(202) 456-1414": "phone", "+1-202-456-1414": "phone", "/vm/+442079460958.wav": "phone",
		"mail/jane.roe@clinic.example.org.eml": "email",
	} {
		got := redactor().Text(text)
		if !strings.Contains(got, "["+class+":x") {
			t.Errorf("%q becomes %q, want class %s", text, got, class)
		}
		if strings.Contains(got, "9981") || strings.Contains(got, "48219") || strings.Contains(got, "1414") || strings.Contains(got, "jane") {
			t.Errorf("%q still shows the value", text)
		}
	}
}

// TestTextUncovered: a value beside another is seen when that one is gone.
func TestTextUncovered(t *testing.T) {
	for _, text := range []string{"ssn219099981.219-09-9981", "mrn48219.219-09-9981"} {
		if got := redactor().Text(text); strings.Contains(got, "9981") || strings.Contains(got, "48219") {
			t.Errorf("%q still shows a value", got)
		}
	}
}

// Ordinary names stay as they are, or nobody could find the file.
func TestTextLeavesOrdinaryNames(t *testing.T) {
	for _, text := range []string{
		"", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/data/phi/patients.csv", "registry.example:5000/clinic/portal:1.4.2@sha256:" + strings.Repeat("a1", 32),
		"backup-2026-11-27.sql", "/var/log/app.2026-11-27T08:00:00Z.log", "portal-7c9d8f6b5d-x2x9z", "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
		"process.env[12]", "10.200.30.4000", "/opt/python3.11/lib/12345.pyc", "decision 4711 came too late", "1,203 people", "45 CFR 164.312(a)(1)",
		"policy clinic enforces from 2026-12-15T00:00:00Z on", "port 21/tcp", "/lib/modules/6.18.0/kernel", "chart-2.1.0.tgz", "git@v1",
	} {
		if got := redactor().Text(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// The same number has the same fingerprint however it is written, and marks have
// a fixed width.
func TestFingerprints(t *testing.T) {
	r := redactor()
	if a, b := r.Text("a 219-09-9981"), r.Text("a 219.09.9981"); a != b {
		t.Errorf("%q and %q", a, b)
	}
	if a, b := r.Text("mrn 48219"), r.Text("mrn 482190000000"); len(a) != len(b) {
		t.Errorf("%q and %q tell how long the number is", a, b)
	}
	other := Redactor{Keyed: func([]byte) (out [16]byte) { return out }}
	if r.Text("mrn 48219") == other.Text("mrn 48219") {
		t.Error("another key gives the same fingerprint")
	}
	if got := (Redactor{}).Text("mrn 48219"); got != "mrn 48219" {
		t.Errorf("without a key: %q", got)
	}
}

func planted(value string) *policy.Decision {
	return &policy.Decision{
		Kind: "verdict", Target: "ns/" + value, Namespace: value, Pod: "pod-" + value, Image: "r/" + value, Message: value, Notes: []string{value},
		Findings:      []policy.Record{{Rule: "phi-table", Path: "/d/" + value + ".csv", Field: "process.env[" + value + "]", Message: value}},
		Skipped:       []policy.SkipEntry{{Where: "/z/" + value, Reason: value}},
		PolicyVersion: value, Requester: policy.Requester{Name: value},
		Exceptions: []policy.ExceptionUse{{Reason: value, RequestedBy: "a@clinic.example", ApprovedBy: []string{"b@clinic.example"}}},
	}
}

func TestDecision(t *testing.T) {
	d := planted("219-09-9981")
	shared := d.Notes
	redactor().Decision(d)
	if text := fmt.Sprintf("%+v", *d); strings.Contains(text, "9981") {
		t.Error("a field still shows the value")
	}
	if shared[0] != "219-09-9981" {
		t.Error("a list that is another's was changed")
	}
	if d.Exceptions[0].RequestedBy != "a@clinic.example" {
		t.Error("who asked is gone")
	}
	who := &policy.Decision{Requester: policy.Requester{Name: "jane.roe@clinic.example"}}
	if redactor().Decision(who); who.Requester.Name != "jane.roe@clinic.example" {
		t.Error("who asked for the container is gone")
	}
}

// FuzzText: redacted twice is redacted once, and nothing ends the program.
func FuzzText(f *testing.F) {
	for _, s := range []string{"ssn 219099981 219-09-9981", "mrn:1234mrn:1234", "a@b.cd e@f.gh", "(202) 456-1414 202.456.1414", "dob 1971-03-04 19710304", "[record:x0123456789ab]", "ssn219099981.219-09-9981"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := redactor().Text(s)
		if twice := redactor().Text(once); twice != once {
			t.Errorf("%q, then %q", once, twice)
		}
	})
}

func BenchmarkDecision(b *testing.B) {
	r := redactor()
	d := planted("portal")
	for i := range 20 {
		d.Findings = append(d.Findings, policy.Record{Rule: "private-key", Path: fmt.Sprintf("/usr/share/doc/libssl/test%d/key.pem", i), Message: "Private key without a passphrase"})
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Decision(d)
	}
}
