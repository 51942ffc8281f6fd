package rules

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.308(a)(1)(ii)(B): "Implement security measures sufficient to reduce
// risks and vulnerabilities to a reasonable and appropriate level ..."
var seccompUnconfined = policy.Rule{
	Info: policy.Info{
		ID: "seccomp-unconfined", Aliases: []string{"OCI-016"},
		Title:    "The container may call everything that the kernel offers",
		Cites:    []hipaa.Citation{hipaa.RiskManagement},
		Controls: []policy.Control{podSecurity("baseline: seccompProfile_baseline"), podSecurity("restricted: seccompProfile_restricted"), cisKubernetes("5.6.2"), cisDocker("5.22")},
		Severity: policy.Medium, Default: policy.Warn, Isolation: true,
		Rationale: "Risks must be reduced to a reasonable level (164.308(a)(1)(ii)(B)). Without a seccomp profile a program reaches " +
			"all system calls, those among them in which the flaws of the kernel are found that lead out of containers.",
		Fix: "Set seccompProfile.type: RuntimeDefault in the pod's securityContext, or seccompDefault: true in the kubelet's configuration.",
	},
	Needs: policy.FactSeccomp,
	Check: checkSeccomp,
}

// Actions that let a call happen, runtime-spec config-linux.md, "Seccomp".
var lettingThrough = []specs.LinuxSeccompAction{specs.ActAllow, specs.ActLog, ""}

func checkSeccomp(s *policy.Subject) []policy.Finding {
	profile := linux(s).Seccomp
	if profile == nil {
		return []policy.Finding{at("linux.seccomp", "no seccomp profile")}
	}
	denies := func(a specs.LinuxSeccompAction) bool { return !slices.Contains(lettingThrough, a) }
	if denies(profile.DefaultAction) || slices.ContainsFunc(profile.Syscalls, func(c specs.LinuxSyscall) bool {
		return denies(c.Action) && len(c.Names) > 0
	}) {
		return nil
	}
	return []policy.Finding{at("linux.seccomp.defaultAction", "seccomp profile that denies nothing")}
}
