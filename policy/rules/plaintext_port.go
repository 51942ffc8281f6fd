package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(e)(1): "Implement technical security measures to guard against
// unauthorized access to electronic protected health information that is being
// transmitted over an electronic communications network."
// 45 CFR 164.312(e)(2)(ii): "Implement a mechanism to encrypt electronic
// protected health information whenever deemed appropriate."
//
// Numbers: IANA's Service Name and Transport Protocol Port Number Registry; 11112
// by custom of DICOM software, 6661 by that of HL7 interface engines.
var plaintextPort = policy.Rule{
	Info: policy.Info{
		ID: "plaintext-port", Aliases: []string{"OCI-028"},
		Title:    "The container offers a protocol without encryption",
		Cites:    []hipaa.Citation{hipaa.TransmissionSecurity, hipaa.EncryptionInTransit},
		Proposed: []hipaa.Proposal{hipaa.ProposedTransmission, hipaa.ProposedConfiguration},
		Severity: policy.Medium, Default: policy.Warn,
		Rationale: "ePHI must be guarded while it is transmitted (164.312(e)(1)), by encryption whenever appropriate " +
			"(164.312(e)(2)(ii)). These protocols show records and passwords to everybody on the way.",
		Fix: "Offer the protocol's secured form instead, such as SFTP, SSH or DICOM and HL7 over TLS.",
	},
	Needs: policy.FactPorts | policy.FactArgs | policy.FactEnv,
	Early: policy.FactPorts,
	Check: func(s *policy.Subject) []policy.Finding { return protocolsOffered(s, plaintextProtocols) },
}

// plaintextProtocols have no encryption of their own on these ports.
var plaintextProtocols = map[portKey]string{
	{20, "tcp"}: "FTP", {21, "tcp"}: "FTP", {23, "tcp"}: "telnet", {25, "tcp"}: "SMTP", {69, "udp"}: "TFTP",
	{104, "tcp"}: "DICOM", {11112, "tcp"}: "DICOM", {110, "tcp"}: "POP3", {111, "tcp"}: "rpcbind", {111, "udp"}: "rpcbind",
	{137, "udp"}: "NetBIOS", {138, "udp"}: "NetBIOS", {139, "tcp"}: "NetBIOS", {445, "tcp"}: "SMB", {143, "tcp"}: "IMAP",
	{161, "udp"}: "SNMP", {389, "tcp"}: "LDAP", {512, "tcp"}: "rexec", {513, "tcp"}: "rlogin", {514, "tcp"}: "rsh",
	{514, "udp"}: "syslog", {515, "tcp"}: "LPD", {873, "tcp"}: "rsync", {1883, "tcp"}: "MQTT", {2049, "tcp"}: "NFS",
	{2049, "udp"}: "NFS", {2375, "tcp"}: "Docker API", {2575, "tcp"}: "HL7 MLLP", {6661, "tcp"}: "HL7 MLLP", {5900, "tcp"}: "VNC",
}

func protocolsOffered(s *policy.Subject, protocols map[portKey]string) []policy.Finding {
	var found []policy.Finding
	for _, p := range OfferedPorts(s) {
		what := protocols[portKey{p.Number, p.Protocol}]
		if what == "" {
			continue
		}
		by := ""
		if p.WholePod {
			by = " by the pod"
		}
		found = append(found, at(p.Field, "%s port %d/%s offered%s", what, p.Number, p.Protocol, by))
	}
	return found
}
