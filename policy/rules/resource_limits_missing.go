package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.306(a)(1): "Ensure the confidentiality, integrity, and availability
// of all electronic protected health information ..."
//
// The kubelet bounds the processes of a pod as a whole, in a cgroup of which the
// container's spec says nothing: of its containers that bound is not known, and
// their memory alone is judged.
var resourceLimitsMissing = policy.Rule{
	Info: policy.Info{
		ID: "resource-limits-missing", Aliases: []string{"OCI-030"},
		Title:    "The container may take all of the node's memory or processes",
		Cites:    []hipaa.Citation{hipaa.GeneralRequirements},
		Controls: []policy.Control{cisDocker("5.11"), cisDocker("5.29")},
		Severity: policy.Low, Default: policy.Audit,
		Rationale: "ePHI must be available (164.306(a)(1)). One container without limits can stop every other on its node, those " +
			"among them that care for patients.",
		Fix: "Set resources.limits.memory; Docker: --memory and --pids-limit.",
	},
	Needs: policy.FactLimits,
	Check: checkLimits,
}

func checkLimits(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	r := linux(s).Resources
	if r == nil || r.Memory == nil || r.Memory.Limit == nil || *r.Memory.Limit <= 0 {
		found = append(found, at("linux.resources.memory.limit", "no memory limit"))
	}
	if s.Runtime == "cri" {
		return found
	}
	if r == nil || r.Pids == nil || r.Pids.Limit == nil || *r.Pids.Limit <= 0 {
		found = append(found, at("linux.resources.pids.limit", "no limit of processes"))
	}
	return found
}
