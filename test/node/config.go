package node

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/phigate/phigate/test/images"
)

// config is containerd's configuration, of the form that its version has. Every
// path that containerd would otherwise share with the machine lies in the node's
// folder, but for the sockets of its shims below 2.4, see removeSockets.
func (n *Node) config() string {
	if !AtLeast(2, 0) {
		return n.config2()
	}
	return n.config3()
}

// config3 is that of containerd 2.
func (n *Node) config3() string {
	o := n.options
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	in := func(name string) string { return filepath.Join(n.Dir, name) }

	line("version = 3")
	line("root = %q", in("root"))
	line("state = %q", in("state"))
	if len(o.Imports) > 0 {
		line("imports = [%s]", quoted(o.Imports))
	}
	line("[grpc]\naddress = %q", n.Address)
	line("[ttrpc]\naddress = %q", n.Address+".ttrpc")
	line("[plugins.'io.containerd.internal.v1.opt']\npath = %q", in("opt"))
	line("[plugins.'io.containerd.shim.v1.manager']\nsocket_dir = %q", in("s"))
	line("[plugins.'io.containerd.cri.v1.images']\nsnapshotter = %q", o.Snapshotter)
	line("[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = %q", images.PauseName)
	line("[plugins.'io.containerd.transfer.v1.local']")
	line("[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]")
	line("platform = 'linux/amd64'\nsnapshotter = %q\ndiffer = 'walking'", o.Snapshotter)
	// Without CAP_SYS_RESOURCE runc cannot lower a sandbox's oom_score_adj, and
	// dies of "can't get final child's PID from pipe".
	line("[plugins.'io.containerd.cri.v1.runtime']\nrestrict_oom_score_adj = true\ncdi_spec_dirs = [%q]", n.CDI())
	line("[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = [%q]\nconf_dir = %q", in("cni/bin"), in("cni/net.d"))
	n.handlers(line, "io.containerd.cri.v1.runtime")
	n.nri(line)
	return b.String() + o.Config
}

// CDI is the folder that the node takes specifications of devices from.
func (n *Node) CDI() string { return filepath.Join(n.Dir, "cdi") }

// handlers are CRI's runtimes, the same in both forms but for the plugin's name.
func (n *Node) handlers(line func(format string, args ...any), plugin string) {
	handler := func(name, binary string) {
		line("[plugins.%q.containerd.runtimes.%s]\nruntime_type = 'io.containerd.runc.v2'", plugin, name)
		line("[plugins.%q.containerd.runtimes.%s.options]\nRoot = %q", plugin, name, filepath.Join(n.Dir, "runc"))
		if binary != "" {
			line("BinaryName = %q", binary)
		}
	}
	handler("runc", n.options.Runc)
	if n.options.Second != "" {
		handler(SecondHandler, n.options.Second)
	}
}

// nri is the same in both forms. Below 2.0 NRI is off unless it is turned on;
// below 2.2 no plugin can be required.
func (n *Node) nri(line func(format string, args ...any)) {
	o := n.options
	in := func(name string) string { return filepath.Join(n.Dir, name) }
	line("[plugins.'io.containerd.nri.v1.nri']\ndisable = false\nsocket_path = %q", n.NRISocket)
	line("plugin_path = %q\nplugin_config_path = %q", in("nri/plugins"), in("nri/conf.d"))
	if o.PluginTimeout > 0 {
		line("plugin_request_timeout = %q", o.PluginTimeout)
	}
	if len(o.Require) > 0 && AtLeast(2, 2) {
		line("[plugins.'io.containerd.nri.v1.nri'.default_validator]\nenable = true\nrequired_plugins = [%s]", quoted(o.Require))
	}
}

// config2 is that of containerd 1.7.
func (n *Node) config2() string {
	o := n.options
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	in := func(name string) string { return filepath.Join(n.Dir, name) }

	line("version = 2")
	line("root = %q", in("root"))
	line("state = %q", in("state"))
	if len(o.Imports) > 0 {
		line("imports = [%s]", quoted(o.Imports))
	}
	line("[grpc]\naddress = %q", n.Address)
	line("[ttrpc]\naddress = %q", n.Address+".ttrpc")
	line("[plugins.'io.containerd.internal.v1.opt']\npath = %q", in("opt"))
	line("[plugins.'io.containerd.transfer.v1.local']")
	line("[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]")
	line("platform = 'linux/amd64'\nsnapshotter = %q\ndiffer = 'walking'", o.Snapshotter)
	line("[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = %q\nrestrict_oom_score_adj = true\nenable_cdi = true\ncdi_spec_dirs = [%q]", images.PauseName, n.CDI())
	line("[plugins.'io.containerd.grpc.v1.cri'.cni]\nbin_dir = %q\nconf_dir = %q", in("cni/bin"), in("cni/net.d"))
	line("[plugins.'io.containerd.grpc.v1.cri'.containerd]\nsnapshotter = %q", o.Snapshotter)
	n.handlers(line, "io.containerd.grpc.v1.cri")
	n.nri(line)
	return b.String() + o.Config
}

func quoted(list []string) string {
	var q []string
	for _, s := range list {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return strings.Join(q, ", ")
}
