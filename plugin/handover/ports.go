package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/phigate/phigate/plugin/layers"
	"github.com/phigate/phigate/policy"
)

// addPorts adds those that are not said already. One that was said is the node's
// as soon as one place says so.
func (c *container) addPorts(ports []policy.Port) {
	for _, p := range ports {
		said := func(q policy.Port) bool { return q.Number == p.Number && q.Protocol == p.Protocol }
		switch i := slices.IndexFunc(c.subject.Ports, said); {
		case i < 0:
			c.subject.Ports = append(c.subject.Ports, p)
		case c.subject.Ports[i].Host == 0:
			c.subject.Ports[i].Host = p.Host
		}
	}
}

// nerdctlPorts takes the ports that nerdctl publishes: from the annotation that it writes for its own hooks, and
// from 2.1 on, which writes none, from its own file of the container
// (nerdctl, pkg/netutil/networkstore), whose folder the container's record names.
func (c *container) nerdctlPorts(labels map[string]string) error {
	if text := c.subject.Spec.Annotations["nerdctl/ports"]; text != "" {
		if err := c.published([]byte(text), "annotations[nerdctl/ports]"); err != nil {
			return err
		}
	}
	folder := labels["nerdctl/state-dir"]
	if folder == "" {
		return nil
	}
	// <data root>/<hash>/containers/<namespace>/<id>: no other folder says anything of this container.
	if !filepath.IsAbs(folder) || filepath.Base(folder) != c.ID || filepath.Base(filepath.Dir(folder)) != c.namespace {
		return errors.New("nerdctl's folder of the container is not one of its kind")
	}
	const name = "network-config.json"
	data, err := layers.ReadFile(filepath.Join(folder, name), maxNerdctlFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an older nerdctl
	}
	if err != nil {
		return fmt.Errorf("reading what nerdctl keeps of the container: %w", err)
	}
	var network struct {
		PortMappings json.RawMessage `json:"portMappings"`
	}
	if json.Unmarshal(data, &network) != nil {
		return fmt.Errorf("reading what nerdctl keeps of the container: %s is not JSON of its kind", name)
	}
	if len(network.PortMappings) == 0 {
		return nil
	}
	return c.published(network.PortMappings, name+" portMappings")
}

// maxNerdctlFile bounds nerdctl's file, in bytes.
const maxNerdctlFile = 1 << 20

// published takes port mappings as nerdctl writes them (go-cni's PortMapping).
func (c *container) published(text []byte, field string) error {
	var mappings []struct {
		ContainerPort int
		HostPort      uint16
		Protocol      string
	}
	if json.Unmarshal(text, &mappings) != nil {
		return fmt.Errorf("%s is not JSON of its kind", field)
	}
	for i, p := range mappings {
		ports, err := policy.ParseExposed(strconv.Itoa(p.ContainerPort) + "/" + p.Protocol)
		if err != nil {
			return fmt.Errorf("reading %s: %w", field, err)
		}
		ports[0].Field, ports[0].Host = fmt.Sprintf("%s[%d]", field, i), p.HostPort
		c.addPorts(ports)
	}
	return nil
}
