package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// gitleaksVersion is the one that a scan is compared with.
const gitleaksVersion = "8.30.1"

// cache is where test/setup keeps what it builds, and this program what it makes.
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

// needs gives Debian's package where its command is missing.
func needs(command, debian string) []string {
	if _, err := exec.LookPath(command); err != nil {
		return []string{debian}
	}
	return nil
}

// install has apt-get install packages, if there are any.
func install(ctx context.Context, packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	fmt.Fprintf(os.Stderr, "scanbench: installing %s\n", strings.Join(packages, " "))
	for _, args := range [][]string{{"update"}, append([]string{"-y", "install", "--no-install-recommends"}, packages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := quietly(cmd); err != nil {
			return fmt.Errorf("installing %s: %w", strings.Join(packages, " "), err)
		}
	}
	return nil
}

// quietly runs a command and shows its output only where it fails.
func quietly(cmd *exec.Cmd) error {
	if output, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err), errors.New(strings.TrimSpace(string(output))))
	}
	return nil
}

// gitleaks builds it from its own module, once, with the dependencies of its own
// go.mod and not with ours.
func gitleaks(ctx context.Context) (string, error) {
	dir := filepath.Join(cache(), "gitleaks-"+gitleaksVersion)
	program := filepath.Join(dir, "gitleaks")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	fmt.Fprintf(os.Stderr, "scanbench: building gitleaks %s, once, about 2 minutes\n", gitleaksVersion)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making a folder for gitleaks: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/zricethezav/gitleaks/v8@v"+gitleaksVersion)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	if err := quietly(cmd); err != nil {
		return "", fmt.Errorf("building gitleaks: %w", err)
	}
	return program, nil
}
