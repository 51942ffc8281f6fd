package policy

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Subject is the container that is being judged, as far as the asking gate can
// see it. A field that a gate cannot fill is unknown, never compliant: Sees
// says which fields mean something.
type Subject struct {
	ID      string // the runtime's container ID; empty for something at rest
	Name    string // container name; for something at rest, the target as given
	Gate    Gate
	Runtime string // the client that starts it: "cri" for the kubelet's, "docker", "buildkit"...; empty for something at rest
	Pod     Pod
	Image   Image
	Layers  []string // content keys of the root filesystem's layers, lowest first
	Volumes []Volume // images that are mounted into it

	// Spec is the OCI runtime spec; Sees says which of its sections are filled.
	Spec *specs.Spec
	// Ports that the container offers, as far as its image and its pod say so.
	Ports []Port
	// PrivilegedPod is true when the container runtime interface admits
	// privileged containers to the pod. Meaningful with FactPrivilegedPod.
	PrivilegedPod bool
	Host          Host
	// PHIVolumes are patterns of host paths that hold ePHI, as the documents that
	// select the subject say; filled before rules are asked.
	PHIVolumes []string
	// GrantedPHIVolumes are those of them that a document says which selects the
	// subject by what its author does not control; ForeignPHIVolumes are those of
	// documents that do not select it so.
	GrantedPHIVolumes, ForeignPHIVolumes []string

	Sees  Facts // what this gate sees
	Later Facts // what LaterGate will see of the same container
	// Never holds the facts that this subject does not have by its nature: an
	// image at rest has no process. Rules that need them do not apply.
	Never     Facts
	LaterGate Gate

	// RuntimeNamespace is containerd's namespace, in which the ID is unique; empty outside containerd.
	RuntimeNamespace string
	// Requester is who asked for it, as far as the gate is told; the zero value is not known.
	Requester Requester
}

// RuntimeBuildKit is the Runtime of the steps of image builds. Where no policy
// says otherwise, isolation rules are audited for them.
const RuntimeBuildKit = "buildkit"

// Display names the subject as error lines do: namespace/container.
func (s *Subject) Display() string {
	name := s.Name
	if name == "" {
		name = s.ID
	}
	if s.Pod.Namespace != "" {
		name = s.Pod.Namespace + "/" + name
	}
	return Printable(name)
}

// Pod identifies the Kubernetes pod of a subject; all empty outside Kubernetes.
type Pod struct {
	Namespace, Name, UID string
	Labels               map[string]string
}

// Image identifies the image of a subject.
type Image struct {
	Ref    string // as the user wrote it
	Digest string // of the manifest, "sha256:..."; empty when unknown
	Config string // digest of the image config; empty when unknown
}

// Volume is an image that is mounted into the subject; its files are judged as
// the subject's own.
type Volume struct {
	Destination string   // absolute path in the container
	Layers      []string // content keys, lowest first
}

// Port is a port that the container offers.
type Port struct {
	Number   uint16
	Protocol string // "tcp", "udp" or "sctp"
	Field    string // where it is said: "image.config.ExposedPorts", "pod.portMappings[0]"
	// WholePod is true when the pod offers it and which container does is not known.
	WholePod bool
	// Host is the node's port on which it is published; 0 where it is not, or that is not known.
	Host uint16
}

// Host is what rules need to know of the node, gathered by plugin/inspect so
// that rules read no file.
type Host struct {
	Name string // the node's host name; empty where there is no node, or it is not known
	// RealPath is each mount source with its links resolved on the host.
	RealPath map[string]string
	// BlockDevice holds the mount sources (as written) that are block devices.
	BlockDevice map[string]bool
	// OwnNamespace says for each namespace type of the spec whether the
	// container shares it with the host.
	OwnNamespace map[specs.LinuxNamespaceType]bool
	// Storage says of each mount source whether what it lies on is encrypted.
	Storage map[string]Storage
	// Kernel is what the host's kernel is set to.
	Kernel Kernel
	// Sockets are those of this node's runtime and of the gate, wherever they lie.
	Sockets []string
}

