// Package secret finds credentials in files.
package secret

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// PrivateKey finds private keys in PEM or OpenSSH form that no passphrase
// protects.
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
		Open: openPrivateKey,
	}
}

const keyMessage = "unencrypted private key"

// documentation is where packages put examples, whose keys are public anyway.
const documentation = "/usr/share/doc/"

func openPrivateKey(m detect.Meta, s *detect.Sink) detect.Reader {
	if m.Size < minKey || strings.HasPrefix(m.Path, documentation) {
		return nil
	}
	return &pem{sink: s}
}

// The bounds of a key.
const (
	minKey = 40       // bytes; the shortest, Ed25519 in PKCS #8, has 48
	maxPEM = 32 << 10 // bytes of text; RSA with 16,384 bits has 12,700
)

// anchor ends the first line of every kind of PEM private key (RFC 7468, 10,
// and the older kinds of OpenSSL).
const anchor = "PRIVATE KEY-----"

// longestLead is what stands before the anchor, at most.
const longestLead = len("-----BEGIN OPENSSH ")

// pem searches one file for first lines and collects what follows them.
type pem struct {
	sink   *detect.Sink
	next   int64  // offset after the last window
	tail   []byte // the last bytes before what is searched
	within bool   // a key
	begin  int64  // its offset
	body   []byte // what followed the first line
	dashes int    // at the end of body
}

func (p *pem) Window(w detect.Window) {
	if w.Off != p.next {
		p.Close()
		p.tail = p.tail[:0]
	}
	p.next = w.Off + int64(len(w.Data))
	for data, off := w.Data, w.Off; len(data) > 0; {
		n := 0
		if p.within {
			n = p.collect(data)
		} else {
			n = p.search(data, off)
		}
		data, off = data[n:], off+int64(n)
	}
}

func (p *pem) Close() {
	if p.within {
		p.judge()
	}
}

// search looks for a first line and returns how many bytes it is done with.
func (p *pem) search(data []byte, off int64) int {
	// An anchor across the beginning of the data has at least one byte in it.
	low := max(0, len(p.tail)-len(anchor)+1)
	if low < len(p.tail) {
		var seam [2 * len(anchor)]byte
		n := copy(seam[:], p.tail[low:])
		n += copy(seam[n:], data[:min(len(data), len(anchor)-1)])
		if i := bytes.Index(seam[:n], []byte(anchor)); i >= 0 {
			p.first(p.tail[:low+i], off-int64(len(p.tail)-low-i))
			done := low + i + len(anchor) - len(p.tail)
			p.keep(data[:done])
			return done
		}
	}
	i := bytes.Index(data, []byte(anchor))
	if i < 0 {
		p.keep(data)
		return len(data)
	}
	p.keep(data[:i])
	p.first(p.tail, off+int64(i))
	p.keep(data[i : i+len(anchor)])
	return i + len(anchor)
}

// keep remembers the last bytes of what was searched.
func (p *pem) keep(data []byte) {
	const enough = longestLead + len(anchor)
	if len(data) >= enough {
		p.tail = append(p.tail[:0], data[len(data)-enough:]...)
		return
	}
	if drop := len(p.tail) + len(data) - enough; drop > 0 {
		p.tail = append(p.tail[:0], p.tail[drop:]...)
	}
	p.tail = append(p.tail, data...)
}

// first begins a key when what stands before the anchor makes a first line of
// a key that may be unencrypted; off is the anchor's.
func (p *pem) first(lead []byte, off int64) {
	for _, kind := range []string{"", "RSA ", "EC ", "DSA ", "OPENSSH "} {
		line := "-----BEGIN " + kind
		if bytes.HasSuffix(lead, []byte(line)) {
			p.within, p.begin, p.dashes = true, off-int64(len(line)), 0
			p.body = p.body[:0]
		}
	}
}

// collect takes a key's text up to the next boundary and returns how many bytes
// it is done with.
func (p *pem) collect(data []byte) int {
	const boundary = 5
	for i, c := range data {
		p.body = append(p.body, c)
		if c == '-' {
			p.dashes++
		} else {
			p.dashes = 0
		}
		if p.dashes == boundary || len(p.body) == maxPEM {
			p.judge()
			p.tail = p.tail[:0]
			p.keep(p.body)
			return i + 1
		}
	}
	return len(data)
}

// judge reports the collected key when it is one and not encrypted.
func (p *pem) judge() {
	p.within = false
	if key := decode(p.body); plainDER(key) || plainOpenSSH(key) {
		p.sink.Found(keyMessage, p.begin)
		p.sink.Fingerprint(key)
	}
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
		if bytes.IndexByte(line, ':') >= 0 {
			continue // a header
		}
		for _, c := range line {
			switch {
			case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z', c == '+', c == '/':
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

// plainDER says whether the bytes are a whole SEQUENCE that begins with a small
// INTEGER, the version: so begin PKCS #1, PKCS #8 (RFC 5958), SEC 1 and DSA
// keys. An encrypted PKCS #8 key begins with a SEQUENCE.
func plainDER(key []byte) bool {
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
	return length >= minKey && length <= len(rest) && rest[0] == 2 && rest[1] == 1 && rest[2] <= 2
}

// plainOpenSSH says whether the bytes are a key in OpenSSH's own form whose
// cipher is "none" (PROTOCOL.key).
func plainOpenSSH(key []byte) bool {
	const magic = "openssh-key-v1\x00" + "\x00\x00\x00\x04none" + "\x00\x00\x00\x04none"
	return len(key) > len(magic)+minKey && bytes.HasPrefix(key, []byte(magic))
}
