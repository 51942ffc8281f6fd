// Package secret finds credentials in files.
package secret

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// PrivateKey finds private keys that no passphrase protects, in PEM and of
// OpenSSH, PGP and PuTTY, and files in PKCS #12, which mostly have a weak one.
func PrivateKey() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "private-key",
			Aliases:  []string{"SEC-001"},
			Title:    "Private key without a passphrase",
			Cites:    []hipaa.Citation{hipaa.Authentication},
			Severity: policy.High,
			Default:  policy.Warn,
			Rationale: "Procedures must verify that a person or entity seeking access to electronic protected health information " +
				"is the one claimed (164.312(d)). Whoever pulls an image with a private key can claim to be its owner.",
			Fix: "Remove the key from the image, replace it by a new one, and mount that at run time from a secret store.",
		},
		Anchors: []string{`PRIVATE KEY-----`, `PGP PRIVATE KEY BLOCK-----`, `PuTTY-User-Key-File-\d: `},
		Eager:   true,
		Open:    openKeyStore,
		Near:    nearPrivateKey,
	}
}

// documentation is where packages put examples, whose keys are public anyway.
const documentation = "/usr/share/doc/"

// minKey is the shortest key in bytes; Ed25519 in PKCS #8 has 48.
const minKey = 40

// markBytes is how much of a key its fingerprint is of: the same, in whichever
// form the key is written.
const markBytes = 512

func nearPrivateKey(h detect.Hit, s *detect.Sink) {
	if strings.HasPrefix(h.Meta.Path, documentation) {
		return
	}
	switch h.Anchor {
	case 0:
		nearPEM(&h, s)
	case 1:
		nearPGP(&h, s)
	default:
		nearPuTTY(&h, s)
	}
}

// pemKinds stand between BEGIN and the anchor, which ends the first line of
// every kind of PEM private key (RFC 7468, 10, and the older kinds of OpenSSL).
var pemKinds = []string{"", "RSA ", "EC ", "DSA ", "OPENSSH "}

// nearPEM judges the text behind a first line. Of a key longer than what is
// seen of it, RSA with 3,072 bits or more, the beginning must be right.
func nearPEM(h *detect.Hit, s *detect.Sink) {
	lead := h.Text[:h.At]
	i := slices.IndexFunc(pemKinds, func(kind string) bool { return bytes.HasSuffix(lead, []byte("-----BEGIN "+kind)) })
	if i < 0 {
		return
	}
	body, cut := bodyOf(h)
	key := decode(body)
	if cut && len(key) < minKey && headersAlone(body) {
		s.Skip(lateKey)
	}
	if mark := key[:min(len(key), markBytes)]; (plainDER(key, cut) || plainOpenSSH(key)) && !publishedKey(mark) {
		s.Found(h.Off - int64(len("-----BEGIN "+pemKinds[i])))
		s.Fingerprint(mark)
	}
}

// bodyOf is what stands behind a first line, up to the next boundary or as far
// as it is seen: then cut is true.
func bodyOf(h *detect.Hit) (body []byte, cut bool) {
	body = h.Text[h.End:]
	if i := bytes.Index(body, []byte("-----")); i >= 0 {
		return body[:i], false
	}
	return body, len(body) >= detect.NearAfter
}

const lateKey = "private key behind more than 2 KiB of headers"

// headersAlone says whether a text has nothing but headers: lines with a colon,
// the last of which may go on beyond it.
func headersAlone(body []byte) bool {
	first, rest, _ := bytes.Cut(bytes.TrimLeft(body, "\r\n"), []byte{'\n'})
	for line := first; ; {
		if bytes.IndexByte(line, ':') < 1 {
			return false
		}
		if len(rest) == 0 {
			return true
		}
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
	}
}

// nearPuTTY judges a key in PuTTY's form (PuTTY manual, C.1), which says how it
// is encrypted in its second line.
func nearPuTTY(h *detect.Hit, s *detect.Sink) {
	text := h.Text[h.End:]
	if bytes.Contains(text[:min(len(text), 200)], []byte("\nEncryption: none")) || bytes.Contains(text[:min(len(text), 200)], []byte("\rEncryption: none")) {
		if _, private, ok := bytes.Cut(text, []byte("Private-Lines: ")); ok && len(private) > minKey {
			s.FoundAs("PuTTY private key without a passphrase", h.Off)
			s.Fingerprint(private[:min(len(private), 100)])
		} else if !ok && len(text) >= detect.NearAfter {
			s.Skip(lateKey)
		}
	}
}

