package export

import (
	"strconv"
	"time"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// The code systems, by their canonical URIs.
const (
	dicomCodes   = "http://dicom.nema.org/resources/ontology/DCM"
	entityType   = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	objectRole   = "http://terminology.hl7.org/CodeSystem/object-role"
	sourceType   = "http://terminology.hl7.org/CodeSystem/security-source-type"
	securityRole = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
	ownCodes     = "https://github.com/phigate/phigate/fhir/CodeSystem/decision"
	ownSystem    = "https://github.com/phigate/phigate/fhir/log"
)

// fhirDetails bounds the findings that one AuditEvent names; a detail of its own
// counts all.
const fhirDetails = 100

// The structures are AuditEvent's of FHIR R4, as far as we fill it.
type fhirEvent struct {
	ResourceType string       `json:"resourceType"`
	Type         fhirCoding   `json:"type"`
	Subtype      []fhirCoding `json:"subtype"`
	Action       string       `json:"action"`
	Recorded     string       `json:"recorded"`
	Outcome      string       `json:"outcome"`
	OutcomeDesc  string       `json:"outcomeDesc"`
	Agent        []fhirAgent  `json:"agent"`
	Source       fhirSource   `json:"source"`
	Entity       []fhirEntity `json:"entity"`
}

type fhirCoding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

type fhirConcept struct {
	Coding []fhirCoding `json:"coding"`
}

type fhirReference struct {
	Identifier *fhirIdentifier `json:"identifier,omitempty"`
	Display    string          `json:"display,omitempty"`
}

type fhirIdentifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
}

type fhirAgent struct {
	Type      fhirConcept   `json:"type"`
	Who       fhirReference `json:"who"`
	Requestor bool          `json:"requestor"`
	Policy    []string      `json:"policy,omitempty"`
	Network   *fhirNetwork  `json:"network,omitempty"`
}

type fhirNetwork struct {
	Address string `json:"address"`
	Type    string `json:"type"` // 5: URI
}

type fhirSource struct {
	Observer fhirReference `json:"observer"`
	Type     []fhirCoding  `json:"type"`
}

type fhirEntity struct {
	What   fhirReference `json:"what"`
	Type   fhirCoding    `json:"type"`
	Role   fhirCoding    `json:"role"`
	Name   string        `json:"name,omitempty"`
	Detail []fhirDetail  `json:"detail,omitempty"`
}

type fhirDetail struct {
	Type        string `json:"type"`
	ValueString string `json:"valueString"`
}

// auditEvent is the record in the shape of BALP's pattern for decisions on
// authorization: a security alert, whose outcome is success where the container
// was admitted and failure where it was refused; who asked and who decided; the
// container, its image and the log's own record as entities. No patient is
// named: phigate knows none. About phigate itself it is an application activity.
func auditEvent(e report.Entry) fhirEvent {
	d := e.Decision
	authorizer := fhirReference{Identifier: &fhirIdentifier{ownSystem, e.LogID}, Display: "phigated"}
	ev := fhirEvent{
		ResourceType: "AuditEvent", Type: fhirCoding{dicomCodes, "110113", "Security Alert"},
		Subtype: []fhirCoding{{ownCodes, d.Kind, ""}}, Action: "E",
		// An instant has milliseconds or more; all of them sort as text.
		Recorded: d.Time.UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), OutcomeDesc: d.Summary(),
		Agent:  []fhirAgent{fhirAuthorizer(d, authorizer), fhirClient(d)},
		Source: fhirSource{authorizer, []fhirCoding{{sourceType, "4", "Application Server"}}},
		Entity: []fhirEntity{logEntity(e)},
	}
	ev.Outcome = fhirOutcome(d)
	switch d.Kind {
	case "start", "stop":
		ev.Type = fhirCoding{dicomCodes, "110100", "Application Activity"}
		ev.Subtype = append(ev.Subtype, map[string]fhirCoding{
			"start": {dicomCodes, "110120", "Application Start"}, "stop": {dicomCodes, "110121", "Application Stop"},
		}[d.Kind])
	case "policy-loaded", "policy-rejected":
		ev.Action = "U"
		ev.Subtype = append(ev.Subtype, fhirCoding{dicomCodes, "110131", "Security Configuration"})
	}
	if d.Container != "" || outcome(d) != event {
		ev.Entity = append(ev.Entity, containerEntity(d))
	}
	if d.Image != "" || d.ImageDigest != "" {
		ev.Entity = append(ev.Entity, imageEntity(d))
	}
	return ev
}

