package rules

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// owner knows which mounts from system folders the kubelet and the runtime
// make for the subject itself. Paths as of kubelet 1.36 and containerd 2.4.2
// (internal/cri/server/helpers.go).
type owner struct {
	pod       string // the pod's UID
	container string
	sandbox   string
	userns    bool
}

// The annotations are set by containerd's CRI itself (pkg/annotations), after
// those that a pod may pass through.
const (
	sandboxAnnotation = "io.kubernetes.cri.sandbox-id"
	podAnnotation     = "io.kubernetes.cri.sandbox-uid"
)

func newOwner(s *policy.Subject) owner {
	o := owner{pod: s.Pod.UID, container: s.ID, userns: userNamespace(s)}
	if s.Spec != nil {
		o.sandbox = s.Spec.Annotations[sandboxAnnotation]
		if o.pod == "" {
			o.pod = s.Spec.Annotations[podAnnotation]
		}
	}
	if o.sandbox == "" {
		o.sandbox = o.sandboxByMounts(s)
	}
	return o
}

// sandboxFiles are what the runtime mounts for every container of a pod, by
// their name in the sandbox's folder.
var sandboxFiles = map[string]string{
	"hostname": "/etc/hostname", "hosts": "/etc/hosts", "resolv.conf": "/etc/resolv.conf", "shm": "/dev/shm",
}

// sandboxByMounts takes the sandbox's ID from the first of its files where no
// annotation tells: files of another sandbox beside them are then foreign.
func (o owner) sandboxByMounts(s *policy.Subject) string {
	for _, m := range hostMounts(s) {
		for _, p := range m.paths {
			if id, file, ok := sandboxFile(p); ok && sandboxFiles[file] == path.Clean(m.Destination) {
				return id
			}
		}
	}
	return ""
}

// criFolder is containerd's CRI plug-in's, below its root and its state folder.
const criFolder = "/io.containerd.grpc.v1.cri/"

// sandboxFile splits ".../io.containerd.grpc.v1.cri/sandboxes/ID/FILE" and
// CRI-O's ".../overlay-containers/ID/userdata/FILE".
func sandboxFile(p string) (id, file string, ok bool) {
	if _, rest, found := strings.Cut(p, criFolder+"sandboxes/"); found {
		id, file, ok = strings.Cut(rest, "/")
		return id, file, ok && id != ""
	}
	if _, rest, found := strings.Cut(p, "/overlay-containers/"); found {
		id, file, ok = strings.Cut(rest, "/userdata/")
		return id, file, ok && id != ""
	}
	return "", "", false
}

// owns says whether what is mounted from p at dest was made for the subject.
func (o owner) owns(p, dest string) bool {
	if o.pod != "" && slashless(o.pod) && below(p, "/var/lib/kubelet/pods/"+o.pod) {
		return true
	}
	if id, file, ok := sandboxFile(p); ok {
		return o.sandbox != "" && id == o.sandbox && sandboxFiles[file] == path.Clean(dest)
	}
	if _, rest, ok := strings.Cut(p, criFolder+"image-volumes/"); ok {
		return o.sandbox != "" && strings.HasPrefix(rest, o.sandbox+"/")
	}
	if _, rest, ok := strings.Cut(p, criFolder+"containers/"); ok { // VOLUME of the image
		return o.container != "" && strings.HasPrefix(rest, o.container+"/volumes/")
	}
	return o.docker(p)
}

// docker says whether p is a named volume or one of the container's own files
// in the folder of Docker or Podman.
func (o owner) docker(p string) bool {
	if o.container != "" && slashless(o.container) && strings.HasPrefix(p, "/var/lib/docker/containers/"+o.container+"/") {
		return true
	}
	for _, dir := range []string{"/var/lib/docker/volumes/", "/var/lib/containers/storage/volumes/"} {
		if rest, ok := strings.CutPrefix(p, dir); ok {
			_, data, found := strings.Cut(rest, "/")
			return found && below(data, "_data")
		}
	}
	return false
}

// foreignPod says whether p is a volume of another pod, wherever the kubelet's
// root is.
func (o owner) foreignPod(p string) bool {
	before, _, ok := strings.Cut(p, "/volumes/kubernetes.io~")
	return ok && path.Base(path.Dir(before)) == "pods" && path.Base(before) != o.pod
}

// slashless guards against identities that would climb out of their folder.
func slashless(id string) bool { return !strings.ContainsAny(id, "/") && id != "." && id != ".." }

// containerdSys is containerd's own read-only /sys for pods with the host's
// network and a user namespace, where sysfs cannot be mounted anew.
func (o owner) containerdSys(m hostMount) bool {
	return o.userns && m.Source == "/sys" && m.Destination == "/sys" && slices.Contains(m.Options, "rro")
}

// userNamespace says whether the subject has a user namespace of its own.
func userNamespace(s *policy.Subject) bool {
	shared, _ := sharesHost(s, specs.UserNamespace)
	return !shared
}
