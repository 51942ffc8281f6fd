package export

import (
	"strconv"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// ecsVersion is the Elastic Common Schema that the names are taken from.
const ecsVersion = "9.4.0"

// The structures below are fields of ECS, by its names. What it has no names
// for is under "phigate", as its guide advises for fields of one's own.
type ecsEvent struct {
	Timestamp    string           `json:"@timestamp"`
	Message      string           `json:"message"`
	Tags         []string         `json:"tags,omitempty"`
	ECS          ecsVersioned     `json:"ecs"`
	Event        ecsEventSet      `json:"event"`
	Observer     ecsObserver      `json:"observer"`
	Host         *ecsHost         `json:"host,omitempty"`
	User         *ecsUser         `json:"user,omitempty"`
	Container    *ecsContainer    `json:"container,omitempty"`
	Orchestrator *ecsOrchestrator `json:"orchestrator,omitempty"`
	Rule         *ecsRule         `json:"rule,omitempty"`
	Error        *ecsError        `json:"error,omitempty"`
	Phigate      ecsOwn           `json:"phigate"`
}

type ecsVersioned struct {
	Version string `json:"version"`
}

type ecsEventSet struct {
	ID       string   `json:"id"`
	Sequence uint64   `json:"sequence"`
	Hash     string   `json:"hash,omitempty"`
	Kind     string   `json:"kind"`
	Category []string `json:"category"`
	Type     []string `json:"type"`
	Action   string   `json:"action"`
	Outcome  string   `json:"outcome"`
	Severity int      `json:"severity"`
	Reason   string   `json:"reason,omitempty"`
	Provider string   `json:"provider"`
	Module   string   `json:"module"`
	Dataset  string   `json:"dataset"`
	Duration int64    `json:"duration,omitempty"` // nanoseconds
}

type ecsObserver struct {
	Type    string `json:"type"`
	Vendor  string `json:"vendor"`
	Product string `json:"product"`
	Version string `json:"version,omitempty"`
}

// ecsHost is the node.
type ecsHost struct {
	Name string   `json:"name,omitempty"`
	ID   string   `json:"id,omitempty"`
	Boot *ecsBoot `json:"boot,omitempty"`
}

type ecsBoot struct {
	ID string `json:"id"`
}

// ecsUser is who asked, where something says it.
type ecsUser struct {
	Name string `json:"name"`
}

type ecsContainer struct {
	ID      string    `json:"id,omitempty"`
	Name    string    `json:"name,omitempty"`
	Runtime string    `json:"runtime,omitempty"`
	Image   *ecsImage `json:"image,omitempty"`
}

type ecsImage struct {
	Name string   `json:"name,omitempty"`
	Hash *ecsHash `json:"hash,omitempty"`
}

type ecsHash struct {
	All []string `json:"all"`
}

type ecsOrchestrator struct {
	Type      string       `json:"type"`
	Namespace string       `json:"namespace,omitempty"`
	Resource  *ecsResource `json:"resource,omitempty"`
}

type ecsResource struct {
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	ID   string `json:"id,omitempty"`
}

type ecsRule struct {
	ID       string `json:"id,omitempty"`
	Name     string `json:"name,omitempty"`
	Category string `json:"category,omitempty"`
	Ruleset  string `json:"ruleset"`
	Version  string `json:"version,omitempty"`
}

type ecsError struct {
	Message string `json:"message"`
}

type ecsOwn struct {
	LogID       string             `json:"log_id"`
	Seq         uint64             `json:"seq"`
	Leaf        string             `json:"leaf"`
	Kind        string             `json:"kind"`
	Gate        policy.Gate        `json:"gate,omitempty"`
	Mode        policy.Mode        `json:"mode"`
	Rules       []string           `json:"rules,omitempty"`
	Citations   []string           `json:"citations,omitempty"`
	Individuals policy.Individuals `json:"individuals"`
	Findings    []policy.Record    `json:"findings,omitempty"`
	Skipped     []policy.SkipEntry `json:"skipped,omitempty"`
	Total       int                `json:"findings_total"`
	NotLooked   int                `json:"skipped_total"`
	Coverage    policy.Coverage    `json:"coverage"`
	Withdraws   uint64             `json:"withdraws,omitempty"`
}

func ecs(e report.Entry) ecsEvent {
	d := e.Decision
	out := ecsEvent{
		Timestamp: d.Time.UTC().Format(time.RFC3339Nano), Message: d.Summary(),
		Tags: append([]string{"phigate"}, citationsOf(d.Findings)...), ECS: ecsVersioned{ecsVersion},
		Event: ecsEventSet{
			ID: identityOf(e), Sequence: e.Seq, Hash: e.Leaf, Action: "phigate-" + d.Kind, Severity: ecsSeverity(grave(d)),
			Reason: d.Message, Provider: "phigate", Module: "phigate", Dataset: "phigate.decision", Duration: d.DurationUs * 1000,
		},
		Observer: ecsObserver{Type: "admission-control", Vendor: "phigate", Product: "phigate", Version: d.Origin.Version},
		Host:     ecsHostOf(d.Origin), User: ecsUserOf(d.Requester),
		Container: ecsContainerOf(d), Orchestrator: ecsPod(d), Rule: ecsRuleOf(d),
		Phigate: ecsOwn{
			LogID: e.LogID, Seq: e.Seq, Leaf: e.Leaf, Kind: d.Kind, Gate: d.Gate, Mode: d.Mode, Rules: rulesOf(d),
			Citations: citationsOf(d.Findings), Individuals: d.Individuals, Findings: d.Findings, Skipped: d.Skipped,
			Total: totalOf(d.FindingsTotal, len(d.Findings)), NotLooked: totalOf(d.SkippedTotal, len(d.Skipped)),
			Coverage: d.Coverage, Withdraws: d.Withdraws,
		},
	}
	categorise(&out.Event, d)
	if d.Kind == "policy-rejected" || strings.HasPrefix(d.Kind, "log-") {
		out.Error = &ecsError{d.Message}
	}
	return out
}

func ecsHostOf(o policy.Origin) *ecsHost {
	if o.Node == "" && o.Machine == "" && o.Boot == "" {
		return nil
	}
	h := &ecsHost{Name: o.Node, ID: o.Machine}
	if o.Boot != "" {
		h.Boot = &ecsBoot{o.Boot}
	}
	return h
}

func ecsUserOf(r policy.Requester) *ecsUser {
	if r.From != policy.FromAnnotation && r.From != policy.FromLogin {
		return nil // an owner and the kubelet are no users
	}
	return &ecsUser{r.Name}
}

// identityOf names one record among those of all logs.
func identityOf(e report.Entry) string { return e.LogID + "/" + strconv.FormatUint(e.Seq, 10) }

// categorise sets the four categorisation fields to values that ECS allows: a
// container asked for is a call of the runtime's interface, api, whose types are
// allowed and denied; of a process ECS expects start, end, access, change and info
// alone. One that ran unadmitted is a detection on the host: the category threat has
// indicators of compromise alone, which it is not.
func categorise(ev *ecsEventSet, d *policy.Decision) {
	ev.Kind, ev.Outcome = "event", "success"
	switch outcome(d) {
	case denied:
		ev.Kind, ev.Category, ev.Type, ev.Outcome = "alert", []string{"api"}, []string{"denied"}, "failure"
	case ran:
		ev.Kind, ev.Category, ev.Type, ev.Outcome = "alert", []string{"api", "intrusion_detection"}, []string{"allowed"}, "unknown"
	case allowed:
		ev.Category, ev.Type = []string{"api"}, []string{"allowed"}
		if len(d.Findings) > 0 {
			ev.Kind = "alert"
		}
	default:
		ev.Category, ev.Type = []string{"configuration"}, []string{"info"}
		switch d.Kind {
		case "start", "stop":
			ev.Category, ev.Type = []string{"process"}, []string{map[string]string{"start": "start", "stop": "end"}[d.Kind]}
		case "policy-loaded":
			ev.Type = []string{"change"}
		case "policy-rejected":
			ev.Kind, ev.Type, ev.Outcome = "alert", []string{"change"}, "failure"
		case "log-alarm", "log-damaged", "log-outage":
			ev.Kind, ev.Outcome = "alert", "failure"
		}
	}
}

// ecsSeverity is a number that grows with the gravity; ECS leaves the scale to
// the source.
func ecsSeverity(s policy.Severity) int { return int(policy.Informational-s) + 1 }

func ecsContainerOf(d *policy.Decision) *ecsContainer {
	c := ecsContainer{ID: d.Container, Runtime: d.Runtime}
	if outcome(d) != event {
		c.Name = d.Target
	}
	if d.Image != "" || d.ImageDigest != "" {
		c.Image = &ecsImage{Name: d.Image}
		if d.ImageDigest != "" {
			c.Image.Hash = &ecsHash{[]string{d.ImageDigest}}
		}
	}
	if c == (ecsContainer{}) {
		return nil
	}
	return &c
}

func ecsPod(d *policy.Decision) *ecsOrchestrator {
	if d.Namespace == "" && d.Pod == "" {
		return nil
	}
	return &ecsOrchestrator{Type: "kubernetes", Namespace: d.Namespace, Resource: &ecsResource{Type: "pod", Name: d.Pod, ID: d.PodUID}}
}

// ecsRuleOf is the rule that decided: the first of the record, which names the
// strictest first. The others are in phigate.rules.
func ecsRuleOf(d *policy.Decision) *ecsRule {
	if d.Policy == "" {
		return nil
	}
	r := ecsRule{Ruleset: "phigate", Version: d.Policy}
	if len(d.Findings) > 0 {
		first := d.Findings[0]
		r.ID, r.Name, r.Category = first.Rule, first.Message, first.Severity.String()
	}
	return &r
}
