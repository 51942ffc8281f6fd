package phi_test

import (
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

func TestFileName(t *testing.T) {
	for path, want := range map[string]bool{
		"/srv/patients.csv": true, "/srv/PatientExport.json": true, "/srv/phi_2024.sql": true, "/srv/lab_results.xlsx": true, "/srv/labResults.csv": true,
		"/srv/claims-2024.csv.gz": true, "/srv/members.csv": true, "/srv/837P_out.edi": true, "/srv/my-emr.bak": true, "/srv/a.zip!x/patients.csv": true,
		"/srv/discharge.hl7": true, "/srv/Patients.DB": true,

		"/srv/cryptographic-asset.json": false, "/srv/missingItemRef.json": false, "/srv/claims.json": false, "/srv/members.json": false,
		"/srv/emr.json": false, "/srv/patients.go": false, "/srv/patients": false, "/patients/x.csv": false, "/srv/impatient.csv": false,
		"/srv/.csv": false, "/srv/graphi.csv": false, "/srv/remembers.csv": false, "/srv/patients.py": false, "": false,
	} {
		got := detecttest.Run(phi.FileName(), path, []byte("x"))
		if (got.Of("phi-name") != nil) != want {
			t.Errorf("%s: found %t, want %t", path, !want, want)
		}
	}
	if got := detecttest.Run(phi.FileName(), "/srv/patients.csv", nil); got.Findings != nil {
		t.Error("an empty file is reported")
	}
	if got := detecttest.Run(phi.FileName(), "/srv/patient.json", []byte(`{"resourceType":"StructureDefinition"}`)); got.Findings != nil {
		t.Error("a file of FHIR is reported for its name")
	}
}
