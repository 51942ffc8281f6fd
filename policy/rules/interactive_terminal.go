package rules

import (
	"strconv"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(2)(iii): "Implement electronic procedures that terminate an
// electronic session after a predetermined time of inactivity."
var interactiveTerminal = policy.Rule{
	Info: policy.Info{
		ID: "interactive-terminal", Aliases: []string{"OCI-032"},
		Title:    "An interactive session never ends by itself",
		Cites:    []hipaa.Citation{hipaa.AutomaticLogoff},
		Severity: policy.Low, Default: policy.Audit,
		Rationale: "Sessions should end after a time of inactivity (164.312(a)(2)(iii)). A container with a terminal and without a " +
			"time limit keeps whatever was left open in it, for whoever attaches to it next.",
		Fix: "Remove tty: true, or set TMOUT to a number of seconds in the environment of shells.",
	},
	Needs: policy.FactTerminal | policy.FactEnv,
	Check: checkTerminal,
}

func checkTerminal(s *policy.Subject) []policy.Finding {
	if !process(s).Terminal {
		return nil
	}
	for _, entry := range process(s).Env {
		if key, value := splitEnv(entry); key == "TMOUT" {
			if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
				return nil
			}
		}
	}
	return []policy.Finding{at("process.terminal", "terminal without a time limit")}
}
