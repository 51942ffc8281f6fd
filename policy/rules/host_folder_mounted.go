package rules

import (
	"slices"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// The second part of row OCI-004: what is no system path may well be the
// operator's own place for data, so it is audited alone. [hostPathMounted] says
// the rest. Outside of Kubernetes each client mounts files of its own from
// folders of its own, and bind mounts are how data comes into a container.
var hostFolderMounted = policy.Rule{
	Info: policy.Info{
		ID: "host-folder-mounted", Aliases: []string{"OCI-004-folder"},
		Title:    "A path of the host is mounted into the container",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: hostPathVolumes"), podSecurity("restricted: restrictedVolumes"), cisKubernetes("5.2.11")},
		Severity: policy.Low, Default: policy.Audit, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). What lies on the node itself " +
			"belongs to no pod: whoever may name a path gets at what another program left there.",
		Fix: "Mount a volume that was claimed instead, or write an exception for the folder that is meant to be shared.",
	},
	Needs: policy.FactMounts | policy.FactHostPaths,
	Early: policy.FactMounts,
	Check: checkHostFolder,
}

func checkHostFolder(s *policy.Subject) []policy.Finding {
	if s.Runtime != "cri" {
		return nil
	}
	var found []policy.Finding
	own := newOwner(s)
	for _, m := range hostMounts(s) {
		if own.containerdSys(m) {
			continue
		}
		told := func(p string) bool {
			return own.foreignPod(p) || own.owns(p, m.Destination) || closed(p, m.writable()) || isHarmless(p, m.writable())
		}
		if !slices.ContainsFunc(m.paths, told) {
			found = append(found, at(m.field(), "host path %s mounted", policy.Printable(m.paths[0])))
		}
	}
	return found
}
