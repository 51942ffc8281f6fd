package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fingerprint.key")
	made, err := loadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (error %v), want 0600", info.Mode(), err)
	}
	again, err := loadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if made.HMAC([]byte("x")) != again.HMAC([]byte("x")) || made.ID() != again.ID() {
		t.Error("the same key makes other fingerprints")
	}
	other, err := loadKey(filepath.Join(t.TempDir(), "fingerprint.key"))
	if err != nil {
		t.Fatal(err)
	}
	if made.HMAC([]byte("x")) == other.HMAC([]byte("x")) || made.ID() == other.ID() {
		t.Error("another key makes the same fingerprints")
	}
}

func TestDamagedKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fingerprint.key")
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKey(path); err == nil || !strings.Contains(err.Error(), "has 5 bytes") {
		t.Errorf("got %v, want an error that says what is wrong", err)
	}
}
