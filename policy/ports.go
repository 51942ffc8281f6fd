package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxExposed bounds the ports that an image's ExposedPorts may name, each range
// counted in full: an entry of 11 bytes can name all 65,536.
const maxExposed = 1 << 20

// ParseExposed reads an entry of an image's ExposedPorts (OCI image spec,
// config): "port/tcp", "port/udp", "port", or a range "from-to/proto".
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
	if err != nil || last < first || !slices.Contains([]string{"tcp", "udp", "sctp"}, proto) {
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
