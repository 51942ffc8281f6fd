package main

import (
	"encoding/json"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// This file is what the kubelet of Kubernetes 1.37 asks of the runtime for a
// pod (pkg/kubelet/kuberuntime and pkg/securitycontext), as far as it matters to
// the standards: seccompDefault off, which is its default, and the kubelet's
// root at its usual place.

// Identities that a node would make up.
const (
	podUID    = "6b1f3f0e-8a0c-4a51-9d4a-0d6f6f0b7a11"
	podFolder = "/var/lib/kubelet/pods/" + podUID
	folder    = "container" // of each container below the pod's, by its name in truth: so that specs differ where it matters
	hostID    = 131072      // to which user 0 of a pod with a user namespace is mapped
)

// maskedPaths and readonlyPaths are those of procMount: Default.
var (
	maskedPaths = []string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// sandboxConfig is what the kubelet asks for the pod itself.
func sandboxConfig(pod *corev1.Pod) *cri.PodSandboxConfig {
	sc := podSecurity(pod)
	linux := &cri.LinuxSandboxSecurityContext{
		Privileged:       anyPrivileged(pod),
		NamespaceOptions: namespaceOption(pod),
		RunAsUser:        int64Value(sc.RunAsUser),
		SelinuxOptions:   selinux(sc.SELinuxOptions),
		Seccomp:          &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault},
	}
	config := &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: pod.Name, Namespace: pod.Namespace, Uid: podUID},
		Linux:    &cri.LinuxPodSandboxConfig{SecurityContext: linux, Sysctls: map[string]string{}},
	}
	for _, s := range sc.Sysctls {
		config.Linux.Sysctls[s.Name] = s.Value
	}
	return config
}

// containerConfig is what it asks for one container.
func containerConfig(pod *corev1.Pod, c *corev1.Container) *cri.ContainerConfig {
	sc := effective(pod, c)
	linux := &cri.LinuxContainerSecurityContext{
		NamespaceOptions: namespaceOption(pod),
		Privileged:       sc.Privileged != nil && *sc.Privileged,
		ReadonlyRootfs:   sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem,
		NoNewPrivs:       sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation,
		RunAsUser:        int64Value(sc.RunAsUser),
		SelinuxOptions:   selinux(sc.SELinuxOptions),
		Seccomp:          seccompProfile(pod, c),
		Apparmor:         appArmorProfile(pod, c),
		MaskedPaths:      maskedPaths,
		ReadonlyPaths:    readonlyPaths,
	}
	if sc.ProcMount != nil && *sc.ProcMount == corev1.UnmaskedProcMount {
		linux.MaskedPaths, linux.ReadonlyPaths = []string{}, []string{}
	}
	if sc.Capabilities != nil {
		linux.Capabilities = &cri.Capability{AddCapabilities: words(sc.Capabilities.Add), DropCapabilities: words(sc.Capabilities.Drop)}
	}
	return &cri.ContainerConfig{
		Metadata:    &cri.ContainerMetadata{Name: c.Name},
		Image:       &cri.ImageSpec{Image: c.Image, UserSpecifiedImage: c.Image},
		Mounts:      mounts(pod, c),
		Annotations: annotations(c),
		Linux:       &cri.LinuxContainerConfig{SecurityContext: linux},
	}
}

// imageUser is the user that the image names. The standards judge a pod whatever
// its image is: it is root, unless the kubelet would not start that.
func imageUser(pod *corev1.Pod, c *corev1.Container) string {
	if sc := effective(pod, c); sc.RunAsUser == nil && sc.RunAsNonRoot != nil && *sc.RunAsNonRoot {
		return "65535"
	}
	return "0"
}

func podSecurity(pod *corev1.Pod) *corev1.PodSecurityContext {
	if pod.Spec.SecurityContext == nil {
		return &corev1.PodSecurityContext{}
	}
	return pod.Spec.SecurityContext
}

// effective is the container's own security context over the pod's.
func effective(pod *corev1.Pod, c *corev1.Container) corev1.SecurityContext {
	p := podSecurity(pod)
	sc := corev1.SecurityContext{SELinuxOptions: p.SELinuxOptions, RunAsUser: p.RunAsUser, RunAsGroup: p.RunAsGroup, RunAsNonRoot: p.RunAsNonRoot}
	if own := c.SecurityContext; own != nil {
		over := *own
		if over.SELinuxOptions == nil {
			over.SELinuxOptions = sc.SELinuxOptions
		}
		if over.RunAsUser == nil {
			over.RunAsUser = sc.RunAsUser
		}
		if over.RunAsGroup == nil {
			over.RunAsGroup = sc.RunAsGroup
		}
		if over.RunAsNonRoot == nil {
			over.RunAsNonRoot = sc.RunAsNonRoot
		}
		return over
	}
	return sc
}

func anyPrivileged(pod *corev1.Pod) bool {
	for _, c := range podContainers(pod) {
		if sc := c.SecurityContext; sc != nil && sc.Privileged != nil && *sc.Privileged {
			return true
		}
	}
	return false
}

// podContainers are the pod's in the order of their start.
func podContainers(pod *corev1.Pod) []corev1.Container {
	return append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...)
}

