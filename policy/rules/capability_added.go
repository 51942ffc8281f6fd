package rules

import (
	"slices"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// The second part of row OCI-002. Those of [dangerous] are that rule's.
var capabilityAdded = policy.Rule{
	Info: policy.Info{
		ID: "capability-added", Aliases: []string{"OCI-002-added"},
		Title:    "The container holds a capability that runtimes give to none by default",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: capabilities_baseline"), cisDocker("5.4")},
		Severity: policy.Medium, Default: policy.Warn, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). Each capability beyond the " +
			"default set is a right of root over the node, such as to set its clock, to read its log or to stop its auditing.",
		Fix: "Remove it from capabilities.add, or write an exception for the program that needs it.",
	},
	Needs: policy.FactCapabilities,
	Check: func(s *policy.Subject) []policy.Finding {
		return namesCapabilities(capabilities(s), "capability %s added", func(c string) bool {
			return !slices.Contains(defaultCapabilities, c) && !slices.Contains(dangerous, c)
		})
	},
}

// defaultCapabilities are what containerd and Docker give every container, and
// Podman and CRI-O a part of. All but NET_RAW are those that the level baseline
// of the Pod Security Standards lets a pod add.
var defaultCapabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
	"SYS_CHROOT", "KILL", "AUDIT_WRITE",
}
