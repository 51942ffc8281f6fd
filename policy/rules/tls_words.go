package rules

import "slices"

func isOff(value string) bool {
	return value == "0" || value == "false" || value == "no" || value == "off" || value == "n"
}

func isOn(value string) bool { return value != "" && !isOff(value) }

func oneOf(words ...string) func(string) bool {
	return func(value string) bool { return slices.Contains(words, value) }
}

// insecureVariables switch verification or encryption off by their value, in
// lower case. libpq's "prefer" falls back to plain text, "require" does not
// verify but encrypts.
var insecureVariables = map[string]func(value string) bool{
	"NODE_TLS_REJECT_UNAUTHORIZED":       isOff,
	"PYTHONHTTPSVERIFY":                  isOff,
	"GIT_SSL_NO_VERIFY":                  isOn,
	"CURL_INSECURE":                      isOn,
	"PGSSLMODE":                          oneOf("disable", "allow", "prefer"),
	"REQUESTS_VERIFY":                    isOff,
	"SSL_VERIFY":                         isOff,
	"TLS_VERIFY":                         isOff,
	"VERIFY_SSL":                         isOff,
	"VERIFY_TLS":                         isOff,
	"VAULT_SKIP_VERIFY":                  isOn,
	"CONSUL_HTTP_SSL_VERIFY":             isOff,
	"NOMAD_SKIP_VERIFY":                  isOn,
	"INSECURE_SKIP_VERIFY":               isOn,
	"TLS_INSECURE":                       isOn,
	"TLS_SKIP_VERIFY":                    isOn,
	"SSL_NO_VERIFY":                      isOn,
	"NPM_CONFIG_STRICT_SSL":              isOff,
	"YARN_STRICT_SSL":                    isOff,
	"GODEBUG":                            oneOf("tls10server=1", "x509sha1=1", "x509ignorecn=0"),
	"DB_SSL":                             isOff,
	"DB_SSLMODE":                         oneOf("disable", "allow", "prefer"),
	"MYSQL_SSL_MODE":                     oneOf("disabled", "preferred"),
	"REDIS_TLS":                          isOff,
	"ES_VERIFY_CERTS":                    isOff,
	"ELASTICSEARCH_SSL_VERIFICATIONMODE": oneOf("none"),
}

// insecureFlags switch it off by being there, negatedFlags by their value.
var (
	insecureFlags = map[string]bool{
		"insecure": true, "insecure-skip-tls-verify": true, "tls-skip-verify": true, "skip-tls-verify": true, "no-check-certificate": true,
		"no-verify-ssl": true, "no-ssl-verify": true, "tls-insecure": true, "ssl-insecure": true, "allow-insecure": true,
		"disable-ssl": true, "skip-ssl": true, "no-tls": true,
	}
	negatedFlags = map[string]bool{
		"verify": true, "verify-ssl": true, "ssl-verify": true, "tls-verify": true, "verify-tls": true, "strict-ssl": true, "verify-certs": true,
		"sslverify": true, "http.sslverify": true,
	}
)

// insecureWords stand in connection strings: of libpq, JDBC, Go's MySQL driver,
// SQL Server and requests, in lower case.
var insecureWords = []string{
	"sslmode=disable", "sslmode=allow", "sslmode=prefer", "usessl=false", "tls=skip-verify", "tls=preferred", "ssl=false", "tls=false",
	"trustservercertificate=true", "encrypt=false", "verify=false", "ssl_verify=false", "verify_ssl=false", "sslmode=disabled",
	"ssl-mode=disabled", "tlsallowinvalidcertificates=true", "tlsinsecure=true", "verifyservercertificate=false",
}

// plainSchemes are of protocols whose secured form has a scheme of its own.
var plainSchemes = []string{"mongodb://", "redis://", "amqp://", "ldap://", "ftp://", "mqtt://", "telnet://", "stomp://"}
