package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// What the root filesystem is made of: about 1 GB.
const (
	suite    = "bookworm"
	packages = "python3,python3-scipy,nodejs,openjdk-17-jdk-headless,g++"
	// recipe changes when another tree is made of the same packages.
	recipe = "1"
)

// rootFS gives the root filesystem to scan, and makes it where it is missing.
func rootFS(ctx context.Context) (string, error) {
	planted, err := plantedFiles()
	if err != nil {
		return "", err
	}
	tree := filepath.Join(cache(), "scan-tree-"+treeHash(planted))
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	}
	if os.Getuid() != 0 {
		return "", errors.New("making a root filesystem needs root; run it as root, or name a folder with -tree")
	}
	if err := install(ctx, needs("debootstrap", "debootstrap")); err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "scanbench: making a root filesystem of about 1 GB, once, about 5 minutes")
	work, err := os.MkdirTemp(cache(), ".scan-tree-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the root filesystem: %w", err)
	}
	if err := makeTree(ctx, work, planted); err != nil {
		return "", errors.Join(fmt.Errorf("making a root filesystem: %w", err), os.RemoveAll(work))
	}
	if err := os.Rename(work, tree); err != nil {
		return "", errors.Join(fmt.Errorf("putting the root filesystem in its place: %w", err), os.RemoveAll(work))
	}
	return tree, nil
}

// treeHash names a tree by all that it depends on but the mirror's state.
func treeHash(planted []planted) string {
	h := sha256.New()
	fmt.Fprintln(h, suite, packages, recipe)
	for _, f := range planted {
		fmt.Fprintln(h, f.name, len(f.body))
		h.Write(f.body)
	}
	return fmt.Sprintf("%.6x", h.Sum(nil))
}

func makeTree(ctx context.Context, dir string, planted []planted) error {
	from, err := mirror(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include="+packages, suite, dir, from)
	// With mounts of its own, so that none is left over, however it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := quietly(cmd); err != nil {
		return err
	}
	// As in an image: without what was downloaded.
	for _, pattern := range []string{"var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return plant(filepath.Join(dir, plantedAt), planted)
}

// mirror asks apt where this machine gets Debian from.
func mirror(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(SITE)", "Created-By: Packages")
	targets, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("asking apt for its mirror: %w", err)
	}
	return parseMirror(string(targets))
}

// parseMirror picks the first that has Debian itself: not its security updates.
func parseMirror(targets string) (string, error) {
	for line := range strings.Lines(targets) {
		if site, ok := strings.CutPrefix(strings.TrimSpace(line), "Debian|Debian|main|"); ok {
			return site, nil
		}
	}
	return "", errors.New("apt has no mirror of Debian, or no list of its packages; run apt-get update, or name a folder with -tree")
}
