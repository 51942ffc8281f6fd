package settings

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Database finds databases that let in without a password, and those that are
// told to keep their files open. Of encryption at rest only a setting that turns
// it off is a finding: without one it can be the file system's (see
// phi-volume-unencrypted), and PostgreSQL, Redis and Elasticsearch have none of
// their own to be set.
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
		Fix: "Set scram-sha-256 in pg_hba.conf, security.authorization: enabled, requirepass, xpack.security.enabled: true, auth-enabled " +
			"or PasswordAuthenticator; let the database, or the volume below it, encrypt its files.",
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
	case name == "cassandra.yaml":
		return cassandraTrust
	case name == "neo4j.conf", name == "influxdb.conf":
		return lines(switchTrust)
	}
	return nil
}

const (
	trusts = "Database that lets in without a password"
	open   = "Database whose files are not encrypted"
)

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

// mysqlTrust: the words of MySQL and of MariaDB for encryption at rest.
func mysqlTrust(name, value, _ string) string {
	switch strings.ReplaceAll(name, "-", "_") {
	case "skip_grant_tables":
		if !off(value) {
			return trusts
		}
	case "default_table_encryption", "innodb_encrypt_tables", "innodb_encrypt_log", "innodb_redo_log_encrypt",
		"innodb_undo_log_encrypt", "binlog_encryption", "encrypt_binlog", "encrypt_tmp_files", "aria_encrypt_tables":
		if off(value) {
			return open
		}
	}
	return ""
}

func mongoTrust(name, value, _ string) string {
	switch {
	case name == "authorization" && value == "disabled", name == "noauth" && value == "true":
		return trusts
	case name == "enableencryption" && off(value):
		return open
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
	asks, unprotected := false, int64(-1)
	eachLine(content, func(at int64, line string) {
		name, value := setting(line)
		switch {
		case name == "requirepass", name == "aclfile", name == "user":
			asks = true
		case name == "protected-mode" && off(value):
			unprotected = at
		}
	})
	if unprotected >= 0 && !asks {
		s.FoundAs(trusts, unprotected)
	}
}

// switchTrust: Neo4j's and InfluxDB's switch.
func switchTrust(name, value, _ string) string {
	switch name {
	case "dbms.security.auth_enabled", "auth-enabled":
		if off(value) {
			return trusts
		}
	}
	return ""
}

// cassandraTrust: the authenticator that asks nobody is also the one that holds
// where none is named, and encryption is a section with a switch of its own.
func cassandraTrust(content []byte, s *detect.Sink) {
	section, named := "", false
	at := int64(0)
	for raw := range bytes.Lines(content) {
		line := string(raw)
		text := strings.TrimSpace(line)
		if text != "" && text[0] != '#' {
			name, value := setting(text)
			if line[0] != ' ' && line[0] != '\t' && text[0] != '-' {
				section = name
			}
			switch {
			case section == "authenticator" && (name == "authenticator" || name == "class_name") && value != "":
				named = true
				if strings.HasSuffix(value, "AllowAllAuthenticator") {
					s.FoundAs(trusts, at)
				}
			case section == "transparent_data_encryption_options" && name == "enabled" && off(value):
				s.FoundAs(open, at)
			}
		}
		at += int64(len(raw))
	}
	if !named {
		s.FoundAs(trusts, 0)
	}
}
