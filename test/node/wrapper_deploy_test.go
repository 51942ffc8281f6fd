package node

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The drop-in puts the wrapper into CRI's handler and keeps the handler's other options.
func TestWrapperDropIn(t *testing.T) {
	if !AtLeast(2, 0) {
		t.Skip("the drop-in is of version 3, which containerd 1.7 cannot read: install prints what to add there")
	}
	root, binaries := paths(t)
	file := filepath.Join(t.TempDir(), "config.toml")
	text := "version = 3\nimports = ['" + filepath.Join(root, "deploy/containerd/20-phigate-runc.toml") + "']\n" +
		"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n" +
		"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nSystemdCgroup = true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(binaries, "containerd"), "--config", file, "config", "dump").CombinedOutput()
	if err != nil {
		t.Fatalf("containerd config dump: %v: %s", err, out)
	}
	for _, want := range []string{"BinaryName = '/usr/local/bin/phigate-runc'", "SystemdCgroup = true"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the configuration lacks %s:\n%s", want, out)
		}
	}
}

// What Docker and hooks.d runtimes read is of their form, and the hook is of the one
// kind that may stand there.
func TestWrapperJSON(t *testing.T) {
	root, _ := paths(t)
	var hook struct {
		Version string
		Hook    struct {
			Path    string
			Args    []string
			Timeout int
		}
		When   map[string]bool
		Stages []string
	}
	read(t, filepath.Join(root, "deploy/oci-hooks/phigate.json"), &hook)
	if hook.Version != "1.0.0" || len(hook.Stages) != 1 || hook.Stages[0] != "createRuntime" || !hook.When["always"] || hook.Hook.Timeout <= 60 {
		t.Errorf("got %+v; want a createRuntime hook for all, with more time than phigated's deadline", hook)
	}
	var daemon struct {
		Default  string                           `json:"default-runtime"`
		Runtimes map[string]struct{ Path string } `json:"runtimes"`
	}
	read(t, filepath.Join(root, "deploy/docker/daemon.json"), &daemon)
	if daemon.Runtimes[daemon.Default].Path != "/usr/local/bin/phigate-runc" {
		t.Errorf("got %+v; want the wrapper as the default runtime", daemon)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
