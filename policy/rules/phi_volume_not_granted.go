package rules

import (
	"slices"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.308(a)(4)(ii)(B): "Implement policies and procedures for granting
// access to electronic protected health information, for example, through access
// to a workstation, transaction, program, process, or other mechanism."
// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// A policy's phiVolumes grant: what one document declares is open to the subjects
// that it selects by namespace, image or client, and closed to all others. A pod's
// labels grant nothing, since its author writes them.
var phiVolumeNotGranted = policy.Rule{
	Info: policy.Info{
		ID: "phi-volume-not-granted", Aliases: []string{"OCI-005"},
		Title:    "A volume with ePHI is mounted where no policy grants it",
		Cites:    []hipaa.Citation{hipaa.AccessAuthorization, hipaa.AccessControl},
		Severity: policy.High, Default: policy.Block,
		Rationale: "Access to ePHI is to be granted (164.308(a)(4)(ii)(B)) and technically limited to what was granted (164.312(a)(1)). " +
			"The volume is declared to hold ePHI, by a policy for other containers.",
		Fix: "Remove the mount, or name the volume in phiVolumes of a policy that selects the namespace.",
	},
	Needs: policy.FactMounts | policy.FactHostPaths,
	Early: policy.FactMounts,
	Check: func(s *policy.Subject) []policy.Finding {
		var found []policy.Finding
		for _, m := range hostMounts(s) {
			if slices.ContainsFunc(m.paths, s.ForeignPHIVolume) {
				found = append(found, at(m.field(), "ePHI volume mounted without a grant"))
			}
		}
		return found
	},
}

// phiMounts are the mounts of volumes that were declared to hold ePHI.
func phiMounts(s *policy.Subject) []hostMount {
	if len(s.PHIVolumes) == 0 {
		return nil
	}
	return slices.DeleteFunc(hostMounts(s), func(m hostMount) bool { return !slices.ContainsFunc(m.paths, s.PHIVolume) })
}
