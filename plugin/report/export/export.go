// Package export writes the records of a decision log in the formats that
// other systems take. Each is a pure function of the record: the same record
// gives the same bytes, today and in six years, and each carries the log's
// name, the record's place in it and the hash of its leaf, so that what a
// system holds can be compared with the log (phigate audit reconcile).
//
//	json  our own shape, as `phigate decisions --format json`, with the proof
//	ecs   Elastic Common Schema 9.4.0
//	ocsf  Open Cybersecurity Schema Framework 1.8.0: compliance finding (2003),
//	      data security finding (2006), base event (0)
//	fhir  AuditEvent of HL7 FHIR R4 (4.0.1), in the shape of IHE BALP 1.1.4
//	cef   ArcSight Common Event Format, CEF:0
//
// What the tests hold them against was compared with: for ecs, the generated
// definitions of the repository elastic/ecs at the tag v9.4.0 (each field, its type,
// lists, the values of the categorisation fields, and which types a category
// expects); for ocsf, the repository ocsf/ocsf-schema at version 1.8.0 (commit
// 3dcb905d: attributes, requirements, enumerations and constraints of the classes,
// objects and the profile that are used); for cef, the extension dictionary, header and
// escaping of the CEF implementation standard, document version 27, as it is
// transcribed in the repository tenzir/skills (keys, types and lengths).
//
// All but cef are JSON, one object a line. A record becomes one line, but in
// OCSF one for each rule that was found.
package export

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// Formats are the names of the formats.
func Formats() []string { return []string{"json", "ecs", "ocsf", "fhir", "cef"} }

// Writer writes one record.
type Writer func(w io.Writer, e report.Entry) error

// To returns the writer of a format; false where there is none of that name.
func To(format string) (Writer, bool) {
	switch format {
	case "json":
		return objects(func(e report.Entry) []any { return []any{ours(e)} }), true
	case "ecs":
		return objects(func(e report.Entry) []any { return []any{ecs(e)} }), true
	case "ocsf":
		return objects(ocsf), true
	case "fhir":
		return objects(func(e report.Entry) []any { return []any{auditEvent(e)} }), true
	case "cef":
		return func(w io.Writer, e report.Entry) error {
			_, err := io.WriteString(w, cef(e)+"\n")
			return written(err)
		}, true
	}
	return nil, false
}

// objects writes each as a line of JSON.
func objects(of func(report.Entry) []any) Writer {
	return func(w io.Writer, e report.Entry) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		for _, o := range of(e) {
			if err := enc.Encode(o); err != nil {
				return written(err)
			}
		}
		return nil
	}
}

func written(err error) error {
	if err != nil {
		return fmt.Errorf("writing export: %w", err)
	}
	return nil
}

// proven is a record with what proves it.
type proven struct {
	LogID    string           `json:"logId"`
	Seq      uint64           `json:"seq"`
	Leaf     string           `json:"leaf"`
	Decision *policy.Decision `json:"decision"`
}

func ours(e report.Entry) proven { return proven{e.LogID, e.Seq, e.Leaf, e.Decision} }

// isVerdict says whether a container was judged by it.
func isVerdict(d *policy.Decision) bool { return d.Kind == "verdict" }

// What a record means for the container that it is about.
const (
	allowed = iota
	denied
	ran   // although it was refused, or without being asked about
	event // about phigate itself
)

// outcome reads a record as one of them.
func outcome(d *policy.Decision) int {
	switch d.Kind {
	case "verdict":
		if d.Verdict == policy.Allow {
			return allowed
		}
		return denied
	case "unjudged", "withdrawn", "repeated":
		return denied
	case "override", "bypass":
		return ran
	}
	return event
}

// grave says how bad a record is: the gravest finding, or what its kind means.
func grave(d *policy.Decision) policy.Severity {
	switch d.Kind {
	case "verdict":
		worst := policy.Informational
		for _, r := range d.Findings {
			worst = min(worst, r.Severity)
		}
		return worst
	case "log-alarm", "log-damaged", "log-outage", "override":
		return policy.Critical
	case "bypass", "policy-rejected":
		return policy.High
	case "unjudged", "withdrawn", "repeated":
		return policy.Medium
	}
	return policy.Informational
}

// rulesOf names each rule that was found, once, the strictest action first.
func rulesOf(d *policy.Decision) []string {
	var ids []string
	for _, r := range d.Findings {
		if !slices.Contains(ids, r.Rule) {
			ids = append(ids, r.Rule)
		}
	}
	return ids
}

// citationsOf names each paragraph that the findings cite, once.
func citationsOf(records []policy.Record) []string {
	var all []string
	for _, r := range records {
		for _, c := range r.Citations {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// totalOf counts findings, those included that the record has no room for.
func totalOf(said, held int) int { return max(said, held) }

// isAboutPeople says whether a rule finds data of people, which is what
// schemas call data security, and no setting.
func isAboutPeople(rule string) bool {
	return strings.HasPrefix(rule, "phi-") || rule == "pii" || rule == "limited"
}
