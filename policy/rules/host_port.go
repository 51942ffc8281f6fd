package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(e)(1): "Implement technical security measures to guard against
// unauthorized access to electronic protected health information that is being
// transmitted over an electronic communications network."
//
// The second part of row OCI-012. Docker's published ports stand in no spec.
var hostPort = policy.Rule{
	Info: policy.Info{
		ID: "host-port", Aliases: []string{"OCI-012-port"},
		Title:    "A port of the container is open on the node's own address",
		Cites:    []hipaa.Citation{hipaa.TransmissionSecurity},
		Controls: []policy.Control{podSecurity("baseline: hostPorts"), cisKubernetes("5.2.12")},
		Severity: policy.Low, Default: policy.Audit, Isolation: true,
		Rationale: "ePHI must be guarded while it is transmitted (164.312(e)(1)). Whoever reaches the node reaches such a port, past the " +
			"Services and gateways that would ask for encryption and credentials.",
		Fix: "Remove hostPort and publish the port with a Service.",
	},
	Needs: policy.FactPorts,
	Check: func(s *policy.Subject) []policy.Finding {
		var found []policy.Finding
		for _, p := range s.Ports {
			if p.Host != 0 {
				found = append(found, at(p.Field, "port %d/%s published on the node's port %d", p.Number, p.Protocol, p.Host))
			}
		}
		return found
	},
}
