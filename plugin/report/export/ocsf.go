package export

import (
	"fmt"
	"strings"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// ocsfVersion is the schema that the names and numbers are taken from.
const ocsfVersion = "1.8.0"

// The classes, in the category Findings (2) or in none (0).
const (
	classBase       = 0
	classCompliance = 2003
	classData       = 2006
)

// ocsfPlaces bounds the places that one event names; its unmapped.places counts
// all.
const ocsfPlaces = 100

type ocsfEvent struct {
	ActivityID   int               `json:"activity_id"`
	ActivityName string            `json:"activity_name"`
	CategoryUID  int               `json:"category_uid"`
	ClassUID     int               `json:"class_uid"`
	TypeUID      int               `json:"type_uid"`
	Time         int64             `json:"time"` // milliseconds since 1970
	SeverityID   int               `json:"severity_id"`
	Severity     string            `json:"severity"`
	StatusID     int               `json:"status_id,omitempty"`
	Status       string            `json:"status,omitempty"`
	Message      string            `json:"message"`
	ActionID     int               `json:"action_id"`
	Action       string            `json:"action"`
	Disposition  int               `json:"disposition_id"`
	Metadata     ocsfMetadata      `json:"metadata"`
	FindingInfo  *ocsfFinding      `json:"finding_info,omitempty"`
	Compliance   *ocsfCompliance   `json:"compliance,omitempty"`
	DataSecurity *ocsfDataSecurity `json:"data_security,omitempty"`
	Remediation  *ocsfRemediation  `json:"remediation,omitempty"`
	Resources    []ocsfResource    `json:"resources,omitempty"`
	Policy       *ocsfPolicy       `json:"policy,omitempty"` // of the profile security_control
	Unmapped     ocsfOwn           `json:"unmapped"`
}

type ocsfMetadata struct {
	Version       string      `json:"version"`
	Product       ocsfProduct `json:"product"`
	UID           string      `json:"uid"`
	OriginalUID   string      `json:"original_event_uid"`
	Sequence      uint64      `json:"sequence"`
	LogName       string      `json:"log_name"`
	EventCode     string      `json:"event_code"`
	Profiles      []string    `json:"profiles"`
	CorrelationID string      `json:"correlation_uid,omitempty"` // joins a container's decisions
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version,omitempty"`
}

type ocsfFinding struct {
	UID       string        `json:"uid"`
	Title     string        `json:"title"`
	Desc      string        `json:"desc,omitempty"`
	Types     []string      `json:"types,omitempty"`
	Analytic  *ocsfAnalytic `json:"analytic,omitempty"`
	CreatedAt int64         `json:"created_time"`
}

type ocsfAnalytic struct {
	UID    string `json:"uid"`
	Name   string `json:"name"`
	TypeID int    `json:"type_id"` // 1: rule
}

type ocsfCompliance struct {
	Standards    []string `json:"standards"`
	Requirements []string `json:"requirements,omitempty"`
	Control      string   `json:"control,omitempty"`
	StatusID     int      `json:"status_id"`
	Status       string   `json:"status"`
}

type ocsfDataSecurity struct {
	CategoryID        int         `json:"category_id"`
	Category          string      `json:"category"`
	ConfidentialityID int         `json:"confidentiality_id"`
	LifecycleStateID  int         `json:"data_lifecycle_state_id"`
	DetectionSystemID int         `json:"detection_system_id"`
	DetectionPattern  string      `json:"detection_pattern"`
	Total             int         `json:"total,omitempty"` // matches
	Policy            *ocsfPolicy `json:"policy,omitempty"`
}

type ocsfRemediation struct {
	Desc string `json:"desc"`
}

type ocsfResource struct {
	UID       string `json:"uid,omitempty"`
	Name      string `json:"name,omitempty"`
	Type      string `json:"type"`
	Namespace string `json:"namespace,omitempty"`
	RoleID    int    `json:"role_id"` // 3: affected
}

type ocsfPolicy struct {
	UID       string `json:"uid"`
	IsApplied bool   `json:"is_applied"`
}

// ocsfOwn is what the schema has no place for.
type ocsfOwn struct {
	LogID       string             `json:"phigate_log_id"`
	Seq         uint64             `json:"phigate_seq"`
	Leaf        string             `json:"phigate_leaf"`
	Kind        string             `json:"phigate_kind"`
	Mode        policy.Mode        `json:"phigate_mode"`
	Places      int                `json:"places,omitempty"`
	Individuals policy.Individuals `json:"individuals"`
	Synthetic   bool               `json:"synthetic,omitempty"`
	NotLooked   int                `json:"not_looked_at,omitempty"`
	Requester   policy.Requester   `json:"requester,omitzero"`
	Origin      policy.Origin      `json:"origin,omitzero"`
}

// ocsf is one event for each rule and action that was found; one that says pass
// where a verdict found nothing; and one for each record of another kind.
func ocsf(e report.Entry) []any {
	d := e.Decision
	switch o := outcome(d); {
	case o == event:
		return []any{ocsfNote(e)}
	case len(d.Findings) == 0:
		return []any{ocsfWhole(e)}
	}
	var out []any
	for i, group := range report.Grouped(d.Findings) {
		out = append(out, ocsfRule(e, i, group))
	}
	return out
}

func ocsfCommon(e report.Entry, class, part int) ocsfEvent {
	d := e.Decision
	ev := ocsfEvent{
		ActivityID: 1, ActivityName: "Create", CategoryUID: class / 1000, ClassUID: class, Time: d.Time.UnixMilli(),
		Message: d.Summary(),
		Metadata: ocsfMetadata{
			Version: ocsfVersion, Product: ocsfProduct{"phigate", "phigate", d.Origin.Version}, UID: fmt.Sprintf("%s/%d", identityOf(e), part), OriginalUID: identityOf(e),
			Sequence: e.Seq, LogName: e.LogID, EventCode: d.Kind, Profiles: []string{"security_control"}, CorrelationID: d.Container,
		},
		Unmapped: ocsfOwn{
			LogID: e.LogID, Seq: e.Seq, Leaf: e.Leaf, Kind: d.Kind, Mode: d.Mode, Individuals: d.Individuals, Requester: d.Requester, Origin: d.Origin,
			NotLooked: totalOf(d.SkippedTotal, len(d.Skipped)),
		},
	}
	if class == classBase {
		ev.ActivityID, ev.ActivityName = 99, d.Kind
	}
	ev.TypeUID = class*100 + ev.ActivityID
	ev.setSeverity(grave(d))
	ev.act(d)
	if d.Policy != "" {
		ev.Policy = &ocsfPolicy{UID: d.Policy, IsApplied: true}
	}
	return ev
}

// setSeverity follows the dictionary's severity_id: 1 informational to 5 critical.
func (ev *ocsfEvent) setSeverity(s policy.Severity) {
	names := []string{"Critical", "High", "Medium", "Low", "Informational"}
	ev.SeverityID, ev.Severity = 5-int(s), names[s]
}

// act follows the profile security_control: what the gate did.
func (ev *ocsfEvent) act(d *policy.Decision) {
	type done struct {
		action      int
		name        string
		disposition int
	}
	is := map[int]done{
		allowed: {1, "Allowed", 1}, denied: {2, "Denied", 2},
		ran: {3, "Observed", 15}, event: {3, "Observed", 17}, // detected; logged
	}[outcome(d)]
	ev.ActionID, ev.Action, ev.Disposition = is.action, is.name, is.disposition
}

// ocsfNote is about phigate itself.
func ocsfNote(e report.Entry) ocsfEvent {
	ev := ocsfCommon(e, classBase, 0)
	ev.StatusID, ev.Status = 1, "Success"
	if grave(e.Decision) != policy.Informational {
		ev.StatusID, ev.Status = 2, "Failure"
	}
	return ev
}

// ocsfWhole is a container about which nothing was found, or nothing decided.
func ocsfWhole(e report.Entry) ocsfEvent {
	d := e.Decision
	ev := ocsfCommon(e, classCompliance, 0)
	ev.StatusID, ev.Status = 1, "New"
	title := "Container judged, no violation found"
	ev.Compliance = &ocsfCompliance{Standards: []string{securityRule}, StatusID: 1, Status: "Pass"}
	switch {
	case d.Kind != "verdict":
		title = "Container without a verdict: " + d.Kind
		ev.Compliance.StatusID, ev.Compliance.Status = 3, "Fail"
	case totalOf(d.SkippedTotal, len(d.Skipped)) > 0: // no result for what could not be looked at
		title = "Container judged, in part"
		ev.Compliance.StatusID, ev.Compliance.Status = 2, "Warning"
	}
	ev.FindingInfo = &ocsfFinding{UID: identityOf(e), Title: title, Desc: d.Summary(), CreatedAt: ev.Time}
	ev.Resources = ocsfContainer(d)
	return ev
}

const securityRule = "HIPAA Security Rule, 45 CFR part 164"

// ocsfRule is one rule and its places.
func ocsfRule(e report.Entry, part int, group []policy.Record) ocsfEvent {
	d, first := e.Decision, group[0]
	class := classCompliance
	if isAboutPeople(first.Rule) {
		class = classData
	}
	ev := ocsfCommon(e, class, part)
	ev.setSeverity(first.Severity)
	ev.StatusID, ev.Status = 1, "New"
	ev.FindingInfo = &ocsfFinding{
		UID: fmt.Sprintf("%s/%s/%s", identityOf(e), first.Rule, first.Action), Title: first.Message, Types: []string{first.Rule},
		Desc: d.Summary(), CreatedAt: ev.Time, Analytic: &ocsfAnalytic{UID: first.Rule, Name: first.Rule, TypeID: 1},
	}
	if first.Fix != "" && class == classCompliance {
		ev.Remediation = &ocsfRemediation{first.Fix}
	}
	ev.Resources = ocsfContainer(d)
	matches := 0
	for i, r := range group {
		matches += max(r.Count, 1)
		if i < ocsfPlaces {
			ev.Resources = append(ev.Resources, ocsfPlace(r))
		}
		ev.Unmapped.Synthetic = (i == 0 || ev.Unmapped.Synthetic) && r.Synthetic
	}
	ev.Unmapped.Places = len(group)
	if class == classData {
		ev.DataSecurity = ocsfData(first.Rule, matches, ev.Policy)
		return ev
	}
	ev.Compliance = &ocsfCompliance{
		Standards: []string{securityRule}, Requirements: citationsOf(group), Control: first.Rule, StatusID: 3, Status: "Fail",
	}
	return ev
}

// ocsfData says what kind of data was met: personal, restricted, at rest, found
// by discovery and classification. A variable of a process is data in use.
func ocsfData(rule string, matches int, p *ocsfPolicy) *ocsfDataSecurity {
	state := 1
	if strings.HasSuffix(rule, "-env") {
		state = 3
	}
	return &ocsfDataSecurity{
		CategoryID: 1, Category: "Personal", ConfidentialityID: 6, LifecycleStateID: state, DetectionSystemID: 4,
		DetectionPattern: rule, Total: matches, Policy: p,
	}
}

func ocsfContainer(d *policy.Decision) []ocsfResource {
	out := []ocsfResource{{UID: d.Container, Name: d.Target, Type: "container", Namespace: d.Namespace, RoleID: 3}}
	if d.Image != "" || d.ImageDigest != "" {
		out = append(out, ocsfResource{UID: d.ImageDigest, Name: d.Image, Type: "container image", RoleID: 4})
	}
	return out
}

func ocsfPlace(r policy.Record) ocsfResource {
	if r.Path == "" {
		return ocsfResource{Name: r.Field, Type: "field of the container's specification", RoleID: 3}
	}
	return ocsfResource{UID: r.Layer, Name: r.Path, Type: "file", RoleID: 3}
}
