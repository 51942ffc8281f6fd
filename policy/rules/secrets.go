package rules

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// The dictionaries are of whole words: "PASS" is in DB_PASS and not in COMPASS.
var (
	passwordWords = []string{"PASSWORD", "PASSWD", "PASSPHRASE", "PASSWORT", "PGPASSWORD", "SECRET", "REQUIREPASS", "ROOTPW"}
	// passwordEnds count at the end of a name alone: PASS_THROUGH is no password.
	passwordEnds = []string{"PASS", "PWD", "PW"}
	secretWords  = []string{
		"TOKEN", "APIKEY", "APITOKEN", "SECRETKEY", "ACCESSKEY", "PRIVATEKEY", "AUTHTOKEN", "CREDENTIAL", "CREDENTIALS", "CREDS",
		"API KEY", "ACCESS KEY", "SECRET KEY", "PRIVATE KEY", "ENCRYPTION KEY", "SIGNING KEY", "MASTER KEY", "ACCOUNT KEY",
		"AUTH KEY", "SHARED KEY", "LICENSE KEY", "STORAGE KEY", "APP KEY", "SESSION KEY", "JWT KEY",
	}
	// keyWords make a random-looking value a secret.
	keyWords = []string{"KEY", "AUTH", "SALT", "CRED", "SIGNATURE", "PEPPER", "SEED", "COOKIE", "SESSION", "WEBHOOK"}
	// aboutWords at the end of a name: it is about a secret and holds none.
	aboutWords = []string{
		"FILE", "PATH", "DIR", "DIRECTORY", "LOCATION", "FILENAME", "NAME", "ID", "TYPE", "TTL", "EXPIRY", "EXPIRATION", "EXPIRES",
		"EXPIRE", "LIFETIME", "TIMEOUT", "LENGTH", "MIN", "MAX", "SIZE", "ENABLED", "DISABLED", "REQUIRED", "POLICY", "HEADER", "URL",
		"URI", "ENDPOINT", "HOST", "PORT", "ISSUER", "AUDIENCE", "ALGORITHM", "ALGO", "VERSION", "PREFIX", "SUFFIX", "FIELD",
		"PROVIDER", "BACKEND", "ENGINE", "MOUNT", "NAMESPACE", "COUNT", "INTERVAL", "REFRESH", "ROTATION", "USER", "USERNAME",
		"REF", "ARN", "SECONDS", "MINUTES", "HOURS", "DAYS", "LIMIT", "FORMAT", "METHOD", "SCOPE", "SCOPES", "REGION", "ENCODING", "COOKIE",
		"STORE", "STORAGE", "MANAGER", "SOURCE", "MODE", "CLASS", "SERVICE", "SERVER", "KIND", "DRIVER", "CLIENT", "STRATEGY", "CACHE",
		"VALIDATION", "VALIDATOR", "CHECK", "LEVEL", "STRENGTH", "RULES", "REGEX", "PATTERN", "CHARS", "GROUP", "LABEL", "LABELS",
	}
	// publicWords and publicNames are of random-looking values that are public:
	// the release keys and check sums that language images carry.
	publicWords = []string{"GPG", "PGP", "PUBLIC", "SHA", "SHA1", "SHA256", "SHA512", "MD5", "CHECKSUM", "DIGEST", "COMMIT", "REVISION", "FINGERPRINT", "UUID", "BUILD"}
	publicNames = []string{"HOSTNAME", "ID", "UID", "VERSION", "PUBKEY", "KEYID", "PATH", "HASH", "REF", "TAG", "OPTS", "URL", "HOST", "NAME"}
)

// secretName says what a name promises, where the value can keep it.
func secretName(names []string, value string) string {
	if len(names) == 0 || endsWith(names, aboutWords) || containsAny(names, []string{"PUBLIC"}) || isURL(value) {
		return ""
	}
	switch {
	case containsAny(names, passwordWords), endsWith(names, passwordEnds):
		if isWorkingDir(names) || len(value) < 4 {
			return ""
		}
		return "password"
	case containsAny(names, secretWords):
		if len(value) < 8 || digitsOnly(value) && len(value) < 12 {
			return ""
		}
		return "key or token"
	}
	return ""
}

// isWorkingDir is the shell's PWD and OLDPWD, which are no passwords.
func isWorkingDir(names []string) bool { return len(names) == 1 && names[0] == "PWD" }

