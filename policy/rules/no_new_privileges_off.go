package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
var noNewPrivilegesOff = policy.Rule{
	Info: policy.Info{
		ID: "no-new-privileges-off", Aliases: []string{"OCI-015"},
		Title:    "Programs in the container can gain privileges",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("restricted: allowPrivilegeEscalation"), cisKubernetes("5.2.6"), cisDocker("5.26")},
		Severity: policy.Medium, Default: policy.Warn, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). Without " +
			"no_new_privileges a setuid program in the image gives its caller rights that nobody granted.",
		Fix: "Set allowPrivilegeEscalation: false.",
	},
	Needs: policy.FactNoNewPrivileges,
	Check: func(s *policy.Subject) []policy.Finding {
		if process(s).NoNewPrivileges {
			return nil
		}
		return []policy.Finding{at("process.noNewPrivileges", "privilege escalation allowed")}
	},
}
