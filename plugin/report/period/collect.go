package period

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// The room for what is named. All else is counted.
const (
	maxViolations = 5000
	maxImages     = 5000
	maxReasons    = 500
	maxIncidents  = 200
	maxNames      = 1000    // exceptions, policies
	maxContainers = 1 << 20 // told apart, at eight bytes each
	examples      = 5       // places and targets of one row
	logEvidence   = 4       // records of one log that a row names
	maxEvidence   = 40
)

// Collector sums records. Make it by [New].
type Collector struct {
	out        Report
	infos      []policy.Info
	logs       map[string]*Log
	order      []string
	proofs     map[string]Proof
	seed       maphash.Seed
	containers map[uint64]struct{}
	time       timeline
	violations map[string]*Violation
	safeguards map[string]*Safeguard
	exceptions map[string]*Exception
	policies   map[string]*PolicyVersion
	reasons    map[string]*NotSeen
	people     peopleSum
}

// New begins a report on the records from one time up to another, which is
// excluded; a zero one is open. The infos say which rules support which paragraph.
func New(from, to time.Time, infos []policy.Info) *Collector {
	return &Collector{
		out:   Report{From: from.UTC(), To: to.UTC()},
		infos: infos, logs: map[string]*Log{}, proofs: map[string]Proof{}, seed: maphash.MakeSeed(), containers: map[uint64]struct{}{},
		violations: map[string]*Violation{}, safeguards: map[string]*Safeguard{}, exceptions: map[string]*Exception{},
		policies: map[string]*PolicyVersion{}, reasons: map[string]*NotSeen{}, people: peopleSum{images: map[string]*Image{}},
	}
}

// Log names a log that is part of the report, whether it has a record in the
// period or not, and says what its verification came to.
func (c *Collector) Log(name string, p Proof) {
	c.log(name)
	c.proofs[name] = p
}

func (c *Collector) log(name string) *Log {
	l := c.logs[name]
	if l == nil {
		l = &Log{Name: name}
		c.logs[name] = l
		c.order = append(c.order, name)
	}
	return l
}

// Add takes a record of the named log; logs are added one after the other. Those outside the period are left out.
func (c *Collector) Add(name string, e report.Entry) {
	d := e.Decision
	if !c.out.From.IsZero() && d.Time.Before(c.out.From) || !c.out.To.IsZero() && !d.Time.Before(c.out.To) {
		return
	}
	l := c.log(name)
	l.Records++
	l.Node = cmp.Or(d.Origin.Node, l.Node)
	l.From, l.To = min(cmp.Or(l.From, e.Seq), e.Seq), max(l.To, e.Seq)
	widen(&l.First, &l.Last, d.Time)
	widen(&c.out.First, &c.out.Last, d.Time)
	at := Evidence{Log: name, Seq: e.Seq}
	c.out.Totals.Records++
	c.silence(l, at, d)
	switch d.Kind {
	case "heartbeat":
		c.out.Totals.Beats++
	case "verdict":
		c.verdict(at, d)
	case "unjudged":
		c.out.Totals.Unjudged++
		c.time.at(d.Time).Unjudged++
	case "withdrawn":
		c.out.Totals.Withdrawn++
	case "repeated":
		c.out.Totals.Counts++
		c.out.Totals.Again += max(d.Times, 0)
	case "override":
		c.out.Totals.Overrides++
		c.incident(at, d)
	case "bypass":
		c.out.Totals.Bypasses++
		c.incident(at, d)
	default:
		c.own(at, d)
	}
}

// silentAfter is how long a log that has signs of life, one at least every ten
// seconds, may say nothing.
const silentAfter = 2 * time.Minute

// silence says where a log that should have gone on did not.
func (c *Collector) silence(l *Log, at Evidence, d *policy.Decision) {
	gap := d.Time.Sub(l.said)
	if l.beats && !l.stopped && gap > silentAfter {
		c.incident(at, &policy.Decision{Time: l.said, Kind: "silence", Target: "phigated",
			Message: "no record for " + gap.Round(time.Second).String() + ", and phigate had not said that it stops"})
	}
	l.said, l.stopped, l.beats = d.Time, d.Kind == "stop", l.beats || d.Kind == "heartbeat"
}

