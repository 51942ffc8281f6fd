package rules

import (
	"fmt"
	"slices"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(c)(1): "Implement policies and procedures to protect electronic
// protected health information from improper alteration or destruction."
var phiVolumeWritable = policy.Rule{
	Info: policy.Info{
		ID: "phi-volume-writable", Aliases: []string{"OCI-006"},
		Title:    "A volume with ePHI that is to be read is mounted writable",
		Cites:    []hipaa.Citation{hipaa.Integrity},
		Severity: policy.Medium, Default: policy.Warn,
		Rationale: "ePHI must be protected from improper alteration (164.312(c)(1)). The policy's phiVolumes declare the volume with " +
			":ro, so no container has a reason to change it.",
		Fix: "Set readOnly: true on the volume mount, or take :ro off the volume in phiVolumes.",
	},
	Needs: policy.FactMounts | policy.FactHostPaths,
	Early: policy.FactMounts,
	Check: func(s *policy.Subject) []policy.Finding {
		var found []policy.Finding
		for _, m := range phiMounts(s) {
			if m.writable() && slices.ContainsFunc(m.paths, s.ReadOnlyPHIVolume) {
				found = append(found, at(fmt.Sprintf("mounts[%d].options", m.index), "writable ePHI volume"))
			}
		}
		return found
	},
}
