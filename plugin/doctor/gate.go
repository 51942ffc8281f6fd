package doctor

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/install"
)

func configuration(f *Facts) []Check {
	if f.ConfigErr != nil {
		return []Check{problem("configuration", "set it right, then: systemctl restart phigated", "%v", f.ConfigErr)}
	}
	return nil
}

// runtimes says whether containerd and phigated are there and know each other.
func runtimes(f *Facts) []Check {
	if !f.Live {
		return []Check{unknown("containerd", "run phigate doctor on the node itself", "not asked: this is a file tree")}
	}
	var out []Check
	switch {
	case f.RuntimeErr != nil:
		out = append(out, problem("containerd", "systemctl status containerd; or name its socket in "+"phigate.yaml (containerd:)", "%v", f.RuntimeErr))
	case f.Stale:
		out = append(out, problem("containerd", "systemctl restart containerd", "containerd %s runs with an older configuration than lies on the disk", f.Version))
	default:
		out = append(out, ok("containerd", "containerd %s", f.Version))
	}
	switch {
	case f.StatusErr != nil:
		return append(out, problem("phigated", "systemctl enable --now phigated.socket phigated; journalctl -u phigated", "%v", f.StatusErr))
	case f.Status.Log.Error != "":
		out = append(out, problem("phigated", "see to "+f.Config.Log(), "nothing can be recorded, so everything is refused: %s", f.Status.Log.Error))
	default:
		out = append(out, ok("phigated", "phigated %s answers", f.Status.Version))
	}
	switch r := f.Status.Runtime; {
	case r.Connected:
		return append(out, ok("registered", "in the way of %s, gate %s", r.Name, r.Gate))
	case r.Name != "" && r.Error != "": // it has registered phigate, and got stuck
		return append(out, problem("registered", "wait for the longest grace period of what is being stopped, then: systemctl restart containerd", "%s", r.Error))
	}
	return append(out, problem("registered", "switch NRI on (phigate install --restart); phigate status says more",
		"containerd does not ask phigate: %s", cmp.Or(f.Status.Runtime.Error, "it is not connected")))
}

// required says whether containerd refuses containers while phigate is away.
func required(f *Facts) []Check {
	const name = "required"
	if f.DiskErr != nil {
		return []Check{problem(name, "set that right first", "%v", f.DiskErr)}
	}
	nri, plugin := f.Disk.NRI(), f.Config.NRI.Name
	var out []Check
	switch {
	case nri.Disabled:
		out = append(out, problem(name, "phigate install --restart", "NRI is switched off in containerd's configuration"))
	case f.Disk.Requires(plugin):
		out = append(out, ok(name, "containerd's configuration requires %s", plugin))
	case f.guarded():
		out = append(out, ok(name, "containerd does not require %s; the wrapper, which is in every path, refuses while phigated is away", plugin))
	case f.Version != "" && !install.AtLeast(f.Version, 2, 2):
		out = append(out, problem(name, "update containerd to 2.2 or later, and put the wrapper in front of runc (phigate install --wrapper)",
			"containerd %s cannot require a plugin: while phigated is away, containers are created unjudged", f.Version))
	case f.Version == "":
		out = append(out, problem(name, "start containerd and phigated, then: phigate install --restart", "containerd's configuration does not require %s", plugin))
	default:
		out = append(out, problem(name, "phigate install --restart", "containerd's configuration does not require %s: while phigated is away, containers are created unjudged", plugin))
	}
	if nri.Tolerate != "" {
		out = append(out, problem("tolerated", "take tolerate_missing_plugins_annotation out of containerd's configuration",
			"the author of any pod can do without phigate, by the annotation %q", nri.Tolerate))
	}
	return out
}

// hole is a way in which NRI admits containers unjudged (DESIGN.md, section 4).
type hole struct {
	says string
	open func(version string) bool
	next string
	// pods: the kubelet's own containers come in by it, so that it is a problem on every node. By the others come those
	// of other clients, or of who can end phigated: that is advice where pods are what phigate guards.
	pods bool
}

func holes() []hole {
	always := func(string) bool { return true }
	return []hole{
		{"when phigated is away, crashes or is late at creation, the container is created",
			func(v string) bool { return !install.AtLeast(v, 2, 2) }, "update containerd to 2.2 or later, or phigate install --wrapper", true},
		{"what is started by ctr, nerdctl or Docker never reaches NRI, nor does a pod's own (pause) container", always, "phigate install --wrapper", false},
		{"phigated killed between a container's creation and its start, or late at the start, is not waited for", always, "phigate install --wrapper", false},
		{"user and rlimits are not seen before the start", func(v string) bool { return !install.AtLeast(v, 2, 3) }, "update containerd to 2.3 or later, or phigate install --wrapper", false},
	}
}

// failOpen lists the holes that are open on this node.
func failOpen(f *Facts) []Check {
	if f.Version == "" {
		return []Check{unknown("fail-open", "", "which ways past the gate are open depends on containerd's version, which is not known")}
	}
	guarded := f.guarded()
	var out []Check
	for _, h := range holes() {
		if h.open(f.Version) && !guarded { // the wrapper closes each of them
			out = append(out, adviceOr(h.pods || f.podless(), "fail-open", h.next, "on containerd %s: %s", f.Version, h.says))
		}
	}
	if len(out) == 0 {
		return []Check{ok("fail-open", "no way past the gate is known to be open on containerd %s with the wrapper in place", f.Version)}
	}
	return out
}

