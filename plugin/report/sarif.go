package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
)

// sarifSchema is where OASIS publishes the schema of SARIF 2.1.0, errata 01.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// home is where people read about phigate.
const home = "https://github.com/phigate/phigate"

// rootBase is the base of all places: the root of the folder or image.
const rootBase = "ROOTFS"

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool                `json:"tool"`
	Invocations []sarifInvocation        `json:"invocations"`
	Bases       map[string]sarifArtifact `json:"originalUriBaseIds"`
	Automation  sarifAutomation          `json:"automationDetails"`
	Results     []sarifResult            `json:"results"`
	Properties  map[string]any           `json:"properties"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	URI     string      `json:"informationUri"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID            string         `json:"id"`
	Short         *sarifText     `json:"shortDescription,omitempty"`
	Full          *sarifText     `json:"fullDescription,omitempty"`
	Help          *sarifText     `json:"help,omitempty"`
	Configuration sarifLevel     `json:"defaultConfiguration"`
	Properties    map[string]any `json:"properties,omitempty"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	ExitCode      int                 `json:"exitCode"`
	Ended         string              `json:"endTimeUtc,omitempty"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level      string          `json:"level"`
	Message    sarifText       `json:"message"`
	Locations  []sarifLocation `json:"locations,omitempty"`
	Descriptor *sarifReference `json:"associatedRule,omitempty"`
}

type sarifReference struct {
	ID string `json:"id"`
}

type sarifArtifact struct {
	URI         string     `json:"uri,omitempty"`
	Base        string     `json:"uriBaseId,omitempty"`
	Description *sarifText `json:"description,omitempty"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Kind         string             `json:"kind"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Occurrences  int                `json:"occurrenceCount,omitempty"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	Properties   map[string]any     `json:"properties"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
}

