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
	if p != nil {
		s = p.WithPHIVolumes(s)
	}
	mine := *s
	s = &mine // its host's facts outlive this call
	if in.gathering.Add(1) <= maxGathering {
		in.Host.Gather(ctx, s)
		in.storage(ctx, s)
	}
	in.gathering.Add(-1)
	s.Host.Sockets = in.Sockets
	report := in.Spec.Inspect(ctx, s, p)
	report.Host = &s.Host
	return report
}

// storage asks what the volumes lie on that hold ePHI, and nothing of others.
func (in *OnHost) storage(ctx context.Context, s *policy.Subject) {
	if s.Spec == nil || !s.Sees.Has(policy.FactMounts|policy.FactHostPaths) {
		return
	}
	var places []string
	for source, real := range s.Host.RealPath {
		if s.PHIVolume(source) || s.PHIVolume(real) {
			places = append(places, source)
		}
	}
	s.Host.Storage = in.Host.Storage(ctx, places)
	if ctx.Err() == nil {
		s.Sees |= policy.FactHostStorage
	}
}
