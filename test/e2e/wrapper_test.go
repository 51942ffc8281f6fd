package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// wrapped is a node whose runc is phigate-runc.
type wrapped struct {
	*rig
	*gate.Wrapper
}

// newWrapped starts a node on which the wrapper is the first runc in
// containerd's PATH.
func newWrapped(t *testing.T, n node.Options, g gate.Options) *wrapped {
	t.Helper()
	wrapper, err := gate.NewWrapper(t.TempDir(), bin)
	if err != nil {
		t.Fatal(err)
	}
	if n.Runc == "" {
		n.Before = wrapper.Dir
	}
	n.Env = wrapper.Env()
	w := &wrapped{newRig(t, n, g), wrapper}
	w.configure("")
	return w
}

// configure writes the wrapper's configuration, with more lines.
func (w *wrapped) configure(more string) {
	w.Helper()
	w.must(w.Configure(w.gate, more))
}

// ctrImage imports an image for ctr's own namespace, which nothing scans in
// the background.
func (w *wrapped) ctrImage(name string, changes ...images.Change) string {
	w.Helper()
	img, err := gate.Make(changes...)
	w.must(err)
	w.must(w.node.ImportIn(w.ctx, "default", gate.Image(name), img))
	return gate.Image(name)
}

// says is a container that prints a word.
func says(id, image string, args ...string) node.RunOptions {
	return node.RunOptions{ID: id, Image: image, Args: args, Command: []string{"/bin/echo", "ran:" + id}}
}

// runs runs a container that must run.
func (w *wrapped) runs(o node.RunOptions) {
	w.Helper()
	out, err := w.node.Run(w.ctx, o)
	if err != nil || !strings.Contains(out, "ran:"+o.ID) {
		w.Fatalf("%s did not run: %v: %s", o.ID, err, out)
	}
	w.nothingLeft(o.ID)
}

// stopped runs a container that must not run, for the reasons wanted.
func (w *wrapped) stopped(o node.RunOptions, wants ...string) (answer string) {
	w.Helper()
	out, err := w.node.Run(w.ctx, o)
	if err == nil || strings.Contains(out, "ran:"+o.ID+"\n") {
		w.Fatalf("%s ran; it should have been refused: %s", o.ID, out)
	}
	w.contains(err.Error(), wants...)
	w.nothingLeft(o.ID)
	return err.Error()
}

// nothingLeft fails when a container of ctr's has left something behind.
func (w *wrapped) nothingLeft(id string) {
	w.Helper()
	w.rig.nothingLeft("default", id)
}

// only are the verdicts on the container, which must be one.
func (w *wrapped) only(id string, gate policy.Gate, want policy.Action) policy.Decision {
	w.Helper()
	ds := w.verdicts(id)
	if len(ds) != 1 || ds[0].Gate != gate || ds[0].Verdict != want {
		w.Fatalf("%d decisions on %s, want one of gate %s: %v; got %+v", len(ds), id, gate, want, ds)
	}
	return ds[0]
}

// kinds counts the records of a kind about the container.
func (w *wrapped) kinds(id, kind string) (n int) {
	w.Helper()
	ds, err := w.gate.Decisions(w.ctx)
	w.must(err)
	for _, d := range ds {
		if d.Container == id && d.Kind == kind {
			n++
		}
	}
	return n
}

