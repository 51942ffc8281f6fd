package policy_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
)

var errAnswer = errors.New("no answer")

// condition draws one that answers by itself, or one that counts findings and
// gives up beyond a number of them, as one that became too dear.
func (c choose) condition(i int) policy.Condition {
	info := policy.Info{ID: fmt.Sprintf("cond%d", i), Severity: policy.Severity(c.IntN(5)), Default: c.action()}
	cost, truth, from, limit := uint64(c.IntN(3_000_000)), c.IntN(2) == 0, c.IntN(4), c.IntN(6)
	out := policy.Condition{Info: info, Field: "image.name", OverFindings: c.IntN(2) == 0}
	out.Judge = func(given policy.Circumstances, budget uint64) (bool, string, uint64, error) {
		switch found := len(given.Findings); {
		case budget == 0, cost > budget:
			return false, "", budget, errAnswer
		case !out.OverFindings:
			return truth, "m", cost, nil
		case found > limit:
			return false, "", cost, errAnswer
		default:
			return found >= from, "m", cost + uint64(found), nil
		}
	}
	return out
}

// FuzzConditions: with conditions among the rules, too, one finding more never
// softens, no order changes a byte, and Explain decides the same.
func FuzzConditions(f *testing.F) {
	for seed := range uint64(500) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		c := choose{rand.New(rand.NewPCG(seed, 2))}
		p, s, r := c.policy(), c.subject(), c.report()
		for i := range p.Documents {
			d := &p.Documents[i]
			for j := range c.IntN(3) {
				o := c.condition(10*i + j)
				d.Conditions, d.Actions[o.ID] = append(d.Conditions, o), o.Default
			}
		}
		v := policy.Decide(p, s, r)
		c.checkMonotone(t, p, s, r, v)
		c.checkOrder(t, p, s, r, v)
		checkReasons(t, p, s, r, v)
	})
}

func TestConditionThatCrashes(t *testing.T) {
	crash := policy.Condition{Info: policy.Info{ID: "own"}, Judge: func(policy.Circumstances, uint64) (bool, string, uint64, error) { panic("PLANTED") }}
	p := &policy.Policy{Digest: "sha256:p", Documents: []policy.Document{{Name: "d", Actions: actions{"own": policy.Warn}, Conditions: []policy.Condition{crash}}}}
	v := policy.Decide(p, subject(), policy.Report{Now: now})
	if v.Action != policy.Block || len(v.Skipped) != 1 || strings.Contains(fmt.Sprintf("%+v", v), "PLANTED") {
		t.Errorf("got %+v", v)
	}
}

// TestDecideLeavesTheReport: conditions add to what is judged, never to the
// caller's report.
func TestDecideLeavesTheReport(t *testing.T) {
	c := policy.Condition{Info: policy.Info{ID: "own"}, Judge: func(policy.Circumstances, uint64) (bool, string, uint64, error) { return true, "m", 1, nil }}
	p := &policy.Policy{Digest: "sha256:p", Catalogue: catalogue(), Documents: []policy.Document{{Name: "d", Actions: actions{"own": policy.Warn}, Conditions: []policy.Condition{c}}}}
	r := policy.Report{Now: now, Findings: make([]policy.Finding, 1, 10)}
	r.Findings[0].Rule = "warns"
	if v := policy.Decide(p, subject(), r); len(v.Findings) != 2 || v.Coverage.Rules != 1 {
		t.Errorf("got %+v", v)
	}
	if r.Coverage.Rules != 0 || r.Findings[:2][1].Rule != "" {
		t.Error("Decide wrote into the report")
	}
}

// TestConditionOnTheNode: what an inspector asked of the node is there where it is
// decided, and what the subject has none of is said and never held against it.
func TestConditionOnTheNode(t *testing.T) {
	ask := policy.Condition{Info: policy.Info{ID: "own", Default: policy.Block}, Judge: func(c policy.Circumstances, _ uint64) (bool, string, uint64, error) {
		if c.Subject.Host.Name == "" {
			return false, "", 0, fmt.Errorf("%w: no node", policy.ErrNothing)
		}
		return c.Subject.Host.Name == "node-a", "m", 1, nil
	}}
	p := &policy.Policy{Documents: []policy.Document{{Conditions: []policy.Condition{ask}, Actions: actions{"own": policy.Block}}}}
	s := subject()
	if v := policy.Decide(p, s, policy.Report{Host: &policy.Host{Name: "node-a"}}); len(v.Findings) != 1 || v.Action != policy.Block || s.Host.Name != "" {
		t.Errorf("on the node: %s with %d findings", v.Action, len(v.Findings))
	}
	v := policy.Decide(p, s, policy.Report{})
	if v.Action != policy.Allow || len(v.Skipped) != 1 || v.Skipped[0].Kind != policy.OutOfScope || v.Skipped[0].Action != policy.Audit {
		t.Errorf("at rest: %s, skipped %+v", v.Action, v.Skipped)
	}
}
