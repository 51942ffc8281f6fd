package rules

import (
	"path"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.308(a)(7)(ii)(A): "Establish and implement procedures to create and
// maintain retrievable exact copies of electronic protected health information."
var phiNotOnVolume = policy.Rule{
	Info: policy.Info{
		ID: "phi-not-on-volume", Aliases: []string{"OCI-009"},
		Title:    "ePHI would be written where it is lost with the container",
		Cites:    []hipaa.Citation{hipaa.DataBackup},
		Severity: policy.High, Default: policy.Warn,
		Rationale: "Exact copies of ePHI must be retrievable (164.308(a)(7)(ii)(A)). The policy's phiVolumes name the path in the " +
			"container (container:/path), nothing durable is mounted there, and no backup sees the container's own layer.",
		Fix: "Mount a persistent volume at the path, or take it out of phiVolumes where the container keeps nothing there.",
	},
	Needs: policy.FactMounts | policy.FactReadonlyRoot,
	Check: checkPHIOnVolume,
}

func checkPHIOnVolume(s *policy.Subject) []policy.Finding {
	readonly := s.Spec != nil && s.Spec.Root != nil && s.Spec.Root.Readonly
	var found []policy.Finding
	for _, kept := range s.ContainerPHIPaths() {
		over, deepest := -1, ""
		for i, m := range mounts(s) {
			if dest := path.Clean("/" + m.Destination); below(kept, dest) && len(dest) >= len(deepest) && dest != "/" {
				over, deepest = i, dest
			}
		}
		switch {
		case over < 0 && !readonly:
			found = append(found, at("mounts", "ePHI path %s on the container's own layer", policy.Printable(kept)))
		case over >= 0 && mounts(s)[over].Type == "tmpfs":
			found = append(found, at("mounts", "ePHI path %s on tmpfs", policy.Printable(kept)))
		}
	}
	return found
}
