package install

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Names of containerd's plugins in its configuration, and of their keys.
const (
	nriPlugin = "io.containerd.nri.v1.nri"
	criV3     = "io.containerd.cri.v1.runtime" // configuration version 3
	criV2     = "io.containerd.grpc.v1.cri"    // and 2
)

// maxConfigs bounds how many files a configuration is read from.
const maxConfigs = 100

// Containerd is containerd's configuration as its files have it: the main one
// first, then imports in containerd's order. Later ones win.
type Containerd struct {
	Files []ConfigFile
	tree  *Tree
	first string // the main file's path
}

// ConfigFile is one file of the configuration.
type ConfigFile struct {
	Path  string
	data  []byte
	table table
}

// NRI is what the configuration says of NRI.
type NRI struct {
	Disabled bool
	Socket   string
	Timeout  string   // plugin_request_timeout; "" is containerd's own, 2s
	Required []string // where the validator is enabled
	// Tolerate is the annotation by which any pod could do without.
	Tolerate string
}

// ReadContainerd reads the configuration. A node without one has no files.
func ReadContainerd(t *Tree) (*Containerd, error) { return ReadContainerdAt(t, ContainerdConfig) }

// ReadContainerdAt reads a configuration that begins with another file, as that of a
// distribution which writes its own.
func ReadContainerdAt(t *Tree, first string) (*Containerd, error) {
	c := &Containerd{tree: t, first: first}
	pending := []string{first}
	seen := map[string]bool{}
	for len(pending) > 0 {
		name := pending[0]
		pending = pending[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		if len(seen) > maxConfigs {
			return nil, fmt.Errorf("%s imports more than %d files", first, maxConfigs)
		}
		file, err := c.load(name)
		if err != nil {
			return nil, err
		}
		if file == nil {
			continue
		}
		c.Files = append(c.Files, *file)
		more, err := c.imports(file)
		if err != nil {
			return nil, err
		}
		pending = append(pending, more...)
	}
	return c, nil
}

func (c *Containerd) load(name string) (*ConfigFile, error) {
	if err := c.tree.Trusted(name); err != nil {
		return nil, err
	}
	e, err := c.tree.look(name)
	switch {
	case err != nil:
		return nil, err
	case !e.exists && name == c.first:
		return nil, nil
	case !e.exists:
		return nil, fmt.Errorf("containerd's configuration imports %s, which is not there: containerd would not start", name)
	case !e.regular():
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	t, err := parse(name, e.data)
	if err != nil {
		return nil, err
	}
	return &ConfigFile{Path: name, data: e.data, table: t}, nil
}

// imports lists the files that a file imports, as containerd does: relative to
// its folder, and what a pattern matches in order.
func (c *Containerd) imports(f *ConfigFile) ([]string, error) {
	var out []string
	for _, name := range texts(f.table["imports"]) {
		name = absolute(f.Path, name)
		if !strings.Contains(name, "*") {
			out = append(out, name)
			continue
		}
		found, err := c.tree.glob(name)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func absolute(parent, name string) string {
	if name = path.Clean(name); path.IsAbs(name) {
		return name
	}
	return path.Join(path.Dir(parent), name)
}

// main is the main file, or nil.
func (c *Containerd) main() *ConfigFile {
	if len(c.Files) > 0 && c.Files[0].Path == c.first {
		return &c.Files[0]
	}
	return nil
}

// imported says whether the main file's imports cover the path.
func (c *Containerd) imported(name string) bool {
	main := c.main()
	if main == nil {
		return false
	}
	return slices.ContainsFunc(texts(main.table["imports"]), func(pattern string) bool {
		ok, err := path.Match(absolute(main.Path, pattern), name)
		return ok && err == nil
	})
}

// section is a plugin's table, merged over the files but those left out: keys of later files win and
// lists are joined, as containerd 2 does. containerd 1.7 replaces whole
// tables, so its drop-in repeats what others set (see dropIn).
func (c *Containerd) section(plugin string, except ...string) table {
	out := table{}
	for _, f := range c.Files {
		if t, ok := at(f.table, "plugins", plugin).(table); ok && !slices.Contains(except, f.Path) {
			merge(out, t)
		}
	}
	return out
}

func merge(to, from table) {
	for key, value := range from {
		switch value := value.(type) {
		case table:
			below, ok := to[key].(table)
			if !ok {
				below = table{}
			}
			below = maps.Clone(below)
			merge(below, value)
			to[key] = below
		case []any:
			list, _ := to[key].([]any)
			to[key] = append(slices.Clone(list), value...)
		default:
			to[key] = value
		}
	}
}

// NRI is the merged section of NRI.
func (c *Containerd) NRI() NRI {
	t := c.section(nriPlugin)
	var n NRI
	n.Disabled, _ = t["disable"].(bool)
	n.Socket, _ = t["socket_path"].(string)
	n.Timeout, _ = t["plugin_request_timeout"].(string)
	if enabled, _ := at(t, "default_validator", "enable").(bool); enabled {
		n.Required = texts(at(t, "default_validator", "required_plugins"))
		n.Tolerate, _ = at(t, "default_validator", "tolerate_missing_plugins_annotation").(string)
	}
	return n
}

// Requires says whether containers are refused unless the plugin is there.
func (c *Containerd) Requires(name string) bool { return slices.Contains(c.NRI().Required, name) }

// requirer is the file that requires the plugin.
func (c *Containerd) requirer(name string) string {
	for _, f := range c.Files {
		if slices.Contains(texts(at(f.table, "plugins", nriPlugin, "default_validator", "required_plugins")), name) {
			return f.Path
		}
	}
	return ""
}

// Address is containerd's socket, or "" where the configuration names none.
func (c *Containerd) Address() string {
	address := ""
	for _, f := range c.Files {
		s, _ := at(f.table, "grpc", "address").(string)
		v4, _ := at(f.table, "plugins", "io.containerd.server.v1.grpc", "address").(string)
		address = cmp.Or(v4, s, address)
	}
	return address
}

// WithoutCRI says that the configuration switches off CRI, as Docker's packages
// do: then NRI sees no container at all.
func (c *Containerd) WithoutCRI() bool {
	for _, f := range c.Files {
		for _, name := range texts(f.table["disabled_plugins"]) {
			if name == "cri" || name == criV2 || name == criV3 {
				return true
			}
		}
	}
	return false
}

// BinaryNames are the OCI runtimes that handlers name themselves, by handler: PATH does not lead these to the wrapper.
func (c *Containerd) BinaryNames() map[string]string {
	out := map[string]string{}
	for name, h := range c.handlers() {
		if h.binary != "" {
			out[name] = h.binary
		}
	}
	return out
}

// handler is one of CRI's runtime handlers: its shim, and the OCI runtime that it names, if any.
type handler struct{ shim, binary string }

// handlers are those that the files configure, but those left out.
func (c *Containerd) handlers(except ...string) map[string]handler {
	out := map[string]handler{}
	for _, plugin := range []string{criV2, criV3} {
		configured, _ := at(c.section(plugin, except...), "containerd", "runtimes").(table)
		for name := range configured {
			h := out[name]
			if shim, _ := at(configured, name, "runtime_type").(string); shim != "" {
				h.shim = shim
			}
			if binary, _ := at(configured, name, "options", "BinaryName").(string); binary != "" {
				h.binary = binary
			}
			out[name] = h
		}
	}
	return out
}
