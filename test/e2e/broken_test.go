package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// A content store that answers with what it should not have, or not at all.
func TestContentStoreDamaged(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	image := r.image("plain", images.Env{"MARK=4711"})
	pod := r.pod(node.PodOptions{})
	blobs := filepath.Join(r.node.Dir, "root/io.containerd.content.v1.content/blobs/sha256")
	config, data := r.blob(blobs, "MARK=4711")

	// What is remembered must not hide the damage.
	r.must(r.gate.Stop())
	r.must(os.WriteFile(config, []byte(strings.Replace(string(data), "MARK=4711", "MARK=4712", 1)), 0o600))
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	r.refuse(pod, sleeps(image), "phigate: refused clinic-a/app-", "is damaged", "phigated")

	r.must(os.Remove(config))
	r.refuse(pod, sleeps(image))
	r.neverAllowed()

	r.must(os.WriteFile(config, data, 0o600))
	r.admit(pod, sleeps(image))
}

// blob finds the small blob that holds the text.
func (r *rig) blob(folder, text string) (path string, data []byte) {
	r.Helper()
	entries, err := os.ReadDir(folder)
	r.must(err)
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Size() > 64<<10 {
			continue
		}
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		r.must(err)
		if strings.Contains(string(data), text) {
			return filepath.Join(folder, e.Name()), data
		}
	}
	r.Fatal("no blob holds the text")
	return "", nil
}

func TestPolicyOfTenMegabytes(t *testing.T) {
	r := newRig(t, node.Options{}, gate.Options{Policies: map[string]string{"clinic.yaml": lenient}})
	good := r.policy(func(p ask.PolicyStatus) bool { return p.Digest != "" })
	image := r.image("plain")
	pod := r.pod(node.PodOptions{})
	r.must(r.gate.WritePolicy("huge.yaml", lenient+strings.Repeat("# nothing\n", 1<<20)))
	bad := r.policy(func(p ask.PolicyStatus) bool { return p.Error != "" })
	r.contains(bad.Error, "huge.yaml", "bytes")
	if bad.Digest != good.Digest {
		t.Errorf("policy %s is in force, want the good one, %s", bad.Digest, good.Digest)
	}
	r.admit(pod, sleeps(image)) // under the good one
	r.frugal()

	// Many files of an allowed size are as much.
	r.must(os.Remove(filepath.Join(r.gate.Policies, "huge.yaml")))
	r.policy(func(p ask.PolicyStatus) bool { return p.Error == "" })
	part := lenient + strings.Repeat("# nothing\n", 20_000)
	for i := range 200 {
		r.must(r.gate.WritePolicy(fmt.Sprintf("part-%d.yaml", i), part))
	}
	r.policy(func(p ask.PolicyStatus) bool { return strings.Contains(p.Error, "bytes") })
	r.frugal()
	r.must(r.gate.Stop())
	r.must(os.Remove(filepath.Join(r.gate.StateDir, "policy.last-good.json")))
	r.must(r.gate.Start())
	r.must(r.gate.Connected(r.ctx))
	r.refuse(pod, sleeps(image), "no policy is in force")
	r.frugal()
}

// Where containerd's socket is not containerd's, nothing can be known of a
// container; phigated stays, says so, and refuses.
func TestSocketIsNotContainerd(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	image := r.image("plain")
	pod := r.pod(node.PodOptions{})
	config, err := os.ReadFile(r.gate.Config)
	r.must(err)
	tests := []struct {
		name  string
		serve func(net.Conn)
	}{
		{"speaks_http_1", func(c net.Conn) {
			buf := make([]byte, 1024)
			for {
				if _, err := c.Read(buf); err != nil {
					return
				}
				fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			}
		}},
		{"speaks_garbage", func(c net.Conn) { _, _ = c.Write([]byte(strings.Repeat("\x00\xff\x17", 100_000))) }},
		{"never_answers", func(net.Conn) { time.Sleep(time.Minute) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := r.in(t)
			fake := filepath.Join(r.node.Dir, "fake.sock")
			l, err := net.Listen("unix", fake)
			r.must(err)
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() { defer c.Close(); tt.serve(c) }()
				}
			}()
			r.must(r.gate.Stop())
			r.must(os.WriteFile(r.gate.Config, []byte(strings.Replace(string(config), r.node.Address, fake, 1)), 0o600))
			r.must(r.gate.Start())
			r.must(r.gate.Connected(r.ctx))
			r.refuse(pod, sleeps(image), "phigate: refused clinic-a/app-", "no verdict")
			r.eventually("the status names the socket", 5*time.Second, func() bool {
				s, err := r.gate.Status(r.ctx)
				return err == nil && !s.Scan.Idle && strings.Contains(s.Scan.Error, fake)
			})
			if !r.gate.Process().Running() {
				t.Error("phigated has ended")
			}
			r.frugal()
		})
	}
	r.neverAllowed()
	r.must(r.gate.Stop())
	r.must(os.WriteFile(r.gate.Config, config, 0o600))
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	r.admit(pod, sleeps(image))
}

// A containerd that hangs after it was connected to is not waited for.
func TestContainerdHangs(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	r.must(r.node.Process().Freeze())
	ended := make(chan error, 1)
	go func() { ended <- r.gate.Stop() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ending phigated while containerd hangs: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("phigated does not end while containerd hangs")
	}
	r.must(r.node.Process().Signal(syscall.SIGCONT))
}
