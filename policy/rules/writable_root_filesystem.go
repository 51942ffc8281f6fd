package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(c)(1): "Implement policies and procedures to protect electronic
// protected health information from improper alteration or destruction."
var writableRootFilesystem = policy.Rule{
	Info: policy.Info{
		ID: "writable-root-filesystem", Aliases: []string{"OCI-018"},
		Title:    "The container can change its own programs",
		Cites:    []hipaa.Citation{hipaa.Integrity},
		Controls: []policy.Control{cisDocker("5.13")},
		Severity: policy.Medium, Default: policy.Audit, Isolation: true,
		Rationale: "ePHI must be protected from improper alteration (164.312(c)(1)). A writable root filesystem lets an intruder " +
			"replace the program that handles it, and what is written there is lost with the container.",
		Fix: "Set readOnlyRootFilesystem: true and mount an emptyDir where the program writes.",
	},
	Needs: policy.FactReadonlyRoot,
	Check: func(s *policy.Subject) []policy.Finding {
		if s.Spec != nil && s.Spec.Root != nil && s.Spec.Root.Readonly {
			return nil
		}
		return []policy.Finding{at("root.readonly", "writable root filesystem")}
	},
}
