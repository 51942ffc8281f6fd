package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/install"
)

// What phigate could guard besides is advice, and no problem of a node whose pods it guards.
func TestAdvice(t *testing.T) {
	unwrap := func(t *testing.T, top string) { must(t, os.Remove(filepath.Join(top, install.WrapperFolder, "runc"))) }
	tests := map[string]struct {
		edit func(t *testing.T, top string)
		name string
		want string
	}{
		"wrapper_gone":    {unwrap, "wrapper: containerd", "its runc is /usr/sbin/runc"},
		"open_without_it": {unwrap, "fail-open", "ctr, nerdctl or Docker"},
		"docker_runtime": {func(t *testing.T, top string) {
			must(t, os.MkdirAll(filepath.Join(top, "etc/docker"), 0o755))
			must(t, os.WriteFile(filepath.Join(top, install.DockerConfig), []byte(`{"runtimes": {"own": {"path": "/opt/runc"}}}`), 0o600))
		}, "wrapper: docker's runtime own", "/opt/runc"},
		"unavailable": {func(t *testing.T, top string) {
			must(t, os.WriteFile(filepath.Join(top, install.WrapperConfig), []byte("runc: /usr/sbin/runc\nonUnavailable: deny\nonUnavailable.moby: allow\n"), 0o600))
		}, "wrapper configuration", "run unjudged in: moby"},
		"no_socket_unit": {func(t *testing.T, top string) { must(t, os.Remove(filepath.Join(top, install.SocketFile))) }, "boot order", "instead of waiting"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			top, f := healthy(t)
			test.edit(t, top)
			f.Disk, f.DiskErr = install.ReadContainerd(f.Tree)
			checks := Examine(f)
			if !Healthy(checks) {
				t.Errorf("the node is not called healthy: %+v", checks)
			}
			for _, c := range checks {
				if c.State == Advice && c.Name == test.name && strings.Contains(c.Says, test.want) && c.Next != "" {
					return
				}
			}
			t.Errorf("no advice %q says %q: %+v", test.name, test.want, checks)
		})
	}
}

// The wrapper refuses while phigated is away, whether containerd requires that or not.
func TestWrapperGuardsAlone(t *testing.T) {
	top, f := healthy(t)
	must(t, os.WriteFile(filepath.Join(top, install.DropIn), []byte("version = 3\n"), 0o600))
	f.Disk, f.DiskErr = install.ReadContainerd(f.Tree)
	if checks := Examine(f); !Healthy(checks) {
		t.Errorf("the node is not called healthy: %+v", checks)
	}
}

// A door that is known to be open is no problem of its own; one that should refuse and does not is.
func TestCanarysVerdict(t *testing.T) {
	for guarded, want := range map[bool]State{true: Problem, false: Advice} {
		if got := (door{name: "ctr", next: "x", guarded: guarded}).verdict(nil, nil); got[0].State != want || got[1].State != OK {
			t.Errorf("guarded %t: got %+v, want %s", guarded, got, want)
		}
	}
}
