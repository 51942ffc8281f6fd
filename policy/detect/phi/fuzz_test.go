package phi_test

import (
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

func FuzzTable(f *testing.F) {
	detecttest.Fuzz(f, phi.Table(), patients, nameless, "mrn\tdob\n\"1234\n5678\"\t1980-02-01",
		"\xFF\xFEm\x00r\x00n\x00,\x00d\x00o\x00b\x00\n\x001\x002\x003\x004\x00,\x001\x009\x008\x000\x00-\x001\x00-\x001\x00")
}

func FuzzSQL(f *testing.F) {
	detecttest.Fuzz(f, phi.SQL(), copied, inserted, "INSERT [t] ([mrn], [dob]) VALUES (N'12345678', CAST(N'1980' AS d))",
		"create table patients (a `b`, ((\ninsert into patients values ('\\'','\ninsert into patients (mrn")
}

func FuzzText(f *testing.F) {
	detecttest.Fuzz(f, phi.Text(), note, logged, "Patient: A B\n\n\nDOB=May 17, 1980 mrn#\x00 medicare: 2FH5-UF6-NK84")
}

func FuzzJSON(f *testing.F) {
	detecttest.Fuzz(f, phi.JSON(), listed, perLine, `]]}{"a":"{\"dob\":\"1980-02-01\"}","dob":[[{"ssn":"237-96-2820`)
}

func FuzzXML(f *testing.F) {
	detecttest.Fuzz(f, phi.XML(), dataset, elements, `</a></b><dob>1980<x dob="1980-02-01`)
}