// own is a record about phigate itself.
func (c *Collector) own(at Evidence, d *policy.Decision) {
	c.out.Totals.Own++
	switch {
	case d.Kind == "policy-loaded":
		c.policy(d).Says = d.Message
	case d.Kind == "policy-rejected", strings.HasPrefix(d.Kind, "log-"):
		c.incident(at, d)
	}
}

func (c *Collector) verdict(at Evidence, d *policy.Decision) {
	t, bar := &c.out.Totals, c.time.at(d.Time)
	t.Judged++
	t.Findings += max(d.FindingsTotal, len(d.Findings))
	switch mildest := strictest(d); {
	case d.Verdict != policy.Allow:
		t.Blocked++
		bar.Blocked++
	case len(d.Findings) == 0:
		t.Clean++
		bar.Clean++
	case mildest <= policy.Warn:
		t.Warned++
		bar.Warned++
	default:
		t.Audited++
		bar.Warned++
		bar.Audited++
	}
	if slices.ContainsFunc(d.Findings, func(r policy.Record) bool { return r.Exception != "" }) {
		t.Excepted++
		bar.Excepted++
	}
	c.container(d)
	c.findings(at, d)
	c.coverage(at, d)
	c.people.add(at, d)
	p := c.policy(d)
	p.Decisions++
}

// strictest is the gravest action among the findings of a verdict.
func strictest(d *policy.Decision) policy.Action {
	action := policy.Audit
	for _, r := range d.Findings {
		action = policy.Stricter(action, r.Action)
	}
	return action
}

// container tells containers apart by their IDs, and where there is none by what
// was judged.
func (c *Collector) container(d *policy.Decision) {
	key := maphash.String(c.seed, d.RuntimeNamespace+"\x00"+cmp.Or(d.Container, d.Target))
	if _, known := c.containers[key]; known {
		return
	}
	if len(c.containers) >= maxContainers {
		c.out.Totals.AtLeast = true
		return
	}
	c.containers[key] = struct{}{}
}

func (c *Collector) findings(at Evidence, d *policy.Decision) {
	rows, paragraphs, exceptions := map[*Violation]bool{}, map[*Safeguard]bool{}, map[*Exception]bool{}
	c.out.Unlisted += max(d.FindingsTotal-len(d.Findings), 0)
	for _, r := range d.Findings {
		if v := c.violation(d, r); v != nil {
			v.add(d, r)
			rows[v] = true
		}
		for _, cite := range c.citations(r) {
			s := c.safeguard(cite)
			s.Findings++
			paragraphs[s] = true
		}
		for _, id := range excepted(r) {
			if x := c.exception(d, id); x != nil {
				x.Rules = withName(x.Rules, r.Rule, maxNames)
				exceptions[x] = true
			}
		}
	}
	for v := range rows {
		v.Decisions++
		v.Evidence = proof(v.Evidence, at)
	}
	for s := range paragraphs {
		s.Decisions++
		if d.Verdict != policy.Allow {
			s.Blocked++
		}
		s.Evidence = proof(s.Evidence, at)
	}
	for x := range exceptions {
		x.Decisions++
		x.Evidence = proof(x.Evidence, at)
	}
}

// violation is the row of a finding; nil where there is no room for another.
func (c *Collector) violation(d *policy.Decision, r policy.Record) *Violation {
	image := cmp.Or(d.ImageDigest, d.Image, d.Target)
	key := r.Rule + "\x00" + r.Action.String() + "\x00" + image
	v := c.violations[key]
	switch {
	case v != nil:
	case len(c.violations) >= maxViolations:
		c.out.Unlisted++
		return nil
	default:
		v = &Violation{
			Rule: r.Rule, Title: c.title(r), Severity: r.Severity, Action: r.Action, Citations: r.Citations, Fix: r.Fix,
			Image: d.Image, ImageDigest: d.ImageDigest, Synthetic: true, First: d.Time, Last: d.Time,
		}
		c.violations[key] = v
	}
	return v
}

// title is the rule's own, which names no place, else what the record says.
func (c *Collector) title(r policy.Record) string {
	if i := slices.IndexFunc(c.infos, func(info policy.Info) bool { return info.ID == r.Rule }); i >= 0 {
		return c.infos[i].Title
	}
	return r.Message
}

