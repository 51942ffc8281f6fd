package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Decision is a verdict, recorded. Its JSON is the shape that `phigate scan
// --format json`, the log and every export share: fields may be added, never
// renamed.
type Decision struct {
	Seq         uint64      `json:"seq,omitempty"` // place in the log, from 1; 0: not logged
	Time        time.Time   `json:"time"`
	Kind        string      `json:"kind"` // "verdict", "unjudged", "withdrawn", "override", "bypass", "arrival", "repeated", "folded", "policy-loaded", "policy-rejected", "exception-ending", "exception-ended", "start", "stop", "heartbeat", "log-alarm", "log-damaged", "log-outage", "log-enrolled", "log-imported", "log-pruned"
	Gate        Gate        `json:"gate,omitempty"`
	Target      string      `json:"target"` // namespace/container, or what was scanned
	Container   string      `json:"container,omitempty"`
	Runtime     string      `json:"runtime,omitempty"`
	Namespace   string      `json:"namespace,omitempty"`
	Pod         string      `json:"pod,omitempty"`
	PodUID      string      `json:"podUid,omitempty"`
	Image       string      `json:"image,omitempty"`
	ImageDigest string      `json:"imageDigest,omitempty"`
	Verdict     Action      `json:"verdict"`
	Mode        Mode        `json:"mode"`
	Findings    []Record    `json:"findings"`
	Skipped     []SkipEntry `json:"skipped"`
	Deferred    []Deferred  `json:"deferred,omitempty"`
	Coverage    Coverage    `json:"coverage"`
	Individuals Individuals `json:"individuals"`
	Policy      string      `json:"policy"`
	Notes       []string    `json:"notes,omitempty"`
	Message     string      `json:"message,omitempty"` // of records that are no verdicts
	// Withdraws is the record that a "withdrawn" one takes back: its verdict was
	// refused because it was not durable in time.
	Withdraws uint64 `json:"withdraws,omitempty"`
	// Repeats is the refusal that a "repeated" record counts, and Times how often it
	// came again since it was last counted.
	Repeats    uint64 `json:"repeats,omitempty"`
	Times      int    `json:"times,omitempty"`
	DurationMs int64  `json:"durationMs"`
	DurationUs int64  `json:"durationUs"`
	// FindingsTotal counts the findings where the record holds only the first.
	FindingsTotal int `json:"findingsTotal,omitempty"`
	SkippedTotal  int `json:"skippedTotal,omitempty"`
	// RuntimeNamespace is containerd's, in which Container is unique; Namespace is the pod's.
	RuntimeNamespace string `json:"runtimeNamespace,omitempty"`
	// Exceptions are those that a finding names, each once.
	Exceptions []ExceptionUse `json:"exceptions,omitempty"`
	// PolicyVersion names the operator's documents and their versions, as they
	// give them; Policy is the digest that proves which they were.
	PolicyVersion string `json:"policyVersion,omitempty"`
	// ImageConfig is the digest of the image's configuration; ImageDigest is its manifest's.
	ImageConfig string `json:"imageConfig,omitempty"`
	// Software are the dates of what the image's software was compared with; none
	// where no software was met.
	Software SoftwareFacts `json:"software,omitzero"`
	// Requester is who asked for the container; none in records about no container.
	Requester Requester `json:"requester,omitzero"`
	// Origin is where the record was written; it is the log's to fill in.
	Origin Origin `json:"origin,omitzero"`
}

// Record is a finding in a decision.
type Record struct {
	Rule      string   `json:"rule"`
	Severity  Severity `json:"severity"`
	Action    Action   `json:"action"`
	Path      string   `json:"path,omitempty"`
	Offset    int64    `json:"offset,omitempty"`
	Layer     string   `json:"layer,omitempty"`
	Deleted   bool     `json:"deleted,omitempty"`
	Field     string   `json:"field,omitempty"`
	Message   string   `json:"message"`
	Fix       string   `json:"fix,omitempty"`
	Citations []string `json:"citations"`
	// Count is how often it was found, at least: the lower end of CountBucket, since
	// an exact number can tell one data set from another. In records of before there
	// were buckets it is exact.
	Count       int         `json:"count,omitempty"`
	CountBucket string      `json:"countBucket,omitempty"` // "2-10", "11-100", "101-1000", "1001-10000" or ">10000"
	Individuals Individuals `json:"individuals"`
	Synthetic   bool        `json:"synthetic,omitempty"` // marked as test data, all of it
	// Package and Advisories are what an exception can name; of very many advisories
	// the first [MaxAdvisories].
	Package     string   `json:"package,omitempty"`
	Advisories  []string `json:"advisories,omitempty"`
	Fingerprint string   `json:"fingerprint,omitempty"`
	Exception   string   `json:"exception"` // IDs, joined by ", ", of those without which the action would be stricter
}

