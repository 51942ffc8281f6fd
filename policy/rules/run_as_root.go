package rules

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(2)(i): "Assign a unique name and/or number for identifying
// and tracking user identity."
//
// Group 0 alone is no violation (OpenShift gives it to every arbitrary user),
// nor are additional groups: the runtime takes them from the image's own
// /etc/group, where their numbers need not mean what they mean on the host.
var runAsRoot = policy.Rule{
	Info: policy.Info{
		ID: "run-as-root", Aliases: []string{"OCI-014"},
		Title:    "The container runs as the host's user 0",
		Cites:    []hipaa.Citation{hipaa.UniqueUser, hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("restricted: runAsNonRoot"), podSecurity("restricted: runAsUser"), cisKubernetes("5.2.7"), cisDocker("4.1")},
		Severity: policy.Medium, Default: policy.Warn, Isolation: true,
		Rationale: "Users must have a unique name or number (164.312(a)(2)(i)). Root in a container without a user namespace is the " +
			"host's root: what it does cannot be told apart, and one flaw in the isolation gives it access that nobody granted " +
			"(164.312(a)(1)).",
		Fix: "Set runAsNonRoot: true with a runAsUser of its own, or hostUsers: false.",
	},
	Needs: policy.FactUser | policy.FactNamespaces,
	Check: checkRunAsRoot,
}

func checkRunAsRoot(s *policy.Subject) []policy.Finding {
	if process(s).User.UID != 0 || rootIsMapped(s) {
		return nil
	}
	return []policy.Finding{at("process.user.uid", "runs as root")}
}

// rootIsMapped says whether the container's user 0 is another on the host.
// NRI shows that there is a user namespace but not its mapping.
func rootIsMapped(s *policy.Subject) bool {
	if shared, _ := sharesHost(s, specs.UserNamespace); shared {
		return false
	}
	for _, m := range linux(s).UIDMappings {
		if m.ContainerID == 0 && m.Size > 0 && m.HostID == 0 {
			return false
		}
	}
	return true
}
