package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	gpus = "{\n    \"log-driver\": \"journald\", \"max-concurrent-downloads\": 10000000000000000001,\n    \"runtimes\": {\"gpu\": {\"path\": \"/usr/bin/gpu-runtime\"}},\n    \"data-root\": \"/srv/docker\"\n}\n"
	own  = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nBinaryName = '/usr/sbin/runc'\nSystemdCgroup = true\n" +
		"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.crun.options]\nBinaryName = '/usr/bin/crun'\n" +
		"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.kata]\nruntime_type = 'io.containerd.kata.v2'\n"
)

// Each way to the wrapper is taken where it leads there, an operator's keys stay, and all of it is put back.
func TestWrapperByName(t *testing.T) {
	units := map[string]string{"/lib/systemd/system/containerd.service": unitC, "/lib/systemd/system/docker.service": unitD, Wrapper: "#!", "/usr/bin/crun": "#!"}
	one := func(name, text string) map[string]string { return merged(units, map[string]string{name: text}) }
	path := "/etc/systemd/system/containerd.service.d/" + WrapperDropIn
	tests := map[string]struct {
		files map[string]string
		wrap  Wrap
		want  map[string][]string
		not   []string // files that are not there
		left  []string
	}{
		"by_name": {files: one(ContainerdConfig, "version = 3\n"), wrap: WrapBinaryName,
			want: map[string][]string{
				WrapperHandlers: {"version = 3\n", "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.'runc'.options]\n    BinaryName = '/usr/local/bin/phigate-runc'\n"},
				DockerConfig:    {"\"default-runtime\": \"phigate\"", "\"path\": \"/usr/local/bin/phigate-runc\""},
				WrapperConfig:   {"runc: /usr/sbin/runc\n"},
			}, not: []string{path, WrapperFolder}, left: []string{"docker build"}},
		"by_name_version_2": {files: map[string]string{ContainerdConfig: "version = 2\n", Wrapper: "#!"}, wrap: WrapBinaryName,
			want: map[string][]string{WrapperHandlers: {"version = 2\n", "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.'runc'.options]"}}, not: []string{path, DockerConfig}},
		"no_units": {files: map[string]string{Wrapper: "#!"}, wrap: WrapAuto, want: map[string][]string{WrapperHandlers: {"'runc'"}}, not: []string{WrapperFolder}},
		"path_suffices": {files: one(ContainerdConfig, "version = 3\n"), wrap: WrapAuto,
			want: map[string][]string{path: {"PATH=" + WrapperFolder + ":"}}, not: []string{WrapperHandlers, DockerConfig}},
		"path_alone": {files: one(ContainerdConfig, own), wrap: WrapPath, want: map[string][]string{path: {"PATH="}}, not: []string{WrapperHandlers}},
		"named_by_path": {files: one(ContainerdConfig, own), wrap: WrapAuto,
			want: map[string][]string{path: {"PATH="}, WrapperHandlers: {"runtimes.'runc'.options]"}}, left: []string{"handler crun names /usr/bin/crun"}},
		"docker_keeps_keys": {files: one(DockerConfig, gpus), wrap: WrapBinaryName,
			want: map[string][]string{DockerConfig: {"\"log-driver\": \"journald\",\n  \"max-concurrent-downloads\": 10000000000000000001,\n  \"runtimes\": {\n    \"gpu\"", "\"data-root\": \"/srv/docker\",\n  \"default-runtime\": \"phigate\"\n}\n"}},
			left: []string{"docker build"}},
		"docker_by_path": {files: one(DockerConfig, gpus), wrap: WrapAuto, want: map[string][]string{DockerConfig: {gpus}}},
		"docker_names_runc": {files: one(DockerConfig, `{"default-runtime":"r","runtimes":{"r":{"path":"/usr/sbin/runc"}}}`), wrap: WrapAuto,
			want: map[string][]string{DockerConfig: {"\"default-runtime\": \"phigate\"", "\"r\": {\n      \"path\": \"/usr/sbin/runc\""}}},
		"docker_has_another": {files: one(DockerConfig, `{"default-runtime":"gpu","runtimes":{"gpu":{"path":"/usr/bin/gpu-runtime"}}}`), wrap: WrapAuto,
			want: map[string][]string{DockerConfig: {`"default-runtime":"gpu"`}}, left: []string{"Docker's default runtime is gpu"}},
		"wrapper_by_hand": {files: merged(units, map[string]string{"/usr/local/lib/phigate/runc": "#!",
			"/etc/systemd/system/containerd.service.d/a.conf": "[Service]\nEnvironment=PATH=/usr/local/lib/phigate:/usr/sbin\n"}), wrap: WrapAuto,
			want: map[string][]string{WrapperConfig: {"runc: /usr/local/lib/phigate/runc\n"}}}, // a file of its own name is no wrapper
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree := node(t, test.files)
			before := snapshot(t, tree)
			n := Node{Containerd: "2.4.2", Registered: true, Wrap: test.wrap}
			plan := install(t, tree, n)
			after := snapshot(t, tree)
			for name, parts := range test.want {
				for _, part := range parts {
					if !strings.Contains(after[name], part) {
						t.Errorf("%s lacks %q:\n%s", name, part, after[name])
					}
				}
			}
			for _, name := range test.not {
				if _, there := after[name]; there {
					t.Errorf("%s is there", name)
				}
			}
			checkLeft(t, plan.Left, test.left)
			for _, wrap := range []Wrap{test.wrap, WrapNone} { // what was asked for once is kept
				n.Wrap = wrap
				if again := install(t, tree, n); len(again.Changes) > 0 {
					t.Errorf("a run with %q changes something:\n%s", wrap, again.Diff())
				}
			}
			uninstall(t, tree)
			delete(before, "/var/lib/phigate")
			if diff := cmp.Diff(before, snapshot(t, tree)); diff != "" {
				t.Errorf("uninstalling does not put everything back (-before +now):\n%s", diff)
			}
		})
	}
}

