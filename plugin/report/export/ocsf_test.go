package export

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
)

// What OCSF 1.8.0 says of the attributes that we fill: requirement and values of
// events/base_event, findings/finding, compliance_finding and
// data_security_finding, profiles/security_control, the objects and the
// dictionary of the repository ocsf-schema at version 1.8.0 (commit
// 3dcb905d). The schema is not to be had as a Go module or an npm package.
const ocsfTable = `
activity_id number required
activity_name string
category_uid number required 0,2
class_uid number required 0,2003,2006
type_uid number required 99,200301,200601
time number required
severity_id number required 0,1,2,3,4,5,6,99
severity string Unknown,Informational,Low,Medium,High,Critical,Fatal,Other
status_id number
status string
message string
action_id number 0,1,2,3,4,99
action string
disposition_id number 0,1,2,15,17,99
metadata object required
metadata.version string required 1.8.0
metadata.product object required
metadata.product.name string
metadata.product.vendor_name string
metadata.product.version string
metadata.uid string
metadata.original_event_uid string
metadata.sequence number
metadata.log_name string
metadata.event_code string
metadata.profiles[] string cloud,container,datetime,host,security_control
metadata.correlation_uid string
finding_info object
finding_info.uid string required
finding_info.title string
finding_info.desc string
finding_info.types[] string
finding_info.created_time number
finding_info.analytic object
finding_info.analytic.uid string
finding_info.analytic.name string
finding_info.analytic.type_id number required 0,1,2,3,4,5,6,7,8,9,10,11,99
compliance object
compliance.standards[] string
compliance.requirements[] string
compliance.control string
compliance.status_id number 0,1,2,3,99
compliance.status string
data_security object
data_security.category_id number 0,1,2,3,4,5,6,99
data_security.category string
data_security.confidentiality_id number 0,1,2,3,4,5,6,99
data_security.data_lifecycle_state_id number 0,1,2,3,99
data_security.detection_system_id number 0,1,2,3,4,5,6,7,8,9,10,11,12,99
data_security.detection_pattern string
data_security.total number
data_security.policy object
data_security.policy.uid string
data_security.policy.is_applied bool
remediation object
remediation.desc string required
resources[] object
resources[].uid string
resources[].name string
resources[].type string
resources[].namespace string
resources[].role_id number 0,1,2,3,4,99
policy object
policy.uid string
policy.is_applied bool
`

// ocsfClasses adds what only one class requires, and what none but it has.
var ocsfClasses = map[float64]struct{ need, mayNot []string }{
	0:    {nil, []string{"finding_info", "compliance", "data_security", "resources", "remediation"}},
	2003: {[]string{"finding_info", "compliance"}, []string{"data_security"}},
	2006: {[]string{"finding_info"}, []string{"compliance", "remediation"}},
}

func TestOCSF(t *testing.T) {
	s := table(ocsfTable, "unmapped")
	seen := map[float64]bool{}
	for _, e := range records() {
		for line := range bytes.Lines(written1(t, "ocsf", e)) {
			s.check(t, line)
			var ev map[string]any
			if err := json.Unmarshal(line, &ev); err != nil {
				t.Fatal(err)
			}
			class := ev["class_uid"].(float64)
			seen[class] = true
			for _, name := range ocsfClasses[class].need {
				if ev[name] == nil {
					t.Errorf("record %d: class %v requires %s", e.Seq, class, name)
				}
			}
			for _, name := range ocsfClasses[class].mayNot {
				if ev[name] != nil {
					t.Errorf("record %d: class %v has no %s", e.Seq, class, name)
				}
			}
			if want := class*100 + ev["activity_id"].(float64); ev["type_uid"] != want {
				t.Errorf("record %d: type_uid %v, want %v", e.Seq, ev["type_uid"], want)
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("classes %v; want the base event, 2003 and 2006", seen)
	}
}

// uids of events are distinct, or a sink would take one for the other.
func TestOCSFEventsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range records() {
		for _, o := range ocsf(e) {
			uid := o.(ocsfEvent).Metadata.UID
			if seen[uid] {
				t.Errorf("%s comes twice", uid)
			}
			seen[uid] = true
		}
	}
}

func TestOCSFNamesABoundedNumberOfPlaces(t *testing.T) {
	e := records()[3]
	d := *e.Decision
	d.Findings = nil
	for range policy.MaxRecorded {
		d.Findings = append(d.Findings, policy.Record{Rule: "phi-table", Path: "/x", Count: 2})
	}
	e.Decision = &d
	events := ocsf(e)
	if len(events) != 1 {
		t.Fatalf("%d events of one rule", len(events))
	}
	ev := events[0].(ocsfEvent)
	if len(ev.Resources) != ocsfPlaces+2 || ev.Unmapped.Places != policy.MaxRecorded || ev.DataSecurity.Total != 2*policy.MaxRecorded {
		t.Errorf("%d resources, %d places, %d matches", len(ev.Resources), ev.Unmapped.Places, ev.DataSecurity.Total)
	}
}

func contains(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}
