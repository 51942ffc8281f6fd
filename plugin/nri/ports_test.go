package nri

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

func TestPorts(t *testing.T) {
	exposed := func(n uint16) policy.Port {
		return policy.Port{Number: n, Protocol: "tcp", Field: "image.config.ExposedPorts"}
	}
	wholePod := policy.Port{Number: 21, Protocol: "tcp", Field: "pod.portMappings[0]", WholePod: true}
	declared := policy.Port{Number: 21, Protocol: "tcp", Field: "container.ports[0]"}
	mapped := []containerd.SandboxPort{{Protocol: "tcp", ContainerPort: 21}}
	kubelet := func(ports string) map[string]string {
		return map[string]string{policy.KubeletHashNote: "1", policy.KubeletPortsNote: ports}
	}
	tests := []struct {
		name        string
		image       []string
		pod         []containerd.SandboxPort
		annotations map[string]string
		want        []policy.Port
	}{
		{"none", nil, nil, nil, nil},
		{"of_the_image", []string{"80/tcp"}, nil, nil, []policy.Port{exposed(80)}},
		{"of_the_pod_alone", nil, mapped, nil, []policy.Port{wholePod}},
		{"of_the_pod_and_the_image", []string{"21"}, mapped, nil, []policy.Port{exposed(21)}},
		{"udp_is_another_port", []string{"21"}, []containerd.SandboxPort{{Protocol: "udp", ContainerPort: 21}}, nil,
			[]policy.Port{exposed(21), {Number: 21, Protocol: "udp", Field: "pod.portMappings[0]", WholePod: true}}},
		{"attributed_by_the_kubelet", nil, mapped, kubelet(`[{"containerPort":21}]`), []policy.Port{declared}},
		{"protocol_in_capitals", nil, mapped, kubelet(`[{"containerPort":21,"protocol":"TCP"}]`), []policy.Port{declared}},
		{"another_containers", nil, mapped, kubelet(`[{"containerPort":8443}]`), []policy.Port{{Number: 8443, Protocol: "tcp", Field: "container.ports[0]"}}},
		{"kubelet_that_declares_none", nil, mapped, map[string]string{policy.KubeletHashNote: "1"}, nil},
		{"note_that_is_not_the_kubelets", nil, mapped, map[string]string{policy.KubeletPortsNote: `[]`}, []policy.Port{wholePod}},
		{"note_that_cannot_be_read", nil, mapped, kubelet(`[{"containerPort":70000}]`), []policy.Port{wholePod}},
		{"note_that_is_no_json", nil, mapped, kubelet(`nonsense`), []policy.Port{wholePod}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, e, r := newDoor()
			r.image.Ports, r.sandbox.Ports = tt.image, tt.pod
			c := ctr()
			c.Annotations = tt.annotations
			if err := d.StartContainer(t.Context(), pod(), c); err != nil {
				t.Fatal(err)
			}
			s := e.asked[0]
			if diff := cmp.Diff(tt.want, s.Ports); diff != "" && len(tt.want)+len(s.Ports) > 0 {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !s.Sees.Has(policy.FactPorts) {
				t.Error("the ports are not said to be seen")
			}
		})
	}
}

// A port that cannot be read is unknown, and unknown is not compliant.
func TestUnreadablePortIsRefused(t *testing.T) {
	for _, port := range []string{"http", "0-99999", "80/quic", "-1"} {
		d, _, r := newDoor()
		r.image.Ports = []string{port}
		if err := d.StartContainer(t.Context(), pod(), ctr()); err == nil {
			t.Errorf("an image that exposes %q was admitted", port)
		}
	}
}
