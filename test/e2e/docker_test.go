package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/install"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// dockered is a node with a Docker.
type dockered struct {
	*wrapped
	docker *node.Docker
}

func newDocker(t *testing.T, n node.Options, g gate.Options, args ...string) *dockered {
	t.Helper()
	w := newWrapped(t, n, g)
	d, err := w.node.Docker(w.ctx, args...)
	w.must(err)
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Errorf("ending dockerd: %v", err)
		}
	})
	return &dockered{w, d}
}

func (d *dockered) load(name string, changes ...images.Change) string {
	d.Helper()
	img, err := gate.Make(changes...)
	d.must(err)
	d.must(d.docker.Load(d.ctx, gate.Image(name), img))
	return gate.Image(name)
}

// run is `docker run` of a container that prints a word.
func (d *dockered) run(name, image string, args ...string) (string, error) {
	d.Helper()
	all := append([]string{"run", "--rm", "--network", "none", "--name", name}, args...)
	return d.docker.Do(d.ctx, nil, append(all, image, "/bin/echo", "ran:"+name)...)
}

// by is the newest verdict on the container that Docker calls so.
func (d *dockered) by(name string) policy.Decision {
	d.Helper()
	ds, err := d.gate.Decisions(d.ctx)
	d.must(err)
	for i := len(ds) - 1; i >= 0; i-- {
		if ds[i].Target == name && ds[i].Kind == "verdict" {
			return ds[i]
		}
	}
	d.Fatalf("there is no verdict on %s", name)
	return policy.Decision{}
}

const ports = `
apiVersion: xray.aqua.security/v1
kind: Policy
metadata: {name: ports}
spec:
  rules:
  - {name: no-ftp, scanner: network, match: {any: ["port: 21"]}, action: block}
`

func TestDocker(t *testing.T) {
	for name, way := range map[string]struct {
		options node.Options
		args    []string
		builds  bool // BuildKit's steps come through the wrapper
	}{
		"by_path":            {builds: true},
		"by_default_runtime": {options: node.Options{Runc: "runc"}, args: []string{"--config-file", daemonJSON(t)}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocker(t, way.options, gate.Options{}, way.args...)
			plain := d.load("plain")
			people := d.load("people", images.Files{"/data/patients.csv": images.Text(gate.Patients(12))})
			out, err := d.run("good", plain)
			if err != nil || !strings.Contains(out, "ran:good") {
				t.Fatalf("a compliant container did not run: %v", err)
			}
			v := d.by("good")
			if v.Runtime != "docker" || v.Image != plain || v.Gate != policy.GateWrapper || v.Verdict != policy.Allow || len(v.Skipped)+len(v.Deferred) > 0 || v.Coverage.Files == 0 {
				t.Errorf("got %+v", v)
			}
			d.refuses("people", people, nil, "phigate: blocked people: ", " in image file /data/patients.csv", "[phi-table, ")
			d.refuses("root", plain, []string{"--privileged"}, "phigate: blocked root: ", "[privileged, ")

			// What is copied into a container before it starts.
			_, err = d.docker.Do(d.ctx, nil, "create", "--network", "none", "--name", "copied", plain, "/bin/echo", "ran")
			d.must(err)
			file := filepath.Join(t.TempDir(), "export.csv")
			d.must(os.WriteFile(file, []byte(gate.Patients(12)), 0o600))
			_, err = d.docker.Do(d.ctx, nil, "cp", file, "copied:/export.csv")
			d.must(err)
			if out, err := d.docker.Do(d.ctx, nil, "start", "--attach", "copied"); err == nil || !strings.Contains(out, "/export.csv") {
				t.Errorf("a container with a copied table: %v: %s", err, out)
			}

			out, err = d.build("FROM " + plain + "\nRUN [\"/bin/echo\", \"step\"]\n")
			d.must(err)
			steps := d.of("buildkit")
			if (len(steps) > 0) != way.builds {
				t.Errorf("%d decisions on steps of a build, want some: %v; it printed %s", len(steps), way.builds, out)
			}
			if way.builds {
				said, _ := d.doctor(d.docker.Env(), "--canary")
				if !said.find("canary through Docker", "ok", "phi-table") || !said.find("canary through Docker", "ok", "runs") {
					t.Errorf("doctor's canary through Docker: %+v", said.Checks)
				}
			}
			d.must(d.gate.Stop())
			d.refuses("gone", plain, nil, "phigated does not answer at ")
			if out, err := d.build("FROM " + plain + "\nRUN [\"/bin/echo\", \"other step\"]\n"); way.builds && (err == nil || !strings.Contains(out, "phigated does not answer")) {
				t.Errorf("a build went on without phigated: %v: %s", err, out)
			}
		})
	}
}

// The ports of a container of Docker's are those that its image, its user and
// its publishing say.
func TestDockerPorts(t *testing.T) {
	d := newDocker(t, node.Options{}, gate.Options{Policies: map[string]string{"ports.yaml": ports}})
	plain := d.load("plain")
	d.refuses("exposed", plain, []string{"--expose", "21"}, "no-ftp", "port 21/tcp")
	d.refuses("published", plain, []string{"--publish", "8021:21"}, "no-ftp", "port 21/tcp")
	d.refuses("image", d.load("ftp", images.Ports{"21/tcp"}), nil, "no-ftp", "port 21/tcp")
	if _, err := d.run("none", plain); err != nil {
		t.Error(err)
	}
}

// refuses runs a container that must not run.
func (d *dockered) refuses(name, image string, args []string, wants ...string) {
	d.Helper()
	out, err := d.run(name, image, args...)
	if err == nil || strings.Contains(out, "ran:"+name+"\n") {
		d.Fatalf("%s ran; it should have been refused: %s", name, out)
	}
	d.contains(out, wants...)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	d.must(err)
	if strings.Contains(string(mounts), d.node.Dir+"/docker/overlay2/") {
		d.Errorf("%s has left a mount", name)
	}
}

func (d *dockered) build(dockerfile string) (string, error) {
	d.Helper()
	dir := d.TempDir()
	d.must(os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600))
	return d.docker.Do(d.ctx, nil, "build", "--network", "none", "--progress", "plain", dir)
}

// of are the verdicts on a client's containers.
func (d *dockered) of(runtime string) (out []policy.Decision) {
	d.Helper()
	ds, err := d.gate.Decisions(d.ctx)
	d.must(err)
	for _, v := range ds {
		if v.Runtime == runtime && v.Kind == "verdict" {
			out = append(out, v)
		}
	}
	return out
}

// daemonJSON is what phigate install makes of an operator's daemon.json, with the path of the wrapper under test.
func daemonJSON(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"usr/local/bin/phigate", "usr/local/bin/phigated", install.Wrapper, "usr/sbin/runc", "lib/systemd/system/docker.service"} {
		write(name, "")
	}
	write(install.DockerConfig, `{"max-concurrent-downloads": 2, "runtimes": {"other": {"path": "/usr/bin/other"}}}`)
	tree, err := install.OpenTree(top)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	plan, err := install.Install(tree, install.Node{Containerd: "2.4.2", Wrap: install.WrapBinaryName})
	if err == nil {
		err = tree.Apply(plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := tree.Read(install.DockerConfig)
	if err != nil {
		t.Fatal(err)
	}
	write("daemon.json", strings.Replace(string(data), install.Wrapper, filepath.Join(bin, "phigate-runc"), 1))
	return filepath.Join(top, "daemon.json")
}
