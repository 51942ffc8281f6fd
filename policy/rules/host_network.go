package rules

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(e)(1): "Implement technical security measures to guard against
// unauthorized access to electronic protected health information that is being
// transmitted over an electronic communications network."
var hostNetwork = policy.Rule{
	Info: policy.Info{
		ID: "host-network", Aliases: []string{"OCI-012"},
		Title:    "The container shares the host's network namespace",
		Cites:    []hipaa.Citation{hipaa.TransmissionSecurity},
		Controls: []policy.Control{podSecurity("baseline: hostNamespaces"), cisKubernetes("5.2.5"), cisDocker("5.10")},
		Proposed: []hipaa.Proposal{hipaa.ProposedAccessControl},
		Severity: policy.High, Default: policy.Warn, WithPHI: new(policy.Block), Isolation: true,
		Rationale: "ePHI must be guarded while it is transmitted (164.312(e)(1)). In the host's network a container reaches services " +
			"that listen on the node's loopback, passes by network policies and, with NET_RAW, sees the node's traffic.",
		Fix: "Remove hostNetwork: true and publish the port with a Service.",
	},
	Needs: policy.FactNamespaces | policy.FactHostNamespaces,
	Early: policy.FactNamespaces,
	Check: func(s *policy.Subject) []policy.Finding {
		return checkHostNamespace(s, specs.NetworkNamespace, "host network namespace")
	},
}
