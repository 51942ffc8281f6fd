package secret

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// GenericSecret finds random values that a label calls a password, a secret, a
// key or a token, and logins in curl commands. Much of it is no secret.
func GenericSecret() detect.Detector {
	k := &kinds{}
	g := newGeneric()
	for _, word := range strings.Fields(secretWords) {
		for i := range labelEnds {
			k.add("(?i)"+word+labelEnds[i].expr, g.behind(labelEnds[i].length))
		}
	}
	k.add(`(?i)password  `, g.behind(2))
	k.add(`(?i)secret_[a-z0-9]`, g.behind(2))
	k.add(`(?i)token_[0-9]`, g.behind(2))
	k.add(`(?i)secretstring`, g.behind(6))
	k.add(`[^A-Za-z0-9_./\-]curl[ \t]`, curl)
	return k.detector(policy.Info{
		ID:       "generic-secret",
		Title:    "Random value that is called a secret",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement},
		Severity: policy.Medium,
		Default:  policy.Audit,
		Rationale: "Passwords, and keys that serve as such, must be safeguarded (164.308(a)(5)(ii)(D)). A value that looks random and that " +
			"its name calls a password, key or token often is one.",
		Fix: "Look at the place: if it is a secret in use, replace it, remove it from the image, and mount it at run time from a secret store.",
	})
}

// secretWords are how a label ends that announces a secret.
const secretWords = `passwd password passphrase secret token apikey [_\-]key [_\-]auth credentials creds`

// labelEnds are what follows a label: an operator, perhaps quotes and blanks,
// and the beginning of a value, or a line end, or a type.
var labelEnds = [...]struct {
	expr   string
	length int
}{
	{`[=:>"'` + "`]" + eitherOr + eitherOr + eitherOr + eitherOr + eitherOr + fourBytes, 10},
	{`[ \t][=:|?.]` + eitherOr + eitherOr + eitherOr + eitherOr + eitherOr + fourBytes, 11},
	{`>\n `, 3},
	{` string = ["` + "`]", 11},
}

// Pieces of anchors.
const (
	valueByte = `[A-Za-z0-9+/=_.\-]`
	eitherOr  = `[A-Za-z0-9+/=_.\-"'\x60:>, ]`
	fourBytes = valueByte + valueByte + valueByte + valueByte
)

// genericSecret judges values by their looks alone.
type genericSecret struct {
	forms []form // of values that other detectors report
}

func newGeneric() *genericSecret {
	g := &genericSecret{}
	for _, table := range [][]token{serviceTokens, cloudTokens, registryTokens} {
		for i := range table {
			g.forms = append(g.forms, newForm(table[i].form))
		}
	}
	return g
}

// behind judges values behind labels, of which the anchor takes so many bytes
// more than the word.
func (g *genericSecret) behind(length int) judge {
	return func(h *detect.Hit, s *detect.Sink) {
		if at, ok := assigned(h.Text, h.End-length); ok {
			g.value(h, at, s)
		}
	}
}

// The bounds of a value, and the least entropy.
const (
	shortestValue = 10
	longestValue  = 150
	highEntropy   = 3.5
)

// value judges the value at the offset.
func (g *genericSecret) value(h *detect.Hit, at int, s *detect.Sink) {
	n := run(h.Text[at:], longestValue+1, isValue)
	value := h.Text[at : at+n]
	if inTerraform(h, at, value) {
		report(h, at, value, "Password in a Terraform file", s)
		return
	}
	if n < shortestValue || n > longestValue || !delimited(h.Text, at+n) || !mixed(value) || entropy(value) < highEntropy {
		return
	}
	if !sample(value) && !sequential(value) && !shortened(value) && !identifierOf(value) && !harmless(h.Text, h.At, at) && !g.known(value) {
		report(h, at, value, "Random value that is called a secret", s)
	}
}

func isValue(b byte) bool { return isWord(b) || bytes.IndexByte([]byte("+/=.-"), b) >= 0 }

// publicKeys are how the public keys of SSH begin in base64: the length and the
// name of their kind (RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4).
var publicKeys = [...]string{"AAAAB3NzaC1", "AAAAC3NzaC1", "AAAAE2VjZHNh"}

// known says whether the value has a form that other detectors know, or is a
// public key.
func (g *genericSecret) known(value []byte) bool {
	for _, begin := range publicKeys {
		if bytes.HasPrefix(value, []byte(begin)) {
			return true
		}
	}
	for _, f := range g.forms {
		if end, ok := f.match(value, 0); ok && end == len(value) {
			return true
		}
	}
	return bytes.HasPrefix(value, []byte("eyJ")) && bytes.IndexByte(value, '.') > 0
}

