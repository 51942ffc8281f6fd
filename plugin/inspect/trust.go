package inspect

import (
	"path"

	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/settings"
)

// tlsClients are programs that verify whom they speak to by the bundle of the
// system. Languages bring bundles of their own, and BusyBox verifies nobody.
var tlsClients = []string{"/usr/bin/curl", "/usr/bin/wget", "/usr/bin/git", "/usr/local/bin/curl", "/usr/local/bin/git"}

// withoutTrust finds an image that has such a client and no certificate
// authorities. That is seen only where all layers are known.
func (m *merging) withoutTrust() error {
	if !m.whole {
		return nil
	}
	client, layer, err := m.first(tlsClients)
	if err != nil || client == "" {
		return err
	}
	if bundle, _, err := m.first(settings.Bundles()); err != nil || bundle != "" {
		return err
	}
	m.report.Findings = append(m.report.Findings, policy.Finding{Rule: settings.RuleCertificates,
		Message: "Client of TLS without certificate authorities", Where: policy.Where{Path: client, Layer: layer}})
	return nil
}

// first is the first of some names that the image shows as a file, through
// whatever links, and the layer that has it.
func (m *merging) first(names []string) (name, layer string, err error) {
	for _, name := range names {
		at, err := m.view.resolve(name)
		if err == errLoop || err == errSteps {
			continue
		}
		if err != nil {
			return "", "", err
		}
		found, ok, err := m.view.top(at)
		if err != nil {
			return "", "", err
		}
		if ok && found.Kind == rootfs.Regular && found.Size > 0 && path.Base(at) != "busybox" {
			return name, m.layerOf(at), nil
		}
	}
	return "", "", nil
}

// layerOf is the highest layer that has a name.
func (m *merging) layerOf(name string) string {
	for i := len(m.keys) - 1; i >= 0; i-- {
		if _, ok, err := m.view.lookup(i, path.Clean(name)); err == nil && ok {
			return m.keys[i]
		}
	}
	return ""
}
