package settings

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// TLS finds servers and libraries that are set to do without encryption, or with
// versions of TLS that RFC 8996 and RFC 7568 forbid.
func TLS() detect.Detector {
	return reading(policy.Info{
		ID:       "weak-tls-config",
		Aliases:  []string{"SEC-015"},
		Title:    "Server or library set to weak encryption or none",
		Cites:    []hipaa.Citation{hipaa.EncryptionInTransit},
		Proposed: []hipaa.Proposal{hipaa.ProposedTransmission},
		Severity: policy.Medium,
		Default:  policy.Warn,
		Rationale: "ePHI should be encrypted while it is transmitted whenever appropriate (164.312(e)(2)(ii)). SSL 2 and 3, TLS 1.0 and 1.1 " +
			"are broken, and a database without TLS sends records as they are.",
		Fix: "Allow TLS 1.2 and 1.3 alone, and demand TLS of every client.",
	}, tlsParser)
}

func tlsParser(path string) parser {
	name := strings.ToLower(base(path))
	in := func(part string) bool { return strings.Contains(path, part) }
	switch {
	case name == "nginx.conf", in("/nginx/") && strings.HasSuffix(name, ".conf"), in("/nginx/sites-"):
		return lines(nginxTLS)
	case in("/apache2/") && (strings.HasSuffix(name, ".conf") || in("/sites-")), in("/httpd/") && strings.HasSuffix(name, ".conf"), name == "httpd.conf":
		return lines(apacheTLS)
	case name == "openssl.cnf":
		return lines(opensslTLS)
	case name == "haproxy.cfg":
		return lines(haproxyTLS)
	case name == "java.security":
		return javaTLS
	case name == "postgresql.conf", name == "postgresql.auto.conf":
		return lines(postgresTLS)
	case name == "my.cnf", name == "mysqld.cnf", name == "mariadb.cnf", in("/mysql/") && strings.HasSuffix(name, ".cnf"):
		return lines(mysqlTLS)
	case name == "mongod.conf", name == "mongod.yaml":
		return lines(mongoTLS)
	case name == "pg_hba.conf":
		return lines(hbaTLS)
	case name == "redis.conf", name == "valkey.conf":
		return redisTLS
	}
	return nil
}

// lines makes a parser that judges line by line.
func lines(judge func(name, value, line string) string) parser {
	return func(content []byte, s *detect.Sink) {
		eachLine(content, func(off int64, line string) {
			name, value := setting(line)
			if why := judge(name, value, line); why != "" {
				s.FoundAs(why, off)
			}
		})
	}
}

// broken says whether a list of protocols names one that is forbidden.
func broken(list string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(strings.NewReplacer(",", " ", ":", " ").Replace(list))) {
		switch strings.TrimPrefix(word, "+") {
		case "sslv2", "sslv3", "ssl2", "ssl3", "tlsv1", "tlsv1.0", "tlsv1.1", "tls1", "tls1.1":
			return true
		}
	}
	return false
}

const (
	oldTLS = "Server that speaks a broken version of TLS"
	noTLS  = "Database that takes connections without TLS"
)

func nginxTLS(name, value, _ string) string {
	if name == "ssl_protocols" && broken(value) {
		return oldTLS
	}
	return ""
}

// apacheTLS: "all" is TLS 1.2 and above in httpd 2.4 with a current OpenSSL; what
// is added to it, or stands without it, is what counts.
func apacheTLS(name, value, _ string) string {
	if (name == "sslprotocol" || name == "sslproxyprotocol") && broken(value) {
		return oldTLS
	}
	return ""
}

func opensslTLS(name, value, line string) string {
	switch {
	case (name == "minprotocol" || name == "system_default_sect.minprotocol") && broken(value):
		return "Library that speaks a broken version of TLS"
	case strings.Contains(strings.ToUpper(line), "SECLEVEL=0"):
		return "Library that takes keys of any length"
	}
	return ""
}

func haproxyTLS(_, _, line string) string {
	lower := strings.ToLower(line)
	if _, rest, ok := strings.Cut(lower, "ssl-min-ver "); ok {
		word, _, _ := strings.Cut(rest, " ")
		if broken(word) {
			return oldTLS
		}
	}
	for _, word := range []string{"force-sslv3", "force-tlsv10", "force-tlsv11"} {
		if strings.Contains(lower, word) {
			return oldTLS
		}
	}
	return ""
}

// javaTLS: the list goes over several lines; without TLSv1 in it Java speaks it.
func javaTLS(content []byte, s *detect.Sink) {
	joined := strings.ReplaceAll(string(content), "\\\n", " ")
	for line := range strings.Lines(joined) {
		if list, ok := strings.CutPrefix(line, "jdk.tls.disabledAlgorithms="); ok {
			if !broken(list) {
				s.FoundAs("Java that speaks a broken version of TLS", int64(max(0, strings.Index(string(content), "jdk.tls.disabledAlgorithms="))))
			}
			return
		}
	}
}

func postgresTLS(name, value, _ string) string {
	switch {
	case name == "ssl" && off(value):
		return noTLS
	case name == "ssl_min_protocol_version" && broken(value):
		return oldTLS
	}
	return ""
}

func mysqlTLS(name, value, line string) string {
	name = strings.ReplaceAll(name, "-", "_")
	switch {
	case name == "require_secure_transport" && off(value), name == "skip_ssl", name == "ssl" && off(value):
		return noTLS
	case name == "tls_version" && broken(value):
		return oldTLS
	}
	return ""
}

// mongoTLS takes net.tls.mode by its words; YAML's nesting is not followed.
func mongoTLS(name, value, _ string) string {
	if name == "mode" && (value == "disabled" || value == "allowTLS" || value == "allowSSL") {
		return noTLS
	}
	return ""
}

// hbaTLS: "host" and "hostnossl" take connections without TLS, from elsewhere
// than this machine.
func hbaTLS(name, _, line string) string {
	fields := strings.Fields(line)
	if (name == "host" || name == "hostnossl") && len(fields) >= 5 && !localAddress(fields[3]) && fields[len(fields)-1] != "reject" {
		return noTLS
	}
	return ""
}

func localAddress(address string) bool {
	return address == "localhost" || strings.HasPrefix(address, "127.") || strings.HasPrefix(address, "::1") || address == "samehost"
}

// redisTLS: without a port for TLS a server that listens to others speaks plain.
func redisTLS(content []byte, s *detect.Sink) {
	tls, open := false, int64(-1)
	eachLine(content, func(at int64, line string) {
		name, value := setting(line)
		switch {
		case name == "tls-port" && value != "0":
			tls = true
		case name == "bind" && !onlyLocal(value):
			open = at
		case name == "protected-mode" && off(value) && open < 0:
			open = at
		}
	})
	if open >= 0 && !tls {
		s.FoundAs(noTLS, open)
	}
}

func onlyLocal(value string) bool {
	for address := range strings.FieldsSeq(value) {
		if !localAddress(strings.TrimPrefix(address, "-")) {
			return false
		}
	}
	return true
}
