package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// choose draws policies, subjects and reports. Few words, so that they meet.
type choose struct{ *rand.Rand }

func (c choose) action() policy.Action { return policy.Action(c.IntN(3)) }

func (c choose) maybe() *policy.Action {
	if c.IntN(2) == 0 {
		return nil
	}
	return ptr(c.action())
}

func (c choose) rule() string {
	return []string{"blocks", "warns", "audits", "host", "phi", "own0", "own1", "nobody-knows"}[c.IntN(8)]
}

func (c choose) document(i int) policy.Document {
	own := policy.Info{ID: fmt.Sprintf("own%d", i), Severity: policy.Severity(c.IntN(5)), Default: c.action()}
	d := policy.Document{
		Name: fmt.Sprint(i), Actions: actions{own.ID: own.Default}, Rules: []policy.Rule{{Info: own}}, Deleted: c.maybe(),
		Failure: policy.Failure{Undecided: c.maybe(), Unreadable: c.maybe(), Unscannable: c.maybe(), Stale: c.maybe()},
	}
	for range c.IntN(3) {
		d.Actions[c.rule()] = c.action()
	}
	if c.IntN(2) == 0 {
		d.Mode = ptr(policy.Mode(c.IntN(2)))
	}
	if c.IntN(4) == 0 {
		d.EnforceAfter = later
	}
	if c.IntN(4) == 0 {
		d.PHIVolumes = []string{"/srv/ephi"}
	}
	if c.IntN(3) == 0 {
		d.Platform = [][]string{{}, {"clinic-a"}, {"kube-system"}}[c.IntN(3)]
	}
	switch c.IntN(4) {
	case 0:
		d.Selector = byLabel
	case 1:
		d.Selector.Runtimes = []string{[]string{"cri", "docker"}[c.IntN(2)]}
	}
	return d
}

func (c choose) policy() *policy.Policy {
	p := &policy.Policy{Digest: "sha256:p", Catalogue: catalogue()}
	for i := range c.IntN(4) {
		p.Documents = append(p.Documents, c.document(i))
	}
	var exceptions []*policy.Exception
	for i := range c.IntN(4) {
		exceptions = append(exceptions, c.exception(i))
	}
	p.Exceptions = policy.NewExceptions(exceptions...)
	return p
}

func (c choose) exception(i int) *policy.Exception {
	path := []string{"", "/a", "/b"}[c.IntN(3)]
	e := &policy.Exception{
		ID: fmt.Sprintf("EX-%d", i), DowngradeTo: policy.Action(c.IntN(4)), ExpiresAt: []time.Time{now, later}[c.IntN(2)],
		Findings: []policy.Place{{Path: path, Match: func(w policy.Where) bool { return w.Path == path }}},
	}
	for range 1 + c.IntN(2) {
		e.Policies = append(e.Policies, policy.ExceptedRules{
			Policy: []string{policy.Baseline, "0", "1", "2"}[c.IntN(4)], Rules: []string{c.rule(), c.rule()},
		})
	}
	if c.IntN(3) == 0 {
		e.Digests = [][]string{{"sha256:00"}, {"sha256:11"}}[c.IntN(2)]
	}
	return e
}

func (c choose) finding() policy.Finding {
	return policy.Finding{
		Rule: c.rule(), Message: []string{"m", "n"}[c.IntN(2)], Count: c.IntN(3), Fingerprint: []string{"", "f"}[c.IntN(2)],
		Where: policy.Where{
			Path: []string{"", "/a", "/b"}[c.IntN(3)], Field: []string{"", "f"}[c.IntN(2)], Layer: []string{"", "l"}[c.IntN(2)],
			Offset: int64(c.IntN(2)), Deleted: c.IntN(2) == 0,
		},
		Individuals: policy.Individuals{Low: c.IntN(2), Point: c.IntN(3), High: c.IntN(2)},
	}
}

func (c choose) report() policy.Report {
	r := policy.Report{Now: now}
	for range c.IntN(6) {
		r.Findings = append(r.Findings, c.finding())
	}
	for range c.IntN(4) {
		r.Skipped = append(r.Skipped, policy.Skipped{
			Where: []string{"/a", "/b"}[c.IntN(2)], Rule: "files", Reason: []string{"x", "y"}[c.IntN(2)], Kind: policy.SkipKind(c.IntN(5)),
		})
	}
	return r
}