type sarifLogical struct {
	FullName string `json:"fullyQualifiedName"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

// SARIF writes the decision as a log of SARIF 2.1.0
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), for code scanning services.
// Rules are described from infos; one that is not among them, the operator's
// own, by what the record says. A place is relative to the root of what was
// scanned, and no snippet of a file is ever in it.
func SARIF(w io.Writer, d *policy.Decision, infos []policy.Info, version string) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "phigate", Version: version, URI: home, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{sarifRunOf(d)},
		Bases:       map[string]sarifArtifact{rootBase: {Description: &sarifText{"The root of the folder or of the image's file system."}}},
		Automation:  sarifAutomation{"phigate/" + d.Target},
		Results:     []sarifResult{},
		Properties: map[string]any{
			"verdict": d.Verdict, "mode": d.Mode, "policy": d.Policy, "coverage": d.Coverage, "individuals": d.Individuals,
			"findingsTotal": total(d.FindingsTotal, len(d.Findings)), "skippedTotal": total(d.SkippedTotal, len(d.Skipped)),
		},
	}
	at := map[string]int{}
	for _, r := range d.Findings {
		i, known := at[r.Rule]
		if !known {
			i = len(run.Tool.Driver.Rules)
			at[r.Rule] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(r, infos))
		}
		run.Results = append(run.Results, sarifResultOf(r, i))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}

// sarifRunOf says how it went, and what was not looked at.
func sarifRunOf(d *policy.Decision) sarifInvocation {
	in := sarifInvocation{Successful: true}
	if d.Verdict != policy.Allow {
		in.ExitCode = 3
	}
	if !d.Time.IsZero() {
		in.Ended = d.Time.UTC().Format(time.RFC3339)
	}
	for _, s := range d.Skipped {
		n := sarifNotification{Level: level(s.Action), Message: sarifText{fmt.Sprintf("Not looked at: %s (%s)", s.Reason, s.Where)}}
		if s.Rule != "" {
			n.Descriptor = &sarifReference{s.Rule}
		}
		if strings.HasPrefix(s.Where, "/") {
			n.Locations = []sarifLocation{inFile(s.Where)}
		}
		in.Notifications = append(in.Notifications, n)
	}
	if more := d.SkippedTotal - len(d.Skipped); more > 0 {
		in.Notifications = append(in.Notifications, sarifNotification{Level: "warning", Message: sarifText{fmt.Sprintf("Not looked at: %d more", more)}})
	}
	return in
}

func level(a policy.Action) string {
	return map[policy.Action]string{policy.Block: "error", policy.Warn: "warning", policy.Audit: "note", policy.Allow: "none"}[a]
}

func sarifRuleOf(r policy.Record, infos []policy.Info) sarifRule {
	i := slices.IndexFunc(infos, func(info policy.Info) bool { return info.ID == r.Rule })
	if i < 0 {
		infos, i = []policy.Info{{ID: r.Rule, Title: r.Message, Severity: r.Severity, Default: r.Action, Fix: r.Fix}}, 0
	}
	info := infos[i]
	out := sarifRule{
		ID: info.ID, Short: textOf(info.Title), Full: textOf(info.Rationale), Help: textOf(info.Fix), Configuration: sarifLevel{level(info.Default)},
		Properties: map[string]any{
			"tags": tags(r.Citations), "security-severity": securitySeverity(info.Severity), "precision": "high", "severity": info.Severity,
		},
	}
	return out
}

func textOf(s string) *sarifText {
	if s == "" {
		return nil
	}
	return &sarifText{s}
}

// tags are distinct, as the schema has it.
func tags(citations []string) []string {
	out := []string{"security", "HIPAA"}
	for _, c := range citations {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// securitySeverity is a number as text, from 0.1 to 10, which code scanning
// services sort by: over 9.0 is critical, from 7.0 high, from 4.0 medium.
func securitySeverity(s policy.Severity) string {
	return map[policy.Severity]string{policy.Critical: "9.5", policy.High: "8.0", policy.Medium: "5.5", policy.Low: "3.0", policy.Informational: "0.1"}[s]
}

func sarifResultOf(r policy.Record, index int) sarifResult {
	out := sarifResult{
		RuleID: r.Rule, RuleIndex: index, Kind: "fail", Level: level(r.Action), Message: sarifText{sentence(r)}, Occurrences: r.Count,
		Locations: []sarifLocation{{Logical: []sarifLogical{{r.Field}}}}, Fingerprints: map[string]string{"phigatePlace/v1": placePrint(r)},
		Properties: map[string]any{"action": r.Action, "severity": r.Severity, "citations": r.Citations},
	}
	switch {
	case r.Path != "":
		out.Locations = []sarifLocation{inFile(r.Path)}
	case r.Field == "":
		out.Locations = []sarifLocation{}
	}
	for name, value := range map[string]string{"layer": r.Layer, "fix": r.Fix} {
		if value != "" {
			out.Properties[name] = value
		}
	}
	for name, value := range map[string]bool{"deleted": r.Deleted, "synthetic": r.Synthetic} {
		if value {
			out.Properties[name] = true
		}
	}
	if r.Individuals.High > 0 {
		out.Properties["individuals"] = r.Individuals
	}
	if r.Exception != "" {
		out.Suppressions = []sarifSuppression{{"external", "exception " + r.Exception}}
	}
	return out
}

// sentence says what was found, where, and of how many people.
func sentence(r policy.Record) string {
	text := r.Message
	if r.Deleted {
		text += ", in a file that an upper layer deletes"
	}
	if r.Individuals.Point > 0 {
		text += " (" + people(r.Individuals) + ")"
	}
	if r.Fix != "" {
		text += ". " + r.Fix
	}
	return text
}

// inFile is a path relative to the root, percent-encoded as RFC 3986 has it. The
// first part of a relative reference may hold no colon, which is encoded too.
func inFile(path string) sarifLocation {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(p), ":", "%3A")
	}
	return sarifLocation{Physical: &sarifPhysical{sarifArtifact{URI: strings.Join(parts, "/"), Base: rootBase}}}
}

// placePrint tells a finding from the others of a scan, and is the same in the
// next scan while the place is: no byte of the file is in it.
func placePrint(r policy.Record) string {
	h := sha256.New()
	for _, part := range []string{r.Rule, r.Path, r.Field, r.Message, r.Layer} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
