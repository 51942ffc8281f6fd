package rules

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "Implement technical policies and procedures for
// electronic information systems that maintain electronic protected health
// information to allow access only to those persons or software programs that
// have been granted access rights as specified in § 164.308(a)(4)."
//
// The spec has no field "privileged". containerd's CRI expresses it (WithPrivileged,
// WithAllDevicesAllowed) as every capability, one device rule that allows all,
// and a writable /sys; ordinary containers get the device rule that denies all
// followed by single devices, and a read-only /sys.
var privileged = policy.Rule{
	Info: policy.Info{
		ID: "privileged", Aliases: []string{"OCI-001"},
		Title:    "The container is privileged or as good as privileged",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: privileged"), cisKubernetes("5.2.2"), cisDocker("5.5")},
		Severity: policy.Critical, Default: policy.Block, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). A privileged container " +
			"reaches every device, every other container and all data of its node, whatever was granted to it.",
		Fix: "Remove privileged: true and add only the single capability or device that the program really needs.",
	},
	Needs: policy.FactCapabilities | policy.FactDeviceRules,
	Early: policy.FactPrivilegedPod | policy.FactMounts | policy.FactDeviceRules,
	Check: checkPrivileged,
}

// privilegedSet are the capabilities that together undo every other limit.
var privilegedSet = []string{"SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN", "DAC_READ_SEARCH"}

func checkPrivileged(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	if s.Sees.Has(policy.FactCapabilities) && hasAll(capabilities(s), privilegedSet) {
		found = append(found, at("process.capabilities", "privileged container (all dangerous capabilities)"))
	}
	if s.Sees.Has(policy.FactDeviceRules) && allowsAllDevices(deviceRules(s)) {
		found = append(found, at("linux.resources.devices", "privileged container (all devices allowed)"))
	}
	// A privileged pod also holds ordinary containers; only the privileged
	// ones get a writable /sys.
	if s.Sees.Has(policy.FactPrivilegedPod|policy.FactMounts) && s.PrivilegedPod {
		if field, ok := writableSysfs(s); ok {
			found = append(found, at(field, "privileged container (writable /sys in a privileged pod)"))
		}
	}
	return found
}

func hasAll(have, want []string) bool {
	return !slices.ContainsFunc(want, func(c string) bool { return !slices.Contains(have, c) })
}

// allowsAllDevices reads the rules as runc does (cgroups/devices, Emulator), in
// order: a rule for every type replaces what stood before it, whatever numbers
// and access it names.
func allowsAllDevices(rules []specs.LinuxDeviceCgroup) bool {
	all := false
	for _, r := range rules {
		if r.Type == "" || r.Type == "a" {
			all = r.Allow
		}
	}
	return all
}

func writableSysfs(s *policy.Subject) (field string, ok bool) {
	all := mounts(s)
	for i := range all {
		m := hostMount{index: i, Mount: &all[i]}
		if m.Type == "sysfs" && m.writable() {
			return m.field(), true
		}
	}
	return "", false
}
