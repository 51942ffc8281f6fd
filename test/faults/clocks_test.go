package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/phigate/phigate/plugin/ask"
)

// exceptions is the file of one that lets the violating image run in the pods' namespace.
const exceptions = "exception.yaml"

// clock sets the clocks of phigated and containerd off, as the machine's would be, and back,
// while an exception is there that ends so long after now: one that has ended must not
// begin again.
func clock(name string, by, ends time.Duration) fault {
	skew := func(b *bench, by time.Duration) {
		b.must(Skew(b.gate.Process().PID(), by))
		b.must(Skew(b.node.Process().PID(), by))
	}
	var without string // the policy's digest without the exception
	return fault{name: name,
		set: func(b *bench) {
			without = b.except(time.Now().Add(ends))
			if r := b.create(b.plain, b.people); r.ran != (ends > 0) {
				b.Errorf("with an exception that ends %s from now the image ran: %v: %v", ends, r.ran, r.err)
			} else {
				b.remove(call{}, r)
			}
		},
		begin: func(b *bench) { skew(b, by) },
		end:   func(b *bench) { skew(b, 0) },
		mend: func(b *bench) {
			if r := b.create(b.plain, b.people); r.ran {
				b.Error("the clock is right again, and an exception holds that had ended")
			}
			b.must(os.Remove(filepath.Join(b.gate.Policies, exceptions)))
			b.policy(func(p ask.PolicyStatus) bool { return p.Error == "" && p.Digest == without })
		}}
}

// except puts an exception in force and returns the digest of the policy that was.
func (b *bench) except(until time.Time) string {
	b.Helper()
	before, err := b.gate.Status(b.ctx)
	b.must(err)
	b.must(b.gate.WritePolicy(exceptions, fmt.Sprintf(`apiVersion: phigate.dev/v1alpha1
kind: Exception
metadata: {name: EX-1}
spec:
  policies: [{name: hipaa-baseline, rules: [phi-table]}]
  selector: {namespaces: {in: [clinic-a]}}
  findings: [{path: "/srv/**"}]
  reason: made-up people
  ticket: SEC-1
  requestedBy: a@clinic.example
  approvedBy: [b@clinic.example]
  expiresAt: %s
  downgradeTo: audit
`, until.UTC().Format(time.RFC3339))))
	b.policy(func(p ask.PolicyStatus) bool { return p.Error == "" && p.Digest != before.Policy.Digest })
	return before.Policy.Digest
}
