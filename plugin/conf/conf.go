// Package conf is the configuration of phigated, which the commands that speak
// of a node read too.
package conf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/policy/config"
)

// DefaultPath is where the configuration lies on a node.
const DefaultPath = "/etc/phigate/phigate.yaml"

// Config is phigated's configuration: strict YAML, all paths absolute. What is
// left out has the value of [Default].
type Config struct {
	Containerd string   `json:"containerd"` // containerd's gRPC socket
	NRI        NRI      `json:"nri"`
	StateDir   string   `json:"stateDir"` // log, facts, keys; made with mode 0700
	Socket     string   `json:"socket"`   // for the commands; made with mode 0600
	Policies   []string `json:"policies"` // files, or folders of *.yaml; a later one may override an earlier
	Journal    string   `json:"journal"`  // journald's native socket; "" sends nothing
	// Vulnerabilities are OSV advisories that the software of images is compared
	// with: files .json or .zip, or folders of them. They are read again when they
	// change. None: the built-in table alone judges.
	Vulnerabilities []string `json:"vulnerabilities"`
	// OnUnjudged is what happens to a container that runs and that no gate has
	// judged: it is recorded ("audit"), or also killed ("kill").
	OnUnjudged string   `json:"onUnjudged"`
	Audit      AuditLog `json:"audit"`
}

// NRI is how phigated registers with the runtime.
type NRI struct {
	Socket string `json:"socket"`
	Name   string `json:"name"`  // as required_plugins names it
	Index  string `json:"index"` // two digits; the last plugin sees what all others adjust
}

// Default is the configuration of a node that has none.
func Default() Config {
	return Config{
		Containerd: "/run/containerd/containerd.sock",
		NRI:        NRI{Socket: "/var/run/nri/nri.sock", Name: "phigate", Index: "99"},
		StateDir:   "/var/lib/phigate",
		Socket:     "/run/phigate/phigate.sock",
		Policies:   []string{VendorPolicies, "/etc/phigate/policies.d"},
		Journal:    "/run/systemd/journal/socket",
		OnUnjudged: Audit,
		Audit:      AuditLog{RetentionDays: defaultRetention},
	}
}

// The values of OnUnjudged.
const (
	Audit = "audit"
	Kill  = "kill"
)

// maxSize bounds the file, in bytes.
const maxSize = 1 << 20

// Load reads the configuration at path. An error names file, line and column
// where there is one.
func Load(path string) (Config, error) {
	c := Default()
	info, err := os.Stat(path)
	if err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSize {
		return c, fmt.Errorf("reading the configuration: %s is not a file of at most %d bytes", path, maxSize)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the configuration from what stands in the file at path.
func Parse(path string, data []byte) (Config, error) {
	c := Default()
	if problems := config.Strict(path, data, &c); len(problems.Errors()) > 0 {
		return c, problems
	}
	return c, c.check(path)
}

func (c Config) check(path string) error {
	var errs []error
	for key, value := range map[string]string{
		"containerd": c.Containerd, "nri.socket": c.NRI.Socket, "stateDir": c.StateDir, "socket": c.Socket,
	} {
		if !filepath.IsAbs(value) {
			errs = append(errs, fmt.Errorf("%s: %s must be an absolute path, and is %q", path, key, value))
		}
	}
	if c.Journal != "" && !filepath.IsAbs(c.Journal) {
		errs = append(errs, fmt.Errorf("%s: journal must be an absolute path or empty, and is %q", path, c.Journal))
	}
	if len(c.Policies) == 0 {
		errs = append(errs, fmt.Errorf("%s: policies names no file and no folder", path))
	}
	for _, p := range c.Policies {
		if !filepath.IsAbs(p) {
			errs = append(errs, fmt.Errorf("%s: policies must be absolute paths, and %q is not", path, p))
		}
	}
	for _, p := range c.Vulnerabilities {
		if !filepath.IsAbs(p) {
			errs = append(errs, fmt.Errorf("%s: vulnerabilities must be absolute paths, and %q is not", path, p))
		}
	}
	if len(c.NRI.Index) != 2 || c.NRI.Index < "00" || c.NRI.Index > "99" {
		errs = append(errs, fmt.Errorf("%s: nri.index must be two digits, and is %q", path, c.NRI.Index))
	}
	if c.OnUnjudged != Audit && c.OnUnjudged != Kill {
		errs = append(errs, fmt.Errorf("%s: onUnjudged must be %s or %s, and is %q", path, Audit, Kill, c.OnUnjudged))
	}
	if c.NRI.Name == "" {
		errs = append(errs, fmt.Errorf("%s: nri.name is empty", path))
	}
	return errors.Join(append(errs, c.Audit.check(path))...)
}

// Log is the folder of the decision log. An earlier version kept it in one file
// beside it, decisions.log, which the log takes over.
func (c Config) Log() string { return filepath.Join(c.StateDir, "decisions") }

// GateSocket is where doors outside phigated ask: beside the commands' socket.
func (c Config) GateSocket() string { return filepath.Join(filepath.Dir(c.Socket), judge.SocketName) }

// Facts is where the facts of layers lie.
func (c Config) Facts() string { return filepath.Join(c.StateDir, "facts.db") }

// FingerprintKey is where the key of fingerprints lies.
func (c Config) FingerprintKey() string { return filepath.Join(c.StateDir, "fingerprint.key") }

// LastGood is where the last policy that could be loaded is kept.
func (c Config) LastGood() string { return filepath.Join(c.StateDir, "policy.last-good.json") }

// Endings is where phigated keeps which ends of exceptions it has told of.
func (c Config) Endings() string { return filepath.Join(c.StateDir, "exceptions.told.json") }

// Views is the folder for read-only mounts of snapshots.
func (c Config) Views() string { return filepath.Join(c.StateDir, "views") }

// BreakGlass is the folder of what doors could not tell phigated.
func (c Config) BreakGlass() string { return filepath.Join(c.StateDir, "breakglass") }

// Arrivals is where what is known against images is kept, by digest.
func (c Config) Arrivals() string { return filepath.Join(c.StateDir, "images.json") }

// JournalCursor is where the exporter keeps how far it has come.
func (c Config) JournalCursor() string { return filepath.Join(c.StateDir, "journal.cursor") }
