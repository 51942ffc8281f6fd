package inspect

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/rules"
)

func hostBind(sources ...string) *specs.Spec {
	s := &specs.Spec{}
	for _, source := range sources {
		s.Mounts = append(s.Mounts, specs.Mount{Type: "bind", Source: source, Destination: "/mnt", Options: []string{"rbind"}})
	}
	return s
}

// hostRoot makes a small host: /run/crio/crio.sock, links to it, a disk.
func hostRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"run/crio", "srv", "var", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "run/crio/crio.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"var/run": "/run", "srv/link": "/var/run/crio/crio.sock", "srv/up": "../../../../etc", "srv/loop": "loop", "srv/dangling": "/run/none",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]uint32{"dev/disk": unix.S_IFBLK, "dev/tty": unix.S_IFCHR, "dev/pipe": unix.S_IFIFO} {
		if err := unix.Mknod(filepath.Join(root, name), mode|0o600, int(unix.Mkdev(7, 0))); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestHostPaths(t *testing.T) {
	root := hostRoot(t)
	for _, tt := range []struct {
		name, source, want string
		disk               bool
	}{
		{"plain", "/srv", "/srv", false},
		{"through_two_links", "/srv/link", "/run/crio/crio.sock", false},
		{"link_in_the_middle", "/var/run/crio", "/run/crio", false},
		{"link_above_the_root", "/srv/up", "/etc", false},
		{"dots", "/srv/../run/./crio/", "/run/crio", false},
		{"missing", "/srv/none/x", "/srv/none/x", false},
		{"missing_below_a_link", "/var/run/none/x", "/run/none/x", false},
		{"dangling_link", "/srv/dangling", "/run/none", false},
		{"below_a_file", "/run/crio/crio.sock/x", "/run/crio/crio.sock/x", false},
		{"block_device", "/dev/disk", "/dev/disk", true},
		{"character_device", "/dev/tty", "/dev/tty", false},
		{"fifo", "/dev/pipe", "/dev/pipe", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &policy.Subject{Spec: hostBind(tt.source), Sees: policy.FactMounts}
			(&Host{Root: root}).Gather(t.Context(), s)
			if !s.Sees.Has(policy.FactHostPaths) {
				t.Fatal("host paths are not seen")
			}
			if got := s.Host.RealPath[tt.source]; got != tt.want || s.Host.BlockDevice[tt.source] != tt.disk {
				t.Errorf("got %q, block device %t; want %q, %t", got, s.Host.BlockDevice[tt.source], tt.want, tt.disk)
			}
		})
	}
}

func TestHostLeavesOutWhatItCannotAnswer(t *testing.T) {
	root := hostRoot(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		s      *policy.Subject
		reason string
	}{
		{"loop", t.Context(), &policy.Subject{Spec: hostBind("/srv", "/srv/loop"), Sees: policy.FactMounts}, "a link leads to itself"},
		{"time", ended, &policy.Subject{Spec: hostBind("/srv"), Sees: policy.FactMounts | policy.FactHostPaths}, "no time is left"},
		{"mounts_unseen", t.Context(), &policy.Subject{Spec: hostBind("/srv")}, "the mounts are not seen"},
		{"no_spec", t.Context(), &policy.Subject{Sees: policy.FactMounts}, "there is no spec"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			(&Host{Root: root}).Gather(tt.ctx, tt.s)
			if tt.s.Sees.Has(policy.FactHostPaths) && tt.s.Spec != nil {
				t.Errorf("host paths are seen although %s", tt.reason)
			}
			if _, ok := tt.s.Host.RealPath["/srv/loop"]; ok {
				t.Error("a path that could not be resolved is answered")
			}
		})
	}
}

// hostJoining is a spec that joins, makes and leaves out namespaces.
func hostJoining(netns string) *specs.Spec {
	return &specs.Spec{Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
		{Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.NetworkNamespace, Path: netns},
	}}}
}

func TestHostNamespaces(t *testing.T) {
	other := otherNetwork(t)
	for _, tt := range []struct {
		name, path string
		want       bool
	}{
		{"the_hosts", "/proc/self/ns/net", true},
		{"another", other, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &policy.Subject{Spec: hostJoining(tt.path), Sees: policy.FactNamespaces}
			(&Host{Root: "/"}).Gather(t.Context(), s)
			if !s.Sees.Has(policy.FactHostNamespaces) {
				t.Fatal("host namespaces are not seen")
			}
			want := map[specs.LinuxNamespaceType]bool{
				specs.NetworkNamespace: tt.want, specs.MountNamespace: false, specs.IPCNamespace: false,
				specs.PIDNamespace: true, specs.UTSNamespace: true, specs.UserNamespace: true, specs.CgroupNamespace: true, specs.TimeNamespace: true,
			}
			if diff := cmp.Diff(want, s.Host.OwnNamespace); diff != "" {
				t.Errorf("own namespaces (-want +got):\n%s", diff)
			}
		})
	}
}

// otherNetwork is the path of a network namespace that is not the host's: that
// of a child process, which ends with the test.
func otherNetwork(t *testing.T) string {
	t.Helper()
	child := exec.Command("cat")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // cat then ends, and Wait says how
		if err := child.Wait(); err != nil {
			t.Errorf("ending the child: %v", err)
		}
	})
	return fmt.Sprintf("/proc/%d/ns/net", child.Process.Pid)
}

func TestHostNamespacesUnanswered(t *testing.T) {
	for _, tt := range []struct{ name, root, path string }{
		{"the_process_is_gone", "/", "/proc/4194305/ns/net"},
		{"no_proc_on_the_host", t.TempDir(), "/proc/1/ns/net"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &policy.Subject{Spec: hostJoining(tt.path), Sees: policy.FactNamespaces | policy.FactHostNamespaces}
			(&Host{Root: tt.root}).Gather(t.Context(), s)
			if s.Sees.Has(policy.FactHostNamespaces) {
				t.Error("host namespaces are seen although they could not be compared")
			}
			r := (&Spec{Rules: rules.All()}).Inspect(t.Context(), s, nil)
			undecided := 0
			for _, k := range r.Skipped {
				if k.Rule == "host-network" && k.Kind == policy.Undecided {
					undecided++
				}
			}
			if undecided != 1 {
				t.Errorf("host-network is undecided %d times, want once", undecided)
			}
		})
	}
}

// TestGatherHostFeedsTheRules goes the whole way: a link that no spec shows
// leads to a runtime's socket.
func TestHostFeedsTheRules(t *testing.T) {
	s := &policy.Subject{Spec: hostBind("/srv/link", "/dev/disk"), Sees: policy.FactSpec}
	(&Host{Root: hostRoot(t)}).Gather(t.Context(), s)
	want := map[string]string{"runtime-socket-mounted": "mounts[0].source", "host-device": "mounts[1].source"}
	for _, f := range (&Spec{Rules: rules.All()}).Inspect(t.Context(), s, nil).Findings {
		if want[f.Rule] == f.Where.Field {
			delete(want, f.Rule)
		}
	}
	for rule := range want {
		t.Errorf("%s finds nothing", rule)
	}
}

// TestOnHostTellsWhatItAsked: the engine hands each inspector a copy, so what is
// decided upon the node's facts must come with the report.
func TestOnHostTellsWhatItAsked(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s := &policy.Subject{}
	var sum policy.Report
	sum.Add((&OnHost{Host: Host{Root: "/"}}).Inspect(t.Context(), s, &policy.Policy{}))
	sum.Add(policy.Report{})
	if sum.Host == nil || sum.Host.Name != name || s.Host.Name != "" {
		t.Errorf("the report says %+v of the node", sum.Host)
	}
}
