package rules

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// Every container has mounts from below these folders: the kubelet's volumes
// for its own pod, and the files that the runtime makes for it. [ownMount]
// knows them; the folders above them and those of other pods are violations.
var hostPathMounted = policy.Rule{
	Info: policy.Info{
		ID: "host-path-mounted", Aliases: []string{"OCI-004"},
		Title:    "A system path of the host is mounted into the container",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Controls: []policy.Control{podSecurity("baseline: hostPathVolumes"), cisKubernetes("5.2.11"), cisDocker("5.6")},
		Severity: policy.Critical, Default: policy.Block, Isolation: true,
		Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). The host's system " +
			"folders hold its accounts and keys, and the files and volumes of every other container.",
		Fix: "Mount a volume instead; a log agent may have /var/log, read-only.",
	},
	Needs: policy.FactMounts | policy.FactHostPaths,
	Early: policy.FactMounts,
	Check: checkHostPath,
}

// systemPaths are closed to containers, with all below and all above them.
var systemPaths = []string{
	"/etc", "/root", "/home", "/boot", "/proc", "/sys", "/dev",
	"/var/lib/kubelet", "/var/lib/containerd", "/run/containerd", "/var/lib/docker", "/var/lib/containers",
	"/var/lib/etcd", "/var/lib/phigate",
}

// writtenPaths are closed to writers. Programs read /usr and modules read
// /lib/modules harmlessly; log agents read /var/log. The folder of one program
// below /var/log is its own matter.
var writtenPaths = []string{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/var/spool/cron"}

var writtenLogs = []string{"/var/log", "/var/log/pods", "/var/log/containers", "/var/log/journal", "/var/log/audit"}

// harmless are below closed folders and tell or change nothing that matters.
// They are common in ordinary pods, and often writable by oversight, which for
// these changes a clock's zone at most.
var harmless = []string{
	"/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo",
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/log",
}

// harmlessRead are harmless when they are mounted read-only: public
// certificates and what every container has a copy of anyway.
var harmlessRead = []string{
	"/etc/ssl/certs", "/etc/ca-certificates", "/etc/pki/ca-trust", "/etc/pki/tls/certs",
	"/etc/os-release", "/etc/machine-id", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname",
}

func checkHostPath(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	own := newOwner(s)
	for _, m := range hostMounts(s) {
		if own.containerdSys(m) || isSharedMemory(s, m) {
			continue
		}
		for _, p := range m.paths {
			if own.foreignPod(p) || !own.owns(p, m.Destination) && closed(p, m.writable()) {
				found = append(found, at(m.field(), "host path %s mounted", policy.Printable(p)))
				break
			}
		}
	}
	return found
}

// isSharedMemory says whether a mount is the host's shared memory, which
// containerd's CRI and Docker mount into each container of the host's IPC
// namespace: that is what host-ipc reports. Without that namespace somebody has
// asked for the folder.
func isSharedMemory(s *policy.Subject, m hostMount) bool {
	const folder = "/dev/shm"
	if m.Destination != folder || slices.ContainsFunc(m.paths, func(p string) bool { return p != folder }) || !s.Sees.Has(policy.FactNamespaces) {
		return false
	}
	shared, _ := sharesHost(s, specs.IPCNamespace)
	return shared
}

// closed says whether a path of the host is one that containers must not have.
func closed(p string, writable bool) bool {
	in := func(dir string) bool { return below(p, dir) }
	above := func(dir string) bool { return below(dir, p) }
	switch {
	case isHarmless(p, writable):
		return false
	case slices.ContainsFunc(systemPaths, in), slices.ContainsFunc(systemPaths, above):
		return true
	case writable:
		return slices.ContainsFunc(writtenPaths, in) || slices.ContainsFunc(writtenPaths, above) || slices.Contains(writtenLogs, p)
	}
	return false
}

// isHarmless says whether a path tells and changes nothing that matters, or is
// a device of its own kind.
func isHarmless(p string, writable bool) bool {
	in := func(dir string) bool { return below(p, dir) }
	return slices.ContainsFunc(harmless, in) || !writable && slices.ContainsFunc(harmlessRead, in) || gpu(p)
}

// gpu says whether a path is a graphics or compute device.
func gpu(p string) bool {
	return strings.HasPrefix(p, "/dev/nvidia") || below(p, "/dev/dri") || p == "/dev/kfd" || p == "/dev/dxg"
}