func (v *Violation) add(d *policy.Decision, r policy.Record) {
	widen(&v.First, &v.Last, d.Time)
	v.Findings++
	v.Severity = min(v.Severity, r.Severity)
	v.Synthetic = v.Synthetic && r.Synthetic
	v.Places = withName(v.Places, cmp.Or(r.Path, r.Field, "the container"), examples)
	v.Targets = withName(v.Targets, d.Target, examples)
	for _, id := range excepted(r) {
		v.Exceptions = withName(v.Exceptions, id, examples)
	}
	if most := r.Individuals; most.Point > v.Individuals.Point {
		v.Individuals = most
	}
}

// excepted are the IDs of the exceptions that a finding names.
func excepted(r policy.Record) []string {
	if r.Exception == "" {
		return nil
	}
	return strings.Split(r.Exception, ", ")
}

// exception is the row of one that was used; nil where there is no room for
// another. What the record says of it may change with the policy: the newest holds.
func (c *Collector) exception(d *policy.Decision, id string) *Exception {
	x := c.exceptions[id]
	if x == nil {
		if len(c.exceptions) >= maxNames {
			return nil
		}
		x = &Exception{Name: id, First: d.Time}
		c.exceptions[id] = x
	}
	widen(&x.First, &x.Last, d.Time)
	for _, use := range d.Exceptions {
		if use.ID == id {
			x.Reason, x.Ticket, x.RequestedBy, x.ApprovedBy, x.Expires = use.Reason, use.Ticket, use.RequestedBy, use.ApprovedBy, use.ExpiresAt
		}
	}
	return x
}

func (c *Collector) coverage(at Evidence, d *policy.Decision) {
	cov := &c.out.Coverage
	cov.Decisions++
	cov.Files += d.Coverage.Files
	cov.Bytes += d.Coverage.Bytes
	all := max(d.SkippedTotal, len(d.Skipped))
	cov.Skipped += all
	cov.Unlisted += all - len(d.Skipped)
	if all == 0 {
		cov.Whole++
	}
	for _, s := range d.Skipped {
		key := s.Rule + "\x00" + s.Reason
		n := c.reasons[key]
		if n == nil {
			if len(c.reasons) >= maxReasons {
				cov.Unlisted++
				continue
			}
			n = &NotSeen{Rule: s.Rule, Reason: s.Reason}
			c.reasons[key] = n
		}
		n.Times++
		if s.Action == policy.Block {
			n.Blocked++
		}
		n.Places = withName(n.Places, s.Where, examples)
		n.Evidence = proof(n.Evidence, at)
	}
}

func (c *Collector) policy(d *policy.Decision) *PolicyVersion {
	p := c.policies[d.Policy]
	if p == nil {
		p = &PolicyVersion{Digest: d.Policy, First: d.Time, Last: d.Time}
		if len(c.policies) >= maxNames {
			return p // counted in the totals, not listed
		}
		c.policies[d.Policy] = p
	}
	widen(&p.First, &p.Last, d.Time)
	p.Version = cmp.Or(d.PolicyVersion, p.Version)
	return p
}

func (c *Collector) incident(at Evidence, d *policy.Decision) {
	if len(c.out.Incidents) >= maxIncidents {
		c.out.UnlistedIncidents++
		return
	}
	c.out.Incidents = append(c.out.Incidents, Incident{Time: d.Time.UTC(), Kind: d.Kind, Target: d.Target, Message: d.Message, Evidence: at})
}

// widen lets a span of time hold t.
func widen(first, last *time.Time, t time.Time) {
	t = t.UTC()
	if first.IsZero() || t.Before(*first) {
		*first = t
	}
	if t.After(*last) {
		*last = t
	}
}

// withName keeps distinct names, the first n of them.
func withName(list []string, name string, n int) []string {
	if len(list) >= n || slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// proof keeps the first records of each log, which are read one after the other.
func proof(list []Evidence, at Evidence) []Evidence {
	n := len(list)
	if n >= maxEvidence || n >= logEvidence && list[n-logEvidence].Log == at.Log {
		return list
	}
	return append(list, at)
}
