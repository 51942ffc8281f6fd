package node

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/test/images"
)

// The drop-ins change what they name in the configuration of a real containerd, and nothing else.
func TestDropIns(t *testing.T) {
	NeedsValidate(t)
	root, binaries := paths(t)
	const main = "[plugins.'io.containerd.nri.v1.nri']\nsocket_path = '/run/other/nri.sock'\nplugin_request_timeout = '3s'\n"
	kept := []string{"socket_path = '/run/other/nri.sock'", "plugin_request_timeout = '3s'", "disable = false",
		"tolerate_missing_plugins_annotation = ''"}
	tests := map[string]struct {
		drop string
		want []string
	}{
		"required": {"10-phigate.toml", []string{"enable = true", "required_plugins = ['phigate']"}},
		"optional": {"10-phigate-optional.toml", []string{"enable = false", "required_plugins = []"}},
	}
	for name, test := range tests {
		for _, version := range []string{"version = 3\n", "version = 4\n"} {
			t.Run(name+"_in_"+strings.NewReplacer(" = ", "_", "\n", "").Replace(version), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "config.toml")
				imports := "imports = ['" + filepath.Join(root, "deploy/containerd", test.drop) + "']\n"
				if err := os.WriteFile(file, []byte(version+imports+main), 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command(filepath.Join(binaries, "containerd"), "--config", file, "config", "dump").CombinedOutput()
				if err != nil {
					t.Fatalf("containerd config dump: %v: %s", err, out)
				}
				_, section, _ := strings.Cut(string(out), "[plugins.'io.containerd.nri.v1.nri']")
				section, _, _ = strings.Cut(section, "[plugins.'io.containerd.runtime.v2.task']")
				for _, want := range append(test.want, kept...) {
					if !strings.Contains(section, want) {
						t.Errorf("the NRI section lacks %s:\n%s", want, section)
					}
				}
			})
		}
	}
}

// containerd 1.7's drop-in switches NRI on, in the containerd under test, which it is not too new for.
func TestDropInOfVersion2(t *testing.T) {
	root, binaries := paths(t)
	file := filepath.Join(t.TempDir(), "config.toml")
	text := "version = 2\nimports = ['" + filepath.Join(root, "deploy/containerd/10-phigate-1.7.toml") + "']\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'localhost/ours:1'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(binaries, "containerd"), "--config", file, "config", "dump").CombinedOutput()
	if err != nil {
		t.Fatalf("containerd config dump: %v: %s", err, out)
	}
	_, section, _ := strings.Cut(strings.ReplaceAll(string(out), `"`, "'"), "[plugins.'io.containerd.nri.v1.nri']")
	section, _, _ = strings.Cut(section, "[plugins.")
	if !strings.Contains(section, "disable = false") || !strings.Contains(string(out), "localhost/ours:1") {
		t.Errorf("the configuration is not as it should be; NRI's section:\n%s", section)
	}
}

// With the drop-in and without phigated nothing is created; the optional one opens.
func TestDropInsWithoutPhigated(t *testing.T) {
	NeedsValidate(t)
	root, _ := paths(t)
	tests := map[string]struct {
		drop    string
		refused bool
	}{
		"required": {"10-phigate.toml", true},
		"optional": {"10-phigate-optional.toml", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			n := start(t, ctx, Options{Imports: []string{filepath.Join(root, "deploy/containerd", test.drop)}})
			pod, err := n.RunPod(ctx, PodOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = n.Create(ctx, pod, ContainerOptions{Image: images.PauseName})
			if refused := err != nil && strings.Contains(err.Error(), "phigate"); refused != test.refused {
				t.Errorf("creating a container: got error %v, want one that names phigate: %t", err, test.refused)
			}
		})
	}
}

// systemd understands both units together.
func TestUnit(t *testing.T) {
	root, _ := paths(t)
	units := map[string]string{}
	for _, name := range []string{"phigated.service", "phigated.socket"} {
		text, err := os.ReadFile(filepath.Join(root, "deploy/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		// systemd wants the program to exist; phigated is not installed on a machine that tests it.
		units[name] = strings.Replace(string(text), "/usr/local/bin/phigated", "/bin/true", 1)
	}
	verify := func(more, to string) string {
		dir := t.TempDir()
		files := []string{"verify", "--man=no", "--recursive-errors=no"}
		for name, text := range units {
			if name == to {
				text += more
			}
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		out, err := exec.Command("systemd-analyze", files...).CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatalf("running systemd-analyze: %v; run test/setup", err)
		}
		return string(out)
	}
	if out := verify("", ""); out != "" {
		t.Errorf("systemd finds fault with the units: %s", out)
	}
	for name, fault := range map[string]string{"phigated.service": "\n[Service]\nRestrat=always\n", "phigated.socket": "\n[Socket]\nRestrat=always\n"} {
		if out := verify(fault, name); !strings.Contains(out, "Restrat") {
			t.Errorf("systemd does not find a fault planted in %s: %q", name, out)
		}
	}
}

func paths(t *testing.T) (root, binaries string) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	binaries, err = Binaries()
	if err != nil {
		t.Fatal(err)
	}
	return root, binaries
}
