package install

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// wrapper leads clients to the wrapper. Once that is done, later installs keep it.
func (p *planner) wrapper(disk *Containerd, n Node) error {
	units := p.tree.Units()
	byPath := n.Wrap == WrapPath || n.Wrap == WrapAuto && len(units) > 0 || p.tree.Exists(path.Join(WrapperFolder, "runc"))
	byName := n.Wrap == WrapBinaryName || n.Wrap == WrapAuto || p.tree.Exists(WrapperHandlers) || p.manifest.find(DockerConfig) != nil
	if !byPath && !byName {
		if p.tree.Exists(Wrapper) {
			p.left("the runc wrapper is not in the path of containerd and docker, so ctr, nerdctl and docker go unjudged: phigate install --wrapper")
		}
		return nil
	}
	real, err := p.wrapperConfig(disk, units)
	if err != nil {
		return err
	}
	if byPath {
		if err := p.firstInPath(units); err != nil {
			return err
		}
	}
	if !byName {
		return nil
	}
	if err := p.handlers(disk, n, real, byPath); err != nil {
		return err
	}
	return p.docker(real, byPath)
}

// wraps says whether the node's containers go through the wrapper, or will.
func (p *planner) wraps(n Node) bool {
	return n.Wrap != WrapNone || p.tree.Exists(path.Join(WrapperFolder, "runc")) || p.tree.Exists(WrapperHandlers)
}

// firstInPath puts the wrapper first into the PATH of each unit whose processes start runc.
func (p *planner) firstInPath(units []string) error {
	if len(units) == 0 {
		return fmt.Errorf("--wrapper=path: neither containerd.service nor docker.service is a unit here: put %s first into the PATH of what starts containerd, or --wrapper=binaryname", WrapperFolder)
	}
	if err := p.link(path.Join(WrapperFolder, "runc"), Wrapper, "what is called runc there"); err != nil {
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

// wrapperConfig names the real runc, which the wrapper never looks for by
// itself, and returns it.
func (p *planner) wrapperConfig(disk *Containerd, units []string) (string, error) {
	search := systemPath
	if len(units) > 0 {
		search = p.tree.unitPath(units[0])
	}
	real := p.tree.realRunc(search)
	for _, name := range slices.Sorted(maps.Keys(disk.handlers(WrapperHandlers))) { // a runc outside every PATH
		if binary := disk.handlers(WrapperHandlers)[name].binary; real == "" && path.IsAbs(binary) && !p.tree.Wrapped(binary) && p.tree.Exists(binary) {
			real = binary
		}
	}
	if p.tree.Exists(WrapperConfig) {
		return cmp.Or(p.tree.WrapperSettings()["runc"], real), nil
	}
	if real == "" {
		return "", fmt.Errorf("--wrapper: there is no runc in %s: install runc, or write %s (runc: /its/path)", search, WrapperConfig)
	}
	c, err := p.tree.config()
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("# The real runc, and phigated's socket. Read as root alone; writable by nobody else.\nrunc: %s\nsocket: %s\n", real, c.GateSocket())
	return real, p.absent(WrapperConfig, []byte(text), 0o644, "configuration of the runc wrapper")
}

// WrapperSettings are what the wrapper's configuration says, by key. The wrapper itself reads them more strictly.
func (t *Tree) WrapperSettings() map[string]string {
	out := map[string]string{}
	data, err := t.Read(WrapperConfig)
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(line, ":")
		value, _, _ = strings.Cut(value, " #")
		if value = strings.Trim(strings.TrimSpace(value), `"`); ok && !strings.HasPrefix(key, "#") {
			out[key] = value
		}
	}
	return out
}

// handlers has CRI's runtime handlers name the wrapper: all that use the real runc, or with byPath those that
// name it by its absolute path, since the PATH leads the others there.
func (p *planner) handlers(disk *Containerd, n Node, real string, byPath bool) error {
	if disk.main() == nil && n.Containerd == "" {
		return nil // containerd's step says what is left
	}
	configured := disk.handlers(WrapperHandlers)
	if _, said := configured["runc"]; !said {
		configured["runc"] = handler{} // containerd's own default
	}
	var wrapped []string
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		switch h := configured[name]; {
		case h.shim != "" && h.shim != runcShim, p.tree.Wrapped(h.binary), byPath && !path.IsAbs(h.binary):
		case h.binary == "" || h.binary == "runc" || p.tree.Follow(h.binary) == p.tree.Follow(real):
			wrapped = append(wrapped, name)
		default:
			p.left("the runtime handler %s names %s, and the wrapper hands on to %s alone: what it starts goes unjudged by the wrapper", name, h.binary, real)
		}
	}
	if len(wrapped) == 0 {
		return nil
	}
	if !AtLeast(n.Containerd, 2, 0) {
		// 1.7 takes the last file's table for the whole of CRI's.
		p.left("containerd %s would lose CRI's other settings by a drop-in: set BinaryName = '%s' yourself in the options of the runtime handlers %s", cmp.Or(n.Containerd, "of unknown version"), Wrapper, quoted(wrapped))
		return nil
	}
	return p.owned(WrapperHandlers, handlersDropIn(format(disk, n), wrapped), "CRI's handlers, through the wrapper")
}

// runcShim is the shim that calls runc.
const runcShim = "io.containerd.runc.v2"

func handlersDropIn(version int64, names []string) []byte {
	plugin := criV3
	if version < 3 {
		plugin = criV2
	}
	b := fmt.Appendf(nil, "# Written by phigate install; phigate uninstall takes it away.\nversion = %d\n", version)
	for _, name := range names {
		at := fmt.Sprintf("plugins.'%s'.containerd.runtimes.'%s'", plugin, name)
		b = fmt.Appendf(b, "\n[%s]\n  runtime_type = '%s'\n  [%s.options]\n    BinaryName = '%s'\n", at, runcShim, at, Wrapper)
	}
	return b
}

func (p *planner) link(name, to, why string) error {
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
	if err := p.folder(path.Dir(name), 0o755, "for "+path.Base(name)); err != nil {
		return err
	}
	p.change(name, why, before, want)
	return nil
}
