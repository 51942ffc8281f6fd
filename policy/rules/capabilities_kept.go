package rules

import (
	"fmt"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// The third part of row OCI-002, NET_RAW among it: most containers keep what
// their runtime gives them, so it is audited alone.
var capabilitiesKept = policy.Rule{
	Info: policy.Info{
		ID: "capabilities-kept", Aliases: []string{"OCI-002-kept"},
		Title:    "The container keeps capabilities instead of dropping all",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("restricted: capabilities_restricted"), cisKubernetes("5.2.8"), cisKubernetes("5.2.9"), cisDocker("5.4")},
		Severity: policy.Low, Default: policy.Audit, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). Few programs need what " +
			"runtimes give by default: to forge packets, to make device files, to read and write whatever belongs to another user.",
		Fix: "Set capabilities.drop: [ALL] and add back NET_BIND_SERVICE alone, where the program needs it.",
	},
	Needs: policy.FactCapabilities,
	Check: func(s *policy.Subject) []policy.Finding {
		return namesCapabilities(capabilities(s), "capability %s not dropped", func(c string) bool { return c != "NET_BIND_SERVICE" })
	},
}

// namesCapabilities is one finding for all capabilities of which a test holds.
func namesCapabilities(have []string, format string, holds func(string) bool) []policy.Finding {
	var names []string
	count := 0
	for _, c := range have {
		if !holds(c) {
			continue
		}
		if count++; count <= maxNamed {
			names = append(names, policy.Printable(c))
		}
	}
	if count == 0 {
		return nil
	}
	named := strings.Join(names, ", ")
	if count > maxNamed {
		named += fmt.Sprintf(" and %d more", count-maxNamed)
	}
	f := at("process.capabilities", format, named)
	f.Count = count
	return []policy.Finding{f}
}
