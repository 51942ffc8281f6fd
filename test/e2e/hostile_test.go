package e2e

import (
	"archive/tar"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// maxMemory is what a node gives phigated, in bytes.
const maxMemory = 256 << 20

// memory is the most that phigated has had in memory since it was started.
func (r *rig) memory() int64 {
	r.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.gate.Process().PID()))
	r.must(err)
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			r.must(err)
			return kib << 10
		}
	}
	r.Fatal("the kernel does not say how much memory phigated has had")
	return 0
}

// frugal fails when phigated has had more memory than a node gives it.
func (r *rig) frugal() {
	r.Helper()
	if got := r.memory(); got > maxMemory {
		r.Errorf("phigated has had %d MiB in memory, more than %d", got>>20, maxMemory>>20)
	}
}

// neverAllowed fails when there is a verdict of "allow" that nobody may have had.
func (r *rig) neverAllowed() {
	r.Helper()
	ds, err := r.gate.Decisions(r.ctx)
	r.must(err)
	for _, d := range ds {
		if d.Kind == "verdict" && d.Verdict == policy.Allow {
			r.Errorf("decision %d of gate %s allows", d.Seq, d.Gate)
		}
	}
}

// found lists the paths at which the newest verdict has findings of a rule.
func (r *rig) found(rule string) map[string]int {
	r.Helper()
	got := map[string]int{}
	for _, f := range r.newest().Findings {
		if f.Rule == rule {
			got[f.Path]++
		}
	}
	return got
}

// layer is the folder of the layer that has a file of this name at its root.
func (r *rig) layer(marker string) string {
	r.Helper()
	found, err := filepath.Glob(filepath.Join(r.node.Dir, "root/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs", marker))
	if err != nil || len(found) != 1 {
		r.Fatalf("%d layers have the marker (error %v), want 1", len(found), err)
	}
	return filepath.Dir(found[0])
}

// offline imports an image while phigated does not run and lets change edit the
// layer of the files; then phigated starts, and scans it.
func (r *rig) offline(name string, change func(layer string), files images.Files) string {
	r.Helper()
	r.must(r.gate.Stop())
	files["/marker-"+name] = images.Text("here\n")
	image := r.coldImage(name, files)
	change(r.layer("marker-" + name))
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	return image
}

