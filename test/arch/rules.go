package arch

// rule binds the imports of some packages, tests not included. A pattern names
// one package, or with "/..." a package and all below it; "std" is the standard
// library, "..." is everything. Our own packages go by their folder.
type rule struct {
	of     []string // packages that the rule binds
	except []string // packages that it does not
	only   []string // what they may import, when not nil; among the imports that about selects
	about  []string // imports that the rule is about; nil means all
	why    string
}

// own are the packages of this module that are not tests.
func own() []string { return []string{"policy/...", "plugin/...", "hooks/..."} }

// rules are the directions of the house. Each says why, since a prohibition
// whose reason nobody knows is worked around.
func rules() []rule {
	policy := "policy is the law: pure, so that the same input gives the same verdict everywhere and a fuzzer can try all of them"
	doors := "doors do not know each other: what two of them need is a concept of the engine"
	startup := "these programs are started for each container: what they link is what each container waits for"
	return []rule{
		{of: []string{"policy"}, about: own(), only: []string{"policy/hipaa"}, why: policy},
		{of: []string{"policy/hipaa"}, only: []string{"std"}, why: "citations are typed constants and nothing else"},
		{of: []string{"policy/rules/..."}, about: own(), only: []string{"policy", "policy/hipaa", "policy/rules/..."},
			why: "rules are values that the inspector runs; they read a subject and no file"},
		{of: []string{"policy/detect/..."}, except: trials(), only: []string{"std", "policy", "policy/hipaa", "policy/detect/..."},
			why: "detectors read hostile bytes: the standard library and the vocabulary are all they get"},
		{of: []string{"policy/config/..."}, about: own(), only: []string{"policy", "policy/hipaa", "policy/rules", "policy/config/..."},
			why: "configuration compiles to the vocabulary; who enforces it is not its business"},
		{of: []string{"policy/..."}, except: trials(), about: impure(), only: []string{}, why: policy + "; I/O belongs to plugin"},
		{of: []string{"policy/..."}, except: []string{"policy/config"}, about: []string{"embed"}, only: []string{},
			why: "what the law says stands in Go values; the built-in policies alone are files, in policy/config, so that operators read and diff them"},
		{of: []string{"policy/..."}, except: trials(), only: append([]string{"std"}, append(own(), lawbooks()...)...),
			why: "of third parties the law takes runtime-spec, cel-go and path patterns, and YAML in policy/config"},
		{of: []string{"policy/...", "plugin/...", "hooks/..."}, except: []string{"policy/config"}, about: yaml(), only: []string{},
			why: "policy/config alone parses YAML, strictly and with a size limit"},

		{of: []string{"plugin/engine"}, about: own(), only: []string{"policy", "policy/hipaa"},
			why: "the engine knows no runtime: inspectors and recorder are handed to it"},
		{of: []string{"plugin/redact"}, about: own(), only: []string{"policy"}, why: "what takes identifiers out of a record needs the record and a key, and reads nothing"},
		{of: []string{"plugin/rootfs/..."}, about: own(), only: []string{"policy", "plugin/rootfs/..."}, why: "rootfs shows files and judges none"},
		{of: []string{"plugin/cache/..."}, about: own(), only: []string{"policy", "plugin/rootfs", "plugin/cache/..."},
			why: "the cache keeps facts, never verdicts"},
		{of: []string{"plugin/inspect/..."}, about: own(),
			only: []string{"policy/...", "plugin/rootfs/...", "plugin/cache/...", "plugin/inspect/..."},
			why:  "inspectors and engine are siblings: inspectors find, the engine decides and records"},
		{of: []string{"plugin/audit/...", "plugin/journal/...", "plugin/report/...", "plugin/ask"}, about: own(),
			only: []string{"policy/...", "plugin/audit/...", "plugin/journal/...", "plugin/report/...", "plugin/ask/..."},
			why:  "what writes decisions down cannot make them"},
		{of: []string{"plugin/containerd/...", "plugin/prescan/..."}, about: own(),
			only: []string{"policy/...", "plugin/rootfs/...", "plugin/cache/...", "plugin/inspect/...", "plugin/containerd/...", "plugin/prescan/..."},
			why:  "scanning goes on without a door, an engine or a log"},

		{of: []string{"plugin/explain/...", "plugin/simulate/...", "plugin/policytest/..."}, about: own(), only: []string{"policy", "policy/config", "plugin/explain"},
			why: "explaining, simulating and testing judge by policy.Decide what others found and recorded: they read nothing themselves"},
		{of: []string{"plugin/bypass/..."}, about: own(), only: []string{"policy", "plugin/containerd"},
			why: "the watch for bypasses judges nothing: it compares what runs with what was decided"},
		{of: []string{"plugin/arrival/..."}, about: own(), only: []string{"policy", "plugin/containerd"},
			why: "where images arrive, facts and policy are asked, and nothing is scanned: it is no gate of a container"},
		{of: []string{"plugin/install/..."}, about: own(), only: []string{"plugin/conf", "plugin/install/..."},
			why: "installing reads and writes files: what runs is told to it, so that it works on a tree that is no node"},
		{of: []string{"plugin/doctor/..."}, about: own(),
			only: []string{"policy", "plugin/conf", "plugin/ask", "plugin/audit", "plugin/containerd", "plugin/install", "plugin/doctor/..."},
			why:  "the doctor looks at a node from outside: it asks phigated and is no part of it"},
		{of: own(), except: []string{"plugin/install/...", "plugin/gitleaks"}, about: []string{"github.com/pelletier/go-toml/..."}, only: []string{},
			why: "plugin/install alone reads containerd's configuration, and edits it without losing a comment; gitleaks' own is the other TOML"},
		{of: []string{"plugin/gitleaks"}, about: own(), only: []string{"policy", "policy/config"}, why: "what another tool is configured with is written as policies, and nothing of it is run"},

		{of: own(), except: []string{"plugin/containerd/..."}, about: []string{"github.com/containerd/containerd/v2/..."}, only: []string{},
			why: "plugin/containerd alone knows containerd's client, so that another runtime is one package"},
		{of: own(), except: []string{"plugin/nri/..."}, about: []string{"github.com/containerd/nri/..."}, only: []string{},
			why: "plugin/nri alone knows NRI: the other doors do not have it"},

		{of: []string{"plugin/nri/..."}, about: []string{"plugin/cli/...", "plugin/daemon/...", "hooks/..."}, only: []string{}, why: doors},
		{of: []string{"plugin/cli/..."}, about: []string{"plugin/nri/...", "hooks/..."}, only: []string{}, why: doors},
		{of: []string{"hooks/wrap/..."}, about: []string{"plugin/nri/...", "plugin/cli/...", "hooks/oci/..."}, only: []string{}, why: doors},
		{of: []string{"hooks/oci/..."}, about: []string{"plugin/nri/...", "plugin/cli/...", "hooks/wrap/..."}, only: []string{}, why: doors},
		{of: []string{"plugin/handover/..."}, about: []string{"plugin/nri/...", "plugin/cli/...", "plugin/daemon/...", "hooks/..."}, only: []string{}, why: doors},
		{of: []string{"plugin/layers"}, only: []string{"std", "golang.org/x/sys/unix"}, why: "layers reads engines' stores and asks nobody"},
		{of: []string{"hooks/...", "plugin/ask/judge"}, only: []string{"std", "golang.org/x/sys/unix", "hooks/...", "plugin/ask/judge"}, why: startup},
		{of: []string{"hooks/...", "plugin/ask/judge"}, about: []string{"net/...", "regexp/...", "text/template", "log/...", "os/exec", "os/user"}, only: []string{}, why: startup},
		{of: own(), except: []string{"plugin/cmd/...", "plugin/daemon/...", "plugin/cli/..."}, about: []string{"plugin/daemon/..."}, only: []string{},
			why: "the daemon wires all others, so nothing that it wires may know it"},
		{of: own(), about: append(trials(), "plugin/cmd/...", "hooks/cmd/...", "test/..."), only: []string{},
			why: "mains and tests stand on top of everything"},
	}
}

// trials are packages that lie below policy and only tests import.
func trials() []string { return []string{"policy/detect/detecttest"} }

// impure is what reads the world or depends on the moment. net/netip and net/url only parse.
func impure() []string {
	return []string{"os/...", "net", "net/http/...", "net/rpc/...", "net/smtp", "syscall/...", "io/ioutil", "log/...", "plugin", "unsafe", "math/rand/...", "crypto/rand",
		"runtime/...", "sync/...", "golang.org/x/sys/..."}
}

func yaml() []string {
	return []string{"sigs.k8s.io/yaml/...", "github.com/goccy/go-yaml/...", "gopkg.in/yaml.v2", "gopkg.in/yaml.v3", "go.yaml.in/yaml/..."}
}

func lawbooks() []string {
	return append(yaml(), "github.com/opencontainers/runtime-spec/specs-go", "cel.dev/cel-go/...", "cel.dev/expr/...",
		"github.com/bmatcuk/doublestar/v4")
}
