package cli

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// What is wrapped to a key in PEM is unwrapped with it, and age itself takes the
// key in its own form.
func TestX25519InPEM(t *testing.T) {
	for range 20 {
		key, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		r, err := parseRecipient(pemFile(t, "PUBLIC KEY", key.Public()))
		if err != nil {
			t.Fatal(err)
		}
		identities, err := parseIdentities(pemOf(t, "PRIVATE KEY", key))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := identities[0].(*age.X25519Identity).Recipient().String(), r.(*age.X25519Recipient).String(); got != want {
			t.Fatalf("the public key is %s by the private one, and %s by itself", got, want)
		}
		wrapped, err := wrapTo([]age.Recipient{r}, []byte("the keys"))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := age.Decrypt(bytes.NewReader(wrapped), identities...)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(plain); err != nil || string(got) != "the keys" {
			t.Fatalf("unwrapped %q, %v", got, err)
		}
	}
}

func TestRecipientsAndIdentitiesThatAreNone(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	nist, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"nobody": "nor is it a file", empty: "nor does the file hold one", "age1nonsense": "malformed", "ssh-nonsense": "malformed",
		pemFile(t, "PUBLIC KEY", other.Public()): "no X25519 public key",
		pemFile(t, "PUBLIC KEY", nist.Public()):  "no X25519 public key",
	} {
		if _, err := parseRecipient(given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseRecipient(%s) = %v, want %q", given, err, want)
		}
	}
	for _, key := range []any{other, nist} {
		if _, err := parseIdentities(pemOf(t, "PRIVATE KEY", key)); err == nil || !strings.Contains(err.Error(), "no X25519 private key") {
			t.Errorf("parseIdentities of %T = %v", key, err)
		}
	}
}

func pemOf(t *testing.T, kind string, key any) []byte {
	t.Helper()
	marshal := x509.MarshalPKIXPublicKey
	if kind == "PRIVATE KEY" {
		marshal = x509.MarshalPKCS8PrivateKey
	}
	der, err := marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pemFile(t *testing.T, kind string, key any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pemOf(t, kind, key), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
