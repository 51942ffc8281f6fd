package rules

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(2)(iv): "Implement a mechanism to encrypt and decrypt
// electronic protected health information."
// 45 CFR 164.502(b)(1): "... must make reasonable efforts to limit protected
// health information to the minimum necessary ..."
//
// A spec that says nothing leaves the runtime's own limit, and containerd's unit
// sets LimitCORE=infinity. The kernel asks no limit where the pattern begins with
// a pipe, but the handlers of systemd and Ubuntu do (systemd-coredump(8)).
var coreDumpsEnabled = policy.Rule{
	Info: policy.Info{
		ID: "core-dumps-enabled", Aliases: []string{"OCI-031"},
		Title:    "A crash writes the container's memory to the node",
		Cites:    []hipaa.Citation{hipaa.EncryptionAtRest, hipaa.MinimumNecessary},
		Controls: []policy.Control{cisDocker("5.19")},
		Severity: policy.Medium, Default: policy.Warn,
		Rationale: "ePHI should be encrypted at rest (164.312(a)(2)(iv)) and limited to the minimum necessary (164.502(b)). A core " +
			"dump is the program's memory, records and keys included, in plain text and outside of the container.",
		Fix: "Set kernel.core_pattern=|/bin/false on the node, or LimitCORE=0 for containerd; Docker: --ulimit core=0.",
	},
	Needs: policy.FactRlimits | policy.FactHostKernel,
	Check: checkCoreDumps,
}

// swallowing are handlers that keep nothing.
var swallowing = []string{"/bin/false", "/usr/bin/false", "/bin/true", "/usr/bin/true"}

func checkCoreDumps(s *policy.Subject) []policy.Finding {
	pattern := s.Host.Kernel.CorePattern
	handler, piped := strings.CutPrefix(pattern, "|")
	program, _, _ := strings.Cut(strings.TrimSpace(handler), " ")
	if pattern == "" || pattern == "/dev/null" || piped && slices.Contains(swallowing, program) {
		return nil
	}
	for _, limit := range process(s).Rlimits {
		if limit.Type == "RLIMIT_CORE" {
			if limit.Soft == 0 {
				return nil
			}
			return []policy.Finding{at("process.rlimits", "core dumps enabled")}
		}
	}
	return []policy.Finding{at("process.rlimits", "core dumps not limited")}
}
