package rules

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// The process and the network namespace have rules of their own, and so have
// the namespaces that ordinary containers do not have. With the host's network
// containerd's CRI shares the UTS namespace, too.
var hostIPC = policy.Rule{
	Info: policy.Info{
		ID: "host-ipc", Aliases: []string{"OCI-013"},
		Title:    "The container shares the host's IPC or UTS namespace",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: hostNamespaces"), cisKubernetes("5.2.4"), cisDocker("5.17"), cisDocker("5.21")},
		Severity: policy.Medium, Default: policy.Warn, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). In the host's IPC " +
			"namespace a container reads and writes other programs' shared memory; in its UTS namespace it can rename the node.",
		Fix: "Remove hostIPC: true, and hostNetwork: true with which the host's UTS namespace comes.",
	},
	Needs: policy.FactNamespaces | policy.FactHostNamespaces,
	Early: policy.FactNamespaces,
	Check: func(s *policy.Subject) []policy.Finding {
		return append(checkHostNamespace(s, specs.IPCNamespace, "host IPC namespace"),
			checkHostNamespace(s, specs.UTSNamespace, "host UTS namespace")...)
	},
}
