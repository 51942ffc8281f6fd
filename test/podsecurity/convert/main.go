// Command convert makes the data of test/podsecurity: it reads the test pods of
// the Kubernetes Pod Security Standards, asks the standard's own checks about
// each, and writes what containerd's CRI would give the runtime for it.
//
// It is a module of its own, so that nothing of Kubernetes is linked into
// phigate. Run it from the top of the repository:
//
//	go run -C test/podsecurity/convert . > test/podsecurity/testdata/pods.txtar
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "k8s.io/pod-security-admission"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "convert:", err)
		os.Exit(1)
	}
}

func run() error {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", module).Output()
	if err != nil {
		return fmt.Errorf("finding %s: %w", module, err)
	}
	dir, version, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	pods, err := readPods(filepath.Join(dir, "test", "testdata"))
	if err != nil {
		return err
	}
	data, err := archive(pods, version)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(data)
	return err
}