func namespaceOption(pod *corev1.Pod) *cri.NamespaceOption {
	mode := func(host bool, other cri.NamespaceMode) cri.NamespaceMode {
		if host {
			return cri.NamespaceMode_NODE
		}
		return other
	}
	n := &cri.NamespaceOption{
		Network:       mode(pod.Spec.HostNetwork, cri.NamespaceMode_POD),
		Ipc:           mode(pod.Spec.HostIPC, cri.NamespaceMode_POD),
		Pid:           mode(pod.Spec.HostPID, cri.NamespaceMode_CONTAINER),
		UsernsOptions: &cri.UserNamespace{Mode: cri.NamespaceMode_NODE},
	}
	if pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers {
		ids := []*cri.IDMapping{{HostId: hostID, ContainerId: 0, Length: 65536}}
		n.UsernsOptions = &cri.UserNamespace{Mode: cri.NamespaceMode_POD, Uids: ids, Gids: ids}
	}
	return n
}

func selinux(o *corev1.SELinuxOptions) *cri.SELinuxOption {
	if o == nil {
		return nil
	}
	return &cri.SELinuxOption{User: o.User, Role: o.Role, Type: o.Type, Level: o.Level}
}

// seccompProfile is the container's profile, else the pod's, else none.
func seccompProfile(pod *corev1.Pod, c *corev1.Container) *cri.SecurityProfile {
	profile := podSecurity(pod).SeccompProfile
	if c.SecurityContext != nil && c.SecurityContext.SeccompProfile != nil {
		profile = c.SecurityContext.SeccompProfile
	}
	switch {
	case profile == nil || profile.Type == corev1.SeccompProfileTypeUnconfined:
		return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
	case profile.Type == corev1.SeccompProfileTypeLocalhost:
		return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Localhost, LocalhostRef: "/var/lib/kubelet/seccomp/" + *profile.LocalhostProfile}
	}
	return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault}
}

// appArmorProfile is the container's profile, else the pod's, else what the annotation
// of old says, which the API server copies into the field.
func appArmorProfile(pod *corev1.Pod, c *corev1.Container) *cri.SecurityProfile {
	profile := podSecurity(pod).AppArmorProfile
	if c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil {
		profile = c.SecurityContext.AppArmorProfile
	}
	note := pod.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]
	local, isLocal := strings.CutPrefix(note, corev1.DeprecatedAppArmorBetaProfileNamePrefix)
	if profile != nil && profile.LocalhostProfile != nil {
		local, isLocal = *profile.LocalhostProfile, true
	}
	switch {
	case isLocal:
		return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Localhost, LocalhostRef: local}
	case profile != nil && profile.Type == corev1.AppArmorProfileTypeUnconfined,
		profile == nil && note == corev1.DeprecatedAppArmorBetaProfileNameUnconfined:
		return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
	case profile != nil || note != "":
		return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault}
	}
	return nil
}

// annotations are those of the kubelet's notes on a container that say
// something of the pod.
func annotations(c *corev1.Container) map[string]string {
	if len(c.Ports) == 0 {
		return nil
	}
	ports, err := json.Marshal(c.Ports)
	if err != nil {
		panic(err) // numbers and words
	}
	return map[string]string{"io.kubernetes.container.ports": string(ports)}
}

// mounts are the pod's volumes that the container mounts, and what the kubelet
// and the API server give every container.
func mounts(pod *corev1.Pod, c *corev1.Container) []*cri.Mount {
	out := []*cri.Mount{{
		ContainerPath: "/var/run/secrets/kubernetes.io/serviceaccount", Readonly: true,
		HostPath: podFolder + "/volumes/kubernetes.io~projected/kube-api-access-x7k2p",
	}}
	for _, m := range c.VolumeMounts {
		for _, v := range pod.Spec.Volumes {
			if v.Name == m.Name {
				out = append(out, &cri.Mount{ContainerPath: m.MountPath, HostPath: volumePath(v), Readonly: m.ReadOnly})
			}
		}
	}
	return append(out,
		&cri.Mount{ContainerPath: "/etc/hosts", HostPath: podFolder + "/etc-hosts"},
		&cri.Mount{ContainerPath: "/dev/termination-log", HostPath: podFolder + "/containers/" + folder + "/5d2b8a1c"})
}

// volumePath is where a volume lies on the node: all but hostPath below the
// pod's folder, by the plug-in that serves it. Types that this kubelet no longer
// knows, or hands to a CSI driver, are taken as they were.
func volumePath(v corev1.Volume) string {
	if v.HostPath != nil {
		return v.HostPath.Path
	}
	var plugin string
	value := reflect.ValueOf(v.VolumeSource)
	for i := range value.NumField() {
		if !value.Field(i).IsNil() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			plugin = pluginName(name)
		}
	}
	return podFolder + "/volumes/kubernetes.io~" + plugin + "/" + v.Name
}

// pluginName is the name of a volume's plug-in; a claim is served by another's,
// here by CSI.
func pluginName(field string) string {
	switch field {
	case "persistentVolumeClaim":
		return "csi"
	case "emptyDir":
		return "empty-dir"
	case "downwardAPI":
		return "downward-api"
	}
	return strings.ToLower(field)
}

func int64Value(n *int64) *cri.Int64Value {
	if n == nil {
		return nil
	}
	return &cri.Int64Value{Value: *n}
}

func words(caps []corev1.Capability) (out []string) {
	for _, c := range caps {
		out = append(out, string(c))
	}
	return out
}