// openKeyStore judges a file in PKCS #12 by its name and beginning. Its
// passphrase cannot be judged; it is often empty or stands beside it.
func openKeyStore(m detect.Meta, s *detect.Sink) detect.Reader {
	name := strings.ToLower(m.Path)
	if m.Hit == nil && (strings.HasSuffix(name, ".p12") || strings.HasSuffix(name, ".pfx")) && isPFX(m.Head) &&
		!strings.HasPrefix(m.Path, documentation) && !publishedKey(m.Head[:min(len(m.Head), markBytes)]) {
		s.FoundAs("PKCS #12 key store", 0)
	}
	return nil
}

// isPFX says whether bytes begin as a PFX (RFC 7292, 4): a SEQUENCE with the
// INTEGER 3.
func isPFX(head []byte) bool {
	if len(head) < minKey || head[0] != 0x30 {
		return false
	}
	rest := head[2:]
	if head[1] >= 0x80 {
		rest = rest[min(int(head[1]&0x7F), 4):]
	}
	return rest[0] == 2 && rest[1] == 1 && rest[2] == 3
}

// decode reads the base64 of a PEM body, also one that stands in a string of
// JSON or of a program, with line ends written \n. It answers nil for a body
// that says it is encrypted (RFC 1421, 4.6.1.1).
func decode(body []byte) []byte {
	if bytes.Contains(body, []byte("ENCRYPTED")) {
		return nil
	}
	text := make([]byte, 0, len(body))
	for _, line := range lines(body) {
		if bytes.IndexByte(line, ':') >= 0 || len(line) == 5 && line[0] == '=' {
			continue // a header, PGP's checksum
		}
		for _, c := range line {
			switch {
			case isDigit(c), isLetter(c), c == '+', c == '/':
				text = append(text, c)
			case c == ' ', c == '\t', c == '"', c == '\'', c == '`', c == ',':
			default:
				return raw(text)
			}
		}
	}
	return raw(text)
}

// lines cuts at line ends and at their escapes, however often escaped.
func lines(body []byte) [][]byte {
	flat := bytes.Clone(body)
	for i := 0; i < len(flat); i++ {
		if flat[i] != '\\' {
			continue
		}
		for i < len(flat) && flat[i] == '\\' {
			flat[i] = '\n'
			i++
		}
		if i < len(flat) && (flat[i] == 'n' || flat[i] == 'r') {
			flat[i] = '\n'
		}
	}
	return bytes.FieldsFunc(flat, func(r rune) bool { return r == '\n' || r == '\r' })
}

func raw(text []byte) []byte {
	if len(text)%4 == 1 { // half a byte
		text = text[:len(text)-1]
	}
	key := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(key, text)
	if err != nil {
		return nil
	}
	return key[:n]
}

// plainDER says whether the bytes are a SEQUENCE, whole unless cut, that begins
// with a small INTEGER, the version: so begin PKCS #1, PKCS #8 (RFC 5958), SEC 1
// and DSA keys. An encrypted PKCS #8 key begins with a SEQUENCE.
func plainDER(key []byte, cut bool) bool {
	if len(key) < minKey || key[0] != 0x30 {
		return false
	}
	length, rest := int(key[1]), key[2:]
	if length >= 0x80 {
		n := length & 0x7F
		if n < 1 || n > 2 {
			return false
		}
		length = 0
		for _, b := range rest[:n] {
			length = length<<8 | int(b)
		}
		rest = rest[n:]
	}
	return length >= minKey && (cut || length <= len(rest)) && rest[0] == 2 && rest[1] == 1 && rest[2] <= 2
}

// plainOpenSSH says whether the bytes are a key in OpenSSH's own form whose
// cipher is "none" (PROTOCOL.key).
func plainOpenSSH(key []byte) bool {
	const magic = "openssh-key-v1\x00" + "\x00\x00\x00\x04none" + "\x00\x00\x00\x04none"
	return len(key) > len(magic)+minKey && bytes.HasPrefix(key, []byte(magic))
}
