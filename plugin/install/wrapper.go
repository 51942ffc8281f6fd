package install

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/phigate/phigate/plugin/conf"
)

// systemPath is the PATH that systemd gives a unit which names none
// (systemd.exec(5), Environment variables in spawned processes).
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// clients are the units whose children start runc by its name: containerd's
// shims, for CRI, ctr and nerdctl alike, and dockerd.
func clients() []string { return []string{"containerd", "docker"} }

// unitFolders hold units, those that win first (systemd.unit(5)).
func unitFolders() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// wrapper puts the wrapper first into the PATH of each client. Once it is
// there, later installs keep it.
func (p *planner) wrapper(n Node) error {
	if !n.Wrap && !p.tree.Exists(path.Join(WrapperFolder, "runc")) {
		if p.tree.Exists(Wrapper) {
			p.left("the runc wrapper is not in the path of containerd and docker, so ctr, nerdctl and docker go unjudged: phigate install --wrapper")
		}
		return nil
	}
	units := p.tree.Units()
	if len(units) == 0 {
		return fmt.Errorf("--wrapper: neither containerd.service nor docker.service is a unit here: put %s first into the PATH of what starts containerd", WrapperFolder)
	}
	if err := p.wrapperConfig(units); err != nil {
		return err
	}
	if err := p.link(path.Join(WrapperFolder, "runc"), Wrapper); err != nil {
		return err
	}
	for _, unit := range units {
		text := fmt.Sprintf("# Written by phigate install; phigate uninstall takes it away.\n"+
			"# %s/runc is phigate's wrapper, which hands on to the real one.\n[Service]\nEnvironment=PATH=%s:%s\n", WrapperFolder, WrapperFolder, p.tree.unitPath(unit))
		file := path.Join("/etc/systemd/system", unit+".service.d", WrapperDropIn)
		if err := p.owned(file, []byte(text), "the wrapper, first in the PATH of "+unit); err != nil {
			return err
		}
	}
	return nil
}

// wrapperConfig names the real runc, which the wrapper never looks for by itself.
func (p *planner) wrapperConfig(units []string) error {
	real := p.tree.Which("runc", p.tree.unitPath(units[0]))
	if real == "" && !p.tree.Exists(WrapperConfig) {
		return fmt.Errorf("--wrapper: there is no runc in the PATH of %s.service: install runc, or write %s (runc: /its/path)", units[0], WrapperConfig)
	}
	text := fmt.Sprintf("# The real runc, and phigated's socket. Read as root alone; writable by nobody else.\nrunc: %s\nsocket: %s\n", real, conf.Default().Socket)
	return p.absent(WrapperConfig, []byte(text), 0o644, "configuration of the runc wrapper")
}

func (p *planner) link(name, to string) error {
	if err := p.tree.Trusted(path.Dir(name)); err != nil {
		return err
	}
	before, err := p.tree.look(name)
	want := entry{exists: true, mode: fs.ModeSymlink | 0o777, link: to}
	if err != nil || before.same(want) {
		return err
	}
	if before.exists && before.link == "" {
		return fmt.Errorf("%s is there and is no link of ours: move it away", name)
	}
	if err := p.folder(path.Dir(name), 0o755, "holds runc's wrapper alone"); err != nil {
		return err
	}
	p.change(name, "what is called runc there", before, want)
	return nil
}

// Units are the clients that have a unit on this node.
func (t *Tree) Units() []string {
	var out []string
	for _, name := range clients() {
		if t.unitFile(name) != "" {
			out = append(out, name)
		}
	}
	return out
}

func (t *Tree) unitFile(name string) string {
	for _, folder := range unitFolders() {
		if file := path.Join(folder, name+".service"); t.Exists(file) {
			return file
		}
	}
	return ""
}

// UnitFiles are a unit and its drop-ins in the order in which systemd reads them.
func (t *Tree) UnitFiles(name string) []string {
	main := t.unitFile(name)
	if main == "" {
		return nil
	}
	byName := map[string]string{}
	for _, folder := range slices.Backward(unitFolders()) {
		found, err := t.glob(path.Join(folder, name+".service.d", "*.conf"))
		if err != nil {
			continue // a pattern of our own
		}
		for _, file := range found {
			byName[path.Base(file)] = file
		}
	}
	out := []string{main}
	names := []string{}
	for base := range byName {
		names = append(names, base)
	}
	slices.Sort(names)
	for _, base := range names {
		out = append(out, byName[base])
	}
	return out
}

// Setting is the last value of a key in a unit's section [Service].
func (t *Tree) Setting(unit, key string) string {
	value := ""
	t.settings(unit, func(k, v, _ string) {
		if k == key {
			value = v
		}
	})
	return value
}

// settings calls fn with each assignment in [Service].
func (t *Tree) settings(unit string, fn func(key, value, file string)) {
	for _, file := range t.UnitFiles(unit) {
		data, err := t.Read(file)
		if err != nil {
			continue // masked, or a link that leads elsewhere
		}
		section := ""
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "[") {
				section = line
			}
			if key, value, ok := strings.Cut(line, "="); ok && section == "[Service]" && line[0] != '#' && line[0] != ';' {
				fn(strings.TrimSpace(key), strings.TrimSpace(value), file)
			}
		}
	}
}

// PATH is what a unit's processes find programs by.
func (t *Tree) PATH(unit string) string { return t.path(unit, "") }

// unitPath is the same without our own drop-in.
func (t *Tree) unitPath(unit string) string { return t.path(unit, WrapperDropIn) }

func (t *Tree) path(unit, without string) string {
	value := systemPath
	t.settings(unit, func(k, v, file string) {
		if k != "Environment" || path.Base(file) == without {
			return
		}
		for _, word := range strings.Fields(v) {
			if p, ok := strings.CutPrefix(strings.Trim(word, `"'`), "PATH="); ok {
				value = p
			}
		}
	})
	return value
}

// Which is the program that a PATH leads to, as exec.LookPath has it, or "".
func (t *Tree) Which(name, search string) string {
	for _, folder := range strings.Split(search, ":") {
		file := path.Join(folder, name)
		info, err := t.root.Stat(in(t.Follow(file)))
		if path.IsAbs(file) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// Follow is where a path leads: absolute links in any of its parts, such as
// /var/run, are those of the tree. At most 16 links far.
func (t *Tree) Follow(name string) string {
	done, rest := "/", strings.Split(in(name), "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		to, err := t.root.Readlink(in(next))
		if err != nil || links == 16 {
			done = next
			continue
		}
		links++
		done, rest = "/", append(strings.Split(in(absolute(next, to)), "/"), rest...)
	}
	return done
}

// Wrapped says whether a program is the wrapper, by whatever name.
func (t *Tree) Wrapped(program string) bool {
	return program != "" && path.Base(t.Follow(program)) == path.Base(Wrapper)
}
