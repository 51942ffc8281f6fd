package rules

import (
	"fmt"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(e)(1): "Implement technical security measures to guard against
// unauthorized access to electronic protected health information that is being
// transmitted over an electronic communications network."
// 45 CFR 164.312(e)(2)(ii): "Implement a mechanism to encrypt electronic
// protected health information whenever deemed appropriate."
// 45 CFR 164.312(d): "Implement procedures to verify that a person or entity
// seeking access to electronic protected health information is the one claimed."
//
// What each variable and option does is from the manual of the program that
// reads it; see tls_words.go.
var tlsVerificationOff = policy.Rule{
	Info: policy.Info{
		ID: "tls-verification-off", Aliases: []string{"OCI-029"},
		Title:    "A client is told to do without encryption or without checking certificates",
		Cites:    []hipaa.Citation{hipaa.TransmissionSecurity, hipaa.EncryptionInTransit, hipaa.Authentication},
		Proposed: []hipaa.Proposal{hipaa.ProposedTransmission},
		Severity: policy.High, Default: policy.Warn,
		Rationale: "ePHI must be guarded while it is transmitted (164.312(e)(1)), by encryption whenever appropriate (164.312(e)(2)(ii)), " +
			"and who is at the other end verified (164.312(d)). A client that checks no certificate gives its records to whoever answers.",
		Fix: "Take the setting out, and give the program the certificate of the authority that signed the server's.",
	},
	Needs: policy.FactEnv | policy.FactArgs,
	Check: checkTLS,
}

func checkTLS(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	for i, entry := range process(s).Env {
		key, value := splitEnv(entry)
		if kubernetesService(key, value) {
			continue
		}
		why := ""
		if is := insecureVariables[strings.ToUpper(key)]; is != nil && is(strings.ToLower(strings.TrimSpace(value))) {
			why = "TLS verification off"
		} else {
			why = insecureValue(value)
		}
		if why != "" {
			found = append(found, at(fmt.Sprintf("process.env[%d]", i), "%s by environment variable %s", why, keyName(key)))
		}
	}
	seen := map[string]bool{}
	for _, one := range settings(s) {
		if why := insecureArgument(one); why != "" && !seen[one.field()] {
			seen[one.field()] = true
			found = append(found, at(one.field(), "%s by an argument", why))
		}
	}
	return found
}

func insecureArgument(one setting) string {
	option := strings.ToLower(one.name)
	value := strings.ToLower(one.value)
	switch {
	case insecureFlags[option] && value != "false" && value != "0":
		return "TLS verification off"
	case negatedFlags[option] && (value == "false" || value == "0" || value == "no"):
		return "TLS verification off"
	case takesShortK(one):
		return "TLS verification off"
	}
	if is := insecureVariables[strings.ToUpper(one.name)]; is != nil && is(value) {
		return "TLS verification off"
	}
	return insecureValue(one.value)
}

// takesShortK says whether a setting is curl's -k, alone or among other letters.
func takesShortK(one setting) bool {
	if one.program != "curl" {
		return false
	}
	letters, ok := strings.CutPrefix(one.value, "-")
	if one.name != "" {
		letters, ok = one.name, len(one.name) <= 4
	}
	return ok && !strings.HasPrefix(letters, "-") && len(letters) <= 4 && strings.Contains(letters, "k") &&
		strings.Trim(letters, "kfsSLvIGOi") == ""
}

// insecureValue judges an address or a connection string.
func insecureValue(value string) string {
	if !strings.ContainsAny(value, ":=") {
		return ""
	}
	lower := strings.ToLower(value)
	for _, scheme := range plainSchemes {
		if i := strings.Index(lower, scheme); i >= 0 && (i == 0 || !isLetter(lower[i-1])) {
			if rest := lower[i+len(scheme):]; !loopback(rest) && !saysTLS(rest) && !pointsElsewhere(rest) {
				return "connection without encryption"
			}
		}
	}
	for _, word := range insecureWords {
		if i := strings.Index(lower, word); i >= 0 && (i == 0 || !isLetter(lower[i-1])) && wordEnds(lower, i+len(word)) && !loopbackIn(lower) {
			return "connection without verified encryption"
		}
	}
	return ""
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b == '_' || b == '+' }

func wordEnds(text string, i int) bool { return i == len(text) || !isLetter(text[i]) && text[i] != '-' }

// loopback says whether what follows "scheme://" stays on the node.
func loopback(rest string) bool {
	authority := rest
	if i := strings.IndexAny(authority, "/?# "); i >= 0 {
		authority = authority[:i]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if authority == "" { // a socket, or something cut off
		return true
	}
	host := authority
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "[::1]" || strings.HasPrefix(host, "%2f")
}

// loopbackIn says whether a connection string names this machine as its server.
func loopbackIn(lower string) bool {
	if _, rest, ok := strings.Cut(lower, "://"); ok {
		return loopback(rest)
	}
	for _, name := range []string{"host=", "server=", "data source=", "hostaddr="} {
		if _, rest, ok := strings.Cut(lower, name); ok {
			return strings.HasPrefix(rest, "localhost") || strings.HasPrefix(rest, "127.") || strings.HasPrefix(rest, "/")
		}
	}
	return strings.Contains(lower, "tcp(127.") || strings.Contains(lower, "tcp(localhost") || strings.Contains(lower, "unix(")
}

// saysTLS: MongoDB and AMQP clients encrypt a plain scheme where an option says so.
func saysTLS(rest string) bool {
	for _, word := range []string{"tls=true", "ssl=true", "starttls"} {
		if strings.Contains(rest, word) {
			return true
		}
	}
	return false
}