// SkipEntry is something in a decision that could not be looked at.
type SkipEntry struct {
	Where  string `json:"where"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	Action Action `json:"action"`
}

// MaxRecorded bounds the findings and the skipped of one recorded decision,
// the gravest first; the totals say what was left out.
const MaxRecorded = 1000

// MaxAdvisories bounds the advisories of one recorded finding.
const MaxAdvisories = 100

// NewDecision is a verdict on its way to the log.
func NewDecision(s *Subject, v Verdict, now time.Time, took time.Duration) *Decision {
	d := &Decision{
		Time: now.UTC(), Kind: "verdict", Gate: s.Gate, Target: s.Display(), Container: s.ID, Runtime: s.Runtime, RuntimeNamespace: Printable(s.RuntimeNamespace),
		Namespace: Printable(s.Pod.Namespace), Pod: Printable(s.Pod.Name), PodUID: Printable(s.Pod.UID),
		Image: Printable(s.Image.Ref), ImageDigest: Printable(s.Image.Digest),
		Verdict: v.Action, Mode: v.Mode, Deferred: v.Deferred, Coverage: v.Coverage,
		Individuals: v.Individuals, Software: v.Software, Policy: v.Policy, PolicyVersion: v.PolicyVersion, Notes: v.Notes, Exceptions: v.Exceptions,
		ImageConfig: Printable(s.Image.Config), Requester: s.Requester.orUnknown(s.ID),
		DurationMs: took.Milliseconds(), DurationUs: took.Microseconds(),
		Findings: make([]Record, 0, min(len(v.Findings), MaxRecorded)), Skipped: []SkipEntry{},
	}
	for i, j := range v.Findings {
		if i == MaxRecorded {
			d.FindingsTotal = len(v.Findings)
			break
		}
		d.Findings = append(d.Findings, record(j))
	}
	for i, k := range v.Skipped {
		if i == MaxRecorded {
			d.SkippedTotal = len(v.Skipped)
			break
		}
		d.Skipped = append(d.Skipped, SkipEntry{Where: Printable(k.Where), Rule: k.Rule, Reason: Printable(k.Reason), Action: k.Action})
	}
	return d
}

func record(j Judged) Record {
	r := Record{
		Rule: j.Rule, Severity: j.Info.Severity, Action: j.Action,
		Path: Printable(j.Where.Full()), Offset: j.Where.Offset, Layer: j.Where.Layer, Deleted: j.Where.Deleted,
		Field: Printable(j.Where.Field), Message: Printable(j.Message), Fix: j.Info.Fix,
		Individuals: j.Individuals, Synthetic: j.Synthetic, Fingerprint: j.Fingerprint, Citations: []string{},
		Exception: strings.Join(j.Exceptions, ", "),
	}
	r.Count, r.CountBucket = bucketed(j.Count)
	r.Package = Printable(j.Package)
	ids := strings.Fields(j.Advisories)
	for _, id := range ids[:min(len(ids), MaxAdvisories)] {
		r.Advisories = append(r.Advisories, Printable(id))
	}
	for _, c := range j.Info.Cites {
		r.Citations = append(r.Citations, c.String())
	}
	return r
}

// bucketed is a count's bucket and the lower end of it; one and none have no bucket.
func bucketed(n int) (from int, bucket string) {
	if n < 2 {
		return n, ""
	}
	from = 2
	for to := 10; to <= 10_000; to *= 10 {
		if n <= to {
			return from, fmt.Sprintf("%d-%d", from, to)
		}
		from = to + 1
	}
	return from, ">10000"
}

// Matches says how often a finding was met, for people; "" for once.
func (r *Record) Matches() string {
	switch {
	case r.CountBucket != "":
		return r.CountBucket + " matches"
	case r.Count > 1:
		return thousands(r.Count) + " matches"
	}
	return ""
}

// lineRules bounds the rules that the one line names, lineBytes what it says of
// them, lineName each name in it.
const (
	lineRules = 6
	lineBytes = 900
	lineName  = 240
)

// Line is what a refused user reads: one line that says what, where, under
// which safeguard, and where to read more. The first 100 bytes matter most.
func (d *Decision) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "phigate: blocked %s: ", short(d.Target))
	parts, named := d.lineParts()
	b.WriteString(strings.Join(parts, "; "))
	if more := max(d.FindingsTotal, len(d.Findings)) + max(d.SkippedTotal, len(d.Skipped)) - named; more > 0 {
		fmt.Fprintf(&b, "; %d more", more)
	}
	if d.Seq > 0 {
		fmt.Fprintf(&b, "; see: phigate decisions %d", d.Seq)
	}
	return b.String()
}

// Summary is one line about any record: a refusal is its [Decision.Line].
func (d *Decision) Summary() string {
	switch {
	case d.Kind != "verdict":
		return Printable(strings.TrimSpace(fmt.Sprintf("phigate: %s: %s", d.Kind, d.Message)))
	case d.Verdict == Block:
		return d.Line()
	}
	findings, skipped := max(d.FindingsTotal, len(d.Findings)), max(d.SkippedTotal, len(d.Skipped))
	text := "phigate: allowed " + d.Target
	if findings > 0 || skipped > 0 {
		text += fmt.Sprintf(": %d findings below block, %d skipped", findings, skipped)
	}
	return fmt.Sprintf("%s; see: phigate decisions %d", text, d.Seq)
}

// lineParts names the first finding of each rule, blocks first, and what could
// not be looked at where that blocks.
func (d *Decision) lineParts() (parts []string, named int) {
	seen, size := map[string]bool{}, 0
	add := func(key, part string) bool {
		if seen[key] || len(parts) >= lineRules || size+len(part) > lineBytes {
			return false
		}
		seen[key] = true
		size += len(part)
		parts = append(parts, part)
		named++
		return true
	}
	for _, r := range d.Findings {
		if r.Action == Block {
			add(r.Rule, r.phrase())
		}
	}
	for _, k := range d.Skipped {
		if k.Action == Block {
			add("skipped "+k.Rule+k.Reason, short(k.Where)+": "+short(k.Reason))
		}
	}
	for _, r := range d.Findings {
		if r.Action == Warn {
			add(r.Rule, "warned: "+r.phrase())
		}
	}
	return parts, named
}

// phrase is one finding in words: what, where, how many people, which rule.
func (r *Record) phrase() string {
	var b strings.Builder
	b.WriteString(short(r.Message))
	switch {
	case r.Path != "" && r.Deleted:
		b.WriteString(" in deleted image file " + short(r.Path))
	case r.Path != "":
		b.WriteString(" in image file " + short(r.Path))
	case r.Field != "":
		b.WriteString(" in " + short(r.Field))
	}
	if r.Individuals.Point > 0 {
		fmt.Fprintf(&b, " (~%s %s)", thousands(r.Individuals.Point), plural(r.Individuals.Point, "person", "people"))
	}
	b.WriteString(" [" + r.Rule)
	if len(r.Citations) > 0 {
		b.WriteString(", " + r.Citations[0])
	}
	b.WriteString("]")
	return b.String()
}

// short cuts a long name in the middle, where it says least, so that what
// follows it is still read.
func short(s string) string {
	const keep = lineName / 2
	if len(s) <= lineName {
		return s
	}
	head, tail := s[:keep], s[len(s)-keep:]
	return strings.ToValidUTF8(head, "") + "[...]" + strings.ToValidUTF8(tail, "")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Printable makes text that came from outside safe for one line of output:
// control characters, invalid UTF-8 and direction overrides are written as
// escapes, and what is longer than 1,024 bytes is cut in the middle.
func Printable(s string) string {
	const limit, keep = 1024, 500
	if len(s) > limit {
		s = s[:keep] + "[...]" + s[len(s)-keep:]
	}
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.IsPrint(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}