// What an image can hold to keep a scanner from looking does not keep it: the
// scan ends, and what lies beside the trap is found.
func TestHostileImages(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	pod := r.pod(node.PodOptions{})
	people := images.Text(gate.Patients(5))
	secret := filepath.Join(t.TempDir(), "people.txt")
	r.must(os.WriteFile(secret, people.Body, 0o600))

	t.Run("special_files", func(t *testing.T) {
		r := r.in(t)
		image := r.offline("special", func(layer string) {
			l, err := net.Listen("unix", filepath.Join(layer, "srv/socket"))
			r.must(err)
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			r.must(l.Close())
		}, images.Files{
			"/srv/fifo":  {Type: tar.TypeFifo},
			"/srv/null":  {Type: tar.TypeChar, Major: 1, Minor: 3},
			"/srv/kmsg":  {Type: tar.TypeChar, Major: 1, Minor: 11},
			"/srv/block": {Type: tar.TypeBlock, Major: 7, Minor: 0},
			"/srv/z.txt": people,
		})
		r.refuse(pod, sleeps(image), "phi-table", "/srv/z.txt")
	})

	t.Run("links", func(t *testing.T) {
		r := r.in(t)
		image := r.image("links", images.Files{
			"/srv/loop-a": {Link: "loop-b"}, "/srv/loop-b": {Link: "loop-a"}, "/srv/self": {Link: "self"},
			"/srv/up":     {Link: "../../../../../../../../.." + secret},
			"/srv/out":    {Link: secret},
			"/srv/around": {Link: "/srv"},
			"/srv/host":   {Link: filepath.Dir(secret)},
			"/srv/z.txt":  people,
			"/srv/again":  {Hard: "/srv/z.txt"},
		})
		r.refuse(pod, sleeps(image), "phi-table")
		if got := r.found("phi-table"); len(got) != 2 || got["/srv/z.txt"] != 1 || got["/srv/again"] != 1 {
			t.Errorf("people were found at %d paths, want both names of the one file and nothing behind a link", len(got))
		}
	})

	t.Run("names_that_are_not_utf8", func(t *testing.T) {
		r := r.in(t)
		image := r.image("bytes", images.Files{
			"/srv/\xff\xfe\x80.txt":        people,
			"/srv/a\nb\x1b[31m\u202e.txt":  people,
			"/srv/\xc3/\xe2\x82/plain.txt": people,
		})
		answer := r.refuse(pod, sleeps(image), "phi-table")
		for _, c := range answer {
			if c < ' ' || c == '\u202e' || c == '\ufffd' {
				t.Errorf("the answer holds the character %U", c)
			}
		}
		if got := r.found("phi-table"); len(got) != 3 {
			t.Errorf("people were found at %d paths, want 3", len(got))
		}
	})

	t.Run("path_of_4096_bytes", func(t *testing.T) {
		r := r.in(t)
		// containerd cannot unpack it, as its own folder comes before it.
		image := r.offline("deep", func(layer string) {
			r.must(deepFile(layer, 4096, people.Body))
		}, images.Files{})
		r.refuse(pod, sleeps(image), "phi-table")
		for path := range r.found("phi-table") {
			if len(path) < 1000 || !strings.HasPrefix(path, "/dddddddd") {
				t.Errorf("people were found at a path of %d bytes", len(path))
			}
		}
	})

	t.Run("path_that_fits", func(t *testing.T) {
		r := r.in(t)
		long := strings.Repeat("/"+strings.Repeat("d", 99), 38) + "/people.txt"
		r.refuse(pod, sleeps(r.image("long", images.Files{long: people})), "phi-table")
	})

	t.Run("sparse_terabyte", func(t *testing.T) {
		r := r.in(t)
		image := r.offline("sparse", func(layer string) {
			r.must(os.Truncate(filepath.Join(layer, "srv/hole"), 1<<40))
			f, err := os.OpenFile(filepath.Join(layer, "srv/island.txt"), os.O_WRONLY, 0)
			r.must(err)
			_, err = f.WriteAt(people.Body, 1<<39)
			r.must(err)
			r.must(f.Truncate(1 << 40))
			r.must(f.Close())
		}, images.Files{"/srv/hole": {}, "/srv/island.txt": {}, "/srv/z.txt": people})
		r.refuse(pod, sleeps(image), "phi-table")
		found := r.found("phi-table")
		for _, path := range []string{"/srv/island.txt", "/srv/z.txt"} {
			if _, ok := found[path]; !ok {
				t.Errorf("the people in %s were not found", path)
			}
		}
	})

	t.Run("memory", func(t *testing.T) { r.in(t).frugal() })
	t.Run("no_verdict_of_allow", func(t *testing.T) { r.in(t).neverAllowed() })
}

// deepFile makes a file whose path below root has so many bytes, more than one
// system call takes.
func deepFile(root string, length int, body []byte) error {
	dir, err := unix.Open(root, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { unix.Close(dir) }()
	const step = 100
	for ; length > 2*step; length -= step {
		name := strings.Repeat("d", step-1)
		if err := unix.Mkdirat(dir, name, 0o755); err != nil {
			return err
		}
		next, err := unix.Openat(dir, name, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		unix.Close(dir)
		dir = next
	}
	fd, err := unix.Openat(dir, strings.Repeat("f", length-len("/.txt"))+".txt", unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "deep")
	if _, err := f.Write(body); err != nil {
		return err
	}
	return f.Close()
}

// A layer that goes away while it is read has no facts, and stays refused.
func TestLayerVanishes(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	pod := r.pod(node.PodOptions{})
	r.must(r.gate.Stop())
	many, err := images.Many("/many", 30_000, make([]byte, 4096))
	r.must(err)
	image := r.coldImage("vanishes", many)
	folder := r.layer("many")
	r.must(r.gate.Start())
	r.must(r.gate.Connected(r.ctx))
	r.refuse(pod, sleeps(image), "phigate: blocked", "scan in progress")
	r.must(os.RemoveAll(filepath.Join(folder, "many")))
	for range 3 { // it is tried again after a while
		r.eventually("the answer says that the layer is gone", 30*time.Second, func() bool {
			answer := r.refuse(pod, sleeps(image), "phigate: blocked", "image: ")
			return strings.Contains(answer, "the image could not be scanned: ") && strings.Contains(answer, "went away")
		})
		time.Sleep(1500 * time.Millisecond)
	}
	r.must(os.RemoveAll(folder))
	r.refuse(pod, sleeps(image)) // by containerd itself
	r.neverAllowed()
	r.frugal()
}
