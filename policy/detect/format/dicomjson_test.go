package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const dicomMetadata = `[{"00080005":{"vr":"CS","Value":["ISO_IR 100"]},"00080060":{"vr":"CS","Value":["CT"]},` +
	`"00100010":{"vr":"PN","Value":[{"Alphabetic":"Vandersloot^Ottilie","Ideographic":"x=y"}]},"00100020":{"vr":"LO","Value":["M8842107"]},` +
	`"00100021":{"vr":"LO","Value":["Mercy"]},"00100030":{"vr":"DA","Value":["19610430"]},"00101002":{"vr":"SQ","Value":[{"00100020":{"vr":"LO","Value":["X1"]}}]}},` + "\n" +
	`{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Vandersloot^Ottilie"}]},"00100020":{"vr":"LO","Value":["M8842107"]},"00100021":{"vr":"LO","Value":["Mercy"]}}]`

func TestDICOMJSON_accept(t *testing.T) {
	detecttest.Accept(t, format.DICOMJSON(), []byte(dicomMetadata), "/srv/metadata.json",
		detecttest.Secrets("M8842107", "Vandersloot", "Ottilie", "19610430", "Mercy"), detecttest.UTF16(), detecttest.People(1))
}

func TestDICOMJSON(t *testing.T) {
	other := strings.NewReplacer("Vandersloot^Ottilie", "Kowalczyk^Bartholomew", "M8842107", "M8842108").Replace(dicomMetadata)
	for name, c := range map[string]struct {
		text        string
		phi, people int
	}{
		"one_patient":   {dicomMetadata, 2, 1},
		"two":           {dicomMetadata + "\n" + other, 4, 2},
		"indented":      {"{\n \"00100010\" : {\n  \"vr\" : \"PN\",\n  \"Value\" : [ {\n \"Alphabetic\" : \"Vandersloot^Ottilie\" } ] } }", 1, 1},
		"empty":         {`[{"00100010":{"vr":"PN"},"00100020":{"vr":"LO","Value":[""]},"00100030":{"vr":"DA"}}]`, 0, 0},
		"de_identified": {`[{"00120062":{"vr":"CS","Value":["YES"]},"00100010":{"vr":"PN"},"00100020":{"vr":"LO","Value":["A1"]}}]`, 0, 0},
		"dictionary":    {`{"00100010":{"tag":"(0010,0010)","vr":"PN","name":"PatientName"},"00100020":{"vr":"LO","name":"PatientID"}}`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if phi, people, _, _ := counts(t, format.DICOMJSON(), "/srv/a.json", c.text, 256<<10); phi != c.phi || people != c.people {
				t.Errorf("%d records of %d people, want %d of %d", phi, people, c.phi, c.people)
			}
		})
	}
}

func FuzzDICOMJSON(f *testing.F) {
	detecttest.Fuzz(f, format.DICOMJSON(), dicomMetadata)
}
