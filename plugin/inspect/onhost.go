package inspect

import (
	"context"

	"github.com/phigate/phigate/policy"
)

// OnHost is the spec inspector of a node: it gathers the host's facts first.
// It works on the copy of the subject that the engine hands each inspector, so
// that a mount source on a dead server hangs here and nowhere else.
type OnHost struct {
	Spec
	Sockets []string // of the runtime and of the gate
}

// Inspect implements the engine's Inspector.
func (in *OnHost) Inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) policy.Report {
	GatherHost(ctx, s, "/")
	s.Host.Sockets = in.Sockets
	return in.Spec.Inspect(ctx, s, p)
}
