package nri

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/nri/pkg/api"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// Annotations that the kubelet itself writes on each container that it makes.
const (
	kubeletHash  = "io.kubernetes.container.hash"
	kubeletPorts = "io.kubernetes.container.ports"
)

// ports gathers the ports that the image, the container and its pod say. Those
// of the pod are attributed to the container where the kubelet's annotation or
// the image names them, and else given as the whole pod's.
func (d *Door) ports(ctx context.Context, s *policy.Subject, ctr *api.Container, root *containerd.Root, sandbox *containerd.Sandbox) error {
	exposed, err := d.exposed(ctx, s.Image, root)
	if err != nil {
		return err
	}
	own := exposed
	declared, byKubelet := kubeletPortsOf(ctr.GetAnnotations())
	own = append(own, declared...)
	s.Ports = own
	for i, p := range sandbox.Ports {
		port := policy.Port{Number: p.ContainerPort, Protocol: p.Protocol, Field: fmt.Sprintf("pod.portMappings[%d]", i), WholePod: true}
		switch {
		case hasPort(own, port): // said already, of this container
		case byKubelet: // another container's
		default:
			s.Ports = append(s.Ports, port)
		}
	}
	s.Sees |= policy.FactPorts
	return nil
}

func hasPort(ports []policy.Port, p policy.Port) bool {
	for _, q := range ports {
		if q.Number == p.Number && q.Protocol == p.Protocol {
			return true
		}
	}
	return false
}

// exposed reads the image's EXPOSE. An image that cannot be found leaves the
// ports unknown, and unknown is not compliant.
func (d *Door) exposed(ctx context.Context, image policy.Image, root *containerd.Root) ([]policy.Port, error) {
	if len(root.Chain) == 0 && image.Ref == "" && image.Config == "" {
		return nil, errors.New("the runtime named no image")
	}
	img, err := d.Runtime.ImageOf(ctx, image.Ref, image.Config, root.Chain)
	if err != nil {
		return nil, fmt.Errorf("reading the image's ports: %w", err)
	}
	return policy.ExposedPorts(img.Ports)
}

// kubeletPortsOf reads the ports that the kubelet noted for this container, and
// says whether it is the kubelet's at all: then the note is complete.
func kubeletPortsOf(annotations map[string]string) (ports []policy.Port, byKubelet bool) {
	if annotations[kubeletHash] == "" {
		return nil, false
	}
	text := annotations[kubeletPorts]
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
