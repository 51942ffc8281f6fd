package policy

import (
	"strconv"
	"strings"
)

// Origin is where a record was written, and by what. All of it but BootTimeUs and
// Clock is the same for as long as a phigated runs.
type Origin struct {
	Node string `json:"node"` // host name, as the kernel has it
	// Machine names the installation: machine-id(5) made this application's own, as
	// `systemd-id128 machine-id --app-specific=` prints it with phigate's ID
	// (plugin/daemon), since the machine's ID itself must stay on it.
	Machine string `json:"machineId,omitempty"`
	// Boot is the kernel's random boot ID, as the journal's _BOOT_ID has it, and
	// BootTimeUs the time since then, suspended time included (CLOCK_BOOTTIME). No
	// setting of the clock changes either.
	Boot       string `json:"bootId,omitempty"`
	BootTimeUs int64  `json:"bootTimeUs"`
	Clock      Clock  `json:"clock"`
	Version    string `json:"version"`          // of phigated
	Digest     string `json:"digest,omitempty"` // of phigated's executable, "sha256:..."
	KeyID      string `json:"keyId,omitempty"`  // of the key that the record's fingerprints are made with
}

// Clock says whether the kernel takes its clock for set by another one.
type Clock string

// The states of a clock. Unknown is one that the kernel gave no answer about.
const (
	ClockSynchronised   Clock = "synchronised"
	ClockUnsynchronised Clock = "unsynchronised"
	ClockUnknown        Clock = "unknown"
)

// Requester is who asked for a container, and what says so. It is never a guess:
// where nothing says it, Name is [UnknownRequester] and From is empty.
type Requester struct {
	Name string        `json:"name"`
	From RequesterFrom `json:"from,omitempty"`
}

// UnknownRequester is the name of a requester that nothing names.
const UnknownRequester = "unknown"

// RequesterFrom is what names a requester.
type RequesterFrom string

const (
	// FromAnnotation is the pod's [RequesterAnnotation]. It is as good as the
	// cluster's admission, which must set it and overwrite what a pod's author wrote.
	FromAnnotation RequesterFrom = "annotation"
	// FromOwner is a label that a controller of Kubernetes puts on its pods; the
	// kubelet is told of no other owner. A pod's author can write it, too.
	FromOwner RequesterFrom = "owner"
	// FromKubelet is the kubelet itself: a static pod, from a file or a URL of the node.
	FromKubelet RequesterFrom = "kubelet"
	// FromLogin is the kernel's login user ID of the process that started the
	// runtime (pam_loginuid(8)), which survives su and sudo.
	FromLogin RequesterFrom = "login"
)

// RequesterAnnotation names who created a pod: request.userInfo.username, as an
// admission webhook or policy of the cluster writes it (deploy/kubernetes/requester.yaml).
const RequesterAnnotation = "phigate.dev/requester"

// maxRequester bounds a requester's name, in bytes.
const maxRequester = 256

// PodRequester is who asked for a pod, by its annotations and labels.
func PodRequester(annotations, labels map[string]string) Requester {
	if name := annotations[RequesterAnnotation]; name != "" {
		return requester(name, FromAnnotation)
	}
	switch source := annotations["kubernetes.io/config.source"]; source { // pkg/kubelet/types, ConfigSourceAnnotationKey
	case "file", "http":
		return requester("static pod, "+source, FromKubelet)
	}
	if job := labels["batch.kubernetes.io/job-name"]; job != "" {
		return requester("Job "+job, FromOwner)
	}
	if pod := labels["statefulset.kubernetes.io/pod-name"]; pod != "" { // the set's name and an ordinal
		if i := strings.LastIndexByte(pod, '-'); i > 0 {
			return requester("StatefulSet "+pod[:i], FromOwner)
		}
	}
	return Requester{Name: UnknownRequester}
}

// LoginRequester is who started a runtime, by the kernel's login user ID; nil is none.
func LoginRequester(id *uint32) Requester {
	if id == nil {
		return Requester{}
	}
	return requester("uid "+strconv.FormatUint(uint64(*id), 10), FromLogin)
}

// requester is what stands in a record of a name from outside.
func requester(name string, from RequesterFrom) Requester {
	name = Printable(name)
	if len(name) > maxRequester {
		name = strings.ToValidUTF8(name[:maxRequester-3], "") + "..."
	}
	return Requester{Name: name, From: from}
}

// orUnknown is the requester of a subject: a container has one, a thing at rest none.
func (r Requester) orUnknown(container string) Requester {
	if r.Name == "" && container != "" {
		return Requester{Name: UnknownRequester}
	}
	return r
}
