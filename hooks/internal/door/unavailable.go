package door

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/phigate/phigate/hooks/internal/bundle"
)

// Unavailable says which containers run where phigated gives no answer. The
// zero value lets none.
//
// It goes by namespaces, and these only by what who starts containers cannot choose:
//
//   - containerd's own, "moby" of Docker and "default" of ctr and nerdctl among them, by the folder in which
//     containerd's shim has made the bundle;
//   - for the kubelet's, "k8s.io/NAME", the pod's namespace besides. CRI writes it into the
//     spec behind all that a pod can bring (sandbox-namespace, below), and it is believed in
//     containerd's namespace k8s.io alone: elsewhere a client could write the same annotation.
//
// Labels, images and other annotations say nothing here: a pod's author writes them. Runtimes
// other than containerd (CRI-O, Podman) take over a pod's annotations, so that for their
// containers nothing but the plain key holds.
type Unavailable struct {
	allow      bool
	namespaces map[string]bool // true: they run
}

const (
	unavailableKey = "onUnavailable"
	// kubelet is containerd's namespace of CRI's containers.
	kubelet = "k8s.io"
	// sandboxNamespace is CRI's annotation (containerd, internal/cri/annotations).
	sandboxNamespace = "io.kubernetes.cri.sandbox-namespace"
)

func isUnavailable(key string) bool {
	return key == unavailableKey || strings.HasPrefix(key, unavailableKey+".")
}

// set takes "onUnavailable" or "onUnavailable.NAMESPACE".
func (u *Unavailable) set(key, value string) error {
	if value != "deny" && value != "allow" {
		return fmt.Errorf("%s must be deny or allow, and is %q", key, value)
	}
	if key == unavailableKey {
		u.allow = value == "allow"
		return nil
	}
	name := strings.TrimPrefix(key, unavailableKey+".")
	outer, pod, isPod := strings.Cut(name, "/")
	if outer == "" || isPod && (outer != kubelet || pod == "" || strings.Contains(pod, "/")) {
		return fmt.Errorf("%s: a namespace is containerd's, such as moby, or k8s.io/NAME for the pods of one", key)
	}
	if u.namespaces == nil {
		u.namespaces = map[string]bool{}
	}
	u.namespaces[name] = value == "allow"
	return nil
}

// admits says whether a container runs without an answer, and by which key. The
// most exact one holds: the pod's namespace, containerd's, then all others.
func (u Unavailable) admits(b *bundle.Bundle, id string) (allow bool, key string) {
	for _, name := range namespaces(b, id) {
		if allow, ok := u.namespaces[name]; ok {
			return allow, unavailableKey + "." + name
		}
	}
	return u.allow, unavailableKey
}

// namespaces are those that a container lies in, the most exact first.
func namespaces(b *bundle.Bundle, id string) []string {
	outer := shimNamespace(b.Dir, id)
	if outer == "" {
		return nil
	}
	if outer != kubelet {
		return []string{outer}
	}
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(b.Config, &spec) != nil || spec.Annotations[sandboxNamespace] == "" {
		return []string{outer}
	}
	return []string{outer + "/" + spec.Annotations[sandboxNamespace], outer}
}

// shimNamespace is containerd's namespace, by the place of its shims' bundles:
// <state>/io.containerd.runtime.v2.task/<namespace>/<id>. Empty where the bundle is none of them.
func shimNamespace(dir, id string) string {
	folder := filepath.Dir(dir)
	if filepath.Base(dir) != id || !strings.HasPrefix(filepath.Base(filepath.Dir(folder)), "io.containerd.runtime.") {
		return ""
	}
	return filepath.Base(folder)
}
