package filename

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/pkgdb"
	"github.com/phigate/phigate/policy/hipaa"
)

// PlaintextPrograms finds servers and clients of protocols without encryption.
// Those that only forward others' connections (inetd) count with them, since
// such protocols are what they are kept for. Programs are told by their names and
// by the packages of dpkg, apk and rpm that bring them; a server of another name,
// built into a larger program, is told only by the port that it offers
// (plaintext-port).
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
		Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
			return pkgdb.Names(m, func(name string, off int64) { plaintextPackage(name, off, s) })
		},
		Table: func(m detect.TableMeta, s *detect.Sink) detect.RowReader {
			return pkgdb.NameRows(m, func(name string, row int64) { plaintextPackage(name, row, s) })
		},
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

// plaintextPackage: the names of Debian and Ubuntu, of Alpine, and of Fedora and
// Red Hat. Servers that also speak TLS count, since they have to be told to.
func plaintextPackage(name string, at int64, s *detect.Sink) {
	switch name {
	case "telnetd", "inetutils-telnetd", "telnet-server":
		s.FoundAs("Package of a Telnet server", at)
	case "ftpd", "inetutils-ftpd", "vsftpd", "proftpd", "proftpd-basic", "proftpd-core", "pure-ftpd":
		s.FoundAs("Package of an FTP server", at)
	case "rsh-server", "rsh-redone-server", "rsh", "rsh-client", "rsh-redone-client":
		s.FoundAs("Package of the r-services", at)
	case "tftpd", "tftpd-hpa", "tftp-hpa", "tftp-server", "atftpd":
		s.FoundAs("Package of a TFTP server", at)
	case "xinetd", "inetutils-inetd", "openbsd-inetd", "rlinetd":
		s.FoundAs("Package of a server of inetd", at)
	}
}
