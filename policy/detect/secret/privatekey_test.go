package secret_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/secret"
)

// armour writes a PEM block; no key stands in this file.
func armour(kind string, der []byte, headers map[string]string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der, Headers: headers}))
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("marshalling a key: %v", err)
	}
	return der
}

func newEd25519() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
}

func newEC(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("generating a key: %v", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatalf("marshalling a key: %v", err)
	}
	return der
}

// openSSH is the beginning of a key in OpenSSH's form, with the given cipher.
func openSSH(cipher, kdf string) []byte {
	out := []byte("openssh-key-v1\x00")
	for _, s := range []string{cipher, kdf} {
		out = append(out, 0, 0, 0, byte(len(s)))
		out = append(out, s...)
	}
	return append(out, bytes.Repeat([]byte{0, 0, 0, 1, 9}, 40)...)
}

// putty is a key in PuTTY's form.
func putty(encryption string) string {
	line := strings.Repeat("AAAAB3NzaC1yc2EA", 4) + "\r\n"
	return "PuTTY-User-Key-File-" + "3: ssh-ed25519\r\nEncryption: " + encryption + "\r\nComment: a\r\nPublic-Lines: 2\r\n" + line + line +
		"Private-Lines: 1\r\n" + line + "Private-MAC: 00\r\n"
}

// pgp is a key of version 4 for EdDSA (RFC 9580, 5.5.3); usage says how it is
// encrypted.
func pgp(usage byte) string {
	curve := []byte{0x2B, 6, 1, 4, 1, 0xDA, 0x47, 15, 1}
	key := append([]byte{4, 1, 2, 3, 4, 22, byte(len(curve))}, curve...)
	key = append(append(key, 1, 7), bytes.Repeat([]byte{0x55}, 33)...) // a number of 263 bits
	key = append(append(key, usage, 1, 0), bytes.Repeat([]byte{0x77}, 32)...)
	body := base64.StdEncoding.EncodeToString(append([]byte{0xC5, byte(len(key))}, key...))
	return "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\nVersion: 1\n\n" + body + "\n=abcd\n-----END PGP " + "PRIVATE KEY BLOCK-----\n"
}

func TestPrivateKey_accept(t *testing.T) {
	sample := armour("PRIVATE KEY", pkcs8(t, newEd25519()), nil)
	body := strings.Split(sample, "\n")[1]
	detecttest.Accept(t, secret.PrivateKey(), []byte(sample), "/etc/ssl/a.key",
		detecttest.Secrets(body, body[:20], body[20:40]),
		detecttest.Padding([]byte("a=1\n-----BEGIN PRIVATE KEY-----\n"), []byte("-----BEGIN RSA PRIVATE KEY-----")))
}

func TestPrivateKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("generating a key: %v", err)
	}
	ed := armour("PRIVATE KEY", pkcs8(t, newEd25519()), nil)
	rsaPEM := armour("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	longKey, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		t.Fatalf("generating a key: %v", err)
	}
	long := armour("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(longKey), nil)
	keyStore := append([]byte{0x30, 0x82, 2, 0, 2, 1, 3}, make([]byte, 512)...)
	quoted, err := json.Marshal(map[string]string{"private_key": rsaPEM})
	if err != nil {
		t.Fatalf("marshalling: %v", err)
	}
	for name, c := range map[string]struct {
		path, content string
		want          int
	}{
		"pkcs8":          {"/a", ed, 1},
		"pkcs1":          {"/a", rsaPEM, 1},
		"ec":             {"/a", armour("EC PRIVATE KEY", newEC(t), nil), 1},
		"openssh":        {"/a", armour("OPENSSH PRIVATE KEY", openSSH("none", "none"), nil), 1},
		"crlf":           {"/a", strings.ReplaceAll(rsaPEM, "\n", "\r\n"), 1},
		"indented":       {"/a.yaml", "key: |\n    " + strings.ReplaceAll(rsaPEM, "\n", "\n    "), 1},
		"json":           {"/a.json", string(quoted), 1},
		"json_in_json":   {"/a.json", strings.ReplaceAll(string(quoted), `\n`, `\\n`), 1},
		"two":            {"/a", ed + rsaPEM, 2},
		"no_last_line":   {"/a", ed[:strings.Index(ed, "-----END")], 1},
		"with_header":    {"/a", armour("PRIVATE KEY", pkcs8(t, newEd25519()), map[string]string{"Comment": "x"}), 1},
		"after_mention":  {"/a", "-----BEGIN EC PRIVATE KEY-----" + ed, 1},
		"in_certificate": {"/a", armour("CERTIFICATE", make([]byte, 900), nil) + ed, 1},

		"long":      {"/a", long, 1},
		"long_cut":  {"/a", "x=1\n" + long[:2600], 1},
		"putty":     {"/a.ppk", putty("none"), 1},
		"pgp":       {"/a.asc", pgp(0), 1},
		"key_store": {"/a.P12", string(keyStore), 1},

		"putty_encrypted":   {"/a.ppk", putty("aes256-cbc"), 0},
		"pgp_encrypted":     {"/a.asc", pgp(254), 0},
		"key_store_name":    {"/a.der", string(keyStore), 0},
		"no_key_store":      {"/a.p12", strings.Repeat("0123456789", 9), 0},
		"mention":           {"/a.go", `const begin = "-----BEGIN RSA PRIVATE KEY-----"` + strings.Repeat("\n// text", 999), 0},
		"encrypted_pkcs8":   {"/a", strings.ReplaceAll(ed, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), 0},
		"encrypted_content": {"/a", armour("PRIVATE KEY", append([]byte{0x30, 62, 0x30, 20}, make([]byte, 60)...), nil), 0},
		"no_version":        {"/a", armour("PRIVATE KEY", append([]byte{0x30, 62, 4, 1, 0}, make([]byte, 60)...), nil), 0},
		"encrypted_openssl": {"/a", armour("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}), 0},
		"encrypted_openssh": {"/a", armour("OPENSSH PRIVATE KEY", openSSH("aes256-ctr", "bcrypt"), nil), 0},
		"public":            {"/a", strings.ReplaceAll(ed, "PRIVATE", "PUBLIC"), 0},
		"example":           {"/a", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----\n", 0},
		"truncated":         {"/a", rsaPEM[:600], 0},
		"documentation":     {"/usr/share/doc/x/examples/a.key", ed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(c.content), 13} {
				got := detecttest.Run(secret.PrivateKey(), c.path, []byte(c.content), size)
				switch {
				case got.Of("private-key") == nil && c.want > 0:
					t.Error("nothing found")
				case got.Of("private-key") != nil && got.Of("private-key").Count != c.want:
					t.Errorf("found %d keys, want %d", got.Of("private-key").Count, c.want)
				}
			}
		})
	}
}

// TestPrivateKey_fingerprint: a key is recognised in every form.
func TestPrivateKey_fingerprint(t *testing.T) {
	print := func(content string) string {
		got := detecttest.Run(secret.PrivateKey(), "/a", []byte(content))
		if got.Of("private-key") == nil {
			t.Fatal("nothing found")
		}
		return got.Of("private-key").Fingerprint
	}
	key := armour("PRIVATE KEY", pkcs8(t, newEd25519()), nil)
	want := print(key)
	if len(want) != 32 {
		t.Errorf("a fingerprint of %d digits, want 32", len(want))
	}
	if got := print(`{"key": "` + strings.ReplaceAll(key, "\n", `\n`) + `"}`); got != want {
		t.Error("the same key in JSON has another fingerprint")
	}
	if got := print(armour("EC PRIVATE KEY", newEC(t), nil)); got == want {
		t.Error("another key has the same fingerprint")
	}
}

// TestLateKey: what begins farther behind its first line than is seen is told.
func TestLateKey(t *testing.T) {
	headers := strings.Repeat("Comment: as long as it takes\n", 100)
	for name, c := range map[string]struct {
		content string
		told    int
	}{
		"pem":   {"-----BEGIN RSA PRIVATE KEY-----\n" + headers, 1},
		"pgp":   {"-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\n" + headers, 1},
		"putty": {"PuTTY-User-Key-File-3: a\nEncryption: none\n" + headers, 1},
		"code":  {"const first = \"-----BEGIN RSA PRIVATE KEY-----\"\n" + strings.Repeat("print(first, 1)\n", 200), 0},
		"short": {"-----BEGIN RSA PRIVATE KEY-----\nComment: none\n", 0},
	} {
		if got := len(detecttest.Run(secret.PrivateKey(), "/a", []byte(c.content)).Skipped); got != c.told {
			t.Errorf("%s: told %d times, want %d", name, got, c.told)
		}
	}
}

// FuzzPrivateKey: no panic, and the same answer however the file is cut.
func FuzzPrivateKey(f *testing.F) {
	detecttest.Fuzz(f, secret.PrivateKey(), armour("PRIVATE KEY", pkcs8(f, newEd25519()), nil), armour("OPENSSH PRIVATE KEY", openSSH("none", "none"), nil),
		"-----BEGIN PRIVATE KEY-----BEGIN RSA PRIVATE KEY-----\\n"+base64.StdEncoding.EncodeToString(pkcs8(f, newEd25519())))
}
