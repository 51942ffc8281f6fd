package install

import (
	"cmp"
	"fmt"
	"path"
)

// Names of containerd's image verifiers (docs/image-verification.md there), and of phigate among them.
const (
	verifierPlugin = "io.containerd.image-verifier.v1.bindir"
	verifierFolder = "/opt/containerd/image-verifier/bin" // where the configuration names none
	verifierName   = "phigate-verify"
)

// Verifier is where phigate lies among containerd's image verifiers, by this configuration.
func (c *Containerd) Verifier() string {
	folder, _ := c.section(verifierPlugin)["bin_dir"].(string)
	return path.Join(cmp.Or(folder, verifierFolder), verifierName)
}

// verifier has containerd ask before it pulls. It reads that folder at each pull, so that nothing is restarted.
func (p *planner) verifier(disk *Containerd, n Node) error {
	if !n.Verify {
		return nil
	}
	if n.Containerd != "" && !AtLeast(n.Containerd, 2, 0) {
		return fmt.Errorf("--image-verifier: containerd %s asks no verifier about the kubelet's pulls: 2.1 or later is needed", n.Containerd)
	}
	return p.link(disk.Verifier(), path.Join(ProgramFolder, "phigate"), "asked before an image is pulled")
}
