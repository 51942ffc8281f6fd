package rules

import (
	"path"
	"slices"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
// 45 CFR 164.308(a)(4)(i): "Implement policies and procedures for authorizing
// access to electronic protected health information ..."
//
// Who can write to a runtime's socket starts privileged containers of their
// own. A read-only mount does not help: connecting is not writing to the file.
var runtimeSocketMounted = policy.Rule{
	Info: policy.Info{
		ID: "runtime-socket-mounted", Aliases: []string{"OCI-003"},
		Title:    "The container can reach the socket of a container runtime or of the gate",
		Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.InformationAccess},
		Controls: []policy.Control{podSecurity("baseline: hostPathVolumes"), cisKubernetes("5.2.11"), cisDocker("5.32")},
		Severity: policy.Critical, Default: policy.Block, Isolation: true,
		Rationale: "Access to ePHI must be authorized (164.308(a)(4)(i)) and technically limited to what was granted (164.312(a)(1)). " +
			"Whoever reaches the runtime's socket is root on the node: it starts containers, enters them and reads their files.",
		Fix: "Remove the mount; use the Kubernetes API, or mount the one file below it that the program needs.",
	},
	Needs: policy.FactMounts | policy.FactHostPaths,
	Early: policy.FactMounts,
	Check: checkRuntimeSocket,
}

// sockets are where runtimes and their relatives listen, below /run as
// [hostPath] writes it.
var sockets = []string{
	"/run/containerd/containerd.sock", "/run/containerd/containerd.sock.ttrpc", "/run/docker.sock",
	"/run/docker/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock", "/run/crio/crio.sock",
	"/run/podman/podman.sock", "/run/buildkit/buildkitd.sock", "/run/dockershim.sock", "/run/cri-dockerd.sock",
	"/run/nri/nri.sock", "/var/lib/kubelet/pod-resources/kubelet.sock", "/run/phigate/phigate.sock",
}

// socketNames are told by their name wherever they lie. kubelet.sock is not
// one: device plug-ins need the one in their folder.
var socketNames = []string{
	"containerd.sock", "containerd.sock.ttrpc", "docker.sock", "crio.sock", "podman.sock", "buildkitd.sock",
	"dockershim.sock", "cri-dockerd.sock", "nri.sock", "phigate.sock",
}

// socketFolders hold nothing else, so that whatever lies in them is one.
var socketFolders = []string{"/run/nri", "/run/phigate", "/var/lib/kubelet/pod-resources"}

func checkRuntimeSocket(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	own := slices.Clone(sockets)
	for _, socket := range s.Host.Sockets {
		own = append(own, hostPath(socket))
	}
	for _, m := range hostMounts(s) {
		for _, p := range m.paths {
			if what, ok := reachesSocket(p, own); ok {
				found = append(found, at(m.field(), "%s mounted from %s", what, policy.Printable(p)))
				break
			}
		}
	}
	return found
}

// reachesSocket says whether a path of the host is a runtime's socket or a
// folder above one. A socket at an unusual place under an unusual name, or in
// an unusual folder that is mounted whole, cannot be told from the path.
func reachesSocket(p string, sockets []string) (what string, ok bool) {
	if slices.Contains(socketNames, path.Base(p)) || slices.Contains(sockets, p) {
		return "runtime socket", true
	}
	if slices.ContainsFunc(socketFolders, func(dir string) bool { return below(p, dir) }) {
		return "runtime socket folder", true
	}
	if slices.ContainsFunc(sockets, func(socket string) bool { return below(socket, p) }) {
		return "folder with a runtime socket", true
	}
	return "", false
}
