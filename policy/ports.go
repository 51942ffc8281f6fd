package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxExposed bounds the ports that an image's ExposedPorts may name, each range
// counted in full: an entry of 11 bytes can name all 65,536.
const maxExposed = 1 << 20

// ParseExposed reads an entry of an image's ExposedPorts (OCI image spec,
// config): "port/tcp", "port/udp", "port", or a range "from-to/proto", each from
// 1 to 65535.
func ParseExposed(text string) ([]Port, error) {
	number, proto, ok := strings.Cut(text, "/")
	if !ok || proto == "" {
		proto = "tcp"
	}
	proto = strings.ToLower(proto)
	from, to, isRange := strings.Cut(number, "-")
	first, err := strconv.ParseUint(from, 10, 16)
	last := first
	if err == nil && isRange {
		last, err = strconv.ParseUint(to, 10, 16)
	}
	if err != nil || first == 0 || last < first || !slices.Contains([]string{"tcp", "udp", "sctp"}, proto) {
		return nil, fmt.Errorf("the image exposes %q, which is no port", Printable(text))
	}
	var ports []Port
	for n := first; n <= last; n++ {
		ports = append(ports, Port{Number: uint16(n), Protocol: proto, Field: "image.config.ExposedPorts"})
	}
	return ports, nil
}

// ExposedPorts reads all entries of an image's ExposedPorts, in the order of
// protocol and number, each port once.
func ExposedPorts(entries []string) ([]Port, error) {
	var ports []Port
	seen := map[Port]bool{}
	named := 0
	for _, text := range entries {
		found, err := ParseExposed(text)
		if err != nil {
			return nil, err
		}
		if named += len(found); named > maxExposed {
			return nil, fmt.Errorf("the image exposes more than %d ports", maxExposed)
		}
		for _, p := range found {
			if !seen[p] {
				seen[p] = true
				ports = append(ports, p)
			}
		}
	}
	slices.SortFunc(ports, func(a, b Port) int {
		return cmpAll(strings.Compare(a.Protocol, b.Protocol), int(a.Number)-int(b.Number))
	})
	return ports, nil
}

// Annotations that the kubelet itself writes on each container that it makes.
const (
	KubeletHashNote  = "io.kubernetes.container.hash"
	KubeletPortsNote = "io.kubernetes.container.ports"
)

// KubeletPorts reads the ports that the kubelet noted for a container, and says
// whether it is the kubelet's at all: then the note is complete.
func KubeletPorts(annotations map[string]string) (ports []Port, byKubelet bool) {
	if annotations[KubeletHashNote] == "" {
		return nil, false
	}
	text := annotations[KubeletPortsNote]
	if text == "" {
		return nil, true
	}
	var declared []struct {
		ContainerPort uint16 `json:"containerPort"`
		HostPort      uint16 `json:"hostPort"`
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
		ports = append(ports, Port{Number: p.ContainerPort, Protocol: proto, Host: p.HostPort, Field: fmt.Sprintf("container.ports[%d]", i)})
	}
	return ports, true
}
