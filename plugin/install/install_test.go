package install

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// node makes a tree with the programs and the files; names that end in / are folders.
func node(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	top := t.TempDir()
	write(t, top, map[string]string{"/usr/local/bin/phigate": "#!", "/usr/local/bin/phigated": "#!", "/usr/sbin/runc": "#!", "/etc/": "", "/var/lib/": ""})
	write(t, top, files)
	tree, err := OpenTree(top)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

func write(t *testing.T, top string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(file, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		mode := fs.FileMode(0o644)
		if text == "#!" {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot is all of a tree: modes, and what is in files and links.
func snapshot(t *testing.T, tree *Tree) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(tree.name, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == tree.name {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += " " + string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			text += " -> " + to
		}
		out[strings.TrimPrefix(name, tree.name)] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func install(t *testing.T, tree *Tree, n Node) *Plan {
	t.Helper()
	plan, err := Install(tree, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Apply(plan); err != nil {
		t.Fatal(err)
	}
	return plan
}

func uninstall(t *testing.T, tree *Tree) *Removal {
	t.Helper()
	r, err := Uninstall(tree)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Release(r, Moment{Boot: "a", Seconds: 1}); err != nil {
		t.Fatal(err)
	}
	if err := tree.Remove(r); err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	versionTwo = `# Our own notes, and "imports = ['x']" in a comment.
version = 2
root = "/srv/containerd"   # moved

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = 'registry.local/pause:3.9'
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true # cgroup v2

[plugins."io.containerd.nri.v1.nri"]
  disable = true
  socket_path = "/run/other/nri.sock"
`
	versionThree = `version = 3
imports = [ # what we include
  '/etc/containerd/certs.toml', # never last
]
[grpc]
  address = '/run/c/c.sock'

[plugins.'io.containerd.nri.v1.nri']
  plugin_request_timeout = '3s'
`
	docker = "disabled_plugins = [\"cri\"]\nversion = 2\n"
	unitC  = "[Unit]\n[Service]\nExecStart=/usr/bin/containerd\n"
	unitD  = "[Unit]\n[Service]\nEnvironment=\"A=b\" PATH=/opt/docker:/usr/sbin\nExecStart=/usr/bin/dockerd\n"
)

// Each kind of node is installed, installed again, and put back.
func TestInstall(t *testing.T) {
	units := map[string]string{"/lib/systemd/system/containerd.service": unitC, "/lib/systemd/system/docker.service": unitD, "/usr/local/bin/phigate-runc": "#!"}
	tests := map[string]struct {
		files map[string]string
		node  Node
		want  map[string][]string // path -> parts of its text
		not   map[string]string
		left  []string
		bare  bool // no drop-in
	}{
		"fresh": {
			node: Node{Containerd: "2.4.2", Registered: true},
			want: map[string][]string{
				ContainerdConfig:                       {"version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n"},
				DropIn:                                 {"version = 3", "disable = false", "plugin_request_timeout = '2s'", "required_plugins = ['phigate']"},
				UnitFile:                               {"ExecStart=/usr/local/bin/phigated"},
				SocketFile:                             {"ListenStream=/run/phigate/gate.sock\n"},
				"/etc/phigate/phigate.yaml":            {"/run/containerd/containerd.sock"},
				"/etc/phigate/policies.d/example.yaml": {"kind: Policy"},
				"/usr/lib/systemd/catalog/phigate.catalog": {"phigate"},
			},
		},
		"not_registered_yet": {
			node: Node{Containerd: "2.4.2"},
			want: map[string][]string{DropIn: {"disable = false"}},
			not:  map[string]string{DropIn: "required_plugins"},
			left: []string{"not registered with containerd yet"},
		},
		"too_old_to_require": {
			files: map[string]string{ContainerdConfig: versionTwo},
			node:  Node{Containerd: "1.7.35", Registered: true},
			want: map[string][]string{
				DropIn:                      {"version = 2", "socket_path = '/run/other/nri.sock'"},
				"/etc/phigate/phigate.yaml": {"/run/other/nri.sock"},
			},
			not:  map[string]string{DropIn: "required_plugins"},
			left: []string{"cannot require phigate"},
		},
		"version_2": {
			files: map[string]string{ContainerdConfig: versionTwo},
			node:  Node{Containerd: "2.2.0", Registered: true},
			want: map[string][]string{
				ContainerdConfig: {strings.Replace(versionTwo, "version = 2\n", "version = 2\nimports = ['/etc/containerd/conf.d/*.toml']\n", 1)},
				DropIn:           {"version = 2", "required_plugins = ['phigate']"},
			},
		},
		"version_3": {
			files: map[string]string{ContainerdConfig: versionThree, "/etc/containerd/certs.toml": "version = 3\n"},
			node:  Node{Containerd: "2.4.2", Registered: true},
			want: map[string][]string{
				ContainerdConfig:            {strings.Replace(versionThree, "imports = [", "imports = ['/etc/containerd/conf.d/*.toml', ", 1)},
				"/etc/phigate/phigate.yaml": {"/run/c/c.sock"},
			},
			not: map[string]string{DropIn: "plugin_request_timeout"},
		},
		"imports_already": {
			files: map[string]string{ContainerdConfig: "version = 2\nimports = [\"conf.d/*.toml\"]\n"},
			node:  Node{Containerd: "2.4.2", Registered: true},
			want:  map[string][]string{ContainerdConfig: {"version = 2\nimports = [\"conf.d/*.toml\"]\n"}, DropIn: {"version = 2"}},
		},
		"windows_lines": {
			files: map[string]string{ContainerdConfig: "version = 2\r\n[grpc]\r\n"},
			node:  Node{Containerd: "2.4.2", Registered: true},
			want:  map[string][]string{ContainerdConfig: {"version = 2\r\nimports = ['/etc/containerd/conf.d/*.toml']\r\n[grpc]\r\n"}},
		},
		"no_newline_at_the_end": {
			files: map[string]string{ContainerdConfig: "version = 2"},
			node:  Node{Containerd: "2.4.2", Registered: true},
			want:  map[string][]string{ContainerdConfig: {"version = 2\nimports = ['/etc/containerd/conf.d/*.toml']\n"}},
		},
		"unknown_containerd": {node: Node{}, left: []string{"containerd is not to be seen"}, bare: true},
		"docker_and_containerd": {
			files: merged(units, map[string]string{ContainerdConfig: docker, "/etc/systemd/system/containerd.service.d/a.conf": "[Service]\nEnvironment=PATH=/opt/bin:/usr/sbin\n"}),
			node:  Node{Containerd: "2.2.9", Wrap: WrapAuto},
			want: map[string][]string{
				ContainerdConfig: {"disabled_plugins = [\"cri\"]\nversion = 2\nimports"},
				"/etc/systemd/system/containerd.service.d/" + WrapperDropIn: {"PATH=" + WrapperFolder + ":/opt/bin:/usr/sbin\n"},
				"/etc/systemd/system/docker.service.d/" + WrapperDropIn:     {"PATH=" + WrapperFolder + ":/opt/docker:/usr/sbin\n"},
				WrapperConfig:           {"runc: /usr/sbin/runc", "socket: /run/phigate/gate.sock"},
				WrapperFolder + "/runc": {"-> " + Wrapper},
			},
			left: []string{"CRI is switched off"},
		},
		"wrapper_not_asked_for": {files: units, node: Node{Containerd: "2.4.2", Registered: true}, left: []string{"the runc wrapper is not in the path"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree := node(t, test.files)
			before := snapshot(t, tree)
			plan := install(t, tree, test.node)
			after := snapshot(t, tree)
			for name, parts := range test.want {
				for _, part := range parts {
					if !strings.Contains(after[name], part) {
						t.Errorf("%s lacks %q:\n%s", name, part, after[name])
					}
				}
			}
			for name, part := range test.not {
				if strings.Contains(after[name], part) {
					t.Errorf("%s holds %q:\n%s", name, part, after[name])
				}
			}
			if _, there := after[DropIn]; there == test.bare {
				t.Errorf("the drop-in is there: %t", there)
			}
			checkLeft(t, plan.Left, test.left)
			again := install(t, tree, test.node)
			if diff := cmp.Diff(after, snapshot(t, tree)); diff != "" || len(again.Changes) > 0 {
				t.Errorf("a second run changes something (%d changes):\n%s", len(again.Changes), diff)
			}
			uninstall(t, tree)
			delete(before, "/var/lib/phigate")
			if diff := cmp.Diff(before, snapshot(t, tree)); diff != "" {
				t.Errorf("uninstalling does not put everything back (-before +now):\n%s", diff)
			}
		})
	}
}

func checkLeft(t *testing.T, got, want []string) {
	t.Helper()
	text := strings.Join(got, "\n")
	if len(got) != len(want) {
		t.Errorf("%d steps are left, want %d:\n%s", len(got), len(want), text)
	}
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("what is left does not say %q:\n%s", part, text)
		}
	}
}

func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// What generates its configuration is not edited.
func TestManaged(t *testing.T) {
	for name, sign := range map[string]string{"k3s": "/var/lib/rancher/k3s/agent/etc/containerd/config.toml", "RKE2": "/var/lib/rancher/rke2/agent/etc/containerd/config.toml"} {
		t.Run(name, func(t *testing.T) {
			tree := node(t, map[string]string{sign: "version = 3\n"})
			before := snapshot(t, tree)
			plan := install(t, tree, Node{Containerd: "2.4.2", Registered: true})
			if plan.Managed != name || !strings.Contains(strings.Join(plan.Left, "\n"), filepath.Dir(sign)+"/config-v3.toml.tmpl") {
				t.Errorf("got %q with %d steps", plan.Managed, len(plan.Left))
			}
			if diff := cmp.Diff(before, snapshot(t, tree)); diff != "" {
				t.Errorf("files were changed:\n%s", diff)
			}
		})
	}
}

// What is not as it should be is said, and nothing is changed.
func TestRefuses(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		do    func(top string) error
		node  Node
		want  string
	}{
		"config_is_a_link": {do: func(top string) error {
			if err := os.MkdirAll(filepath.Join(top, "etc/containerd"), 0o755); err != nil {
				return err
			}
			return os.Symlink("/etc/passwd", filepath.Join(top, ContainerdConfig))
		}, want: "config.toml is a symbolic link"},
		"folder_leads_out": {do: func(top string) error { return os.Symlink("/tmp", filepath.Join(top, "etc/containerd")) }, want: "leads out of the tree"},
		"world_writable": {files: map[string]string{ContainerdConfig: "version = 2\n"},
			do: func(top string) error { return os.Chmod(filepath.Join(top, ContainerdConfig), 0o666) }, want: "may be written by others than root (mode 0666)"},
		"world_writable_folder": {files: map[string]string{"/etc/systemd/system/": ""},
			do: func(top string) error { return os.Chmod(filepath.Join(top, "etc/systemd/system"), 0o777) }, want: "chmod go-w /etc/systemd/system"},
		"broken_toml":         {files: map[string]string{ContainerdConfig: "version = 2\n[plugins\n"}, want: "/etc/containerd/config.toml:2:"},
		"version_1":           {files: map[string]string{ContainerdConfig: "[grpc]\n"}, want: "containerd config migrate"},
		"imports_no_list":     {files: map[string]string{ContainerdConfig: "version = 2\nimports = 'a'\n"}, want: "imports is not a list"},
		"import_is_gone":      {files: map[string]string{ContainerdConfig: "version = 2\nimports = ['a.toml']\n"}, want: "imports /etc/containerd/a.toml, which is not there"},
		"no_program":          {do: func(top string) error { return os.Remove(filepath.Join(top, "usr/local/bin/phigated")) }, want: "copy the programs first"},
		"no_wrapper":          {node: Node{Wrap: WrapAuto}, want: "phigate-runc is not there"},
		"wrapper_no_units":    {files: map[string]string{Wrapper: "#!"}, node: Node{Wrap: WrapPath}, want: "neither containerd.service nor docker.service"},
		"ancient_containerd":  {node: Node{Containerd: "1.6.8"}, want: "1.7 or later is needed"},
		"manifest_of_another": {files: map[string]string{manifestFile: `{"version": 9}`}, want: "not a manifest of this version"},
		"broken_phigate_yaml": {files: map[string]string{"/etc/phigate/phigate.yaml": "sokcet: x\n"}, node: Node{Containerd: "2.4.2"}, want: "phigate.yaml:1:1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree := node(t, test.files)
			if test.do != nil {
				if err := test.do(tree.name); err != nil {
					t.Fatal(err)
				}
			}
			if test.node.Containerd == "" {
				test.node.Containerd = "2.4.2"
			}
			before := snapshot(t, tree)
			_, err := Install(tree, test.node)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if diff := cmp.Diff(before, snapshot(t, tree)); diff != "" {
				t.Errorf("files were changed:\n%s", diff)
			}
		})
	}
}

// An operator's configuration and policies are theirs, and so is a file of ours once edited.
func TestOperatorsFilesStay(t *testing.T) {
	own := map[string]string{"/etc/phigate/phigate.yaml": "nri: {name: gate}\nsocket: /run/ours/p.sock\n", "/etc/phigate/policies.d/a.yml": "x"}
	tree := node(t, own)
	install(t, tree, Node{Containerd: "2.4.2", Registered: true})
	now := snapshot(t, tree)
	for name, text := range own {
		if !strings.HasSuffix(now[name], " "+text) {
			t.Errorf("%s was changed to %s", name, now[name])
		}
	}
	if !strings.Contains(now[DropIn], "required_plugins = ['gate']") {
		t.Errorf("the drop-in does not require the plugin by its name:\n%s", now[DropIn])
	}
	if !strings.Contains(now[SocketFile], "ListenStream=/run/ours/gate.sock\n") {
		t.Errorf("systemd does not listen where phigated would:\n%s", now[SocketFile])
	}
	write(t, tree.name, map[string]string{UnitFile: "[Service]\nExecStart=/opt/phigated\n"})
	plan := install(t, tree, Node{Containerd: "2.4.2", Registered: true})
	if diff := cmp.Diff([]string{UnitFile}, plan.Kept); diff != "" || len(plan.Changes) > 0 {
		t.Errorf("an edited file is not kept:\n%s", diff)
	}
	r := uninstall(t, tree)
	if diff := cmp.Diff([]string{UnitFile}, r.Rest.Kept); diff != "" || !tree.Exists(UnitFile) {
		t.Errorf("an edited file does not outlive uninstall:\n%s", diff)
	}
}

// A file from before is shown in the diff, backed up and put back.
func TestDiffAndBackup(t *testing.T) {
	tree := node(t, map[string]string{UnitFile: "[Service]\nExecStart=/old\n", ContainerdConfig: versionTwo})
	plan := install(t, tree, Node{Containerd: "2.4.2"})
	for _, want := range []string{"-ExecStart=/old", "+ExecStart=/usr/local/bin/phigated", "+imports = ['/etc/containerd/conf.d/*.toml']", "+ folder /etc/phigate, mode 0700",
		"--- /dev/null\n+++ " + DropIn, "# mode 0600"} {
		if !strings.Contains(plan.Diff(), want) {
			t.Errorf("the diff lacks %q:\n%s", want, plan.Diff())
		}
	}
	saved := snapshot(t, tree)[savedFolder+"/"+sum([]byte("[Service]\nExecStart=/old\n"))]
	if saved != "-rw------- [Service]\nExecStart=/old\n" {
		t.Errorf("the backup is %q", saved)
	}
	// A later install knows the first original still.
	install(t, tree, Node{Containerd: "2.4.2", Registered: true})
	uninstall(t, tree)
	if got := snapshot(t, tree)[UnitFile]; !strings.HasSuffix(got, "ExecStart=/old\n") {
		t.Errorf("what was put back is %q", got)
	}
}

// Nothing may remain that requires a phigated that is gone.
func TestUninstallRefusesToBlockTheNode(t *testing.T) {
	tree := node(t, map[string]string{ContainerdConfig: "version = 3\nimports = ['conf.d/*.toml']\n"})
	install(t, tree, Node{Containerd: "2.4.2", Registered: true})
	text, err := tree.Read(DropIn)
	if err != nil {
		t.Fatal(err)
	}
	write(t, tree.name, map[string]string{DropIn: string(text) + "# edited\n"})
	before := snapshot(t, tree)
	_, err = Uninstall(tree)
	if err == nil || !strings.Contains(err.Error(), DropIn+" requires the plugin phigate") {
		t.Errorf("got %v, want a refusal that names the file", err)
	}
	if diff := cmp.Diff(before, snapshot(t, tree)); diff != "" {
		t.Errorf("files were changed:\n%s", diff)
	}
}

// The first step frees containerd, and the rest is still there.
func TestReleaseComesFirst(t *testing.T) {
	tree := node(t, map[string]string{"/lib/systemd/system/containerd.service": unitC, Wrapper: "#!"})
	install(t, tree, Node{Containerd: "2.4.2", Registered: true, Wrap: WrapAuto})
	r, err := Uninstall(tree)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Requires || !r.Wrapped || !r.Known {
		t.Errorf("got %+v", r)
	}
	if err := tree.Release(r, Moment{"boot", 12}); err != nil {
		t.Fatal(err)
	}
	if tree.Exists(DropIn) || tree.Exists(WrapperFolder+"/runc") || !tree.Exists(UnitFile) {
		t.Error("the first step takes the drop-ins alone")
	}
	r, err = Uninstall(tree)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requires || r.Released == nil || r.Released.Seconds != 12 {
		t.Errorf("the second run does not know of the first: %+v", r)
	}
	if err := tree.Remove(r); err != nil {
		t.Fatal(err)
	}
	if tree.Exists(UnitFile) || tree.Exists(Backup) {
		t.Error("something is left")
	}
}

// A change that cannot be made takes back those before it.
func TestApplyTakesBack(t *testing.T) {
	tree := node(t, nil)
	plan, err := Install(tree, Node{Containerd: "2.4.2"})
	if err != nil {
		t.Fatal(err)
	}
	plan.Changes = append(plan.Changes, Change{Path: "/usr/sbin/runc/x", after: entry{exists: true, mode: 0o644}})
	if err := tree.make(plan.Changes); err == nil || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("got %v", err)
	}
	if tree.Exists(DropIn) || tree.Exists(UnitFile) || tree.Exists("/etc/phigate") {
		t.Error("changes are left")
	}
	plan.Changes = plan.Changes[:len(plan.Changes)-1]
	write(t, tree.name, map[string]string{UnitFile: "another hand\n"})
	if err := tree.Apply(plan); err == nil || !strings.Contains(err.Error(), "changed while this was being planned") {
		t.Errorf("got %v", err)
	}
}