// containerd 1.7 would lose CRI's settings to a drop-in, so that it gets none.
func TestWrapperByNameOn17(t *testing.T) {
	tree := node(t, map[string]string{Wrapper: "#!", ContainerdConfig: versionTwo})
	plan := install(t, tree, Node{Containerd: "1.7.35", Wrap: WrapBinaryName})
	checkLeft(t, plan.Left, []string{"cannot require phigate", "set BinaryName = '/usr/local/bin/phigate-runc' yourself"})
	if tree.Exists(WrapperHandlers) {
		t.Error("there is a drop-in")
	}
}

// What cannot be merged is said, and stays.
func TestDockerRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"[]":                                "no JSON object",
		"{\"a\": 1":                         "not JSON",
		"{} {}":                             "something follows",
		"{\"runtimes\": []}":                "runtimes is not what dockerd takes",
		"{\"default-runtime\": 1}":          "default-runtime is not what dockerd takes",
		"{\"runtimes\":{},\"Runtimes\":{}}": "stands twice",
	} {
		tree := node(t, map[string]string{Wrapper: "#!", DockerConfig: text, "/lib/systemd/system/docker.service": unitD})
		if _, err := Install(tree, Node{Containerd: "2.4.2", Wrap: WrapBinaryName}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", text, err, want)
		}
	}
}

// Daemon.json comes from elsewhere: whatever it holds, its keys and values are kept.
func FuzzDocker(f *testing.F) {
	for _, text := range []string{gpus, "{}", "", `{"default-runtime":"r","runtimes":{"r":{"path":"/r"}}}`, `{"runtimes":{"phigate":{"runtimeArgs":["-x"]}}}`, "{\"a\":1}}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := readDocker(data)
		if err != nil {
			return
		}
		text, err := d.withDefault(dockersName, Wrapper)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readDocker(text)
		if err != nil || again.program() != Wrapper {
			t.Fatalf("what was written is not read: %v", err)
		}
		var before, after map[string]json.RawMessage
		if len(d.members) > 0 && json.Unmarshal(data, &before) != nil {
			return // what the two readers disagree on, such as invalid UTF-8
		}
		if err := json.Unmarshal(text, &after); err != nil {
			t.Fatal(err)
		}
		for key := range before {
			if _, kept := after[key]; !kept {
				t.Fatal("a key was lost")
			}
		}
	})
}

// A wrapper or hook put in by hand would refuse every container once phigated is gone: uninstall names it.
func TestUninstallKnowsOfOthers(t *testing.T) {
	units := map[string]string{"/lib/systemd/system/containerd.service": unitC, "/lib/systemd/system/docker.service": unitD, Wrapper: "#!", Hook: "#!",
		ContainerdConfig: "version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n"}
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"path": {map[string]string{"/etc/systemd/system/containerd.service.d/phigate.conf": "[Service]\nEnvironment=PATH=/usr/local/lib/phigate:/usr/sbin\n"},
			"PATH of containerd.service leads to /usr/local/lib/phigate/runc, the wrapper: take it out of /etc/systemd/system/containerd.service.d/phigate.conf"},
		"docker_path": {map[string]string{"/etc/systemd/system/docker.service.d/phigate.conf": "[Service]\nEnvironment=PATH=/usr/local/lib/phigate:/usr/sbin\n"},
			"take it out of /etc/systemd/system/docker.service.d/phigate.conf"},
		"binary_name": {map[string]string{DropInFolder + "/20-wrapper.toml": "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nBinaryName = '/usr/local/bin/phigate-runc'\n"},
			"handler runc is /usr/local/bin/phigate-runc, the wrapper: take it out of /etc/containerd/conf.d/20-wrapper.toml"},
		"docker": {map[string]string{DockerConfig: `{"default-runtime":"p","runtimes":{"p":{"path":"/usr/local/bin/phigate-runc"}}}`},
			"take it out of /etc/docker/daemon.json"},
		"hook": {map[string]string{"/etc/containers/oci/hooks.d/phigate.json": `{"hook":{"path":"/usr/local/bin/phigate-hook"}}`},
			"/etc/containers/oci/hooks.d/phigate.json has CRI-O and Podman call phigate-hook: remove it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree := node(t, units)
			install(t, tree, Node{Containerd: "2.4.2", Registered: true})
			write(t, tree.name, test.files)
			if err := os.MkdirAll(filepath.Join(tree.name, "usr/local/lib/phigate"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(Wrapper, filepath.Join(tree.name, "usr/local/lib/phigate/runc")); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, tree)
			_, err := Uninstall(tree)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if diff := cmp.Diff(before, snapshot(t, tree)); diff != "" {
				t.Errorf("files were changed:\n%s", diff)
			}
			for file := range test.files {
				if err := os.Remove(filepath.Join(tree.name, file)); err != nil {
					t.Fatal(err)
				}
			}
			r := uninstall(t, tree)
			if !r.Binds("/usr/local/lib/phigate:/usr/sbin") || r.Binds(WrapperFolder+":/usr/sbin") {
				t.Error("who runs with a PATH that still leads to the wrapper is not told from the others")
			}
		})
	}
}

