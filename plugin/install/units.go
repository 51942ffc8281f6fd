package install

import (
	"iter"
	"path"
	"slices"
	"strings"
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
	value, _ := t.pathBy(unit, without)
	return value
}

// pathBy also names the file that says so, "" where it is systemd's own.
func (t *Tree) pathBy(unit, without string) (value, by string) {
	value = systemPath
	t.settings(unit, func(k, v, file string) {
		if k != "Environment" || path.Base(file) == without {
			return
		}
		for _, word := range strings.Fields(v) {
			if p, ok := strings.CutPrefix(strings.Trim(word, `"'`), "PATH="); ok {
				value, by = p, file
			}
		}
	})
	return value, by
}

// Which is the program that a PATH leads to, as exec.LookPath has it, or "".
func (t *Tree) Which(name, search string) string {
	for file := range t.programs(name, search) {
		return file
	}
	return ""
}

// realRunc is the first runc in a PATH that is not the wrapper.
func (t *Tree) realRunc(search string) string {
	for file := range t.programs("runc", search) {
		if !t.Wrapped(file) {
			return file
		}
	}
	return ""
}

// programs are those of a name in the folders of a PATH.
func (t *Tree) programs(name, search string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, folder := range strings.Split(search, ":") {
			file := path.Join(folder, name)
			if !path.IsAbs(file) || !t.Exists(file) {
				continue
			}
			info, err := t.root.Stat(in(t.Follow(file)))
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !yield(file) {
				return
			}
		}
	}
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
