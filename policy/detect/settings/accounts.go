package settings

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Accounts finds users without a password and further users with root's number,
// in passwd(5) and shadow(5).
func Accounts() detect.Detector {
	return reading(policy.Info{
		ID:       "weak-account",
		Aliases:  []string{"SEC-012"},
		Title:    "Account without a password, or with root's number",
		Cites:    []hipaa.Citation{hipaa.UniqueUser, hipaa.Authentication},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "Users must have a unique name or number (164.312(a)(2)(i)) and be verified to be who they claim (164.312(d)). An account " +
			"without a password lets everybody in, and two with the number 0 cannot be told apart.",
		Fix: "Lock the account (passwd -l NAME) or give it a number of its own, in the layer that makes it.",
	}, func(path string) parser {
		switch path {
		case "/etc/shadow":
			return shadow
		case "/etc/passwd":
			return passwd
		}
		return nil
	})
}

// shadow: an empty second field lets in without a password.
func shadow(content []byte, s *detect.Sink) {
	eachLine(content, func(off int64, line string) {
		if fields := strings.Split(line, ":"); len(fields) >= 3 && isUser(fields[0]) && fields[1] == "" {
			s.FoundAs("Account without a password", off)
		}
	})
}

// isUser says whether a name is one of a user (useradd(8), "Caveats"); lines that
// begin with a plus or a minus are of NIS.
func isUser(name string) bool {
	for i := range len(name) {
		c := name[i] | 0x20
		if !(c >= 'a' && c <= 'z' || name[i] == '_' || i > 0 && (name[i] >= '0' && name[i] <= '9' || name[i] == '-' || name[i] == '.' || name[i] == '$')) {
			return false
		}
	}
	return name != ""
}

// passwd: an empty second field, too, and a third one of 0 for more than root.
func passwd(content []byte, s *detect.Sink) {
	eachLine(content, func(off int64, line string) {
		fields := strings.Split(line, ":")
		if len(fields) < 7 || !isUser(fields[0]) {
			return
		}
		switch {
		case fields[1] == "":
			s.FoundAs("Account without a password", off)
		case fields[2] == "0" && fields[0] != "root" && fields[0] != "toor":
			s.FoundAs("Second account with root's number", off)
		}
	})
}
