package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

// turtleR4 and turtleR5 are a patient and an observation, as the two releases
// write them.
const (
	turtleR4 = "@prefix fhir: <http://hl7.org/fhir/> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n\n" +
		"<http://hl7.org/fhir/Patient/p-7741> a fhir:Patient ;\n  fhir:nodeRole fhir:treeRoot ;\n  fhir:Resource.id [ fhir:value \"p-7741\"] ;\n" +
		"  fhir:Patient.identifier [\n     fhir:index 0;\n     fhir:Identifier.type [ fhir:CodeableConcept.coding [ fhir:index 0; fhir:Coding.code [ fhir:value \"MR\" ] ] ];\n" +
		"     fhir:Identifier.system [ fhir:value \"urn:oid:1.2.36.146\" ];\n     fhir:Identifier.value [ fhir:value \"M8842107\" ]\n  ];\n" +
		"  fhir:Patient.name [ fhir:index 0; fhir:HumanName.family [ fhir:value \"Vandersloot\" ]; fhir:HumanName.given [ fhir:value \"Ottilie\"; fhir:index 0 ] ] ;\n" +
		"  fhir:Patient.birthDate [ fhir:value \"1961-04-30\"^^xsd:date ] .\n\n" +
		"<http://hl7.org/fhir/Observation/o1> a fhir:Observation ; fhir:Observation.subject [ fhir:Reference.reference [ fhir:value \"Patient/p-7741\" ] ] .\n"

	turtleR5 = "PREFIX : <http://hl7.org/fhir/>\nPREFIX xsd: <http://www.w3.org/2001/XMLSchema#>\n# one resource\n" +
		"<http://hl7.org/fhir/Patient/p-7741> a :Patient ; # the patient\n  :nodeRole :treeRoot ;\n  :id [ :v \"p-7741\" ] ;\n" +
		"  :text [ :status [ :v \"generated\" ] ; :div [ :v \"\"\"<div> \"quoted\" [ ; . </div>\"\"\" ] ] ;\n" +
		"  :identifier ( [ :type [ :coding ( [ :code [ :v \"MR\" ] ] ) ] ; :system [ :v \"urn:oid:1.2.36.146\"^^xsd:anyURI ; :l <urn:oid:1.2> ] ; :value [ :v 'M8842107' ] ] ) ;\n" +
		"  :name ( [ :family [ :v \"Vandersloot\" ] ; :given ( [ :v \"Ottilie\" ] [ :v \"R.\" ] ) ] ) ;\n  :active [ :v true ] ; :birthDate [ :v \"1961-04-30\"^^xsd:date ] .\n"
)

func TestTurtle_accept(t *testing.T) {
	for _, text := range []string{turtleR4, turtleR5} {
		detecttest.Accept(t, format.FHIR(), []byte(text), "/srv/patient.ttl", detecttest.Secrets("M8842107", "Vandersloot", "Ottilie", "1961-04-30"),
			detecttest.UTF16(), detecttest.People(1), detecttest.Padding([]byte(strings.Repeat("# it's \"a\" comment <here\n", 20)), []byte("\n# the end\n")))
	}
}

func TestTurtle(t *testing.T) {
	other := strings.NewReplacer("p-7741", "p-7742", "M8842107", "M8842108", "Ottilie", "Bartholomew")
	contained := "@prefix fhir: <http://hl7.org/fhir/> .\n<x> a fhir:Observation; fhir:DomainResource.contained [ a fhir:Patient; fhir:Patient.birthDate [ fhir:value \"1961-04-30\" ];" +
		" fhir:Patient.name [ fhir:HumanName.family [ fhir:value \"Vandersloot\" ] ] ] .\n"
	for name, c := range map[string]struct {
		text                 string
		phi, people, limited int
	}{
		"r4":           {turtleR4, 1, 1, 1},
		"r5":           {turtleR5, 1, 1, 0},
		"two":          {turtleR5 + other.Replace(turtleR5), 2, 2, 0},
		"two_releases": {turtleR4 + turtleR5, 2, 1, 1},
		"contained":    {contained, 1, 1, 0},
		"whole_names":  {strings.NewReplacer("fhir:Patient.birthDate", "<http://hl7.org/fhir/Patient.birthDate>", "fhir:value", "<http://hl7.org/fhir/value>").Replace(turtleR4), 1, 1, 1},
		"open_bracket": {strings.Replace(turtleR4, "fhir:index 0 ] ]", "fhir:index 0 ]", 1), 1, 1, 1},
		"no_end":       {strings.TrimSuffix(turtleR5, " .\n"), 1, 1, 0},

		"observation":  {turtleR4[:strings.Index(turtleR4, "<http://hl7.org/fhir/Patient/")] + turtleR4[strings.Index(turtleR4, "<http://hl7.org/fhir/Obs"):], 0, 0, 1},
		"no_prefix":    {strings.Replace(turtleR4, "@prefix fhir:", "# fhir:", 1), 0, 0, 0},
		"another":      {strings.Replace(turtleR4, "<http://hl7.org/fhir/> .", "<http://example.org/fhir/> .", 1), 0, 0, 0},
		"model":        {"@prefix fhir: <http://hl7.org/fhir/> .\n<x> a fhir:StructureDefinition; fhir:name [ fhir:v \"Vandersloot\" ]; fhir:birthDate [ fhir:v \"1961-04-30\" ] .", 0, 0, 0},
		"ontology":     {"@prefix fhir: <http://hl7.org/fhir/> .\nfhir:Patient a owl:Class ; rdfs:label \"Patient\" .\nfhir:Patient.birthDate a owl:ObjectProperty .\n", 0, 0, 0},
		"not_a_value":  {"@prefix fhir: <http://hl7.org/fhir/> .\n<x> a fhir:Patient ; fhir:birthDate \"1961-04-30\" ; rdfs:label \"Vandersloot\" .\n", 0, 0, 0},
		"within_words": {"PREFIX f: <http://hl7.org/fhir/>\nSELECT ?p WHERE { ?p a f:Patient ; f:birthDate ?b . }\n", 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{256 << 10, 61} {
				if phi, people, limited, _ := counts(t, format.FHIR(), "/srv/a.ttl", c.text, size); phi != c.phi || people != c.people || limited != c.limited {
					t.Errorf("pieces of %d: %d records of %d people, %d limited, want %d of %d, %d", size, phi, people, limited, c.phi, c.people, c.limited)
				}
			}
		})
	}
}

// TestTurtle_hostile: brackets without end, and strings without.
func TestTurtle_hostile(t *testing.T) {
	for name, tail := range map[string]string{
		"nodes":     strings.Repeat("fhir:name [ ", 300_000),
		"closed":    strings.Repeat("fhir:name [ ", 100_000) + strings.Repeat("] ", 100_000) + ".",
		"string":    `fhir:name [ fhir:v """` + strings.Repeat("x", 4<<20),
		"name":      strings.Repeat("x", 4<<20),
		"types":     strings.Repeat("a fhir:Patient ; ", 200_000),
		"subjects":  strings.Repeat("<x> a fhir:Patient . ", 200_000),
		"line_ends": strings.Repeat("\n", 4<<20),
	} {
		t.Run(name, func(t *testing.T) {
			counts(t, format.FHIR(), "/srv/a.ttl", turtleR5+"<y> a :Patient ; "+tail, 256<<10)
		})
	}
}

func FuzzTurtle(f *testing.F) {
	detecttest.Fuzz(f, format.FHIR(), turtleR4, turtleR5)
}
