package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// This file is what containerd 2.4.2's CRI plug-in makes of such requests
// (internal/cri/server/container_create.go and podsandbox/sandbox_run_linux.go),
// with containerd's own options. What depends on the machine is fixed: cgroup
// v2, AppArmor and SELinux both enabled, though a kernel has one of them, and no
// devices but those of every container. enable_unprivileged_ports and _icmp are
// on, as since containerd 2.0.

const (
	containerID = "41d0c9f3b7a68252e1f0d9c8b7a6958473625140f3e2d1c0bfae9d8c7b6a5948"
	sandboxID   = "9f2c1f7d2d0e4b6fb3d7c1a5e8f9a0b1c2d3e4f5061728394a5b6c7d8e9f0a1b"
	sandboxPID  = "4711"

	stateSandbox = "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/" + sandboxID
	rootSandbox  = "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" + sandboxID
)

// containerSpec is the spec of one container of the pod.
func containerSpec(sandbox *cri.PodSandboxConfig, c *cri.ContainerConfig, imageUser string) (*specs.Spec, error) {
	sc := c.GetLinux().GetSecurityContext()
	label, err := processLabel(sandbox, sc)
	if err != nil {
		return nil, err
	}
	opts := []oci.SpecOpts{
		oci.WithoutRunMount, withoutDefaults, oci.WithProcessArgs("/pause"), oci.WithDefaultPathEnv, oci.WithNewPrivileges,
	}
	if !sc.GetPrivileged() {
		opts = append(opts, oci.WithLinuxNamespace(specs.LinuxNamespace{Type: specs.CgroupNamespace}))
	}
	opts = append(opts, withMounts(c, sc),
		oci.WithMaskedPaths(sc.GetMaskedPaths()), oci.WithReadonlyPaths(sc.GetReadonlyPaths()), withCapabilities(sc.GetCapabilities()))
	if sc.GetPrivileged() {
		opts = append(opts, oci.WithPrivileged, oci.WithAllKnownCapabilities, oci.WithAllDevicesAllowed)
		label = ""
	}
	opts = append(opts, oci.WithSelinuxLabel(label))
	if sc.GetNoNewPrivs() {
		opts = append(opts, oci.WithNoNewPrivileges)
	}
	if sc.GetReadonlyRootfs() {
		opts = append(opts, oci.WithRootFSReadonly())
	}
	opts = append(opts, withPodNamespaces(sc.GetNamespaceOptions()), withNotes(sandbox, c),
		withUser(sc.GetRunAsUser(), imageUser), withAppArmor(sc), withSeccomp(sc.GetSeccomp(), sc.GetPrivileged()))
	return generate(containerID, opts...)
}

// sandboxSpec is the spec of the pod's own container, the pause container.
func sandboxSpec(c *cri.PodSandboxConfig) (*specs.Spec, error) {
	sc := c.GetLinux().GetSecurityContext()
	n := sc.GetNamespaceOptions()
	label, err := initLabel(sc.GetSelinuxOptions())
	if err != nil {
		return nil, err
	}
	opts := []oci.SpecOpts{oci.WithoutRunMount, withoutDefaults, oci.WithRootFSReadonly(), oci.WithProcessArgs("/pause")}
	for kind, mode := range map[specs.LinuxNamespaceType]cri.NamespaceMode{
		specs.NetworkNamespace: n.GetNetwork(), specs.UTSNamespace: n.GetNetwork(), specs.PIDNamespace: n.GetPid(), specs.IPCNamespace: n.GetIpc(),
	} {
		if mode == cri.NamespaceMode_NODE {
			opts = append(opts, withoutNamespace(kind))
		}
	}
	userns := n.GetUsernsOptions().GetMode() == cri.NamespaceMode_POD
	if userns {
		opts = append(opts, oci.WithUserNamespace(idMappings(n.GetUsernsOptions().GetUids()), idMappings(n.GetUsernsOptions().GetGids())))
	}
	shm := stateSandbox + "/shm"
	if n.GetIpc() == cri.NamespaceMode_NODE {
		shm = "/dev/shm"
	}
	bind := []string{"rbind", "ro", "nosuid", "nodev", "noexec"}
	opts = append(opts, oci.WithoutMounts("/dev/shm"), oci.WithMounts([]specs.Mount{
		{Source: shm, Destination: "/dev/shm", Type: "bind", Options: bind},
		{Source: rootSandbox + "/resolv.conf", Destination: "/etc/resolv.conf", Type: "bind", Options: bind},
	}), oci.WithSelinuxLabel(label), withSysctls(c, userns), withSandboxNotes(c),
		withUser(sc.GetRunAsUser(), "65535"), withSeccomp(sc.GetSeccomp(), sc.GetPrivileged()))
	return generate(sandboxID, opts...)
}

