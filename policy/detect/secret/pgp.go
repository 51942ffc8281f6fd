package secret

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// nearPGP judges a private key in PGP's form.
func nearPGP(h *detect.Hit, s *detect.Sink) {
	const lead = "-----BEGIN "
	if !bytes.HasSuffix(h.Text[:h.At], []byte(lead)) {
		return
	}
	body, cut := bodyOf(h)
	key := decode(body)
	if cut && len(key) < minKey && headersAlone(body) {
		s.Skip(lateKey)
	}
	if mark := key[:min(len(key), markBytes)]; plainPGP(key) && !publishedKey(mark) {
		s.FoundAs("PGP private key without a passphrase", h.Off-int64(len(lead)))
		s.Fingerprint(mark)
	}
}

// plainPGP says whether bytes begin with a secret key packet of version 4 that
// is not encrypted (RFC 9580, 5.5.3): behind the public part stands a zero.
func plainPGP(key []byte) bool {
	const secretKey = 5
	if len(key) < minKey {
		return false
	}
	tag, rest := key[0]&0x3F, key[2:]
	if key[0]&0x40 == 0 { // the older header, 4.2.2
		tag >>= 2
		rest = key[1+1<<(key[0]&3):]
	} else if key[1] >= 192 {
		rest = key[3:]
	}
	const fixed = 6 // version, time of creation, algorithm
	if tag != secretKey || len(rest) < fixed || rest[0] != 4 {
		return false
	}
	rest, ok := publicPart(rest[fixed-1], rest[fixed:])
	return ok && len(rest) > 0 && rest[0] == 0
}

// publicPart passes over the public part of a key: a curve, and numbers (RFC
// 9580, 5.5.5).
func publicPart(algorithm byte, rest []byte) ([]byte, bool) {
	numbers, curve, agreement := 1, false, false
	switch algorithm {
	case 1, 2, 3: // RSA
		numbers = 2
	case 16: // Elgamal
		numbers = 3
	case 17: // DSA
		numbers = 4
	case 18: // ECDH
		curve, agreement = true, true
	case 19, 22: // ECDSA, EdDSA
		curve = true
	default:
		return nil, false
	}
	ok := true
	if curve {
		rest, ok = pass(rest, 1, 1)
	}
	for range numbers {
		if ok {
			rest, ok = pass(rest, 2, 8)
		}
	}
	if ok && agreement {
		rest, ok = pass(rest, 1, 1)
	}
	return rest, ok
}

// pass passes over a length of that many bytes, in units of so many bits over
// eight, and what it counts.
func pass(rest []byte, width, unit int) ([]byte, bool) {
	if len(rest) < width {
		return nil, false
	}
	n := 0
	for _, b := range rest[:width] {
		n = n<<8 | int(b)
	}
	n = width + (n+unit-1)/unit
	if n > len(rest) {
		return nil, false
	}
	return rest[n:], true
}
