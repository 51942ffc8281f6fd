package rules

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
var hostPID = policy.Rule{
	Info: policy.Info{
		ID: "host-pid", Aliases: []string{"OCI-011"},
		Title:    "The container shares the host's process namespace",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: hostNamespaces"), cisKubernetes("5.2.3"), cisDocker("5.16")},
		Severity: policy.High, Default: policy.Block, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). In the host's process " +
			"namespace a container sees every process with its arguments, and through /proc their environment and open files.",
		Fix: "Remove hostPID: true.",
	},
	Needs: policy.FactNamespaces | policy.FactHostNamespaces,
	Early: policy.FactNamespaces,
	Check: func(s *policy.Subject) []policy.Finding {
		return checkHostNamespace(s, specs.PIDNamespace, "host process namespace")
	},
}

func checkHostNamespace(s *policy.Subject, kind specs.LinuxNamespaceType, what string) []policy.Finding {
	if shared, field := sharesHost(s, kind); shared {
		return []policy.Finding{at(field, "%s", what)}
	}
	return nil
}

// sharesHost says whether the subject has no namespace of this kind but the
// host's, and where. A container of a pod joins its namespaces by path, so a
// path means nothing until it was compared with the host's own.
func sharesHost(s *policy.Subject, kind specs.LinuxNamespaceType) (shared bool, field string) {
	for i, ns := range linux(s).Namespaces {
		if ns.Type == kind {
			joined := ns.Path != "" && s.Sees.Has(policy.FactHostNamespaces) && s.Host.OwnNamespace[kind]
			return joined, fmt.Sprintf("linux.namespaces[%d]", i)
		}
	}
	return true, "linux.namespaces"
}