func generate(id string, opts ...oci.SpecOpts) (*specs.Spec, error) {
	ctx := namespaces.WithNamespace(context.Background(), "k8s.io")
	spec, err := oci.GenerateSpecWithPlatform(ctx, nil, "linux/amd64", &containers.Container{ID: id}, opts...)
	if err != nil {
		return nil, err
	}
	spec.Linux.CgroupsPath = ""
	if id == sandboxID { // one path for each processor of this machine is among them
		spec.Linux.MaskedPaths = slices.DeleteFunc(spec.Linux.MaskedPaths, func(p string) bool { return strings.Contains(p, "/cpu") })
	}
	return spec, nil
}

// option makes a change of the spec alone an option.
func option(change func(*specs.Spec)) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
		change(s)
		return nil
	}
}

var withoutDefaults = option(func(s *specs.Spec) {
	s.Process.ApparmorProfile, s.Linux.Seccomp, s.Process.Rlimits = "", nil, nil
})

func withoutNamespace(kind specs.LinuxNamespaceType) oci.SpecOpts {
	return option(func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
	})
}

// withMounts puts the kubelet's mounts and the sandbox's files over the default
// ones, those with fewer parts first.
func withMounts(c *cri.ContainerConfig, sc *cri.LinuxContainerSecurityContext) oci.SpecOpts {
	return option(func(s *specs.Spec) {
		shm := stateSandbox + "/shm"
		if sc.GetNamespaceOptions().GetIpc() == cri.NamespaceMode_NODE {
			shm = "/dev/shm"
		}
		all := slices.Concat(c.GetMounts(), []*cri.Mount{
			{ContainerPath: "/etc/hostname", HostPath: rootSandbox + "/hostname", Readonly: sc.GetReadonlyRootfs()},
			{ContainerPath: "/etc/resolv.conf", HostPath: rootSandbox + "/resolv.conf", Readonly: sc.GetReadonlyRootfs()},
			{ContainerPath: "/dev/shm", HostPath: shm},
		})
		slices.SortStableFunc(all, func(a, b *cri.Mount) int { return parts(a) - parts(b) })
		s.Mounts = append(s.Mounts, specs.Mount{Source: "cgroup", Destination: "/sys/fs/cgroup", Type: "cgroup",
			Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}})
		s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool {
			return slices.ContainsFunc(all, func(over *cri.Mount) bool { return over.ContainerPath == m.Destination })
		})
		for _, m := range all {
			access := "rw"
			if m.Readonly {
				access = "ro"
			}
			s.Mounts = append(s.Mounts, specs.Mount{Source: m.HostPath, Destination: m.ContainerPath, Type: "bind", Options: []string{"rbind", "rprivate", access}})
		}
	})
}

func parts(m *cri.Mount) int { return strings.Count(filepath.Clean(m.ContainerPath), "/") }

// withCapabilities adds and drops as written, "ALL" before all others.
func withCapabilities(c *cri.Capability) oci.SpecOpts {
	var opts []oci.SpecOpts
	named := func(list []string) (out []string) {
		for _, name := range list {
			if strings.ToUpper(name) != "ALL" {
				out = append(out, "CAP_"+strings.ToUpper(name))
			}
		}
		return out
	}
	if slices.Contains(c.GetAddCapabilities(), "ALL") {
		opts = append(opts, oci.WithAllKnownCapabilities)
	}
	if slices.Contains(c.GetDropCapabilities(), "ALL") {
		opts = append(opts, oci.WithCapabilities(nil))
	}
	return oci.Compose(append(opts, oci.WithAddedCapabilities(named(c.GetAddCapabilities())), oci.WithDroppedCapabilities(named(c.GetDropCapabilities())))...)
}

// withPodNamespaces joins those of the sandbox's process.
func withPodNamespaces(n *cri.NamespaceOption) oci.SpecOpts {
	join := func(kind specs.LinuxNamespaceType, name string) oci.SpecOpts {
		return oci.WithLinuxNamespace(specs.LinuxNamespace{Type: kind, Path: "/proc/" + sandboxPID + "/ns/" + name})
	}
	opts := []oci.SpecOpts{join(specs.NetworkNamespace, "net"), join(specs.IPCNamespace, "ipc"), join(specs.UTSNamespace, "uts")}
	if n.GetPid() != cri.NamespaceMode_CONTAINER {
		opts = append(opts, join(specs.PIDNamespace, "pid"))
	}
	if u := n.GetUsernsOptions(); u.GetMode() == cri.NamespaceMode_POD {
		opts = append(opts, join(specs.UserNamespace, "user"), oci.WithUserNamespace(idMappings(u.GetUids()), idMappings(u.GetGids())))
	}
	return oci.Compose(opts...)
}

func idMappings(all []*cri.IDMapping) (out []specs.LinuxIDMapping) {
	for _, m := range all {
		out = append(out, specs.LinuxIDMapping{ContainerID: m.ContainerId, HostID: m.HostId, Size: m.Length})
	}
	return out
}

// hostNamespaces are the kinds in which a container of the pod joins the host's
// by the path of its sandbox's process.
func hostNamespaces(n *cri.NamespaceOption) (kinds []specs.LinuxNamespaceType) {
	for _, k := range []struct {
		mode  cri.NamespaceMode
		kinds []specs.LinuxNamespaceType
	}{
		{n.GetNetwork(), []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.UTSNamespace}},
		{n.GetIpc(), []specs.LinuxNamespaceType{specs.IPCNamespace}},
		{n.GetPid(), []specs.LinuxNamespaceType{specs.PIDNamespace}},
	} {
		if k.mode == cri.NamespaceMode_NODE {
			kinds = append(kinds, k.kinds...)
		}
	}
	return kinds
}

