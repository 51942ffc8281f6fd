package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// What cannot be recorded is not allowed; once there is room again it is, and
// the log says that there was none.
func TestDiskFull(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	base := r.image("plain")
	pod := r.pod(node.PodOptions{})
	r.must(r.gate.Stop())
	r.must(os.RemoveAll(r.gate.StateDir))
	r.must(os.MkdirAll(r.gate.StateDir, 0o700))
	r.must(syscall.Mount("tmpfs", r.gate.StateDir, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() {
		if err := r.gate.Stop(); err != nil {
			t.Error(err)
		}
		if err := syscall.Unmount(r.gate.StateDir, 0); err != nil {
			t.Error(err)
		}
	})
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	r.admit(pod, sleeps(base))

	filler := filepath.Join(r.gate.StateDir, "filler")
	f, err := os.Create(filler)
	r.must(err)
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	r.must(f.Close())
	// The log's last block has room for a few more records.
	r.eventually("creating is refused", 30*time.Second, func() bool {
		_, err = r.node.Create(r.ctx, pod, sleeps(base))
		return err != nil
	})
	r.contains(err.Error(), "phigate: refused clinic-a/", "no verdict", "recording", "no space left on device")

	r.must(os.Remove(filler))
	id := r.admit(pod, sleeps(base))
	if ds := r.verdicts(id); len(ds) != 2 || ds[0].Verdict != policy.Allow {
		t.Errorf("%d decisions on the container that came after, want 2", len(ds))
	}
	ds, err := r.gate.Decisions(r.ctx)
	r.must(err)
	outages := 0
	for _, d := range ds {
		if d.Kind == "log-outage" {
			outages++
		}
	}
	if outages == 0 {
		t.Error("the log does not say that records could not be written")
	}
}
