package handover

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/policy"
)

// container is one that was handed over, on its way to a verdict.
type container struct {
	judge.Question
	subject   *policy.Subject
	root      *os.File
	namespace string // containerd's; empty where the bundle is none of its

	mu        sync.Mutex
	forgotten bool
	onForget  []func()
}

// read takes what the question itself says.
func read(q judge.Question, config []byte, root *os.File) (*container, error) {
	var spec specs.Spec
	if json.Unmarshal(config, &spec) != nil {
		return nil, errors.New("config.json is not JSON of its kind")
	}
	if q.ID == "" {
		return nil, errors.New("the runtime named no container")
	}
	c := &container{Question: q, root: root}
	c.namespace = taskNamespace(q.Bundle, q.ID)
	c.subject = &policy.Subject{
		ID: q.ID, Name: q.ID, Gate: gateOf(q.Door), Runtime: client(q.Bundle, c.namespace, &spec),
		Spec: &spec, Sees: policy.FactSpec | policy.FactPrivilegedPod, Requester: policy.LoginRequester(q.Login),
	}
	return c, nil
}

// keep has fn called when the answer is given; at once where it was.
func (c *container) keep(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgotten {
		fn()
		return
	}
	c.onForget = append(c.onForget, fn)
}

func (c *container) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten = true
	for _, fn := range c.onForget {
		fn()
	}
	c.onForget = nil
}

// taskNamespace is containerd's namespace, by the place of its shims' bundles:
// <state>/io.containerd.runtime.v2.task/<namespace>/<id>.
func taskNamespace(bundle, id string) string {
	folder := filepath.Dir(bundle)
	if filepath.Base(bundle) != id || !strings.HasPrefix(filepath.Base(filepath.Dir(folder)), "io.containerd.runtime.") {
		return ""
	}
	return filepath.Base(folder)
}

// other is the runtime of containers whose client is not known.
const other = "other"

// client names who starts the container, as the policies' selectors do. What is
// told by annotations a user of that client could write too, so nothing
// that a policy softens hangs on it: that of the kubelet is believed
// by CRI's own record alone (see [Door.kubernetes]).
func client(bundle, namespace string, spec *specs.Spec) string {
	switch {
	case isBuildKit(bundle), namespace == "buildkit":
		return policy.RuntimeBuildKit
	case namespace == "moby":
		return "docker"
	case spec.Annotations["nerdctl/namespace"] != "":
		return "nerdctl"
	case namespace != "":
		return "ctr"
	case spec.Annotations["io.container.manager"] == "libpod":
		return "podman"
	case spec.Annotations["io.container.manager"] == "cri-o":
		return "cri"
	}
	return other
}

// isBuildKit: BuildKit's executor runs a step of a build in
// <root>/executor/<id>, with root named buildkit (Docker's own) or below
// buildkit (buildkitd's /var/lib/buildkit/runc-overlayfs).
func isBuildKit(bundle string) bool {
	parts := strings.Split(bundle, "/")
	n := len(parts)
	return n > 2 && parts[n-2] == "executor" && slices.Contains(parts[:n-2], "buildkit")
}
