package daemon

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// key makes fingerprints. A plain hash of a social security number is reversed
// in minutes by trying all; a keyed one is not, while the key stays here.
type key struct{ secret [32]byte }

// loadKey reads the key at path, or makes one there (mode 0600).
func loadKey(path string) (*key, error) {
	var k key
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		if len(data) != len(k.secret) {
			return nil, fmt.Errorf("reading the fingerprint key: %s has %d bytes; a key has %d (remove it to have a new one made; fingerprints then differ from earlier ones)", path, len(data), len(k.secret))
		}
		copy(k.secret[:], data)
		return &k, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the fingerprint key: %w", err)
	}
	if _, err := rand.Read(k.secret[:]); err != nil {
		return nil, fmt.Errorf("making the fingerprint key: %w", err)
	}
	return &k, writeFile(path, k.secret[:])
}

// HMAC is HMAC-SHA-256 (RFC 2104), cut to 16 bytes.
func (k *key) HMAC(identity []byte) (out [16]byte) {
	h := hmac.New(sha256.New, k.secret[:])
	h.Write(identity)
	copy(out[:], h.Sum(nil))
	return out
}

// ID names the key without telling it.
func (k *key) ID() string {
	h := hmac.New(sha256.New, k.secret[:])
	h.Write([]byte("phigate fingerprint key ID"))
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// writeFile replaces the file at path at once and durably: write, fsync,
// rename, fsync of the folder.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
