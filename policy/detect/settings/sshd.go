package settings

import (
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// SSHServer judges sshd_config(5).
func SSHServer() detect.Detector {
	return reading(policy.Info{
		ID:       "weak-sshd-config",
		Aliases:  []string{"SEC-014"},
		Title:    "SSH server that lets in too easily, or never ends a session",
		Cites:    []hipaa.Citation{hipaa.Authentication, hipaa.AutomaticLogoff, hipaa.LogInMonitoring},
		Controls: []policy.Control{{Benchmark: "CIS Docker Benchmark", Version: "1.6.0", ID: "5.7"}},
		Severity: policy.Medium,
		Default:  policy.Warn,
		Rationale: "Who seeks access must be verified (164.312(d)), sessions should end after inactivity (164.312(a)(2)(iii)), and log-ins " +
			"should be watched (164.308(a)(5)(ii)(C)). An SSH server in a container is a door past the orchestrator's own records.",
		Fix: "Remove the server and use kubectl exec; else set PermitRootLogin no, PasswordAuthentication no and ClientAliveInterval.",
	}, func(path string) parser {
		if base(path) == "sshd_config" || strings.Contains(path, "/sshd_config.d/") && strings.HasSuffix(path, ".conf") {
			return func(content []byte, s *detect.Sink) { sshd(content, base(path) == "sshd_config", s) }
		}
		return nil
	})
}

// sshd reports each setting that is worse than it must be. The first value of a
// keyword counts (sshd_config(5)); a whole file that is one has the default of
// what it does not say, which for passwords is yes and for the interval 0.
func sshd(content []byte, whole bool, s *detect.Sink) {
	said := map[string]bool{}
	matching := false
	eachLine(content, func(off int64, line string) {
		name, value := setting(line)
		value = strings.ToLower(value)
		if name == "match" {
			matching = true
		}
		if said[name] && !matching {
			return
		}
		said[name] = true
		switch {
		case name == "permitrootlogin" && value == "yes":
			s.FoundAs("SSH server that lets root in with a password", off)
		case name == "passwordauthentication" && value == "yes":
			s.FoundAs("SSH server that takes passwords", off)
		case name == "permitemptypasswords" && value == "yes":
			s.FoundAs("SSH server that takes empty passwords", off)
		case name == "clientaliveinterval" && seconds(value) == 0:
			s.FoundAs("SSH server that never ends a session", off)
		case name == "loglevel" && value == "quiet":
			s.FoundAs("SSH server that logs no log-ins", off)
		}
	})
	known := slices.ContainsFunc([]string{"permitrootlogin", "subsystem", "usepam", "port", "listenaddress", "hostkey"}, func(k string) bool { return said[k] })
	if !whole || !known || said["include"] { // what is included can say the rest
		return
	}
	if !said["passwordauthentication"] {
		s.FoundAs("SSH server that takes passwords", 0)
	}
	if !said["clientaliveinterval"] {
		s.FoundAs("SSH server that never ends a session", 0)
	}
}

// seconds reads a time of sshd_config(5), "300" or "5m"; 0 for what is none.
func seconds(value string) int {
	n, err := strconv.Atoi(strings.TrimRight(value, "smhdw"))
	if err != nil {
		return 0
	}
	return n
}
