package install

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
)

// Hook is the program of hooks.d runtimes.
const Hook = ProgramFolder + "/phigate-hook"

// bound says what leads clients to the wrapper or to the hook, with its file
// and the next step for each, whoever has put it there: without phigated those clients would refuse all that they start.
func (t *Tree) bound(disk *Containerd) []string {
	var out []string
	for _, unit := range t.Units() {
		value, by := t.pathBy(unit, "")
		if program := t.Which("runc", value); t.Wrapped(program) {
			out = append(out, fmt.Sprintf("the PATH of %s.service leads to %s, the wrapper: take it out of %s", unit, program, by))
		}
	}
	binaries := disk.BinaryNames()
	for _, name := range slices.Sorted(maps.Keys(binaries)) {
		if t.Wrapped(binaries[name]) {
			out = append(out, fmt.Sprintf("BinaryName of CRI's runtime handler %s is %s, the wrapper: take it out of %s", name, binaries[name], disk.namer(name)))
		}
	}
	if data, err := t.Read(DockerConfig); err == nil {
		if d, err := readDocker(data); err == nil && t.Wrapped(d.program()) {
			out = append(out, fmt.Sprintf("Docker's default-runtime %s is %s, the wrapper: take it out of %s", d.standard, d.program(), DockerConfig))
		}
	}
	return append(out, t.hooks()...)
}

// namer is the file whose BinaryName holds for a handler.
func (c *Containerd) namer(name string) string {
	by := c.first
	for _, f := range c.Files {
		for _, plugin := range []string{criV2, criV3} {
			if at(f.table, "plugins", plugin, "containerd", "runtimes", name, "options", "BinaryName") != nil {
				by = f.Path
			}
		}
	}
	return by
}

// hooks are the files by which runtimes with hooks.d call phigate-hook (oci-hooks(5)).
func (t *Tree) hooks() []string {
	var out []string
	for _, folder := range []string{"/etc/containers/oci/hooks.d", "/usr/share/containers/oci/hooks.d"} {
		for _, file := range t.List(folder, ".json") {
			data, err := t.Read(file)
			var h struct {
				Hook struct {
					Path string `json:"path"`
				} `json:"hook"`
			}
			if err == nil && json.Unmarshal(data, &h) == nil && path.Base(t.Follow(h.Hook.Path)) == path.Base(Hook) {
				out = append(out, fmt.Sprintf("%s has CRI-O and Podman call phigate-hook: remove it", file))
			}
		}
	}
	return out
}
