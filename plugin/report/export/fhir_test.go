package export

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// decodeStrictly reads an AuditEvent into the structures that are generated from
// FHIR R4's own definitions, which refuse unknown elements and codes.
func decodeStrictly(t *testing.T, line []byte) fhir.OtherAuditEvent {
	t.Helper()
	var ev struct {
		fhir.OtherAuditEvent
		ResourceType string `json:"resourceType"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&ev); err != nil {
		t.Fatal(err)
	}
	if ev.ResourceType != "AuditEvent" {
		t.Errorf("resourceType %q", ev.ResourceType)
	}
	return ev.OtherAuditEvent
}

// What is held against each event: FHIR R4 4.0.1 AuditEvent's required elements
// (type, recorded, agent, agent.requestor, source, source.observer), and what IHE
// BALP 1.1.4 asks in its profile for decisions on authorization
// (IHE.BasicAudit.AuthZconsent) as far as it does not speak of a patient's
// consent, which there is none of here: no modifierExtension; type from DICOM's
// codes, at least one subtype, an outcome; at least two agents, each with type and
// who, the client with its network; the agent that decided is the source's
// observer (invariant val-audit-source); entities with type, role and what. The
// profiles' StructureDefinitions are not to be had as a package here.
func TestFHIR(t *testing.T) {
	for _, e := range records() {
		ev := decodeStrictly(t, written1(t, "fhir", e))
		bad := func(what string) { t.Errorf("record %d (%s): %s", e.Seq, e.Kind, what) }
		if ev.Type.System == nil || *ev.Type.System != dicomCodes || ev.Type.Code == nil || len(ev.Subtype) == 0 {
			bad("type or subtype")
		}
		if _, err := time.Parse(time.RFC3339Nano, ev.Recorded); err != nil || ev.Action == nil || ev.Outcome == nil || ev.OutcomeDesc == nil {
			bad("recorded, action or outcome")
		}
		checkAgents(bad, ev)
		if len(ev.ModifierExtension) > 0 || len(ev.Entity) == 0 {
			bad("modifierExtension, or no entity")
		}
		for _, entity := range ev.Entity {
			if entity.What == nil || entity.Type == nil || entity.Role == nil {
				bad("an entity without what, type or role")
			}
			for _, d := range entity.Detail {
				if d.Type == "" || d.ValueString == "" {
					bad("an empty detail")
				}
			}
		}
		if n := len(ev.Entity); e.Kind == "verdict" && n < 2 {
			bad("a verdict names its container")
		}
	}
}

func checkAgents(bad func(string), ev fhir.OtherAuditEvent) {
	requestors, observed := 0, false
	for _, a := range ev.Agent {
		if a.Type == nil || len(a.Type.Coding) == 0 || a.Who == nil {
			bad("an agent without type or who")
			return
		}
		if a.Requestor {
			requestors++
		}
		if *a.Type.Coding[0].Code == "110150" && (a.Network == nil || a.Network.Address == nil) {
			bad("the client has no network")
		}
		same, _ := json.Marshal(a.Who)
		observer, _ := json.Marshal(ev.Source.Observer)
		observed = observed || bytes.Equal(same, observer)
	}
	if len(ev.Agent) < 2 || requestors != 1 || !observed {
		bad("agents: two at least, one requestor, one the observer")
	}
}

// A FHIR string has no blanks at its ends and at most 1 MiB.
func TestFHIRStrings(t *testing.T) {
	for _, e := range records() {
		for _, entity := range auditEvent(e).Entity {
			for _, s := range []string{entity.Name, entity.What.Display} {
				if s != strings.TrimSpace(s) || len(s) > 1<<20 {
					t.Errorf("record %d: %q is no FHIR string", e.Seq, s)
				}
			}
		}
	}
}
