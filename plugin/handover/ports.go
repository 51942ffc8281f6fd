package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

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
