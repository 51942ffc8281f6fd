package install

import (
	"fmt"
	"path"
)

// distribution is one that writes containerd's configuration at each of its own starts.
type distribution struct {
	name    string
	signs   []string // what only it has
	folder  string   // of its containerd
	state   string   // where containerd's socket is
	unit    string
	restart string
}

func distributions() []distribution {
	return []distribution{
		{"k3s", []string{"/var/lib/rancher/k3s", "/etc/rancher/k3s", "/usr/local/bin/k3s"},
			"/var/lib/rancher/k3s/agent/etc/containerd", "/run/k3s/containerd", "k3s.service (k3s-agent.service on agents)", "systemctl restart k3s"},
		{"RKE2", []string{"/var/lib/rancher/rke2", "/etc/rancher/rke2", "/usr/local/bin/rke2"},
			"/var/lib/rancher/rke2/agent/etc/containerd", "/run/k3s/containerd", "rke2-server.service (rke2-agent.service on agents)", "systemctl restart rke2-server"},
	}
}

// managed names the distribution, or is empty.
func managed(t *Tree) string {
	for _, d := range distributions() {
		for _, sign := range d.signs {
			if t.Exists(sign) {
				return d.name
			}
		}
	}
	return ""
}

// instructions are what to do by hand where files would be overwritten.
func instructions(name string) []string {
	for _, d := range distributions() {
		if d.name == name {
			return d.instructions()
		}
	}
	return nil
}

func (d distribution) instructions() []string {
	return []string{
		fmt.Sprintf("copy the units deploy/systemd/phigated.service and phigated.socket to %s and put %s into Before= of both", path.Dir(UnitFile), d.unit),
		fmt.Sprintf("write /etc/phigate/phigate.yaml with containerd: %s/containerd.sock", d.state),
		"systemctl daemon-reload && systemctl enable --now phigated.socket phigated",
		fmt.Sprintf("when `phigate status` says that phigate is connected, write %s/config-v3.toml.tmpl (config.toml.tmpl where containerd is 1.7):\n%s", d.folder, template),
		fmt.Sprintf("%s, then phigate doctor", d.restart),
		fmt.Sprintf("its runc is its own and comes first in its PATH: to put the wrapper in front of it, set BinaryName = '%s' "+
			"in the runtime handler's options of that template, and name its runc in %s", Wrapper, WrapperConfig),
	}
}

// template keeps what the distribution generates and adds phigate's part.
const template = `    {{ template "base" . }}

    [plugins.'io.containerd.nri.v1.nri']
      disable = false
      [plugins.'io.containerd.nri.v1.nri'.default_validator]
        enable = true
        required_plugins = ['phigate']`
