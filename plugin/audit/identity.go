package audit

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Names of the files that say whose log it is.
const (
	signerName   = "signer.key"
	verifierName = "verifier"
	ownKeyName   = "k0.key"
	maxKeyFile   = 64 << 10
)

// originPrefix begins the origin line of each log's checkpoints. What follows is
// random and in 16 letters, since each proof names the origin twice and is to have
// 1 KiB: 80 bits tell logs apart, and a name has nothing to keep secret. Logs of
// earlier versions have 32 letters there, and keep them.
const originPrefix = "phigate.dev/log/"

// idLetters are base32 (RFC 4648) in lower case, for names of files and URLs.
var idLetters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// identity is whose log it is: the origin, which is its ID, and who signs.
type identity struct {
	origin   string
	signer   note.Signer
	verifier string // as sumdb/note writes verifier keys
}

// loadIdentity reads the identity, or makes one where there is none.
func loadIdentity(d disk) (identity, error) {
	text, err := readWhole(d, signerName, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return makeIdentity(d)
	}
	if err != nil {
		return identity{}, fmt.Errorf("reading the log's signing key: %w", err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return identity{}, fmt.Errorf("reading the log's signing key %s: it is not a note key (its text is not shown); put the file back from a copy, or move it away: phigated then begins a log of a new identity", signerName)
	}
	verifier, err := readWhole(d, verifierName, maxKeyFile)
	if err != nil {
		return identity{}, fmt.Errorf("reading the log's verifier key: %w", err)
	}
	return identity{origin: signer.Name(), signer: signer, verifier: strings.TrimSpace(string(verifier))}, nil
}

func makeIdentity(d disk) (identity, error) {
	var id [10]byte
	if _, err := rand.Read(id[:]); err != nil {
		return identity{}, fmt.Errorf("making the log's ID: %w", err)
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, originPrefix+idLetters.EncodeToString(id[:]))
	if err != nil {
		return identity{}, fmt.Errorf("making the log's signing key: %w", err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return identity{}, fmt.Errorf("making the log's signing key: %w", err)
	}
	// The signer comes last: it is what says that there is an identity.
	if err := writeWhole(d, verifierName, []byte(vkey+"\n")); err != nil {
		return identity{}, err
	}
	if err := writeWhole(d, signerName, []byte(skey+"\n")); err != nil {
		return identity{}, err
	}
	return identity{signer.Name(), signer, vkey}, nil
}

// FirstKey is where a line of keys begins: the key of an epoch of a log.
type FirstKey struct {
	Log   string `json:"log"`
	Epoch uint64 `json:"epoch"`
	Key   Key    `json:"key"`
}

// parseFirstKey reads a file that holds one.
func parseFirstKey(data []byte) (FirstKey, error) {
	keys, err := ParseFirstKeys(data)
	if err != nil {
		return FirstKey{}, err
	}
	return keys[0], nil
}

// ownKey reads the log's own first key, or makes one that begins at the epoch.
func ownKey(d disk, origin string, epoch uint64) (FirstKey, error) {
	text, err := readWhole(d, ownKeyName, maxKeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeOwnKey(d, origin, epoch)
	case err != nil:
		return FirstKey{}, fmt.Errorf("reading the log's first key: %w", err)
	}
	k, err := parseFirstKey(text)
	if err != nil {
		return k, fmt.Errorf("reading the log's first key %s: %w; put it back from a copy or move it away", ownKeyName, err)
	}
	return k, nil
}

func makeOwnKey(d disk, origin string, epoch uint64) (FirstKey, error) {
	k := FirstKey{Log: origin, Epoch: epoch}
	if _, err := rand.Read(k.Key[:]); err != nil {
		return k, fmt.Errorf("making the log's first key: %w", err)
	}
	text, err := json.Marshal(k)
	if err != nil {
		return k, err
	}
	return k, writeWhole(d, ownKeyName, append(text, '\n'))
}

// Secrets are the names of the files in a log's folder that hold keys, where they
// are there.
func Secrets() []string { return []string{headName, signerName, ownKeyName} }

// checkModes refuses a folder, or keys in it, that others than its owner could
// have read or changed.
func checkModes(dir string) error {
	for _, name := range append(Secrets(), "") {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("looking at %s: %w", path, err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			return fmt.Errorf("%s is open to others than its owner (mode %04o): chmod go-rwx %s; if somebody may have read a key, enrol the log anew: phigate audit enrol", path, mode, path)
		}
	}
	return nil
}
