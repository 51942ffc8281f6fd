package filename

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// PlaintextPrograms finds servers and clients of protocols without encryption.
// Those that only forward others' connections (inetd) count with them, since
// such protocols are what they are kept for.
func PlaintextPrograms() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "plaintext-server",
			Aliases:  []string{"SEC-013"},
			Title:    "Program of a protocol without encryption",
			Cites:    []hipaa.Citation{hipaa.TransmissionSecurity},
			Proposed: []hipaa.Proposal{hipaa.ProposedConfiguration},
			Severity: policy.Medium,
			Default:  policy.Warn,
			Visible:  true,
			Rationale: "ePHI must be guarded while it is transmitted (164.312(e)(1)). Telnet, FTP, TFTP and the r-services show records and " +
				"passwords to everybody on the way.",
			Fix: "Remove the package, and use SSH, SFTP or HTTPS.",
		},
		Name: plaintext,
	}
}

func plaintext(e detect.Entry) string {
	if !executable(e) && !ofBusyBox(e) {
		return ""
	}
	switch program(e) {
	case "telnetd", "in.telnetd", "utelnetd":
		return "Telnet server"
	case "ftpd", "in.ftpd", "vsftpd", "proftpd", "pure-ftpd", "pyftpd":
		return "FTP server"
	case "rshd", "in.rshd", "rlogind", "in.rlogind", "rexecd", "in.rexecd":
		return "Server of the r-services"
	case "tftpd", "in.tftpd", "atftpd":
		return "TFTP server"
	case "inetd", "xinetd", "inetutils-inetd", "openbsd-inetd":
		return "Server of inetd"
	case "rsh", "rlogin", "rcp", "rexec", "rsh-redone-rsh", "rsh-redone-rlogin", "inetutils-rsh", "netkit-rsh":
		if e.Kind == detect.File { // as a link it mostly leads to ssh
			return "Client of the r-services"
		}
	}
	return ""
}