// known are forms that are secrets wherever they stand, from the issuers'
// documentation. Go's regular expressions take linear time.
// Each form holds one of its hints, which are looked for first: this runs while
// the runtime waits, for every variable of every container.
var known = []struct {
	what  string
	hints []string
	form  *regexp.Regexp
}{
	{"AWS access key", []string{"AKIA", "ASIA"}, regexp.MustCompile(`\b(AKIA|ASIA)[A-Z2-7]{16}\b`)},
	{"GitHub token", []string{"gh", "github_pat_"}, regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}`)},
	{"GitLab token", []string{"glpat-"}, regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"Slack token", []string{"xox", "xapp-"}, regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}`)},
	{"Slack webhook", []string{"hooks.slack.com"}, regexp.MustCompile(`hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}`)},
	{"Stripe key", []string{"k_live_", "k_test_"}, regexp.MustCompile(`\b[sr]k_(live|test)_[A-Za-z0-9]{16,}`)},
	{"API key", []string{"sk-"}, regexp.MustCompile(`\bsk-(ant-|proj-)?[A-Za-z0-9_-]{32,}`)},
	{"Google API key", []string{"AIza"}, regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}`)},
	{"SendGrid key", []string{"SG."}, regexp.MustCompile(`\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`)},
	{"npm token", []string{"npm_"}, regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}`)},
	{"Vault token", []string{"hvs.", "hvb.", "hvr."}, regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{20,}`)},
	{"DigitalOcean token", []string{"_v1_"}, regexp.MustCompile(`\bdo[opr]_v1_[a-f0-9]{64}`)},
	{"Azure account key", []string{"AccountKey="}, regexp.MustCompile(`AccountKey=[A-Za-z0-9+/]{40,}`)},
	{"JSON web token", []string{".eyJ"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`)},
	{"private key", []string{"PRIVATE KEY", "PuTTY-"}, regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----|PuTTY-User-Key-File-`)},
}

var (
	// userinfo is the password of a URL, RFC 3986 section 3.2.1. It may hold
	// what the RFC wants escaped; the last @ before the path ends it.
	userinfo = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*:([^/?#\s]+)@`)
	// connection is the password of a connection string: "Server=db;Pwd=x;",
	// "host=db password=x".
	connection = regexp.MustCompile(`(?i)(?:^|[;\s?&.])(?:password|pwd|passwd)\s*=\s*([^;\s&]{4,})`)
)

func knownSecret(value string) string {
	for _, k := range known {
		if holdsAny(value, k.hints) && k.form.MatchString(value) {
			return k.what
		}
	}
	switch {
	case strings.Contains(value, "://") && strings.Contains(value, "@") && captures(userinfo, value):
		return "URL with a password"
	case strings.Contains(value, "=") && holdsAny(strings.ToLower(value), []string{"pwd", "passw"}) && captures(connection, value):
		return "connection string with a password"
	}
	return ""
}

func holdsAny(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

// captures says whether a form finds a password that is one.
func captures(form *regexp.Regexp, value string) bool {
	return slices.ContainsFunc(form.FindAllStringSubmatch(value, -1), func(m []string) bool {
		return !pointsElsewhere(m[1]) && !isSwitch(m[1])
	})
}

var (
	// reference is a value that something else puts in: $(VAR), ${VAR},
	// {{ var }}, <password>, %VAR%, or one that has been masked.
	reference = regexp.MustCompile(`^(\$\([^)]*\)|\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]*|\{\{.*\}\}|<[^<>]*>|\[[A-Za-z _-]*\]|%[A-Za-z_][A-Za-z0-9_]*%|\*+|[xX]+)$`)
	// vault is an address in a secrets store.
	vault    = regexp.MustCompile(`^(vault:|ref\+|op://|ssm://|sm://|asm://|gcp:secretmanager:|arn:aws[a-z-]*:(secretsmanager|ssm):|awssm://|azurekeyvault:|akv://|file:)`)
	filePath = regexp.MustCompile(`^(\.{0,2}|~)/[A-Za-z0-9._@:/-]*$`)
)

// pointsElsewhere says whether a value only says where the secret is.
func pointsElsewhere(value string) bool {
	v := strings.TrimSpace(value)
	if v == "" {
		return true
	}
	switch v[0] { // each form is asked only where it can begin
	case '$', '{', '<', '[', '%', '*', 'x', 'X':
		return reference.MatchString(v)
	case '.', '~', '/': // a base64 key can begin with a slash; a path reads more regularly
		return filePath.MatchString(v) && entropy(v) < 4.3
	}
	return strings.ContainsAny(v, ":+") && vault.MatchString(v)
}

// isSwitch says whether a value turns something on or off, or says there is none.
func isSwitch(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "false", "yes", "no", "on", "off", "enabled", "disabled", "null", "none", "nil", "undefined", "unset", "redacted":
		return true
	}
	return false
}

func isURL(value string) bool { return strings.Contains(value, "://") }

func digitsOnly(value string) bool { return digits(value) == len(value) }

var opaque = regexp.MustCompile(`^[A-Za-z0-9+_-][A-Za-z0-9+/_-]{18,}={0,2}$`)

// randomLooking says whether a value is one long run of a base64 or hexadecimal
// alphabet with digits among the letters.
func randomLooking(value string) bool {
	return opaque.MatchString(value) && strings.ContainsAny(value, "0123456789") && strings.IndexFunc(value, unicode.IsLetter) >= 0
}

// strong says whether a random-looking value needs no name to be suspect: 32
// characters and more, of all three kinds, without the separators that names
// of pods, images and files are made of.
func strong(value string) bool {
	return len(value) >= 32 && !strings.ContainsAny(value, "-_") && entropy(value) >= 4.3 &&
		strings.IndexFunc(value, unicode.IsUpper) >= 0 && strings.IndexFunc(value, unicode.IsLower) >= 0
}

// entropy is Shannon's, in bits per byte.
func entropy(value string) float64 {
	var counts [256]int
	for i := range len(value) {
		counts[value[i]]++
	}
	sum, n := 0.0, float64(len(value))
	for _, c := range counts {
		if c > 0 {
			p := float64(c) / n
			sum -= p * math.Log2(p)
		}
	}
	return sum
}
