package nri

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/nri/pkg/api"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
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
	declared, byKubelet := policy.KubeletPorts(ctr.GetAnnotations())
	own = append(own, declared...)
	s.Ports = own
	for i, p := range sandbox.Ports {
		port := policy.Port{Number: p.ContainerPort, Protocol: p.Protocol, Host: p.HostPort, Field: fmt.Sprintf("pod.portMappings[%d]", i), WholePod: true}
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
