package settings

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Database finds databases that let in without a password.
func Database() detect.Detector {
	return reading(policy.Info{
		ID:       "database-without-authentication",
		Aliases:  []string{"SEC-016"},
		Title:    "Database that asks nobody for a password",
		Cites:    []hipaa.Citation{hipaa.Authentication, hipaa.EncryptionAtRest},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "Who seeks access to ePHI must be verified (164.312(d)). A database that trusts whoever connects, or keeps its files open " +
			"(164.312(a)(2)(iv)), gives its records to everybody in the network.",
		Fix: "Set scram-sha-256 in pg_hba.conf, security.authorization: enabled, requirepass or xpack.security.enabled: true.",
	}, databaseParser)
}

func databaseParser(path string) parser {
	name := strings.ToLower(base(path))
	in := func(part string) bool { return strings.Contains(path, part) }
	switch {
	case name == "pg_hba.conf":
		return lines(hbaTrust)
	case name == "my.cnf", name == "mysqld.cnf", name == "mariadb.cnf", in("/mysql/") && strings.HasSuffix(name, ".cnf"):
		return lines(mysqlTrust)
	case name == "mongod.conf", name == "mongod.yaml":
		return lines(mongoTrust)
	case name == "elasticsearch.yml", name == "opensearch.yml":
		return lines(elasticTrust)
	case name == "redis.conf", name == "valkey.conf":
		return redisTrust
	}
	return nil
}

const trusts = "Database that lets in without a password"

// hbaTrust: the method is the fifth field, the sixth where a netmask has one of
// its own (pg_hba.conf; local lines have no address and concern this machine).
func hbaTrust(name, _, line string) string {
	fields := strings.Fields(line)
	if !strings.HasPrefix(name, "host") || len(fields) < 5 || localAddress(fields[3]) {
		return ""
	}
	if fields[4] == "trust" || len(fields) > 5 && fields[5] == "trust" {
		return trusts
	}
	return ""
}

func mysqlTrust(name, value, _ string) string {
	if strings.ReplaceAll(name, "-", "_") == "skip_grant_tables" && !off(value) {
		return trusts
	}
	return ""
}

func mongoTrust(name, value, _ string) string {
	switch {
	case name == "authorization" && value == "disabled", name == "noauth" && value == "true":
		return trusts
	case name == "enableencryption" && off(value):
		return "Database whose files are not encrypted"
	}
	return ""
}

func elasticTrust(name, value, _ string) string {
	switch name {
	case "xpack.security.enabled":
		if off(value) {
			return trusts
		}
	case "plugins.security.disabled":
		if value == "true" {
			return trusts
		}
	}
	return ""
}

func redisTrust(content []byte, s *detect.Sink) {
	asks, open := false, int64(-1)
	eachLine(content, func(at int64, line string) {
		name, value := setting(line)
		switch {
		case name == "requirepass", name == "aclfile", name == "user":
			asks = true
		case name == "protected-mode" && off(value):
			open = at
		}
	})
	if open >= 0 && !asks {
		s.FoundAs(trusts, open)
	}
}
