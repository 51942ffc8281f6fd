package settings

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Logging finds what keeps records from being kept: logs that lead to nowhere,
// histories and audit daemons that are switched off.
func Logging() detect.Detector {
	d := reading(policy.Info{
		ID:       "log-suppressed",
		Aliases:  []string{"SEC-020"},
		Title:    "Log or history that is thrown away",
		Cites:    []hipaa.Citation{hipaa.AuditControls},
		Proposed: []hipaa.Proposal{hipaa.ProposedAuditTrail},
		Severity: policy.Medium,
		Default:  policy.Audit,
		Rationale: "Activity in systems that contain ePHI must be recorded (164.312(b)). A log that is a link to /dev/null, or a shell that " +
			"keeps no history, leaves nothing to examine after an incident.",
		Fix: "Send the log to standard output (/dev/stdout), where the runtime keeps it, and take the setting out.",
	}, func(path string) parser {
		switch name := base(path); {
		case path == "/etc/profile", path == "/etc/bash.bashrc", path == "/etc/bashrc", strings.HasPrefix(path, "/etc/profile.d/"),
			name == ".bashrc", name == ".profile", name == ".bash_profile", name == ".zshrc", name == ".ashrc":
			return shellHistory
		case path == "/etc/audit/auditd.conf":
			return lines(auditd)
		}
		return nil
	})
	d.Name = nullLog
	return d
}

// nullLog is a log that is a link to nowhere.
func nullLog(e detect.Entry) string {
	if e.Kind == detect.Link && e.Link == "/dev/null" && strings.HasPrefix(e.Path, "/var/log/") {
		return "Log that is a link to /dev/null"
	}
	return ""
}

func shellHistory(content []byte, s *detect.Sink) {
	eachLine(content, func(at int64, line string) {
		for command := range strings.SplitSeq(line, ";") {
			command = strings.TrimPrefix(strings.TrimSpace(command), "export ")
			switch command {
			case "HISTFILE=/dev/null", "unset HISTFILE", "HISTSIZE=0", "HISTFILESIZE=0", "set +o history":
				s.FoundAs("Shell that keeps no history", at)
			}
		}
	})
}

func auditd(name, value, _ string) string {
	switch {
	case name == "write_logs" && off(value), name == "log_format" && strings.EqualFold(value, "NOLOG"):
		return "Audit daemon that writes no log"
	}
	return ""
}
