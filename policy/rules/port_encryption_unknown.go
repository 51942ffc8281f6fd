package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(e)(1) and (e)(2)(ii), see plaintext_port.go. The other half of row OCI-028:
// on these ports the protocol is encrypted or not by the server's configuration,
// which the port does not tell; the detector weak-tls-config reads that.
var encryptionUnknownPort = policy.Rule{
	Info: policy.Info{
		ID: "port-encryption-unknown", Aliases: []string{"OCI-028-tls"},
		Title:    "The container offers a protocol that need not be encrypted",
		Cites:    []hipaa.Citation{hipaa.TransmissionSecurity, hipaa.EncryptionInTransit},
		Proposed: []hipaa.Proposal{hipaa.ProposedTransmission},
		Severity: policy.Low, Default: policy.Audit,
		Rationale: "ePHI must be guarded while it is transmitted (164.312(e)(1)), by encryption whenever appropriate " +
			"(164.312(e)(2)(ii)). Web servers and databases on these ports speak TLS only where they are told to.",
		Fix: "Make sure that the server demands TLS, or that a proxy beside it does.",
	},
	Needs: policy.FactPorts | policy.FactArgs | policy.FactEnv,
	Early: policy.FactPorts,
	Check: func(s *policy.Subject) []policy.Finding { return protocolsOffered(s, configuredProtocols) },
}

var configuredProtocols = map[portKey]string{
	{80, "tcp"}: "HTTP", {8080, "tcp"}: "HTTP", {1433, "tcp"}: "SQL Server", {1521, "tcp"}: "Oracle database", {3306, "tcp"}: "MySQL",
	{5432, "tcp"}: "PostgreSQL", {5984, "tcp"}: "CouchDB", {6379, "tcp"}: "Redis", {9092, "tcp"}: "Kafka", {9200, "tcp"}: "Elasticsearch",
	{11211, "tcp"}: "memcached", {27017, "tcp"}: "MongoDB",
}