// What the wrapper's ways need is started anew before phigated goes.
func TestUninstallWaitsForRestarts(t *testing.T) {
	tree := node(t, map[string]string{"/lib/systemd/system/docker.service": unitD, Wrapper: "#!", ContainerdConfig: "version = 3\n"})
	install(t, tree, Node{Containerd: "2.4.2", Registered: true, Wrap: WrapBinaryName, Require: RequireNo})
	r, err := Uninstall(tree)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"containerd", "docker"}, r.Restart); diff != "" || r.Requires {
		t.Errorf("who is to be restarted: %s", diff)
	}
	if err := tree.Release(r, Moment{Boot: "a", Seconds: 7}); err != nil {
		t.Fatal(err)
	}
	again, err := Uninstall(tree)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"containerd", "docker"}, again.Restart); diff != "" || again.Released == nil || again.Released.Seconds != 7 {
		t.Errorf("the second run has forgotten: %s", diff)
	}
}

// Not to require phigate is for nodes that the wrapper guards, and is remembered.
func TestNotRequired(t *testing.T) {
	tree := node(t, map[string]string{"/lib/systemd/system/containerd.service": unitC, Wrapper: "#!"})
	n := Node{Containerd: "2.4.2", Registered: true, Require: RequireNo}
	if _, err := Install(tree, n); err == nil || !strings.Contains(err.Error(), "leaves this node open") {
		t.Errorf("got %v", err)
	}
	requires := func() bool {
		t.Helper()
		disk, err := ReadContainerd(tree)
		if err != nil {
			t.Fatal(err)
		}
		return disk.Requires("phigate")
	}
	n.Wrap = WrapAuto
	install(t, tree, n)
	if requires() {
		t.Error("containerd requires phigate")
	}
	if again := install(t, tree, Node{Containerd: "2.4.2", Registered: true}); len(again.Changes) > 0 || len(again.Left) > 0 || requires() {
		t.Errorf("it was forgotten: %v\n%s", again.Left, again.Diff())
	}
	n.Require = RequireYes
	install(t, tree, n)
	if !requires() {
		t.Error("containerd does not require phigate again")
	}
}

// containerd finds phigate among its verifiers, in the folder that its configuration names, and no longer once it is uninstalled.
func TestImageVerifier(t *testing.T) {
	for folder, text := range map[string]string{
		"/opt/containerd/image-verifier/bin": "version = 3\n",
		"/srv/verifiers":                     "version = 3\n[plugins.'io.containerd.image-verifier.v1.bindir']\nbin_dir = '/srv/verifiers'\n",
	} {
		tree := node(t, map[string]string{ContainerdConfig: text, "/opt/": "", "/srv/": ""})
		before := snapshot(t, tree)
		install(t, tree, Node{Containerd: "2.4.2", Registered: true, Verify: true})
		if got := snapshot(t, tree)[folder+"/phigate-verify"]; !strings.HasSuffix(got, "-> /usr/local/bin/phigate") {
			t.Errorf("in %s is %q", folder, got)
		}
		if again := install(t, tree, Node{Containerd: "2.4.2", Registered: true}); len(again.Changes) > 0 {
			t.Errorf("a second run changes something:\n%s", again.Diff())
		}
		uninstall(t, tree)
		delete(before, "/var/lib/phigate")
		if diff := cmp.Diff(before, snapshot(t, tree)); diff != "" {
			t.Errorf("uninstalling does not put everything back (-before +now):\n%s", diff)
		}
	}
	if _, err := Install(node(t, nil), Node{Containerd: "1.7.35", Verify: true}); err == nil || !strings.Contains(err.Error(), "2.1 or later") {
		t.Errorf("got %v", err)
	}
}
