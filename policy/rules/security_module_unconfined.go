package rules

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// A node without AppArmor and SELinux has nothing that could confine, and the
// rule says nothing there. An empty profile is none: the runtime then leaves the
// program as it is.
var securityModuleUnconfined = policy.Rule{
	Info: policy.Info{
		ID: "security-module-unconfined", Aliases: []string{"OCI-017"},
		Title:    "The node's AppArmor or SELinux does not confine the container",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: appArmorProfile"), podSecurity("baseline: seLinuxOptions"), cisDocker("5.2"), cisDocker("5.3")},
		Severity: policy.Medium, Default: policy.Warn, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). AppArmor and SELinux " +
			"keep a container's programs from the node's files even when they are root or get out of their namespaces.",
		Fix: "Leave appArmorProfile and seLinuxOptions to the runtime, or name a profile of the node's own.",
	},
	Needs: policy.FactLSM | policy.FactHostKernel,
	Check: checkSecurityModule,
}

// containerTypes are the types of container-selinux that the Pod Security
// Standards allow; containerUser and containerRole are those that container-selinux
// gives every container, and that no pod may change there.
var containerTypes = []string{"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}

const containerUser, containerRole = "system_u", "system_r"

func checkSecurityModule(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	if s.Host.Kernel.AppArmor {
		switch process(s).ApparmorProfile {
		case "":
			found = append(found, at("process.apparmorProfile", "no AppArmor profile"))
		case "unconfined":
			found = append(found, at("process.apparmorProfile", "AppArmor unconfined"))
		}
	}
	if s.Host.Kernel.SELinux {
		label := process(s).SelinuxLabel
		parts := strings.Split(label, ":") // user:role:type:level
		switch {
		case label == "":
			found = append(found, at("process.selinuxLabel", "no SELinux label"))
		case len(parts) < 3 || !slices.Contains(containerTypes, parts[2]):
			found = append(found, at("process.selinuxLabel", "SELinux type that is none of the containers'"))
		case parts[0] != containerUser || parts[1] != containerRole:
			found = append(found, at("process.selinuxLabel", "SELinux user or role that is none of the containers'"))
		}
	}
	return found
}