// Storage says whether a block device or all below it are encrypted. The zero
// value is not known, which is never encrypted.
type Storage uint8

const (
	StorageUnknown   Storage = iota // no block device behind it, such as of overlayfs, NFS or btrfs, or it could not be asked
	StoragePlain                    // a block device that dm-crypt has no part in
	StorageEncrypted                // dm-crypt, or a device that lies on such devices alone
)

// Kernel is what rules need to know of the host's kernel.
type Kernel struct {
	AppArmor, SELinux bool   // the module is enabled
	CorePattern       string // kernel.core_pattern, core(5); empty: no dumps are written
}

// Gate names the point in a container's life at which it is judged.
type Gate string

// The gates. One container may pass several; they are joined by container ID.
const (
	GateCreate   Gate = "create"   // NRI CreateContainer, containerd below 2.2
	GateValidate Gate = "validate" // NRI ValidateContainerAdjustment
	GateStart    Gate = "start"    // NRI StartContainer
	GateWrapper  Gate = "wrapper"  // phigate-runc, before the runtime makes or restores it
	GateHook     Gate = "hook"     // phigate-hook, createRuntime
	GateCatchUp  Gate = "catch-up" // running before phigate was; nothing is stopped
	GateScan     Gate = "scan"     // phigate scan
	GatePull     Gate = "pull"     // an image arrives; a warning, no container is judged
)

// Facts is a set of things that a gate can see of a subject.
type Facts uint32

// The facts. Each rule names those it needs.
const (
	FactMounts Facts = 1 << iota
	FactArgs
	FactEnv
	FactNamespaces
	FactDevices
	FactDeviceRules // linux.resources.devices
	FactUser
	FactCapabilities
	FactNoNewPrivileges
	FactReadonlyRoot
	FactPropagation // linux.rootfsPropagation
	FactPrivilegedPod
	FactPorts          // image and pod ports
	FactFiles          // the root filesystem
	FactHostPaths      // Host.RealPath, Host.BlockDevice
	FactHostNamespaces // Host.OwnNamespace
	FactSeccomp
	FactLSM         // the AppArmor profile and the SELinux label
	FactMaskedPaths // linux.maskedPaths and readonlyPaths
	FactSysctls
	FactLimits // linux.resources.memory and pids
	FactRlimits
	FactTerminal
	FactMetadata    // the host name and the annotations
	FactImage       // the image's name, as it was asked for
	FactHostKernel  // Host.Kernel
	FactHostStorage // Host.Storage

	// FactSpec is all that a complete OCI runtime spec holds.
	FactSpec = FactMounts | FactArgs | FactEnv | FactNamespaces | FactDevices | FactDeviceRules |
		FactUser | FactCapabilities | FactNoNewPrivileges | FactReadonlyRoot | FactPropagation |
		FactSeccomp | FactLSM | FactMaskedPaths | FactSysctls | FactLimits | FactRlimits | FactTerminal | FactMetadata
	// FactHost is all that is asked of the node itself.
	FactHost = FactHostPaths | FactHostNamespaces | FactHostKernel | FactHostStorage
)

var factNames = []string{
	"mounts", "arguments", "environment", "namespaces", "devices", "device rules", "user",
	"capabilities", "no_new_privileges", "read-only root", "root propagation", "privileged pod",
	"ports", "files", "host paths", "host namespaces", "seccomp profile", "security labels", "masked paths", "sysctls",
	"resource limits", "process limits", "terminal", "host name and annotations", "image name", "host kernel", "host storage",
}

// Has says whether every fact of need is in f.
func (f Facts) Has(need Facts) bool { return f&need == need }

// String lists the facts for people.
func (f Facts) String() string {
	var names []string
	for i, name := range factNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
