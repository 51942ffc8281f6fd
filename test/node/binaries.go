package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Binaries is the folder with containerd, ctr and containerd-shim-runc-v2 that
// test/setup built. The error names test/setup when it has not.
func Binaries() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	sum, err := os.ReadFile(filepath.Join(root, "test/node/containerd-"+Version()+"/go.sum"))
	if err != nil {
		return "", fmt.Errorf("reading containerd's go.sum: %w", err)
	}
	dir := filepath.Join(cache(), fmt.Sprintf("containerd-%s-%.6x", Version(), sha256.Sum256(sum)))
	for _, name := range []string{"containerd", "ctr", "containerd-shim-runc-v2"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("looking for the containerd to test with: %w; run test/setup", err)
		}
	}
	return dir, nil
}

// cache is where test/setup keeps what it builds.
func cache() string {
	if dir := os.Getenv("PHIGATE_CACHE"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "phigate")
	}
	if dir := os.Getenv("HOME"); dir != "" {
		return filepath.Join(dir, ".cache/phigate")
	}
	return "/var/cache/phigate"
}

// Root is the top folder of the repository, found upwards from the working folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/phigate/phigate\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("looking for the repository: no go.mod of phigate above the working folder; run from a checkout")
		}
	}
}

// Build builds phigate and phigated into the folder, as `make build` does, so
// that a test never runs a program older than the source.
func Build(ctx context.Context, into string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", into+"/", "./plugin/cmd/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building phigate: %w: %s", err, out)
	}
	return nil
}
