package doctor

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/install"
)

// docker judges Docker's own configuration, which can name other runtimes.
func docker(f *Facts) []Check {
	const file = "/etc/docker/daemon.json"
	if !f.Tree.Exists(file) {
		return nil
	}
	data, err := f.Tree.Read(file)
	if err != nil {
		return []Check{problem("wrapper: docker", "set that right", "%v", err)}
	}
	var c struct {
		Default  string `json:"default-runtime"`
		Runtimes map[string]struct {
			Path string `json:"path"`
			Type string `json:"runtimeType"`
		} `json:"runtimes"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return []Check{problem("wrapper: docker", "set that right: dockerd does not start on it either", "%s is not JSON", file)}
	}
	var out []Check
	for name, r := range c.Runtimes {
		program := r.Path
		if program != "" && !path.IsAbs(program) {
			program = f.Tree.Which(program, f.Tree.PATH("docker"))
		}
		if !f.Tree.Wrapped(program) {
			out = append(out, adviceOr(name == c.Default, "wrapper: docker's runtime "+name, "have its path in "+file+" lead to "+install.Wrapper, "it is %s%s, not the wrapper", r.Path, r.Type))
		}
	}
	return out
}

// journald says whether the node's journal keeps what phigated sends.
func journald(f *Facts) []Check {
	if f.ConfigErr == nil && f.Config.Journal == "" {
		return []Check{ok("journal", "phigate.yaml sends nothing to the journal; the decision log is the record")}
	}
	var out []Check
	settings := journaldSettings(f.Tree)
	storage := strings.ToLower(settings["Storage"])
	const persist = "mkdir -p /var/log/journal && systemctl restart systemd-journald; or Storage=persistent in /etc/systemd/journald.conf"
	switch {
	case storage == "volatile" || storage == "none":
		out = append(out, problem("journal", persist, "journald is told Storage=%s: entries do not outlive a reboot", storage))
	case storage != "persistent" && !f.Tree.IsDir("/var/log/journal"):
		out = append(out, problem("journal", persist, "/var/log/journal is not there: entries do not outlive a reboot"))
	default:
		out = append(out, ok("journal", "kept on the disk"))
	}
	if limit := f.Tree.Setting("phigated", "LogRateLimitIntervalSec"); limit == "0" {
		return append(out, ok("journal rate limit", "none for phigated"))
	}
	interval, burst := settings["RateLimitIntervalSec"], settings["RateLimitBurst"]
	if interval == "0" || burst == "0" {
		return append(out, ok("journal rate limit", "none on this node"))
	}
	return append(out, problem("journal rate limit", "LogRateLimitIntervalSec=0 in the unit's [Service] (phigate install writes it)",
		"journald drops what phigated sends beyond %s entries in %s, and tells nobody", orDefault(burst, "10000"), orDefault(interval, "30s")))
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// journaldSettings merges journald.conf and its drop-ins, later ones win.
func journaldSettings(t *install.Tree) map[string]string {
	out := map[string]string{}
	files := []string{"/usr/lib/systemd/journald.conf", "/etc/systemd/journald.conf"}
	for _, folder := range []string{"/usr/lib/systemd/journald.conf.d", "/etc/systemd/journald.conf.d"} {
		files = append(files, t.List(folder, ".conf")...)
	}
	for _, file := range files {
		data, err := t.Read(file)
		if err != nil {
			continue // most of them are not there
		}
		for line := range strings.Lines(string(data)) {
			if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, ";") {
				out[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
	}
	return out
}

// slack is what clocks may differ by without anybody having set them.
const slack = time.Minute

// clock compares the wall clock with the log: decisions are judged at the later of the two.
func clock(f *Facts) []Check {
	if f.LastLogged.IsZero() {
		return []Check{unknown("clock", "", "nothing was logged yet to compare the clock with")}
	}
	if ahead := f.LastLogged.Sub(f.Now); ahead > slack {
		return []Check{problem("clock", "set the clock (timedatectl); until it has caught up, decisions carry the time of the last one",
			"the last decision is %v ahead of the clock: it was set back", ahead.Round(time.Second))}
	}
	return []Check{ok("clock", "not behind the log")}
}

// Least of what the state folder's filesystem needs: a busy node's log of a month.
const (
	leastFree  = 1 << 30
	leastShare = 20 // one in so many
)

func space(f *Facts) []Check {
	if f.Space == nil {
		return nil
	}
	s := f.Space
	const next = "make room: when it is full nothing can be recorded, and everything is refused"
	switch {
	case s.Free < leastFree || s.Free < s.Size/leastShare:
		return []Check{problem("disk", next, "%d MiB are free for %s", s.Free>>20, f.Config.StateDir)}
	case s.Total > 0 && s.Files < s.Total/100:
		return []Check{problem("disk", next, "%d files can still be made beside %s", s.Files, f.Config.StateDir)}
	}
	return []Check{ok("disk", "%d GiB are free for %s", s.Free>>30, f.Config.StateDir)}
}

// permissions judges who may read what is secret, and write what decides.
func permissions(f *Facts) []Check {
	c := f.Config
	secret := []string{c.StateDir, c.Log(), c.Facts(), c.FingerprintKey(), c.LastGood(), c.BreakGlass(), c.Socket, c.GateSocket()}
	secret = append(secret, logKeys(c.Log())...)
	decides := []string{conf.DefaultPath, install.WrapperConfig, "/etc/phigate/hook.yaml", "/etc/phigate/break-glass", install.Wrapper, install.Hook,
		install.DropIn, install.WrapperHandlers, install.ContainerdConfig, install.DockerConfig, install.UnitFile, install.SocketFile,
		"/usr/local/bin/phigated", "/usr/local/bin/phigate", install.WrapperFolder, c.Containerd, c.NRI.Socket}
	for _, p := range c.Policies {
		decides = append(decides, p)
		decides = append(decides, f.Tree.List(p, ".yaml")...)
		decides = append(decides, f.Tree.List(p, ".yml")...)
	}
	var out []Check
	bad := func(next string, err error) { out = append(out, problem("permissions", next, "%v", err)) }
	for _, name := range append(decides, secret...) {
		if !f.Tree.Exists(name) {
			continue
		}
		if err := f.Tree.Trusted(f.Tree.Follow(name)); err != nil {
			bad("as it says", err)
		}
	}
	for _, name := range secret {
		if mode, there := f.Tree.Mode(name); there && mode.Perm()&0o077 != 0 {
			bad("chmod go-rwx "+name, fmt.Errorf("%s is open to others than root (mode %04o)", name, mode.Perm()))
		}
	}
	for _, name := range []string{c.Socket, c.GateSocket()} {
		if mode, there := f.Tree.Mode(name); there && mode.Type() != fs.ModeSocket {
			bad("move it away, then: systemctl restart phigated.socket phigated", fmt.Errorf("%s is no socket", name))
		}
	}
	if len(out) == 0 {
		return []Check{ok("permissions", "files and sockets are root's alone")}
	}
	return out
}
