package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const ehrJSON = `{"_type":"COMPOSITION","name":{"_type":"DV_TEXT","value":"Vitals"},"archetype_node_id":"openEHR-EHR-COMPOSITION.encounter.v1",` +
	`"composer":{"_type":"PARTY_IDENTIFIED","name":"Ada Brandt"},"content":[{"_type":"OBSERVATION","archetype_node_id":"openEHR-EHR-OBSERVATION.pulse.v2",` +
	`"subject":{"_type":"PARTY_SELF"}}]}`

const ehrXML = `<composition xmlns="http://schemas.openehr.org/v1" archetype_node_id="openEHR-EHR-COMPOSITION.encounter.v1"><name><value>Vitals</value></name>` +
	`<composer><name>Ada Brandt</name></composer><content archetype_node_id="openEHR-EHR-OBSERVATION.pulse.v2"><subject/></content></composition>`

func TestOpenEHR_accept(t *testing.T) {
	named := strings.Replace(ehrJSON, `{"_type":"PARTY_SELF"}`, `{"_type":"PARTY_IDENTIFIED","name":"Ottilie Vandersloot"}`, 1)
	detecttest.Accept(t, format.OpenEHR(), []byte(named), "/srv/composition.json",
		detecttest.Secrets("Ottilie", "Vandersloot"), detecttest.UTF16(), detecttest.People(1))
}

func TestOpenEHR(t *testing.T) {
	for name, c := range map[string]struct {
		content      string
		phi, limited int
	}{
		"json":        {ehrJSON, 0, 1},
		"xml":         {ehrXML, 0, 1},
		"two":         {"[" + ehrJSON + ",\n" + ehrJSON + "]", 0, 2},
		"in_result":   {`{"q":"SELECT c","rows":[[` + ehrJSON + `]]}`, 0, 1},
		"type_last":   {`{"archetype_node_id":"openEHR-EHR-COMPOSITION.report.v1","content":[],"_type":"COMPOSITION"}`, 0, 1},
		"named":       {strings.Replace(ehrJSON, `"PARTY_SELF"`, `"PARTY_IDENTIFIED","name":"Ottilie Vandersloot"`, 1), 1, 0},
		"named_xml":   {strings.Replace(ehrXML, `<subject/>`, `<subject><name>Ottilie Vandersloot</name></subject>`, 1), 1, 0},
		"template":    {`{"template":{"concept":"openEHR-EHR-COMPOSITION.encounter.v1","rm":"COMPOSITION"}}`, 0, 0},
		"opt":         {`<template xmlns="http://schemas.openehr.org/v1"><archetype_id><value>openEHR-EHR-COMPOSITION.encounter.v1</value></archetype_id></template>`, 0, 0},
		"adl":         {"archetype (adl_version=1.4)\n\topenEHR-EHR-COMPOSITION.encounter.v1\n", 0, 0},
		"observation": {`{"_type":"OBSERVATION","archetype_node_id":"openEHR-EHR-OBSERVATION.pulse.v2"}`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 100, 7} {
				if phi, _, limited, _ := counts(t, format.OpenEHR(), "/a", c.content, size); phi != c.phi || limited != c.limited {
					t.Errorf("windows of %d: %d records and %d limited, want %d and %d", size, phi, limited, c.phi, c.limited)
				}
			}
		})
	}
}

// TestOpenEHR_hostile: what is deep or has no end hides nothing before it.
func TestOpenEHR_hostile(t *testing.T) {
	for name, tail := range map[string]string{
		"nested":   strings.Repeat(`{"archetype_node_id":"openEHR-EHR-COMPOSITION.a","x":[`, 200_000),
		"elements": strings.Repeat(`<a archetype_node_id="openEHR-EHR-COMPOSITION.a">`, 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			got := detecttest.Run(format.OpenEHR(), "/a", []byte(ehrJSON+"\n"+tail), 256<<10).Of(detect.RuleLimited)
			if got == nil {
				t.Error("nothing found")
			}
		})
	}
}

// FuzzOpenEHR: no panic, and the same answer however the file is cut.
func FuzzOpenEHR(f *testing.F) {
	detecttest.Fuzz(f, format.OpenEHR(), ehrJSON, ehrXML, `]}{"@class":"COMPOSITION","archetype_node_id":"openEHR-EHR-COMPOSITION"`)
}
