package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/node"
)

// fault is one way in which phigated, or what it stands on, fails.
type fault struct {
	name string // as deploy/FAULTS.md has it
	// silent: phigated gives no answer. NRI then goes by the runtime, which may
	// let a container pass; whatever else fails, phigated refuses it.
	silent bool
	// fresh: one call ends the fault, or changes it, so it begins anew for each.
	fresh bool
	// settles is for how long a compliant container is asked for again, as the kubelet does.
	settles time.Duration

	set, mend  func(b *bench) // around all calls
	begin, end func(b *bench) // around each call where it is fresh, else around all
	// during makes the call while the fault happens; nil: it has happened.
	during func(b *bench, c call, do func())
}

// TestFaults breaks phigated in every way there is, asks each gate for a container that
// must not run and for one that may, and compares with deploy/FAULTS.md.
func TestFaults(t *testing.T) {
	b := newBench(t, 25*time.Minute, smallDisk)
	b.startDocker()
	got := table{Version: node.Version()}
	for _, f := range all() {
		t.Run(f.slug(), func(t *testing.T) {
			b := b.in(t)
			got.Rows = append(got.Rows, row{Fault: f.name, Cells: b.suffer(f)})
		})
	}
	b.onlyWhatRanIsAdmitted()
	if !t.Failed() {
		got.compare(t)
	}
}

// suffer makes all calls under the fault.
func (b *bench) suffer(f fault) (cells [doors]cell) {
	b.Helper()
	cells = [doors]cell{}
	var prepared []call
	for _, c := range calls() {
		prepared = append(prepared, b.prepare(c))
	}
	var results []result
	f.do(b, f.set)
	if !f.fresh {
		f.do(b, f.begin)
	}
	for _, c := range prepared {
		if f.fresh {
			f.do(b, f.begin)
		}
		r := b.under(f, c)
		results = append(results, r)
		b.check(f, c, r)
		if !r.ran && c.door >= doorCtr {
			b.refused[r.id] = true
		}
		if c.violating {
			cells[c.door].Violating = r.ran
		} else {
			cells[c.door].Compliant = r.ran
		}
		if f.fresh {
			f.do(b, f.end)
		}
	}
	if !f.fresh {
		f.do(b, f.end)
	}
	f.do(b, f.mend)
	b.recovered(prepared, results)
	return cells
}

func (f fault) do(b *bench, step func(*bench)) {
	if step != nil {
		step(b)
	}
}

// under makes a call while the fault lasts.
func (b *bench) under(f fault, c call) (r result) {
	b.Helper()
	do := func() { r = b.ask(c) }
	if f.during != nil {
		f.during(b, c, do)
	} else {
		do()
	}
	for end := time.Now().Add(f.settles); !c.violating && !r.ran && time.Now().Before(end); {
		b.remove(c, r)
		time.Sleep(100 * time.Millisecond)
		c.prepared = ""
		if c = b.prepare(c); time.Now().Before(end) {
			do()
		}
	}
	b.Logf("%s, violating %v: ran %v: %v", c.door, c.violating, r.ran, r.err)
	return r
}

// check fails where a container ran that must not, whatever FAULTS.md says, and where
// it did not run for another reason than the gate.
func (b *bench) check(f fault, c call, r result) {
	b.Helper()
	if !r.ran && !strings.Contains(r.err.Error(), "phigate") {
		b.Errorf("%s: not refused by the gate: %v", c.door, r.err)
	}
	if !c.violating || !r.ran {
		return
	}
	open := f.silent && c.door.byNRI()
	if !open || c.door == doorCreate && node.AtLeast(2, 2) {
		b.Errorf("%s: a container that violates the policy ran: %s", c.door, r.id)
	}
}

// recovered: what ran unjudged is in the log by now, and the gate holds again.
func (b *bench) recovered(calls []call, results []result) {
	b.Helper()
	b.works()
	for i, c := range calls {
		if r := results[i]; c.violating && r.ran {
			b.must(soon(20*time.Second, func() error { return b.caughtUp(r.id) }))
		}
		b.remove(c, results[i])
	}
	for _, c := range []call{{door: doorCreate}, {door: doorCtr}, {door: doorDocker}, {door: doorHook}} {
		good, bad := b.ask(c), b.ask(call{door: c.door, violating: true})
		if !good.ran || bad.ran {
			b.Errorf("%s, when the fault is over: compliant ran %v, violating ran %v: %v", c.door, good.ran, bad.ran, good.err)
		}
		b.remove(c, good)
	}
}

// onlyWhatRanIsAdmitted: an answer that came too late is no admission in the log.
func (b *bench) onlyWhatRanIsAdmitted() {
	b.Helper()
	all, err := b.gate.Decisions(b.ctx)
	b.must(err)
	withdrawn := map[uint64]bool{}
	for _, d := range all {
		withdrawn[d.Withdraws] = true
	}
	for _, d := range all {
		outside := d.Gate == policy.GateWrapper || d.Gate == policy.GateHook
		if d.Kind == "verdict" && d.Verdict == policy.Allow && outside && !withdrawn[d.Seq] && b.refused[d.Container] {
			b.Errorf("decision %d admits %s, which was refused", d.Seq, d.Container)
		}
	}
}
