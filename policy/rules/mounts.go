package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// hostMount is a mount of something that lies on the host.
type hostMount struct {
	index int
	*specs.Mount
	// paths are the source as written and, where the host was asked, with its
	// links resolved; both clean.
	paths []string
}

// hostMounts are the subject's mounts whose source is a path of the host.
func hostMounts(s *policy.Subject) []hostMount {
	all := mounts(s)
	out := make([]hostMount, 0, len(all))
	paths := make([]string, 0, 2*len(all)) // those of all, in one piece
	for i := range all {
		m := &all[i]
		if !fromHost(m) {
			continue
		}
		from := len(paths)
		paths = append(paths, hostPath(m.Source))
		if s.Sees.Has(policy.FactHostPaths) {
			if real := s.Host.RealPath[m.Source]; real != "" && hostPath(real) != paths[from] {
				paths = append(paths, hostPath(real))
			}
		}
		out = append(out, hostMount{index: i, Mount: m, paths: paths[from:len(paths):len(paths)]})
	}
	return out
}

// virtual are the types of file systems whose source names nothing.
var virtual = []string{"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"}

// fromHost says whether a mount shows a path of the host. runc goes by the
// option, whatever the type says.
func fromHost(m *specs.Mount) bool {
	if m.Source == "" {
		return false
	}
	if slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind") || m.Type == "bind" {
		return true
	}
	return strings.HasPrefix(m.Source, "/") && !slices.Contains(virtual, m.Type)
}

// hostPath is a source as it is compared. A relative source counts from the
// bundle, which no rule knows: read from the root it matches what it climbs to.
func hostPath(source string) string {
	if !strings.HasPrefix(source, "/") {
		source = "/" + source
	}
	p := path.Clean(source)
	if below(p, "/var/run") { // a link to /run on every distribution
		p = path.Clean("/run" + strings.TrimPrefix(p, "/var/run"))
	}
	return p
}

// below says whether p is dir or lies in it.
func below(p, dir string) bool {
	return dir == "/" || p == dir || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// writable says whether a mount can be written. "rro" is "ro" for all that is
// mounted below, too.
func (m hostMount) writable() bool {
	return !slices.Contains(m.Options, "ro") && !slices.Contains(m.Options, "rro")
}

func (m hostMount) field() string { return fmt.Sprintf("mounts[%d].source", m.index) }

// SecretMounts are the indexes of the spec's mounts that carry Kubernetes
// secrets: those from the kubelet's secret and projected volumes, wherever its
// root is. The service account's token counts. A volume that is mounted by
// subPath is not recognised: the kubelet's path no longer says what it holds.
func SecretMounts(s *policy.Subject) []int {
	var out []int
	for _, m := range hostMounts(s) {
		for _, p := range m.paths {
			if strings.Contains(p+"/", "/volumes/kubernetes.io~secret/") || strings.Contains(p+"/", "/volumes/kubernetes.io~projected/") {
				out = append(out, m.index)
				break
			}
		}
	}
	return out
}