// fhirOutcome follows audit-event-outcome: 0 success, 4 and 8 failures of the
// action, 12 made unavailable.
func fhirOutcome(d *policy.Decision) string {
	switch {
	case outcome(d) == denied:
		return "8"
	case outcome(d) == ran, d.Kind == "policy-rejected":
		return "4"
	case d.Kind == "log-damaged", d.Kind == "log-outage":
		return "12"
	}
	return "0"
}

func fhirAuthorizer(d *policy.Decision, who fhirReference) fhirAgent {
	a := fhirAgent{
		Type: fhirConcept{[]fhirCoding{{securityRole, "authserver", "authorization server"}}}, Who: who,
		Requestor: outcome(d) == event, // it acts of its own accord
	}
	if d.Policy != "" {
		a.Policy = []string{"urn:phigate:policy:" + d.Policy}
	}
	return a
}

// fhirClient is the program that asked. Who stands behind it phigate does not
// know, and does not guess.
func fhirClient(d *policy.Decision) fhirAgent {
	name := d.Runtime
	if name == "" {
		name = "unknown"
	}
	return fhirAgent{
		Type: fhirConcept{[]fhirCoding{{dicomCodes, "110150", "Application"}}}, Who: fhirReference{Display: "container runtime client: " + name},
		Requestor: outcome(d) != event, Network: &fhirNetwork{"unix:" + string(d.Gate), "5"},
	}
}

// systemObject is an entity that is a thing; role 4 is a domain resource.
func systemObject(what fhirReference) fhirEntity {
	return fhirEntity{
		What: what, Type: fhirCoding{entityType, "2", "System Object"}, Role: fhirCoding{objectRole, "4", "Domain Resource"},
	}
}

// logEntity is where the record is kept and what proves it; role 13 is a
// security resource.
func logEntity(e report.Entry) fhirEntity {
	out := systemObject(fhirReference{Identifier: &fhirIdentifier{ownSystem, identityOf(e)}, Display: "decision log record"})
	out.Role = fhirCoding{objectRole, "13", "Security Resource"}
	o := e.Origin
	out.Detail = details("log", e.LogID, "seq", strconv.FormatUint(e.Seq, 10), "leaf", e.Leaf,
		"node", o.Node, "machineId", o.Machine, "bootId", o.Boot, "clock", string(o.Clock), "version", o.Version, "programDigest", o.Digest)
	return out
}

func containerEntity(d *policy.Decision) fhirEntity {
	out := systemObject(fhirReference{Display: "container " + d.Target})
	if d.Container != "" {
		out.What.Identifier = &fhirIdentifier{Value: d.Container}
	}
	out.Name = d.Target
	out.Detail = details("gate", string(d.Gate), "mode", d.Mode.String(), "namespace", d.Namespace, "pod", d.Pod, "podUid", d.PodUID,
		"requester", d.Requester.Name, "requesterFrom", string(d.Requester.From),
		"withdraws", number(int(d.Withdraws)), "findings", strconv.Itoa(totalOf(d.FindingsTotal, len(d.Findings))),
		"notLookedAt", strconv.Itoa(totalOf(d.SkippedTotal, len(d.Skipped))), "filesLookedAt", strconv.FormatInt(d.Coverage.Files, 10),
		"individualsLow", number(d.Individuals.Low), "individuals", number(d.Individuals.Point), "individualsHigh", number(d.Individuals.High),
		"duration", (time.Duration(d.DurationUs) * time.Microsecond).String())
	for i, r := range d.Findings {
		if i == fhirDetails {
			break
		}
		out.Detail = append(out.Detail, fhirDetail{"finding", r.Action.String() + " " + r.Severity.String() + " " + phrase(r)})
	}
	for _, c := range citationsOf(d.Findings) {
		out.Detail = append(out.Detail, fhirDetail{"citation", c})
	}
	return out
}

func imageEntity(d *policy.Decision) fhirEntity {
	out := systemObject(fhirReference{Display: "container image " + d.Image})
	if d.ImageDigest != "" {
		out.What.Identifier = &fhirIdentifier{Value: d.ImageDigest}
	}
	out.Name = d.Image
	return out
}

// phrase is a finding in one line: rule, what, where.
func phrase(r policy.Record) string {
	where := r.Path
	if where == "" {
		where = r.Field
	}
	return r.Rule + ": " + r.Message + " (" + where + ")"
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// details pairs types and values, and leaves the empty ones out.
func details(pairs ...string) []fhirDetail {
	var out []fhirDetail
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, fhirDetail{pairs[i], pairs[i+1]})
		}
	}
	return out
}
