package explain

import (
	"strings"

	"github.com/phigate/phigate/policy"
)

// Subject is what a record says of the container that was judged. Its labels,
// its spec and its files are not in a record.
func Subject(d *policy.Decision) *policy.Subject {
	s := &policy.Subject{
		ID: d.Container, Gate: d.Gate, Runtime: d.Runtime, RuntimeNamespace: d.RuntimeNamespace,
		Pod:   policy.Pod{Namespace: d.Namespace, Name: d.Pod, UID: d.PodUID},
		Image: policy.Image{Ref: d.Image, Digest: d.ImageDigest, Config: d.ImageConfig}, Requester: d.Requester,
	}
	if s.Image.Ref != "" {
		s.Sees = policy.FactImage
	}
	s.Name = strings.TrimPrefix(d.Target, d.Namespace+"/")
	return s
}

// Report is what a record says of what was found. Why something was skipped is
// kept in words alone, so it is not in the report: see [Decided]. A count is the
// lower end of its bucket: a condition on an exact count may come out otherwise.
func Report(d *policy.Decision) policy.Report {
	r := policy.Report{Now: d.Time, Coverage: d.Coverage, Individuals: d.Individuals, Deferred: d.Deferred}
	for _, f := range d.Findings {
		file, inside, _ := strings.Cut(f.Path, "!")
		if len(f.Advisories) >= policy.MaxAdvisories {
			f.Package, f.Advisories = "", nil // not all of them, so that no exception can be told to hold
		}
		r.Findings = append(r.Findings, policy.Finding{
			Package: f.Package, Advisories: strings.Join(f.Advisories, " "),
			Rule: f.Rule, Message: f.Message, Count: f.Count, Individuals: f.Individuals, Synthetic: f.Synthetic, Fingerprint: f.Fingerprint,
			Where: policy.Where{Path: file, Inside: inside, Offset: f.Offset, Layer: f.Layer, Deleted: f.Deleted, Field: f.Field},
		})
	}
	return r
}

// Decided explains a record under a policy. What the record does not hold is
// said to be unknown.
func Decided(d *policy.Decision, p *policy.Policy) *Sheet {
	s := Subject(d)
	sheet := Of(s, policy.Explain(p, s, Report(d)), nil)
	sheet.Seq, sheet.Verdict, sheet.Mode, sheet.Target = d.Seq, d.Verdict, d.Mode, d.Target
	for i := range sheet.Rules {
		if r := &sheet.Rules[i]; r.State != Found && r.State != Later {
			r.State, r.Missing = Unknown, ""
		}
	}
	for _, k := range d.Skipped {
		sheet.Skipped = append(sheet.Skipped, Skip{Where: k.Where, Rule: k.Rule, Reason: k.Reason, Action: k.Action, Reasons: []Reason{}})
	}
	if d.Policy != p.Digest {
		sheet.Notes = append(sheet.Notes, "decided under another policy ("+d.Policy+"); the reasons are those of "+p.Digest)
	}
	if ByLabel(p) {
		sheet.Notes = append(sheet.Notes, "a record holds no pod labels: what is chosen by them is not known here")
	}
	return sheet
}

// ByLabel says whether a document of the policy selects by what a pod's author
// writes.
func ByLabel(p *policy.Policy) bool {
	for i := range p.Documents {
		if p.Documents[i].Selector.ByLabel() {
			return true
		}
	}
	return false
}
