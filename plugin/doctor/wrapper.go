package doctor

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/phigate/phigate/plugin/install"
)

// wrapperConfig judges what the wrapper is told, where a client is led to it.
func wrapperConfig(f *Facts) []Check {
	const name, file = "wrapper configuration", install.WrapperConfig
	if !slices.ContainsFunc(f.Tree.Units(), func(unit string) bool { return f.Tree.Wrapped(f.runc(unit)) }) && !f.Tree.Exists(file) {
		return nil
	}
	said := f.Tree.WrapperSettings()
	var out []Check
	if !f.Tree.Exists(file) {
		return []Check{problem(name, "phigate install --wrapper", "%s is not there, so every container is refused", file)}
	}
	switch runc := said["runc"]; {
	case runc == "" || !f.Tree.Exists(runc):
		out = append(out, problem(name, "name the real runtime in "+file, "its runc, %q, is not there, so every container is refused", runc))
	case f.Tree.Wrapped(runc):
		out = append(out, problem(name, "name the real runtime in "+file, "its runc, %s, is the wrapper again, so every container is refused", runc))
	}
	if socket := cmp.Or(said["socket"], "/run/phigate/gate.sock"); socket != f.Config.GateSocket() {
		out = append(out, problem(name, "set socket: "+f.Config.GateSocket()+" in "+file, "it asks at %s, where phigated does not listen", socket))
	}
	var open []string
	for _, key := range slices.Sorted(maps.Keys(said)) {
		if strings.HasPrefix(key, "onUnavailable") && said[key] == "allow" {
			open = append(open, cmp.Or(strings.TrimPrefix(strings.TrimPrefix(key, "onUnavailable"), "."), "all namespaces"))
		}
	}
	if len(open) > 0 {
		out = append(out, advice(name, "set onUnavailable to deny in "+file+" where no container need run so", "while phigated is away, containers run unjudged in: %s", strings.Join(open, ", ")))
	}
	if glass := cmp.Or(said["breakGlass"], "/etc/phigate/break-glass"); f.Tree.Exists(glass) {
		out = append(out, problem("break-glass", "rm "+glass+" when the emergency is over", "%s is there: until the time on its first line, containers run that would be refused", glass))
	}
	if len(out) == 0 {
		return []Check{ok(name, "hands on to %s, and refuses where phigated does not answer", said["runc"])}
	}
	return out
}

// bootOrder says whether containers that start of their own accord wait for phigated.
func bootOrder(f *Facts) []Check {
	const name = "boot order"
	if !f.Tree.Exists(install.UnitFile) {
		return nil
	}
	if !f.Tree.Exists(install.SocketFile) {
		return []Check{advice(name, "phigate install", "without phigated.socket, containers that are started while phigated is not there yet are refused instead of waiting for it")}
	}
	return []Check{ok(name, "what is started before phigated waits for it")}
}

// verifier: containerd fails each pull where it cannot start one of its verifiers.
func verifier(f *Facts) []Check {
	if f.Disk == nil || !f.Tree.Exists(f.Disk.Verifier()) {
		return nil
	}
	if name := f.Disk.Verifier(); !f.Tree.Exists(f.Tree.Follow(name)) {
		return []Check{problem("image verifier", "rm "+name+", or copy phigate to "+f.Tree.Follow(name), "%s leads to nothing, so containerd pulls no image", name)}
	}
	return []Check{ok("image verifier", "containerd asks before it pulls, where its transfer service does that")}
}
