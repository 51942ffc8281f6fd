package doctor

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/install"
)

// healthy are the facts of a node on which all is well.
func healthy(t *testing.T) (top string, f *Facts) {
	t.Helper()
	top = t.TempDir()
	for name, text := range map[string]string{
		install.ContainerdConfig:                 "version = 3\nimports = ['conf.d/*.toml']\n",
		install.DropIn:                           "version = 3\n[plugins.'io.containerd.nri.v1.nri'.default_validator]\nenable = true\nrequired_plugins = ['phigate']\n",
		install.UnitFile:                         "[Service]\nLogRateLimitIntervalSec=0\n",
		install.SocketFile:                       "[Socket]\n",
		install.WrapperConfig:                    "runc: /usr/sbin/runc # the real one\nsocket: /run/phigate/gate.sock\n",
		"/lib/systemd/system/containerd.service": "[Service]\n",
		"/etc/systemd/system/containerd.service.d/" + install.WrapperDropIn: "[Service]\nEnvironment=PATH=" + install.WrapperFolder + ":/usr/sbin\n",
		install.Wrapper:              "#!",
		"/usr/sbin/runc":             "#!",
		"/var/log/journal/x":         "",
		"/etc/phigate/x":             "",
		"/var/lib/phigate/x":         "",
		"/run/phigate/unused":        "",
		install.WrapperFolder + "/x": "",
	} {
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if text == "#!" {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	must(t, os.Chmod(filepath.Join(top, "var/lib/phigate"), 0o700))
	must(t, os.Symlink(install.Wrapper, filepath.Join(top, install.WrapperFolder, "runc")))
	tree, err := install.OpenTree(top)
	must(t, err)
	t.Cleanup(func() { tree.Close() })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f = &Facts{
		Tree: tree, Live: true, Now: now, Config: conf.Default(), Version: "2.4.2", Snapshotters: []string{"overlayfs"},
		Status: &ask.Status{Version: "v1", Runtime: ask.RuntimeStatus{Connected: true, Name: "containerd 2.4.2", Gate: "validate"}, Policy: ask.PolicyStatus{Digest: "sha256:abc"}},
		Gates:  100, P99: 9 * time.Millisecond, LastLogged: now.Add(-time.Hour), Space: &Space{Free: 50 << 30, Size: 100 << 30, Files: 90, Total: 100},
	}
	return top, f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHealthy(t *testing.T) {
	_, f := healthy(t)
	f.Disk, f.DiskErr = install.ReadContainerd(f.Tree)
	for _, c := range Examine(f) {
		if c.State != OK {
			t.Errorf("%s %s: %s", c.State, c.Name, c.Says)
		}
	}
}

// One thing at a time is wrong; it is said, with a next step.
func TestProblems(t *testing.T) {
	write := func(t *testing.T, top, name, text string) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(top, name), []byte(text), 0o644))
	}
	tests := map[string]struct {
		edit func(t *testing.T, top string, f *Facts)
		name string
		want string
	}{
		"no_containerd":    {func(_ *testing.T, _ string, f *Facts) { f.RuntimeErr = errors.New("gone") }, "containerd", "gone"},
		"stale_containerd": {func(_ *testing.T, _ string, f *Facts) { f.Stale = true }, "containerd", "older configuration"},
		"no_phigated":      {func(_ *testing.T, _ string, f *Facts) { f.Status, f.StatusErr = nil, errors.New("does not answer") }, "phigated", "does not answer"},
		"log_fails":        {func(_ *testing.T, _ string, f *Facts) { f.Status.Log.Error = "full" }, "phigated", "everything is refused: full"},
		"not_registered":   {func(_ *testing.T, _ string, f *Facts) { f.Status.Runtime = ask.RuntimeStatus{} }, "registered", "does not ask"},
		"no_phigate_yaml":  {func(_ *testing.T, _ string, f *Facts) { f.ConfigErr = errors.New("not there") }, "configuration", "not there"},
		"no_import": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, install.ContainerdConfig, "version = 3\n")
			_ = os.Remove(filepath.Join(top, install.WrapperFolder, "runc"))
		}, "required", "does not require phigate"},
		"broken_toml": {func(t *testing.T, top string, _ *Facts) { write(t, top, install.ContainerdConfig, "x") }, "required", "config.toml:1:"},
		"nri_off": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, install.ContainerdConfig, "version = 3\nimports = ['conf.d/*.toml']\n[plugins.'io.containerd.nri.v1.nri']\ndisable = true\n")
		}, "required", "switched off"},
		"tolerated": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, "/etc/containerd/conf.d/z.toml", "[plugins.'io.containerd.nri.v1.nri'.default_validator]\ntolerate_missing_plugins_annotation = 'x'\n")
		}, "tolerated", "the author of any pod"},
		"old_containerd": {func(_ *testing.T, top string, f *Facts) {
			f.Version = "1.7.35"
			_ = os.Remove(filepath.Join(top, install.DropIn))
			_ = os.Remove(filepath.Join(top, install.WrapperFolder, "runc"))
		}, "required", "cannot require"},
		"wrapper_not_yet": {func(_ *testing.T, _ string, f *Facts) { f.Paths = map[string]string{"containerd": "/usr/sbin"} }, "wrapper: containerd", "began before"},
		"binary_name": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, "/etc/containerd/conf.d/z.toml", "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.own.options]\nBinaryName = '/opt/runc'\n")
		}, "wrapper: handler own", "/opt/runc"},
		"docker_default": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, "/etc/docker/daemon.json", `{"default-runtime": "own", "runtimes": {"own": {"path": "/opt/runc"}}}`)
		}, "wrapper: docker's runtime own", "/opt/runc"},
		"docker_unwrapped": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, "/lib/systemd/system/docker.service", "[Service]\n")
		}, "wrapper: docker", "goes unjudged"},
		"nothing_but_the_wrapper": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, install.ContainerdConfig, "version = 3\nimports = ['conf.d/*.toml']\ndisabled_plugins = ['cri']\n")
			_ = os.Remove(filepath.Join(top, install.WrapperFolder, "runc"))
		}, "wrapper: containerd", "goes unjudged"},
		"wrapper_config_gone": {func(_ *testing.T, top string, _ *Facts) {
			_ = os.Remove(filepath.Join(top, install.WrapperConfig))
		}, "wrapper configuration", "every container is refused"},
		"wrapper_names_itself": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, install.WrapperConfig, "runc: "+install.WrapperFolder+"/runc\n")
		}, "wrapper configuration", "the wrapper again"},
		"wrapper_names_nothing": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, install.WrapperConfig, "runc: /opt/none\n")
		}, "wrapper configuration", "is not there"},
		"wrapper_asks_elsewhere": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, install.WrapperConfig, "runc: /usr/sbin/runc\nsocket: /run/phigate/phigate.sock\n")
		}, "wrapper configuration", "where phigated does not listen"},
		"wrapper_lets_all_in": {func(t *testing.T, top string, _ *Facts) {
			_ = os.Remove(filepath.Join(top, install.DropIn))
			write(t, top, install.WrapperConfig, "runc: /usr/sbin/runc\nonUnavailable: allow\n")
		}, "required", "are created unjudged"},
		"verifier_leads_nowhere": {func(t *testing.T, top string, _ *Facts) {
			must(t, os.MkdirAll(filepath.Join(top, "opt/containerd/image-verifier/bin"), 0o755))
			must(t, os.Symlink("/usr/local/bin/none", filepath.Join(top, "opt/containerd/image-verifier/bin/phigate-verify")))
		}, "image verifier", "pulls no image"},
		"glass_is_broken": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, "/etc/phigate/break-glass", "2026-12-15T06:00:00Z\n")
		}, "break-glass", "would be refused"},
		"slow":             {func(_ *testing.T, _ string, f *Facts) { f.P99 = time.Second }, "timeout", "of 1.6s"},
		"lazy_snapshotter": {func(_ *testing.T, _ string, f *Facts) { f.Snapshotters = []string{"stargz"} }, "snapshotter: stargz", "over the network"},
		"no_policy":        {func(_ *testing.T, _ string, f *Facts) { f.Status.Policy.Digest = "" }, "policy", "everything is refused"},
		"broken_policy":    {func(_ *testing.T, _ string, f *Facts) { f.Status.Policy.Error = "a.yaml:1" }, "policy", "a.yaml:1"},
		"volatile_journal": {func(_ *testing.T, top string, _ *Facts) { _ = os.RemoveAll(filepath.Join(top, "var/log/journal")) }, "journal", "do not outlive a reboot"},
		"told_volatile": {func(t *testing.T, top string, _ *Facts) {
			write(t, top, "/etc/systemd/journald.conf.d/a.conf", "[Journal]\nStorage=volatile\n")
		}, "journal", "Storage=volatile"},
		"rate_limit":       {func(t *testing.T, top string, _ *Facts) { write(t, top, install.UnitFile, "[Service]\n") }, "journal rate limit", "10000 entries in 30s"},
		"clock_set_back":   {func(_ *testing.T, _ string, f *Facts) { f.LastLogged = f.Now.Add(time.Hour) }, "clock", "1h0m0s ahead"},
		"disk_nearly_full": {func(_ *testing.T, _ string, f *Facts) { f.Space.Free = 100 << 20 }, "disk", "100 MiB are free"},
		"no_inodes":        {func(_ *testing.T, _ string, f *Facts) { f.Space.Files = 0 }, "disk", "0 files"},
		"open_state_folder": {func(t *testing.T, top string, _ *Facts) {
			must(t, os.Chmod(filepath.Join(top, "var/lib/phigate"), 0o755))
		}, "permissions", "open to others than root (mode 0755)"},
		"writable_drop_in": {func(t *testing.T, top string, _ *Facts) {
			must(t, os.Chmod(filepath.Join(top, install.UnitFile), 0o666))
		}, "permissions", "may be written by others"},
		"no_socket": {func(t *testing.T, top string, _ *Facts) { write(t, top, "/run/phigate/phigate.sock", "") }, "permissions", "is no socket"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			top, f := healthy(t)
			test.edit(t, top, f)
			f.Disk, f.DiskErr = install.ReadContainerd(f.Tree)
			checks := Examine(f)
			if Healthy(checks) {
				t.Error("the node is called healthy")
			}
			for _, c := range checks {
				if c.State == Problem && c.Next == "" {
					t.Errorf("no next step for %s: %s", c.Name, c.Says)
				}
				if c.State == Problem && c.Name == test.name && strings.Contains(c.Says, test.want) {
					return
				}
			}
			t.Errorf("no problem %q says %q: %+v", test.name, test.want, checks)
		})
	}
}

// The canary's program is one that a kernel can load, and its images differ in the table alone.
func TestCanaryImages(t *testing.T) {
	data, err := program()
	must(t, err)
	f, err := elf.NewFile(bytes.NewReader(data))
	must(t, err)
	if len(f.Progs) != 1 || f.Progs[0].Filesz != uint64(len(data)) || f.Entry != f.Progs[0].Vaddr+120 {
		t.Errorf("the program's headers are wrong: %+v", f.FileHeader)
	}
	if !strings.HasPrefix(string(patients()), "mrn,") || bytes.Count(patients(), []byte("\n")) != 13 {
		t.Error("the table has not 12 rows")
	}
	r, err := archive()
	must(t, err)
	if r == nil {
		t.Error("no archive")
	}
}