// mixed says whether letters and digits change as often as in random values,
// and the digits are not just those of a name's version.
func mixed(value []byte) bool {
	const least = 3
	changes, digits := 0, 0
	for i := 1; i < len(value); i++ {
		a, b := value[i-1], value[i]
		if isDigit(b) {
			digits++
		}
		if isDigit(a) && isLetter(b) || isLetter(a) && isDigit(b) {
			changes++
		}
	}
	return changes >= max(least, len(value)/10) && digits*15 >= len(value)
}

// shortened says whether the value is one of which a part was left out.
func shortened(value []byte) bool { return bytes.Contains(value, []byte("...")) }

// identifierOf says whether the value is a name in a program: three words or more,
// four bytes long on average, each with its number behind it: "copy_x509_key2",
// "ed25519.Ed25519Key". What is random has shorter words, and digits before letters.
func identifierOf(value []byte) bool {
	const leastWords, leastLength = 3, 4
	words, length := 0, 0
	for i := 0; i < len(value); {
		switch {
		case value[i] == '_' || value[i] == '.':
			i++
		case isLetter(value[i]):
			n := 1 + run(value[i+1:], len(value), isLower)
			n += run(value[i+n:], len(value), isDigit)
			words, length, i = words+1, length+n, i+n
			if i < len(value) && isLower(value[i]) {
				return false
			}
		default:
			return false
		}
	}
	return words >= leastWords && length >= leastLength*words
}

func isLower(b byte) bool { return b >= 'a' && b <= 'z' }

// sequential says whether six bytes follow each other as in an alphabet.
func sequential(value []byte) bool {
	const most = 6
	n := 1
	for i := 1; i < len(value); i++ {
		if fold(value[i]) != fold(value[i-1])+1 {
			n = 0
		}
		if n++; n >= most {
			return true
		}
	}
	return false
}

// harmless says whether a label speaks of something that is no secret.
func harmless(text []byte, word, value int) bool {
	const longest, longestName = 40, 100
	from := word
	for from > 0 && word-from < longest && (isWord(text[from-1]) || text[from-1] == '.' || text[from-1] == '-') {
		from--
	}
	if page := "page "; from >= len(page) && hasPrefixFold(text[from-len(page):], page) {
		return true // the token of the next page
	}
	if named := text[max(0, from-longestName):from]; bytes.LastIndex(named, []byte("arn:")) > bytes.LastIndexAny(named, " \t\r\n\"'") {
		return true // Amazon's name of a secret
	}
	label := text[from:value]
	for _, part := range harmlessParts {
		if containsFold(label, part) {
			return true
		}
	}
	if !isUUID(text[value:]) {
		return false
	}
	for _, part := range onceParts {
		if containsFold(label, part) {
			return true
		}
	}
	return false
}

// onceParts of a label say that a UUID behind it tells one request from another,
// so that it is not carried out twice.
var onceParts = [...]string{"request", "clienttoken", "client_token", "client-token", "changetoken", "actiontoken", "idempoten"}

// isUUID says whether the text begins with a UUID (RFC 9562, 4).
func isUUID(text []byte) bool {
	for _, n := range [...]int{8, 4, 4, 4, 12} {
		if run(text, n, func(b byte) bool { return isDigit(b) || fold(b) >= 'a' && fold(b) <= 'f' }) < n {
			return false
		}
		if text = text[n:]; n < 12 {
			if len(text) == 0 || text[0] != '-' {
				return false
			}
			text = text[1:]
		}
	}
	return true
}

// harmlessParts of a label say that its value is public, or about a secret.
var harmlessParts = [...]string{
	"public", "pubkey", "pub_", "csrf", "xsrf", "foreign", "primary", "sequence", "bucket", "schema", "natural", "hotkey", "hot_key", "idx", "issuer",
	"key_id", "keyid", "key-id", "_id", "name", "url", "uri", "endpoint", "file", "path", "size", "length", "type", "hash", "digest", "checksum", "sha",
	"md5", "version", "expir", "fingerprint", "count", "monkey", "turkey", "author", "cache", "sort", "partition", "host", "page", "next", "continuation",
	"integrity", "commit", "test", "mock", "encrypted", "invalid",
}

// inTerraform says whether the value is a password that is written into a file
// of Terraform's, where names of the language would have no quotes.
func inTerraform(h *detect.Hit, at int, value []byte) bool {
	const shortest, longest = 8, 40
	path := strings.ToLower(h.Meta.Path)
	if !strings.HasSuffix(path, ".tf") && !strings.HasSuffix(path, ".hcl") || len(value) < shortest || len(value) > longest {
		return false
	}
	return h.Text[at-1] == '"' && at+len(value) < len(h.Text) && h.Text[at+len(value)] == '"' &&
		containsFold(h.Text[h.At:h.End], "password") && entropy(value) >= leastEntropy && !sample(value) && !isWeak(value)
}
