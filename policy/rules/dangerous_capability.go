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
// What each capability opens: capabilities(7).
var dangerousCapability = policy.Rule{
	Info: policy.Info{
		ID: "dangerous-capability", Aliases: []string{"OCI-002"},
		Title:    "The container holds a capability that breaks its isolation",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: capabilities_baseline"), cisDocker("5.4")},
		Severity: policy.High, Default: policy.Warn, WithPHI: new(policy.Block), Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). With one of these " +
			"capabilities a program can read other programs' memory or files, load code into the kernel or change the node's network.",
		Fix: "Drop ALL capabilities and add back only harmless ones, such as NET_BIND_SERVICE.",
	},
	Needs: policy.FactCapabilities,
	Check: checkDangerousCapability,
}

// dangerous are the capabilities that lead out of a container. NET_RAW, a low
// row of the catalogue, is not among them: containerd, Docker and Podman have
// it or had it in the default set, so it would be found in every container
// and would tell nobody anything.
var dangerous = []string{
	"SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF", "PERFMON",
	"NET_ADMIN", "SYS_BOOT", "MAC_ADMIN", "CHECKPOINT_RESTORE",
}

func checkDangerousCapability(s *policy.Subject) []policy.Finding {
	var names []string
	for _, c := range capabilities(s) {
		if slices.Contains(dangerous, c) {
			names = append(names, c)
		}
	}
	if len(names) == 0 {
		return nil
	}
	f := at("process.capabilities", "dangerous capability %s", strings.Join(names, ", "))
	f.Count = len(names)
	return []policy.Finding{f}
}

// capabilities are the names, without CAP_, in any of the process's five sets,
// sorted and each once.
// The bounding set counts: a file with capabilities, or one that is setuid
// root, turns it into effective ones. That the inheritable or the ambient set
// holds anything is no violation in itself, what it holds may be.
func capabilities(s *policy.Subject) []string {
	c := process(s).Capabilities
	if c == nil {
		return nil
	}
	have := slices.Concat(c.Bounding, c.Effective, c.Permitted, c.Inheritable, c.Ambient)
	for i, name := range have {
		have[i] = strings.TrimPrefix(strings.ToUpper(name), "CAP_")
	}
	slices.Sort(have)
	return slices.Compact(have)
}