func TestCtr(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	plain := w.ctrImage("plain")
	people := w.ctrImage("people", images.Files{"/data/patients.csv": images.Text(gate.Patients(12))})

	w.runs(says("good", plain))
	d := w.only("good", policy.GateWrapper, policy.Allow)
	if d.Runtime != "ctr" || d.Image != plain || d.ImageDigest == "" || len(d.Deferred) > 0 || len(d.Skipped) > 0 || d.Coverage.Files == 0 {
		t.Errorf("got decision %+v; want ctr's, of %s, with nothing deferred or skipped", d, plain)
	}
	answer := w.stopped(says("people", people), "phigate: blocked people: ", " in image file /data/patients.csv (~12 people) [phi-table, 45 CFR 164.312(a)(1)]")
	w.contains(answer, fmt.Sprintf("see: phigate decisions %d", w.only("people", policy.GateWrapper, policy.Block).Seq))
	w.stopped(says("root", plain, "--privileged"), "phigate: blocked root: ", "[privileged, ")
	w.stopped(says("socket", plain, "--mount", "type=bind,src="+w.node.Address+",dst=/c.sock,options=rbind:rw"), "[runtime-socket-mounted, ")

	// What was written into a stopped container is seen when it starts again.
	t.Run("started_again", func(t *testing.T) {
		w := &wrapped{w.rig.in(t), w.Wrapper}
		out, err := w.node.Run(w.ctx, node.RunOptions{ID: "again", Image: plain, Keep: true, Command: []string{"/bin/echo", "ran:again"}})
		if err != nil || !strings.Contains(out, "ran:again") {
			t.Fatalf("the first start: %v: %s", err, out)
		}
		upper := w.upper("again")
		w.must(os.WriteFile(filepath.Join(upper, "export.csv"), []byte(gate.Patients(20)), 0o600))
		_, err = w.node.CtrIn(w.ctx, "", "tasks", "start", "again")
		if err == nil {
			t.Fatal("the second start was admitted")
		}
		w.contains(err.Error(), "/export.csv", "[phi-table, ")
		_, err = w.node.CtrIn(w.ctx, "", "containers", "rm", "again")
		w.must(err)
		w.nothingLeft("again")
	})
	t.Run("folder_instead_of_image", func(t *testing.T) {
		w := &wrapped{w.rig.in(t), w.Wrapper}
		root := t.TempDir()
		w.must(os.MkdirAll(filepath.Join(root, "srv"), 0o755))
		w.must(os.WriteFile(filepath.Join(root, "srv/p.csv"), []byte(gate.Patients(9)), 0o600))
		o := says("folder", root, "--rootfs")
		w.stopped(o, "/srv/p.csv", "[phi-table, ")
	})
	w.frugal()
}

// upper is the writable folder of a container's snapshot.
func (w *wrapped) upper(id string) string {
	w.Helper()
	out, err := w.node.CtrIn(w.ctx, "", "snapshots", "mounts", "/nowhere", id)
	w.must(err)
	return upperdir(w.T, out)
}

// upperdir is that of an overlay mount's options.
func upperdir(t *testing.T, mount string) string {
	t.Helper()
	_, rest, ok := strings.Cut(mount, "upperdir=")
	if !ok {
		t.Fatalf("no upperdir in %q", mount)
	}
	return strings.TrimSpace(rest[:strings.IndexAny(rest+",", ", \n")])
}