func withUser(uid *cri.Int64Value, image string) oci.SpecOpts {
	if uid != nil {
		image = strconv.FormatInt(uid.GetValue(), 10)
	}
	return option(func(s *specs.Spec) {
		n, err := strconv.ParseUint(image, 10, 32)
		if err != nil {
			panic(err) // a number of ours or of the standard's
		}
		s.Process.User = specs.User{UID: uint32(n)}
	})
}

func withAppArmor(sc *cri.LinuxContainerSecurityContext) oci.SpecOpts {
	profile := "cri-containerd.apparmor.d"
	switch p := sc.GetApparmor(); {
	case p.GetProfileType() == cri.SecurityProfile_Localhost && p != nil:
		profile = p.GetLocalhostRef()
	case p != nil && p.GetProfileType() == cri.SecurityProfile_Unconfined, sc.GetPrivileged():
		profile = ""
	}
	return option(func(s *specs.Spec) { s.Process.ApparmorProfile = profile })
}

// withSeccomp gives containerd's default profile without the calls that it lets
// through, some hundred names that no rule reads; a profile of the node's own is
// taken for one that denies everything.
func withSeccomp(p *cri.SecurityProfile, privileged bool) oci.SpecOpts {
	return option(func(s *specs.Spec) {
		switch {
		case privileged || p.GetProfileType() == cri.SecurityProfile_Unconfined:
			s.Linux.Seccomp = nil
		case p.GetProfileType() == cri.SecurityProfile_Localhost:
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
		default:
			s.Linux.Seccomp = seccomp.DefaultProfile(s)
			s.Linux.Seccomp.Syscalls = slices.DeleteFunc(s.Linux.Seccomp.Syscalls, func(c specs.LinuxSyscall) bool { return c.Action == specs.ActAllow })
		}
	})
}

func withSysctls(c *cri.PodSandboxConfig, userns bool) oci.SpecOpts {
	return option(func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{}
		if c.GetLinux().GetSecurityContext().GetNamespaceOptions().GetNetwork() != cri.NamespaceMode_NODE {
			s.Linux.Sysctl["net.ipv4.ip_unprivileged_port_start"] = "0"
			if !userns {
				s.Linux.Sysctl["net.ipv4.ping_group_range"] = "0 2147483647"
			}
		}
		for name, value := range c.GetLinux().GetSysctls() {
			s.Linux.Sysctl[name] = value
		}
	})
}

func withSandboxNotes(c *cri.PodSandboxConfig) oci.SpecOpts {
	return option(func(s *specs.Spec) {
		s.Annotations = map[string]string{
			"io.kubernetes.cri.sandbox-id": sandboxID, "io.kubernetes.cri.sandbox-uid": c.GetMetadata().GetUid(),
			"io.kubernetes.cri.sandbox-namespace": c.GetMetadata().GetNamespace(), "io.kubernetes.cri.container-type": "sandbox",
		}
	})
}

func withNotes(sandbox *cri.PodSandboxConfig, c *cri.ContainerConfig) oci.SpecOpts {
	return oci.Compose(withSandboxNotes(sandbox), option(func(s *specs.Spec) {
		s.Annotations["io.kubernetes.cri.container-type"] = "container"
		s.Annotations["io.kubernetes.cri.image-name"] = c.GetImage().GetImage()
	}))
}

// containerLabel is what SELinux's policy for containers gives one
// (lxc_contexts), with categories as containerd would draw them.
var containerLabel = [4]string{"system_u", "system_r", "container_t", "s0:c1,c2"}

// processLabel is the container's own label, or where it asks for nothing its sandbox's.
func processLabel(sandbox *cri.PodSandboxConfig, sc *cri.LinuxContainerSecurityContext) (string, error) {
	if o := sc.GetSelinuxOptions(); o.GetUser()+o.GetRole()+o.GetType()+o.GetLevel() != "" {
		return initLabel(o)
	}
	return initLabel(sandbox.GetLinux().GetSecurityContext().GetSelinuxOptions())
}

// selinuxLevel is the form that containerd demands of a level.
var selinuxLevel = regexp.MustCompile(`^s\d(-s\d)??(:c\d{1,4}(\.c\d{1,4})?(,c\d{1,4}(\.c\d{1,4})?)*)?$`)

var errLevel = errors.New("an SELinux level of this form is refused")

func initLabel(o *cri.SELinuxOption) (string, error) {
	if o.GetLevel() != "" && !selinuxLevel.MatchString(o.GetLevel()) {
		return "", fmt.Errorf("containerd: %w", errLevel)
	}
	label := containerLabel
	for i, word := range []string{o.GetUser(), o.GetRole(), o.GetType(), o.GetLevel()} {
		if word != "" {
			label[i] = word
		}
	}
	return strings.Join(label[:], ":"), nil
}
