package faults

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/node"
)

// verdict looks at all that was done.
func (s *soak) verdict(seed uint64) {
	s.Helper()
	admitted, bypasses := s.decisions()
	ran := s.ran()
	unjudged, late, good, bad, held := 0, 0, 0, 0, 0
	for _, a := range s.attempts {
		switch {
		case a.violating:
			bad++
			if ran[a.name] || a.err == nil {
				unjudged++
				s.Errorf("it violates the policy, and ran: %s", a)
			}
		case a.err == nil || ran[a.name]:
			good++
			if !admitted[judged{a.name, a.by.gate()}] {
				unjudged++
				s.Errorf("the gate in its way has not admitted it, and it ran: %s", a)
			}
		case s.excused(a):
			held++
		default:
			late++
			s.Errorf("it is compliant, and was refused for more than %s after a fault: %s", *soakRecovery, a)
		}
	}
	if bypasses > 0 {
		s.Errorf("%d containers were taken for unjudged", bypasses)
	}
	half, longest := s.recovery()
	line := fmt.Sprintf("containerd %s: %d faults (%s), seed %d; %d compliant containers ran, %d were refused during faults, %d later than %s after; %d violating were refused, %d ran unjudged; recovery %s at p50, %s at most",
		node.Version(), len(s.windows)-1, s.kinds(), seed, good, held, late, *soakRecovery, bad, unjudged, half.Round(time.Millisecond), longest.Round(time.Millisecond))
	s.Log(line)
	s.tally(line)
}

// judged is a container at a gate.
type judged struct {
	name string
	gate policy.Gate
}

// gate is the one without which none of the client's containers may run.
func (c *client) gate() policy.Gate {
	if c.unguarded() {
		return policy.GateValidate
	}
	return policy.GateWrapper
}

// decisions are the containers that a gate has let run, and how many records there are
// of ones that came by no gate.
func (s *soak) decisions() (admitted map[judged]bool, bypasses int) {
	s.Helper()
	all, err := s.gate.Decisions(s.ctx)
	s.must(err)
	admitted = map[judged]bool{}
	for _, d := range all {
		switch {
		case d.Kind == "bypass":
			bypasses++
		case d.Kind == "verdict" && d.Verdict == policy.Allow:
			admitted[judged{path.Base(d.Target), d.Gate}] = true
		}
	}
	return admitted, bypasses
}

// ran are the names of the containers whose own code has run.
func (s *soak) ran() map[string]bool {
	s.Helper()
	entries, err := os.ReadDir(s.marks)
	s.must(err)
	ran := map[string]bool{}
	for _, e := range entries {
		ran[e.Name()] = true
	}
	if len(ran) == 0 {
		s.Error("no container has run at all")
	}
	return ran
}

// excused says whether the attempt fell into a fault or the recovery from it.
func (s *soak) excused(a *attempt) bool {
	return slices.ContainsFunc(s.windows, func(w window) bool {
		return a.began.Before(w.over.Add(*soakRecovery)) && a.done.After(w.began)
	})
}

// recovery is how long after a fault compliant containers were still refused.
func (s *soak) recovery() (half, longest time.Duration) {
	var took []time.Duration
	for i, w := range s.windows {
		next := time.Now()
		if i+1 < len(s.windows) {
			next = s.windows[i+1].began
		}
		last := w.over
		for _, a := range s.attempts {
			if !a.violating && a.err != nil && a.began.After(w.over) && a.done.Before(next) && a.done.After(last) {
				last = a.done
			}
		}
		took = append(took, last.Sub(w.over))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)-1]
}

// kinds says how often each fault was made.
func (s *soak) kinds() string {
	counts := map[string]int{}
	for _, w := range s.windows[1:] {
		counts[w.kind]++
	}
	var out []string
	for kind, n := range counts {
		out = append(out, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// tally adds the line to the file that was asked for.
func (s *soak) tally(line string) {
	s.Helper()
	if *soakTally == "" {
		return
	}
	if s.Failed() {
		line = "FAILED: " + line
	}
	f, err := os.OpenFile(*soakTally, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	s.must(err)
	_, err = fmt.Fprintln(f, line)
	s.must(err)
	s.must(f.Close())
}