// podless: NRI shows no container here, so that the wrapper is all there is.
func (f *Facts) podless() bool { return f.Disk != nil && f.Disk.WithoutCRI() }

// guarded says whether each client's runc is the wrapper, and refuses where there is no answer.
func (f *Facts) guarded() bool {
	if f.Tree.WrapperSettings()["onUnavailable"] == "allow" {
		return false
	}
	units := f.Tree.Units()
	for _, unit := range units {
		if !f.Tree.Wrapped(f.runc(unit)) {
			return false
		}
	}
	return len(units) > 0 && len(f.unwrapped()) == 0
}

// runc is the program that a client's runc is: by the PATH of the running
// process where that is known, else by its unit's.
func (f *Facts) runc(unit string) string {
	return f.Tree.Which("runc", cmp.Or(f.Paths[unit], f.Tree.PATH(unit)))
}

// unwrapped are the runtime handlers that name another runc than the wrapper.
func (f *Facts) unwrapped() []string {
	if f.Disk == nil {
		return nil
	}
	var out []string
	for _, handler := range slices.Sorted(maps.Keys(f.Disk.BinaryNames())) {
		if binary := f.Disk.BinaryNames()[handler]; strings.HasPrefix(binary, "/") && !f.Tree.Wrapped(binary) {
			out = append(out, handler)
		}
	}
	return out
}

// wrapped says of each client whether its runc is the wrapper.
func wrapped(f *Facts) []Check {
	var out []Check
	for _, unit := range f.Tree.Units() {
		name := "wrapper: " + unit
		switch program := f.runc(unit); {
		case f.Tree.Wrapped(program):
			out = append(out, ok(name, "%s is phigate's wrapper", program))
		case f.Tree.Wrapped(f.Tree.Which("runc", f.Tree.PATH(unit))):
			out = append(out, problem(name, "systemctl restart "+unit, "the unit's PATH leads to the wrapper; the running process began before and uses %s", program))
		case program == "":
			out = append(out, problem(name, "install runc", "there is no runc in its PATH"))
		default:
			out = append(out, adviceOr(unit == "docker" || f.podless(), name, "phigate install --wrapper --restart", "its runc is %s, so what NRI does not show goes unjudged", program))
		}
	}
	if len(out) == 0 {
		out = append(out, unknown("wrapper", "see that runc, in the PATH of what starts containerd, is phigate-runc", "neither containerd.service nor docker.service is a unit here"))
	}
	wrapped := f.Tree.Wrapped(f.runc("containerd"))
	for _, handler := range f.unwrapped() {
		out = append(out, adviceOr(wrapped, "wrapper: handler "+handler, "phigate install --wrapper, or set its BinaryName to "+install.Wrapper,
			"the runtime handler names %s, which no PATH leads to the wrapper", f.Disk.BinaryNames()[handler]))
	}
	return append(out, docker(f)...)
}

// timeouts compares what NRI gives with what was needed.
func timeouts(f *Facts) []Check {
	const name = "timeout"
	if f.DiskErr != nil {
		return nil
	}
	limit := 2 * time.Second // NRI's own
	if text := f.Disk.NRI().Timeout; text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return []Check{problem(name, "write it as in '2s'", "plugin_request_timeout %q is no duration", text)}
		}
		limit = d
	}
	budget := limit * 8 / 10
	switch {
	case f.LogErr != nil:
		return []Check{unknown(name, "phigate decisions", "%v", f.LogErr)}
	case f.Gates == 0:
		return []Check{unknown(name, "", "phigate has %v for an answer; no decision was measured yet", budget)}
	case f.P99 > budget/2:
		return []Check{problem(name, "raise plugin_request_timeout in containerd's configuration, or see what slows phigated: CPU, disk",
			"99 of 100 answers took up to %v, of %v: what is late is refused", f.P99, budget)}
	}
	return []Check{ok(name, "99 of 100 answers took up to %v, of %v (%d measured)", f.P99, budget, f.Gates)}
}

// snapshotters says which of them show layers.
func snapshotters(f *Facts) []Check {
	var out []Check
	for _, name := range f.Snapshotters {
		switch name {
		case "overlayfs":
			out = append(out, ok("snapshotter: "+name, "read layer by layer"))
		case "stargz", "nydus", "soci":
			out = append(out, problem("snapshotter: "+name, "use overlayfs for containers that may touch PHI",
				"it brings files when they are opened, so the scan reads each over the network, and what cannot be brought is not judged"))
		default:
			out = append(out, ok("snapshotter: "+name, "read as a whole, by a mount: files that an upper layer deletes are not seen"))
		}
	}
	return out
}

func policies(f *Facts) []Check {
	if f.Status == nil {
		return nil
	}
	const fix = "phigate policy lint /etc/phigate/policies.d"
	switch p := f.Status.Policy; {
	case p.Digest == "":
		return []Check{problem("policy", fix, "none is in force, so everything is refused")}
	case p.Error != "":
		return []Check{problem("policy", fix, "what the files say is not in force: %s", p.Error)}
	default:
		return []Check{ok("policy", "%s", cmp.Or(strings.Join(p.Names, ", "), "the built-in baseline alone"))}
	}
}
