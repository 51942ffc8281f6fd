package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(c)(1): "Implement policies and procedures to protect electronic
// protected health information from improper alteration or destruction."
//
// A bind mount inherits the options of the file system that it shows, but runc
// sets those of the spec in their place as soon as it has one of its own (mount(2),
// MS_REMOUNT | MS_BIND), so the spec's are what counts.
var phiVolumeOptions = policy.Rule{
	Info: policy.Info{
		ID: "phi-volume-options", Aliases: []string{"OCI-007"},
		Title:    "Programs can be run from a volume with ePHI",
		Cites:    []hipaa.Citation{hipaa.Integrity},
		Severity: policy.Medium, Default: policy.Warn,
		Rationale: "ePHI must be protected from improper alteration (164.312(c)(1)). Data needs no programs, devices or setuid files " +
			"beside it; what an intruder leaves on the volume runs in every container that mounts it.",
		Fix: "Mount the volume with nosuid, nodev and noexec (mountOptions of the PersistentVolume).",
	},
	Needs: policy.FactMounts | policy.FactHostPaths,
	Early: policy.FactMounts,
	Check: func(s *policy.Subject) []policy.Finding {
		var found []policy.Finding
		for _, m := range phiMounts(s) {
			missing := except([]string{"nosuid", "nodev", "noexec"}, func(o string) bool { return slices.Contains(m.Options, o) })
			if len(missing) > 0 {
				found = append(found, at(fmt.Sprintf("mounts[%d].options", m.index), "ePHI volume without %s", strings.Join(missing, ", ")))
			}
		}
		return found
	},
}
