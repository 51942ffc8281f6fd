package secret

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// KubeCredentials finds what lets somebody into a Kubernetes cluster: keys and
// tokens of kubeconfig files, tokens of service accounts, and secrets as YAML.
func KubeCredentials() detect.Detector {
	k := &kinds{}
	account := &jwt{form: newForm(jwtForm), kind: "Kubernetes service account token", kube: true}
	k.add(jwtAnchor, account.judge)
	k.add("client-key-data", clientKey)
	for _, anchor := range []string{`\n    token: [A-Za-z0-9]`, `\n      token: [A-Za-z0-9]`, `\n  token: [A-Za-z0-9]`, `"user":\x7b"token":"`} {
		k.add(anchor, userToken)
	}
	k.add(`(?i)[\n ]kind:[ "'S]["'S][ES][EC][CR]`, manifest)
	k.tokens([]token{{kind: "OpenShift token", form: "sha256~<k43>", entropy: 3.5}})
	return k.detector(policy.Info{
		ID:       "kube-credentials",
		Aliases:  []string{"SEC-004"},
		Title:    "Credentials of a Kubernetes cluster",
		Cites:    []hipaa.Citation{hipaa.Authentication},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "Procedures must verify that an entity seeking access to electronic protected health information is the one claimed " +
			"(164.312(d)). Whoever pulls the image can claim to be the owner of the credentials, and reach what runs in the cluster.",
		Fix: "Remove the file from the image, delete the token or certificate in the cluster, and use the service account that each pod is given.",
	})
}

// clientKey judges the key of a user of a kubeconfig file.
func clientKey(h *detect.Hit, s *detect.Sink) {
	const beginning = 100
	at, ok := assigned(h.Text, h.End)
	if !ok {
		return
	}
	key := unpadded(h.Text[at:min(len(h.Text), at+beginning)])
	if bytes.HasPrefix(key, []byte("-----BEGIN ")) && bytes.Contains(key, []byte("PRIVATE KEY-----")) {
		s.FoundAs("Client key of a kubeconfig", h.Off)
		s.Fingerprint(h.Text[at:min(len(h.Text), at+markBytes)])
	}
}

// userToken judges a token that stands first below `user:`.
func userToken(h *detect.Hit, s *detect.Sink) {
	const shortest, longest = 8, 1500
	if h.Text[h.At] == '\n' {
		line := h.Text[:h.At]
		if i := bytes.LastIndexByte(line, '\n'); i >= 0 {
			line = line[i+1:]
		}
		if string(bytes.TrimSpace(line)) != "user:" {
			return
		}
		h.End--
	}
	n := run(h.Text[h.End:], longest, func(b byte) bool { return isWord(b) || strings.IndexByte("-.=+/:", b) >= 0 })
	value := h.Text[h.End : h.End+n]
	if n >= shortest && delimited(h.Text, h.End+n) && !sample(value) && !bytes.HasPrefix(value, []byte("eyJ")) && !callsItself(value) {
		report(h, h.End, value, "Token of a kubeconfig", s)
	}
}

// callsItself says whether a value is a word for a token in place of one:
// "APP_TOKEN", "admin-token".
func callsItself(value []byte) bool {
	return containsFold(value, "token") && !bytes.ContainsAny(value, "0123456789")
}

// manifest judges a Secret as YAML: values under its data.
func manifest(h *detect.Hit, s *detect.Sink) {
	path := strings.ToLower(h.Meta.Path)
	if !strings.HasSuffix(path, ".yaml") && !strings.HasSuffix(path, ".yml") || !isKindSecret(h.Text[h.At:]) {
		return
	}
	from, to := 0, len(h.Text)
	if i := bytes.LastIndex(h.Text[:h.At], []byte("\n---")); i >= 0 {
		from = i + 1
	}
	if i := bytes.Index(h.Text[h.End:], []byte("\n---")); i >= 0 {
		to = h.End + i
	}
	if value := dataValue(h.Text[from:to]); value != nil {
		s.FoundAs("Kubernetes Secret", h.Off)
		s.Fingerprint(value)
	}
}

// isKindSecret says whether a line is `kind: Secret`, and no other kind.
func isKindSecret(text []byte) bool {
	line := bytes.TrimLeft(text, "\n ")
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	value := bytes.Trim(line[len("kind:"):], " \t\r\"'")
	return len(value) == len("secret") && hasPrefixFold(value, "secret")
}

// dataValue is the first value of base64 under `data:` in a document.
func dataValue(document []byte) []byte {
	within, outer := false, 0
	for line := range bytes.Lines(document) {
		text := bytes.TrimSpace(line)
		indent := len(line) - len(bytes.TrimLeft(line, " \t"))
		switch {
		case len(text) == 0 || text[0] == '#':
		case !within:
			within, outer = string(text) == "data:", indent
		case indent <= outer:
			within = string(text) == "data:"
		default:
			if value := base64Value(text); value != nil && !published(value) {
				return value
			}
		}
	}
	return nil
}

// base64Value is the value of a line `key: value`, or of a line of a block.
func base64Value(text []byte) []byte {
	const shortest = 10
	if _, value, ok := bytes.Cut(text, []byte(":")); ok {
		text = value
	}
	value := bytes.Trim(text, " \"'")
	short := bytes.TrimRight(value, "=")
	if len(short) < shortest || len(value)%4 != 0 {
		return nil
	}
	for _, b := range short {
		if !isDigit(b) && !isLetter(b) && b != '+' && b != '/' {
			return nil
		}
	}
	return value
}
