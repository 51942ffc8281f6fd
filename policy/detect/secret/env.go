package secret

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// EnvSecrets finds files of environment variables with secrets among them.
func EnvSecrets() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "env-secrets",
			Aliases:  []string{"SEC-009"},
			Title:    "Environment file with secrets",
			Cites:    []hipaa.Citation{hipaa.PasswordManagement},
			Severity: policy.High,
			Default:  policy.Warn,
			Rationale: "Passwords, and keys that serve as such, must be safeguarded (164.308(a)(5)(ii)(D)). An environment file that was copied " +
				"into an image together with the program gives its passwords to whoever pulls it.",
			Fix: "Name the file in .dockerignore, change the secrets, and give them to the container at run time from a secret store.",
		},
		Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
			if !isEnvFile(baseName(m.Path)) {
				return nil
			}
			return detect.Whole(s, envFile)
		},
	}
}

// isEnvFile says whether a file has environment variables, by its name, and is
// no template of one.
func isEnvFile(name string) bool {
	name = strings.ToLower(name)
	if name != ".env" && !strings.HasPrefix(name, ".env.") && !strings.HasSuffix(name, ".env") && name != ".envrc" && name != ".flaskenv" {
		return false
	}
	for _, word := range []string{"example", "sample", "template", "dist", "tmpl", "default", "test"} {
		if strings.Contains(name, word) {
			return false
		}
	}
	return true
}

// envFile reads lines NAME=value, with or without export before them.
func envFile(content []byte, s *detect.Sink) {
	numbered(content, func(off int, line []byte) {
		name, value, ok := bytes.Cut(bytes.TrimPrefix(line, []byte("export ")), []byte("="))
		if !ok || line[0] == '#' || !isSecretName(strings.ToUpper(string(bytes.TrimSpace(name)))) {
			return
		}
		value = unquoted(value)
		if i := bytes.Index(value, []byte(" #")); i >= 0 {
			value = bytes.TrimSpace(value[:i])
		}
		if len(value) > 3 && !isWeak(value) {
			secretLine(off, value, "Environment file with secrets", s)
		}
	})
}

// isSecretName says whether a variable holds a secret, by its name.
func isSecretName(name string) bool {
	for _, end := range []string{"_FILE", "_PATH", "_URL", "_URI", "_ID", "_NAME", "_EXPIRY", "_EXPIRES", "_TTL", "_LENGTH", "_TYPE", "_ENABLED"} {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	if strings.Contains(name, "PUBLIC") {
		return false
	}
	for _, word := range []string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "ENCRYPTION_KEY", "CREDENTIAL"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "_PASS") || strings.HasSuffix(name, "_PWD") || strings.HasSuffix(name, "_KEY") || name == "PGPASSWORD"
}
