package cli

import (
	"bytes"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// parseRecipient reads an auditor's public key: an age recipient, an SSH public
// key, or a file with one of these or with an X25519 key in PEM (RFC 8410).
func parseRecipient(text string) (age.Recipient, error) {
	switch {
	case strings.HasPrefix(text, "ssh-"):
		return agessh.ParseRecipient(text)
	case strings.HasPrefix(text, "age1"):
		return age.ParseX25519Recipient(text)
	}
	if _, err := os.Stat(text); err != nil {
		return nil, errors.New("nor is it a file with one")
	}
	data, err := readGiven("recipient", text)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		line := strings.TrimSpace(string(data))
		if !strings.HasPrefix(line, "ssh-") && !strings.HasPrefix(line, "age1") {
			return nil, errors.New("nor does the file hold one")
		}
		return parseRecipient(line)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(*ecdh.PublicKey)
	if err != nil || !ok || key.Curve() != ecdh.X25519() {
		return nil, errors.New("the file's PEM is no X25519 public key (openssl pkey -pubout)")
	}
	return age.ParseX25519Recipient(bech32("age", key.Bytes()))
}

// parseIdentities reads an auditor's secret key: age identities, or an X25519 key
// in PEM (PKCS #8). An error tells nothing of what was read.
func parseIdentities(data []byte) ([]age.Identity, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return age.ParseIdentities(bytes.NewReader(data))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdh.PrivateKey)
	if err != nil || !ok || key.Curve() != ecdh.X25519() {
		return nil, errors.New("the PEM is no X25519 private key (openssl genpkey -algorithm x25519)")
	}
	identity, err := age.ParseX25519Identity(strings.ToUpper(bech32("age-secret-key-", key.Bytes())))
	if err != nil {
		return nil, errors.New("the PEM is no X25519 private key that age takes")
	}
	return []age.Identity{identity}, nil
}

// bech32 is the form of age's keys (BIP 173): the prefix, a 1, the bytes in groups
// of five bits, six characters of checksum.
func bech32(prefix string, data []byte) string {
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	var groups []byte
	acc, bits := 0, 0
	for _, b := range data {
		acc, bits = acc<<8|int(b), bits+8
		for ; bits >= 5; bits -= 5 {
			groups = append(groups, byte(acc>>(bits-5)&31))
		}
		acc &= 1<<bits - 1
	}
	if bits > 0 {
		groups = append(groups, byte(acc<<(5-bits)&31))
	}
	out := []byte(prefix + "1")
	for _, g := range append(groups, bech32Checksum(prefix, groups)...) {
		out = append(out, charset[g])
	}
	return string(out)
}

func bech32Checksum(prefix string, groups []byte) []byte {
	var all []byte
	for _, c := range []byte(prefix) {
		all = append(all, c>>5)
	}
	all = append(all, 0)
	for _, c := range []byte(prefix) {
		all = append(all, c&31)
	}
	all = append(append(all, groups...), 0, 0, 0, 0, 0, 0)
	sum := uint32(1)
	for _, v := range all {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	sum ^= 1
	out := make([]byte, 6)
	for i := range out {
		out[i] = byte(sum >> (5 * (5 - i)) & 31)
	}
	return out
}