func (c choose) subject() *policy.Subject {
	s := subject()
	s.Pod.Namespace = []string{"", "clinic-a", "kube-system"}[c.IntN(3)]
	if c.IntN(2) == 0 {
		s.Pod.Labels = nil
	}
	if c.IntN(2) == 0 {
		s.Spec = &specs.Spec{Mounts: []specs.Mount{{Source: "/srv/ephi/a", Destination: "/a", Type: "bind"}}}
	}
	return s
}

// FuzzDecide holds for every policy, subject and report:
//   - one finding more never softens the verdict, nor what was found before;
//   - the order of documents, findings and skipped makes no difference to a
//     byte of the decision;
//   - an exception more never affects another rule, another place or what was
//     skipped, never tightens, never makes more lenient than it says, and is
//     named where it softened;
//   - a pod label, and a document that asks for one, never soften anything;
//   - Explain decides the same, and the strictest of its reasons is the action;
//   - a subject whose documents are all in audit mode is blocked by a rule that
//     nobody knows and by nothing else.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(2000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		c := choose{rand.New(rand.NewPCG(seed, 1))}
		p, s, r := c.policy(), c.subject(), c.report()
		v := policy.Decide(p, s, r)
		c.checkMonotone(t, p, s, r, v)
		c.checkOrder(t, p, s, r, v)
		c.checkException(t, p, s, r, v)
		checkLabels(t, p, s, r, v)
		checkAudit(t, p, s, r)
		checkReasons(t, p, s, r, v)
	})
}

func (c choose) checkMonotone(t *testing.T, p *policy.Policy, s *policy.Subject, r policy.Report, v policy.Verdict) {
	more := r
	more.Findings = append(append([]policy.Finding{}, r.Findings...), c.finding())
	if w := policy.Decide(p, s, more); w.Action > v.Action {
		t.Errorf("one finding more softened the verdict from %s to %s", v.Action, w.Action)
	}
	for i, found := range r.Findings {
		alone := policy.Decide(p, s, policy.Report{Now: r.Now, Findings: r.Findings[i : i+1]})
		if alone.Action < v.Action {
			t.Errorf("rule %s blocks alone and not among others", found.Rule)
		}
	}
}

func (c choose) checkOrder(t *testing.T, p *policy.Policy, s *policy.Subject, r policy.Report, v policy.Verdict) {
	q := *p
	q.Documents = append([]policy.Document{}, p.Documents...)
	r.Findings = append([]policy.Finding{}, r.Findings...)
	r.Skipped = append([]policy.Skipped{}, r.Skipped...)
	c.Shuffle(len(q.Documents), func(i, j int) { q.Documents[i], q.Documents[j] = q.Documents[j], q.Documents[i] })
	c.Shuffle(len(r.Findings), func(i, j int) { r.Findings[i], r.Findings[j] = r.Findings[j], r.Findings[i] })
	c.Shuffle(len(r.Skipped), func(i, j int) { r.Skipped[i], r.Skipped[j] = r.Skipped[j], r.Skipped[i] })
	exceptions := p.Exceptions.All()
	c.Shuffle(len(exceptions), func(i, j int) { exceptions[i], exceptions[j] = exceptions[j], exceptions[i] })
	q.Exceptions = policy.NewExceptions(exceptions...)
	if a, b := bytesOf(t, s, v), bytesOf(t, s, policy.Decide(&q, s, r)); !bytes.Equal(a, b) {
		t.Errorf("another order, another decision:\n%s\n%s", a, b)
	}
}

