package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/install"
)

// What install makes of a configuration is read by a real containerd: the
// operator's keys hold, NRI is on where it was off, and phigate is required.
func TestInstalledConfiguration(t *testing.T) {
	_, binaries := paths(t)
	runc := map[string]string{"version_2": "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc", "version_3": "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc"}
	const nri = "[plugins.'io.containerd.nri.v1.nri']\ndisable = true # as 1.7 has it\nsocket_path = '/run/other/nri.sock'\nplugin_request_timeout = '3s'\n"
	wants := []string{"root = '/srv/c'", "disable = false", "socket_path = '/run/other/nri.sock'", "plugin_request_timeout = '3s'", "SystemdCgroup = true"}
	texts := map[string]string{"version_2": "version = 2\n# ours\nroot = '/srv/c'\n" + nri}
	if AtLeast(2, 0) { // 1.7 reads no version 3, requires no plugin, and its wrapper's lines are for the operator to add
		texts["version_3"] = "version = 3\nroot = '/srv/c'\n" + nri
		wants = append(wants, "required_plugins = ['phigate']", "BinaryName = '/usr/local/bin/phigate-runc'")
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			text += runc[name] + "]\nruntime_type = 'io.containerd.runc.v2'\n" + runc[name] + ".options]\nSystemdCgroup = true\n"
			for file, text := range map[string]string{"usr/local/bin/phigate": "", "usr/local/bin/phigated": "", install.Wrapper: "", "usr/sbin/runc": "", install.ContainerdConfig: text} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(top, file)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(top, file), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			tree, err := install.OpenTree(top)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			plan, err := install.Install(tree, install.Node{Containerd: Version(), Registered: true, Wrap: install.WrapBinaryName})
			if err != nil {
				t.Fatal(err)
			}
			if err := tree.Apply(plan); err != nil {
				t.Fatal(err)
			}
			// The tree is not the machine's, so the import is told where it lies.
			file := filepath.Join(top, install.ContainerdConfig)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			here := strings.Replace(string(data), install.DropInFolder, filepath.Join(top, install.DropInFolder), 1)
			if err := os.WriteFile(file, []byte(here), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(filepath.Join(binaries, "containerd"), "--config", file, "config", "dump").CombinedOutput()
			if err != nil {
				t.Fatalf("containerd config dump: %v: %s", err, out)
			}
			said := strings.ReplaceAll(string(out), `"`, "'") // as 2.0 and newer write it
			for _, want := range wants {
				if !strings.Contains(said, want) {
					t.Errorf("containerd's configuration lacks %s:\n%s", want, out)
				}
			}
		})
	}
}
