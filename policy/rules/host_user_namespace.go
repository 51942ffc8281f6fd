package rules

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// The second half of row OCI-013: on most nodes every container lacks these, so
// it is audited alone. containerd makes a cgroup namespace on cgroup v2 alone.
var hostUserNamespace = policy.Rule{
	Info: policy.Info{
		ID: "host-user-namespace", Aliases: []string{"OCI-013-user"},
		Title:    "The container shares the host's user or cgroup namespace",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{cisDocker("5.31")},
		Severity: policy.Low, Default: policy.Audit, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). In the host's user " +
			"namespace a user of the container is the same user on the node, should it get out.",
		Fix: "Set hostUsers: false; Docker: userns-remap.",
	},
	Needs: policy.FactNamespaces | policy.FactHostNamespaces,
	Check: checkUserNamespace,
}

func checkUserNamespace(s *policy.Subject) []policy.Finding {
	user, field := sharesHost(s, specs.UserNamespace)
	cgroup, other := sharesHost(s, specs.CgroupNamespace)
	switch {
	case user && cgroup:
		return []policy.Finding{at(field, "host user and cgroup namespaces")}
	case user:
		return []policy.Finding{at(field, "host user namespace")}
	case cgroup:
		return []policy.Finding{at(other, "host cgroup namespace")}
	}
	return nil
}
