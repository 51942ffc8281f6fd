package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy"
)

// addPorts adds those that are not said already.
func (c *container) addPorts(ports []policy.Port) {
	for _, p := range ports {
		said := func(q policy.Port) bool { return q.Number == p.Number && q.Protocol == p.Protocol }
		if !slices.ContainsFunc(c.subject.Ports, said) {
			c.subject.Ports = append(c.subject.Ports, p)
		}
	}
}

// nerdctlPorts takes the ports that nerdctl publishes, from the annotation that
// it writes for its own hooks.
func (c *container) nerdctlPorts() error {
	text := c.subject.Spec.Annotations["nerdctl/ports"]
	if text == "" {
		return nil
	}
	var published []struct {
		ContainerPort int
		Protocol      string
	}
	if json.Unmarshal([]byte(text), &published) != nil {
		return errors.New("the annotation nerdctl/ports is not JSON of its kind")
	}
	for i, p := range published {
		ports, err := policy.ParseExposed(strconv.Itoa(p.ContainerPort) + "/" + p.Protocol)
		if err != nil {
			return fmt.Errorf("reading the annotation nerdctl/ports: %w", err)
		}
		ports[0].Field = fmt.Sprintf("annotations[nerdctl/ports][%d]", i)
		c.addPorts(ports)
	}
	return nil
}

// kubeletPorts reads the ports that the kubelet noted for a container, and says
// whether it is the kubelet's at all: then the note is complete.
func kubeletPorts(annotations map[string]string) (ports []policy.Port, byKubelet bool) {
	if annotations["io.kubernetes.container.hash"] == "" {
		return nil, false
	}
	text := annotations["io.kubernetes.container.ports"]
	if text == "" {
		return nil, true
	}
	var declared []struct {
		ContainerPort uint16 `json:"containerPort"`
		Protocol      string `json:"protocol"`
	}
	if json.Unmarshal([]byte(text), &declared) != nil {
		return nil, false
	}
	for i, p := range declared {
		proto := strings.ToLower(p.Protocol)
		if proto == "" {
			proto = "tcp"
		}
		ports = append(ports, policy.Port{Number: p.ContainerPort, Protocol: proto, Field: fmt.Sprintf("container.ports[%d]", i)})
	}
	return ports, true
}
