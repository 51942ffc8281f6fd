package rules

import (
	"fmt"
	"slices"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// With shared propagation (mount_namespaces(7)) what a container mounts appears
// on the host. Slave propagation, Kubernetes' HostToContainer, goes the other
// way only and is no violation.
var sharedMountPropagation = policy.Rule{
	Info: policy.Info{
		ID: "shared-mount-propagation", Aliases: []string{"OCI-010"},
		Title:    "Mounts that the container makes appear on the host",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{cisDocker("5.20")},
		Severity: policy.High, Default: policy.Block, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). A container with shared " +
			"propagation can put file systems of its own over paths of the host and of other containers.",
		Fix: "Use mountPropagation None or HostToContainer.",
	},
	Needs: policy.FactMounts | policy.FactPropagation,
	Early: policy.FactMounts,
	Check: checkSharedPropagation,
}

var sharedModes = []string{"shared", "rshared"}

func checkSharedPropagation(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	for i, m := range mounts(s) {
		for _, o := range m.Options {
			if slices.Contains(sharedModes, o) {
				found = append(found, at(fmt.Sprintf("mounts[%d].options", i), "shared mount propagation"))
				break
			}
		}
	}
	// containerd sets it along with the mount's: said once.
	if s.Sees.Has(policy.FactPropagation) && len(found) == 0 && slices.Contains(sharedModes, linux(s).RootfsPropagation) {
		found = append(found, at("linux.rootfsPropagation", "shared mount propagation of the root filesystem"))
	}
	return found
}