// A cold image is waited for: ctr does not ask twice.
func TestCtrColdImage(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	layer, err := images.Random("/srv/volume.bin", 512<<20, 1)
	w.must(err)
	image := w.ctrImage("cold", layer)
	began := time.Now()
	w.runs(says("cold", image))
	cold := time.Since(began)
	began = time.Now()
	w.runs(says("warm", image))
	t.Logf("with a cold image %s, then %s", cold.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if d := w.only("cold", policy.GateWrapper, policy.Allow); d.Coverage.Bytes < 512<<20 {
		t.Errorf("allowed after %d bytes", d.Coverage.Bytes)
	}
	other, err := images.Random("/srv/volume.bin", 512<<20, 2)
	w.must(err)
	image = w.ctrImage("colder", other)
	w.configure("deadline: 100ms")
	w.stopped(says("late", image), "phigate: refused late: no verdict: ")
	w.configure("")
	w.runs(says("later", image)) // the scan went on
}

// Whatever is wrong with phigated, no container runs.
func TestCtrWithoutPhigated(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	plain := w.ctrImage("plain")
	w.runs(says("before", plain))

	w.configure("deadline: 1s")
	w.must(w.gate.Process().Freeze())
	w.stopped(says("frozen", plain), "phigate: refused frozen: no verdict: ", "gave no answer within 1s")
	w.must(w.gate.Process().Thaw())

	w.configure("")
	w.must(w.gate.Process().Freeze())
	const asked = 5 * time.Second // by then runc's wrapper has asked, on a busy machine, too
	time.AfterFunc(asked, func() { _ = w.gate.Process().Kill() })
	w.stopped(says("killed", plain), "phigate: refused killed: no verdict: ", "ended before it answered")
	w.stopped(says("gone", plain), "phigate: refused gone: no verdict: phigated does not answer at ", "is it running?")
	w.must(os.Remove(w.gate.GateSocket()))
	w.stopped(says("absent", plain), "phigated does not answer at ")

	for name, answer := range map[string]string{
		"garbage": "HTTP/1.1 400 Bad Request\r\n\r\n",
		"half":    "PHGA1\r\n\x00\x00\x00\x00\x10{",
		"silent":  "",
		"vain":    "PHGA1\r\n\x00\x00\x00\x00\x0e{\"allow\":true}",
	} {
		socket := w.pretend(name, answer)
		w.configure("socket: " + socket + "\ndeadline: 2s")
		w.stopped(says(name, plain), "phigate: refused "+name+": no verdict: ")
	}
	socket := w.pretend("foreign", "")
	w.must(os.Chown(socket, 12345, 0))
	w.configure("socket: " + socket)
	w.stopped(says("foreign", plain), "belongs to user 12345, not to root")

	w.configure("")
	w.must(os.Chmod(w.Config, 0o666))
	w.stopped(says("config", plain), "phigate-runc: reading the configuration", "may be written to by others than root")
	w.must(os.Remove(w.Config))
	w.stopped(says("noconfig", plain), "phigate-runc: reading the configuration", "no such file")
	w.must(os.WriteFile(w.Config, []byte("runc: /nonexistent/runc\n"), 0o600))
	w.stopped(says("norunc", plain), "phigate-runc: the real runtime /nonexistent/runc: no such file")

	w.configure("")
	w.must(w.gate.Start())
	w.must(w.gate.Ready(w.ctx))
	w.runs(says("after", plain))
	w.neverAllowedBut("before", "after")
}

// neverAllowedBut fails when the log allows another container.
func (w *wrapped) neverAllowedBut(ids ...string) {
	w.Helper()
	ds, err := w.gate.Decisions(w.ctx)
	w.must(err)
	for _, d := range ds {
		if d.Kind == "verdict" && d.Verdict == policy.Allow && !slices.Contains(ids, d.Container) {
			w.Errorf("decision %d allows %s, which did not run", d.Seq, d.Container)
		}
	}
}

// pretend listens where phigated would and gives each who asks the same answer.
func (w *wrapped) pretend(name, answer string) string {
	w.Helper()
	socket := filepath.Join(w.gate.Dir, name)
	l, err := gate.Pretend(socket, answer)
	w.must(err)
	w.Cleanup(func() { l.Close() })
	return socket
}

func TestBreakGlass(t *testing.T) {
	w := newWrapped(t, node.Options{}, gate.Options{})
	plain := w.ctrImage("plain")
	people := w.ctrImage("people", images.Files{"/data/patients.csv": images.Text(gate.Patients(12))})
	write := func(until time.Time) {
		w.must(os.WriteFile(w.Glass, []byte(until.UTC().Format(time.RFC3339)+"\nthe ward needs it\n"), 0o600))
	}
	write(time.Now().Add(-time.Minute))
	w.stopped(says("ended", people), "[phi-table, ")
	write(time.Now().Add(48 * time.Hour))
	w.stopped(says("endless", people), "[phi-table, ")
	write(time.Now().Add(time.Hour))
	w.must(os.Chown(w.Glass, 12345, 0))
	w.stopped(says("foreign", people), "[phi-table, ")
	w.must(os.Chown(w.Glass, 0, 0))

	w.runs(says("told", people))
	if n := w.kinds("told", "override"); n != 1 {
		t.Errorf("%d overrides in the log, want 1", n)
	}
	w.runs(says("plain", plain))
	if n := w.kinds("plain", "override"); n != 0 {
		t.Errorf("%d overrides for a container that needed none", n)
	}
	w.must(w.gate.Stop())
	w.runs(says("untold", plain))
	if files, _ := filepath.Glob(filepath.Join(w.gate.StateDir, "breakglass/*.json")); len(files) != 1 {
		t.Errorf("%d uses were kept for phigated, want 1", len(files))
	}
	w.must(os.Remove(w.Glass))
	w.stopped(says("mended", plain), "no verdict")
	w.configure("onUnavailable.moby: allow\nonUnavailable.k8s.io/default: allow")
	w.stopped(says("elsewhere", plain, "--annotation", "io.kubernetes.cri.sandbox-namespace=default"), "no verdict")
	w.configure("onUnavailable.default: allow")
	w.runs(says("unavailable", plain))

	w.must(w.gate.Start())
	w.must(w.gate.Ready(w.ctx))
	w.eventually("phigated has taken both into its log", 10*time.Second, func() bool {
		return w.kinds("untold", "override") == 1 && w.kinds("unavailable", "override") == 1
	})
	w.stopped(says("verdict", people), "[phi-table, ") // a verdict is an answer
	if files, _ := filepath.Glob(filepath.Join(w.gate.StateDir, "breakglass/*")); len(files) != 0 {
		t.Errorf("%d files are left", len(files))
	}
}

// A pod's containers pass NRI's gates and the wrapper's; the log joins them.
func TestPodThroughTheWrapper(t *testing.T) {
	for name, o := range map[string]node.Options{
		"by_path":       {Require: required.Require},
		"by_BinaryName": {Require: required.Require, Runc: filepath.Join(bin, "phigate-runc")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWrapped(t, o, gate.Options{})
			base := w.image("plain")
			people := w.image("people", images.Files{"/data/patients.csv": images.Text(gate.Patients(12))})
			pod := w.pod(node.PodOptions{})
			if d := w.only(pod, policy.GateWrapper, policy.Allow); d.Target != "clinic-a/pause" || d.Runtime != "cri" {
				t.Errorf("the sandbox's decision is about %s of %s, want clinic-a/pause of cri", d.Target, d.Runtime)
			}
			id := w.admit(pod, sleeps(base))
			var gates []string
			for _, d := range w.verdicts(id) {
				gates = append(gates, string(d.Gate))
				if d.Verdict != policy.Allow || d.Namespace != "clinic-a" || d.Pod == "" || d.Image == "" || d.Runtime != "cri" {
					t.Errorf("got %+v, want the pod's container allowed", d)
				}
				if d.Gate == policy.GateWrapper && len(d.Deferred)+len(d.Skipped) > 0 {
					t.Errorf("the wrapper's gate left something: %+v", d)
				}
			}
			if got, want := strings.Join(gates, " "), string(firstGate())+" wrapper start"; got != want {
				t.Errorf("gates %q, want %q", got, want)
			}
			w.refuse(pod, sleeps(people), "[phi-table, ")

			// NRI is gone, and the wrapper still refuses.
			w.must(w.gate.Process().Signal(syscall.SIGSTOP))
			w.must(w.gate.Process().Kill())
			w.configure("deadline: 1s")
			if _, err := w.node.RunPod(w.ctx, node.PodOptions{Namespace: "clinic-b"}); err == nil {
				t.Error("a pod's sandbox ran without phigated")
			} else {
				w.contains(err.Error(), "phigated does not answer")
			}
			w.must(w.gate.Start())
			w.must(w.gate.Ready(w.ctx))
		})
	}
}
