package export

import "testing"

// The fields of the Elastic Common Schema 9.4.0 that we fill: names and types
// from generated/ecs/ecs_flat.yml of elastic/ecs at v9.4.0, and the values of the
// categorisation fields. The schema is not to be had as a Go module.
const ecsTable = `
@timestamp string required
message string
tags[] string
ecs object required
ecs.version string required 9.4.0
event object
event.id string
event.sequence number
event.hash string
event.kind string alert,asset,enrichment,event,metric,state,pipeline_error,signal
event.category[] string api,authentication,configuration,database,driver,email,file,host,iam,intrusion_detection,library,malware,network,package,process,registry,session,threat,vulnerability,web
event.type[] string access,admin,allowed,change,connection,creation,deletion,denied,device,end,error,group,indicator,info,installation,protocol,start,user
event.action string
event.outcome string failure,success,unknown
event.severity number
event.reason string
event.provider string
event.module string
event.dataset string
event.duration number
observer object
observer.type string
observer.vendor string
observer.product string
observer.version string
host object
host.name string
host.id string
host.boot object
host.boot.id string
user object
user.name string
container object
container.id string
container.name string
container.runtime string
container.image object
container.image.name string
container.image.hash object
container.image.hash.all[] string
orchestrator object
orchestrator.type string
orchestrator.namespace string
orchestrator.resource object
orchestrator.resource.type string
orchestrator.resource.name string
orchestrator.resource.id string
rule object
rule.id string
rule.name string
rule.category string
rule.ruleset string
rule.version string
error object
error.message string
`

func TestECS(t *testing.T) {
	s := table(ecsTable, "phigate")
	for _, e := range records() {
		s.check(t, written1(t, "ecs", e))
	}
}

// The pairs of category and type that ECS expects, of those that we use: the
// expected_event_types of event.category at v9.4.0.
func TestECSCategoriesGoWithTheirTypes(t *testing.T) {
	allowedTypes := map[string]string{
		"api": "access admin allowed change creation deletion denied end info start user", "process": "access change end info start",
		"configuration": "access change creation deletion info", "intrusion_detection": "allowed denied info",
	}
	for _, e := range records() {
		ev := ecs(e).Event
		for _, typ := range ev.Type {
			fits := false
			for _, c := range ev.Category {
				fits = fits || contains(allowedTypes[c], typ)
			}
			if !fits {
				t.Errorf("record %d: type %s goes with none of %v", e.Seq, typ, ev.Category)
			}
		}
	}
}
