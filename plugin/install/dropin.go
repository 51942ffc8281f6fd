package install

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// containerd plans the drop-in, and the import of its folder.
//
// containerd reads /etc/containerd/conf.d only where its configuration imports
// it. 2.4.2 lists the folder among its defaults and does not read it all the
// same (measured), so the line is always written.
func (p *planner) containerd(disk *Containerd, n Node) error {
	own, err := p.tree.config()
	if err != nil {
		return err
	}
	name := own.NRI.Name
	if main := disk.main(); main != nil && version(main.table) < 2 {
		return fmt.Errorf("%s is of version %d, which holds no drop-in of phigate: bring it to version 2 or 3 first (containerd config migrate)", main.Path, version(main.table))
	}
	if n.Containerd == "" && disk.main() == nil {
		p.left("containerd is not to be seen: start it and run phigate install again, or say which it will be with --containerd-version")
		return nil
	}
	if n.Containerd != "" && !AtLeast(n.Containerd, 1, 7) {
		return fmt.Errorf("containerd %s has no NRI that phigate knows: 1.7 or later is needed", n.Containerd)
	}
	// Once it requires phigate it goes on to: while phigated restarts, an
	// install must not open the gate.
	require := AtLeast(n.Containerd, 2, 2) && n.Registered || disk.Requires(name)
	if p.unrequired(n) {
		if require = false; !p.wraps(n) {
			return errors.New("--require=no leaves this node open while phigated is away, unless the wrapper guards it: phigate install --wrapper --require=no")
		}
	}
	text := dropIn(disk, n, name, require)
	if p.unrequired(n) {
		text = append(text, notRequired+"\n"...)
	}
	if err := p.owned(DropIn, text, "NRI on, and what containerd requires"); err != nil {
		return err
	}
	if err := p.importLine(disk, n); err != nil {
		return err
	}
	p.whatIsLeft(disk, n, require)
	return p.outcome(disk, name, require)
}

// notRequired is how the drop-in says that this is how the operator wants it, so that a later install keeps it.
const notRequired = "# containerd does not require phigate: the runc wrapper guards alone (phigate install --require=no)."

func (p *planner) unrequired(n Node) bool {
	if n.Require != "" {
		return n.Require == RequireNo
	}
	e, err := p.tree.look(DropIn)
	return err == nil && bytes.Contains(e.data, []byte(notRequired))
}

// whatIsLeft says why containerd does not require phigate yet.
func (p *planner) whatIsLeft(disk *Containerd, n Node, require bool) {
	switch {
	case require, p.unrequired(n):
	case disk.WithoutCRI():
		p.left("CRI is switched off in containerd's configuration (disabled_plugins): NRI sees no container here, the wrapper alone guards this node (phigate install --wrapper)")
	case n.Containerd == "":
		p.left("whether this containerd can require phigate is not known: run phigate install again while containerd runs")
	case !AtLeast(n.Containerd, 2, 2):
		p.left("containerd %s cannot require phigate (2.2 or later can): while phigated is down, containers are created unjudged; "+
			"put the wrapper in front of runc (phigate install --wrapper), or update containerd", n.Containerd)
	default:
		p.left("phigate is not registered with containerd yet, so it is not required yet: start phigated (and restart containerd where NRI was off), then run phigate install again")
	}
}

// importLine makes the main configuration import the folder of drop-ins.
func (p *planner) importLine(disk *Containerd, n Node) error {
	if disk.imported(DropIn) {
		return nil
	}
	const why = "import the folder of drop-ins"
	main := disk.main()
	if main == nil {
		data := fmt.Appendf(nil, "version = %d\nimports = ['%s']\n", format(disk, n), importPattern)
		return p.want(ContainerdConfig, entry{exists: true, mode: 0o644, data: data}, why)
	}
	before, err := p.tree.look(main.Path)
	if err != nil {
		return err
	}
	data, err := addImport(main.Path, before.data, importPattern)
	if err != nil {
		return err
	}
	after := before
	after.data = data
	p.change(main.Path, why, before, after)
	return nil
}

// outcome reads the configuration as it would be. A file that is read after ours can undo it.
func (p *planner) outcome(disk *Containerd, name string, require bool) error {
	then, err := ReadContainerd(p.tree.after(p.plan.Changes))
	if err != nil {
		return err
	}
	if slices.Contains(p.plan.Kept, DropIn) {
		p.left("%s was edited and stays as it is: compare it with what phigate install would write (move it away, phigate install --dry-run)", DropIn)
	}
	if then.NRI().Disabled {
		p.left("NRI stays off: a file that containerd reads after %s sets disable = true in [plugins.'%s']; take that out", DropIn, nriPlugin)
	}
	if require && !then.Requires(name) {
		p.left("containerd would not require %s all the same: a file that it reads after %s switches the validator off", name, DropIn)
	}
	if t := then.NRI().Tolerate; t != "" {
		p.left("tolerate_missing_plugins_annotation = %q lets the author of any pod do without phigate; take it out", t)
	}
	return nil
}

// format is the configuration version to write in: a drop-in may not be newer
// than the main file, nor than containerd (1.7 knows 2).
func format(disk *Containerd, n Node) int64 {
	if main := disk.main(); main != nil {
		return min(version(main.table), 3)
	}
	if AtLeast(n.Containerd, 2, 0) {
		return 3
	}
	return 2
}

// dropIn is the text of the drop-in.
func dropIn(disk *Containerd, n Node, name string, require bool) []byte {
	section := disk.section(nriPlugin, DropIn)
	var b []byte
	line := func(format string, args ...any) { b = fmt.Appendf(b, format+"\n", args...) }
	line("# Written by phigate install; phigate uninstall takes it away.")
	line("version = %d", format(disk, n))
	line("")
	line("[plugins.'%s']", nriPlugin)
	line("  disable = false")
	if _, set := section["plugin_request_timeout"]; !set {
		line("  # For all NRI plugins together; phigate answers or refuses within 80 %% of it.")
		line("  plugin_request_timeout = '2s'")
	}
	validator, _ := section["default_validator"].(table)
	if !AtLeast(n.Containerd, 2, 0) {
		// 1.7 takes the last file's table as a whole: what others set is said again.
		b = append(b, repeat(section)...)
	}
	if require {
		line("")
		line("  [plugins.'%s'.default_validator]", nriPlugin)
		line("    enable = true")
		line("    # No container is created unless this plugin was asked.")
		line("    required_plugins = [%s]", quoted(append(required(validator, n), name)))
	}
	return b
}

// required are those that other files require, for a containerd that does not join lists.
func required(validator table, n Node) []string {
	if AtLeast(n.Containerd, 2, 0) {
		return nil
	}
	return texts(validator["required_plugins"])
}

// repeat writes the keys of NRI's section that are not ours.
func repeat(section table) []byte {
	rest := table{}
	for key, value := range section {
		if _, below := value.(table); !below && key != "disable" { // 1.7 knows no table below
			rest[key] = value
		}
	}
	if len(rest) == 0 {
		return nil
	}
	text, err := toml.Marshal(rest)
	if err != nil {
		return nil // what was parsed from TOML can be written as TOML
	}
	return text
}

func quoted(names []string) string {
	text := ""
	for i, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if i > 0 {
			text += ", "
		}
		text += "'" + name + "'"
	}
	return text
}
