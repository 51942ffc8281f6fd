package inspect

import (
	"context"
	"sync/atomic"

	"github.com/phigate/phigate/policy"
)

// OnHost is the spec inspector of a node: it gathers the host's facts first.
// It works on the copy of the subject that the engine hands each inspector, so
// that a mount source on a dead server hangs here and nowhere else.
type OnHost struct {
	Spec
	Host    Host
	Sockets []string // of the runtime and of the gate

	gathering atomic.Int32
}

// maxGathering bounds the inspections that look at the host at one time. One
// whose mount source does not answer keeps a thread for as long, and the kubelet
// tries again; beyond the bound the host's facts stay unknown.
const maxGathering = 64

// Inspect implements the engine's Inspector.
func (in *OnHost) Inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) policy.Report {
	if in.gathering.Add(1) <= maxGathering {
		in.Host.Gather(ctx, s)
	}
	in.gathering.Add(-1)
	s.Host.Sockets = in.Sockets
	return in.Spec.Inspect(ctx, s, p)
}
