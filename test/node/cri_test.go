package node

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/images"
)

// Each option has its effect inside a real container.
func TestContainerOptions(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	n := start(t, ctx, Options{})
	base, err := images.Base()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Import(ctx, "localhost/base:1", base); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		pod    PodOptions
		app    ContainerOptions
		script string
		want   string // in what the script prints
	}{
		"plain":         {script: "grep -e NoNewPrivs -e CapEff /proc/self/status", want: "CapEff:\t00000000a80425fb\nNoNewPrivs:\t0"},
		"environment":   {app: ContainerOptions{Env: []string{"A=b=c"}}, script: "echo $A", want: "b=c"},
		"no_new_privs":  {app: ContainerOptions{NoNewPrivs: true}, script: "grep NoNewPrivs /proc/self/status", want: "\t1"},
		"added_cap":     {app: ContainerOptions{AddCaps: []string{"SYS_ADMIN"}}, script: "grep CapEff /proc/self/status", want: "a82425fb"},
		"dropped_caps":  {app: ContainerOptions{DropCaps: []string{"ALL"}}, script: "grep CapEff /proc/self/status", want: "0000000000000000"},
		"user":          {app: ContainerOptions{User: 1234}, script: "id -u", want: "1234"},
		"readonly_root": {app: ContainerOptions{ReadonlyRoot: true}, script: "touch /x 2>&1 || true", want: "Read-only file system"},
		"mount": {app: ContainerOptions{Mounts: []*runtimeapi.Mount{{HostPath: "/proc/version", ContainerPath: "/srv/v", Readonly: true}}},
			script: "cat /srv/v", want: "Linux version"},
		"device": {app: ContainerOptions{Devices: []*runtimeapi.Device{{HostPath: "/dev/zero", ContainerPath: "/dev/nil", Permissions: "r"}}},
			script: "head -c 2 /dev/nil | wc -c", want: "2"},
		"host_pid":     {pod: PodOptions{HostPID: true}, app: ContainerOptions{HostPID: true}, script: "ls -d /proc/2/task/2; echo $$", want: "/proc/2/task/2"},
		"host_network": {script: "readlink /proc/self/ns/net", want: readlink(t, "/proc/self/ns/net")},
		"privileged": {pod: PodOptions{Privileged: true}, app: ContainerOptions{Privileged: true},
			script: "mount | grep 'sysfs.*rw' >/dev/null && echo writable", want: "writable"},
		"modified": {app: ContainerOptions{Modify: func(c *runtimeapi.ContainerConfig) { c.WorkingDir = "/tmp" }}, script: "pwd", want: "/tmp"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod, err := n.RunPod(ctx, test.pod)
			if err != nil {
				t.Fatal(err)
			}
			test.app.Image, test.app.Command, test.app.Args = "localhost/base:1", []string{"/bin/sh", "-c"}, []string{test.script}
			id := run(t, ctx, n, pod, test.app)
			if code, err := n.WaitExit(ctx, id); err != nil || code != 0 {
				t.Errorf("the container ended with %d (%v), want 0", code, err)
			}
			out, err := n.Output(ctx, id)
			if err != nil || !strings.Contains(out, test.want) {
				t.Errorf("the container printed %q (%v), want %q in it", out, err, test.want)
			}
			if err := n.RemovePod(ctx, pod); err != nil {
				t.Error(err)
			}
		})
	}
}

func readlink(t *testing.T, path string) string {
	t.Helper()
	target, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	return target
}