func (c choose) checkException(t *testing.T, p *policy.Policy, s *policy.Subject, r policy.Report, v policy.Verdict) {
	more := c.exception(9)
	q := *p
	q.Exceptions = policy.NewExceptions(append(p.Exceptions.All(), more)...)
	w := policy.Decide(&q, s, r)
	if len(w.Findings) != len(v.Findings) || !reflect.DeepEqual(v.Skipped, w.Skipped) {
		t.Fatal("an exception changed what was skipped, or how much was found")
	}
	for _, f := range r.Findings {
		one := policy.Report{Now: r.Now, Findings: []policy.Finding{f}}
		before, after := policy.Decide(p, s, one).Findings[0], policy.Decide(&q, s, one).Findings[0]
		held := slices.ContainsFunc(more.Policies, func(e policy.ExceptedRules) bool { return more.Holds(e.Policy, s, &f, r.Now) })
		named := slices.Contains(after.Exceptions, more.ID)
		switch {
		case after.Action < before.Action:
			t.Errorf("an exception tightened rule %s from %s to %s", f.Rule, before.Action, after.Action)
		case after.Action > before.Action && (!held || !named || after.Action > more.DowngradeTo):
			t.Errorf("rule %s softened from %s to %s: held %v, named %v, to %s", f.Rule, before.Action, after.Action, held, named, more.DowngradeTo)
		case named && !held:
			t.Errorf("rule %s names an exception that does not hold", f.Rule)
		}
	}
}

func bytesOf(t *testing.T, s *policy.Subject, v policy.Verdict) []byte {
	out, err := json.Marshal(policy.NewDecision(s, v, now, 0))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func checkLabels(t *testing.T, p *policy.Policy, s *policy.Subject, r policy.Report, v policy.Verdict) {
	bare := *s
	bare.Pod.Labels = nil
	labelled := *s
	labelled.Pod.Labels = map[string]string{"tier": "phi"}
	with, without := policy.Decide(p, &labelled, r), policy.Decide(p, &bare, r)
	if with.Action > without.Action {
		t.Errorf("a pod label softened the verdict from %s to %s", without.Action, with.Action)
	}
	if a, b := sum(with), sum(without); a > b {
		t.Errorf("a pod label softened an action: %d above %d", a, b)
	}
}

// sum grows as actions soften.
func sum(v policy.Verdict) (n int) {
	for _, f := range v.Findings {
		n += int(f.Action)
	}
	for _, k := range v.Skipped {
		n += int(k.Action)
	}
	return n
}

func checkAudit(t *testing.T, p *policy.Policy, s *policy.Subject, r policy.Report) {
	q := *p
	q.Documents = append([]policy.Document{{Name: "first", Mode: ptr(policy.AuditOnly)}}, p.Documents...)
	for i := range q.Documents {
		q.Documents[i].Mode = ptr(policy.AuditOnly)
	}
	known := policy.Report{Now: r.Now, Skipped: r.Skipped}
	for _, f := range r.Findings {
		if f.Rule != "nobody-knows" && f.Rule != "own0" && f.Rule != "own1" {
			known.Findings = append(known.Findings, f)
		}
	}
	if v := policy.Decide(&q, s, known); v.Action != policy.Allow || v.Mode != policy.AuditOnly {
		t.Errorf("verdict %s in mode %s, want allow in audit", v.Action, v.Mode)
	}
}

func checkReasons(t *testing.T, p *policy.Policy, s *policy.Subject, r policy.Report, v policy.Verdict) {
	e := policy.Explain(p, s, r)
	if a, b := bytesOf(t, s, v), bytesOf(t, s, e.Verdict); !bytes.Equal(a, b) {
		t.Errorf("explained otherwise than decided:\n%s\n%s", a, b)
	}
	for _, f := range e.Verdict.Findings {
		if got := strictest(f.Reasons); got != f.Action {
			t.Errorf("finding of %s: action %s, and the strictest reason says %s", f.Rule, f.Action, got)
		}
	}
	for _, k := range e.Verdict.Skipped {
		if got := strictest(k.Reasons); k.Kind != policy.OutOfScope && got != k.Action {
			t.Errorf("skipped: action %s, and the strictest reason says %s", k.Action, got)
		}
	}
	for _, rule := range e.Rules {
		if got := strictest(rule.Reasons); got != rule.Action {
			t.Errorf("rule %s: action %s, and the strictest reason says %s", rule.Info.ID, rule.Action, got)
		}
	}
}

func strictest(reasons []policy.Reason) policy.Action {
	action := policy.Allow
	for _, r := range reasons {
		action = policy.Stricter(action, r.Action)
	}
	return action
}
