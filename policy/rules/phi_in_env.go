package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.502(b)(1): a covered entity "must make reasonable efforts to limit
// protected health information to the minimum necessary to accomplish the
// intended purpose of the use, disclosure, or request."
// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// An identifier is found where a label (the variable's name, or words in the
// value) and a valid value come together; a bare number is never one. The
// identifiers are those of 164.514(b)(2)(i) that have a form of their own.
var phiInEnv = policy.Rule{
	Info: policy.Info{
		ID: "phi-in-env", Aliases: []string{"OCI-024"},
		Title:    "A patient's identifiers stand in the environment",
		Cites:    []hipaa.Citation{hipaa.MinimumNecessary, hipaa.AccessControl},
		Severity: policy.Critical, Default: policy.Block,
		Rationale: "PHI must be limited to the minimum necessary (164.502(b)) and to those who were granted access (164.312(a)(1)). " +
			"The environment is shown by inspect and kubectl, inherited by every child, and written into crash reports and logs.",
		Fix: "Take the identifiers out of the pod and image; let the program read the record from its database.",
	},
	Needs: policy.FactEnv,
	Check: checkPHIInEnv,
}

func checkPHIInEnv(s *policy.Subject) []policy.Finding {
	seen := sightings{place: "environment variable"}
	for i, entry := range process(s).Env {
		seen.look("process.env", i, entry)
	}
	return seen.findings()
}
