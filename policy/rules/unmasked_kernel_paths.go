package rules

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
var unmaskedKernelPaths = policy.Rule{
	Info: policy.Info{
		ID: "unmasked-kernel-paths", Aliases: []string{"OCI-019"},
		Title:    "Files of the kernel that runtimes hide are open to the container",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: procMount"), podSecurity("restricted: procMount_restricted")},
		Severity: policy.High, Default: policy.Warn, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). Through /proc and /sys " +
			"a container reads the memory and keys of the whole node, or changes how its kernel works.",
		Fix: "Remove procMount: Unmasked (Docker: --security-opt systempaths=unconfined).",
	},
	Needs: policy.FactMaskedPaths,
	Check: checkMaskedPaths,
}

// What containerd, Docker, Podman and CRI-O all hide or make read-only for every
// container that is not privileged, whatever their version. Their lists are
// longer, and differ.
var (
	maskedPaths   = []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

func checkMaskedPaths(s *policy.Subject) []policy.Finding {
	l := linux(s)
	hidden := func(p string) bool {
		return slices.ContainsFunc(l.MaskedPaths, func(dir string) bool { return below(p, strings.TrimRight(dir, "/")) && dir != "" && dir != "/" })
	}
	readonly := func(p string) bool { return hidden(p) || slices.Contains(l.ReadonlyPaths, p) }
	var found []policy.Finding
	if open := except(maskedPaths, hidden); len(open) > 0 {
		found = append(found, at("linux.maskedPaths", "%s not masked", strings.Join(open, ", ")))
	}
	if open := except(readonlyPaths, readonly); len(open) > 0 {
		found = append(found, at("linux.readonlyPaths", "%s not read-only", strings.Join(open, ", ")))
	}
	return found
}

// except are those of which a test does not hold.
func except(all []string, holds func(string) bool) []string {
	var out []string
	for _, one := range all {
		if !holds(one) {
			out = append(out, one)
		}
	}
	return out
}
