package identifier

import (
	"bytes"
	"net/netip"
)

// IPClass is what an IP address says of who uses it.
type IPClass uint8

const (
	NotIP   IPClass = iota
	Public          // of one network, perhaps of one person
	Private         // of any local network, loopback, link-local, multicast
	Sample          // set aside for documentation (RFC 5737, 3849) or benchmarks
)

// IP classifies an address. A version number with four parts has its form too: it
// counts in records with other identifiers only.
func IP(v []byte) IPClass {
	const longest = 45
	if len(v) < 3 || len(v) > longest || bytes.IndexByte(v, '.') < 0 && bytes.IndexByte(v, ':') < 0 {
		return NotIP
	}
	a, err := netip.ParseAddr(string(v))
	if err != nil {
		return NotIP
	}
	a = a.Unmap()
	switch {
	case sampleNet(a):
		return Sample
	case a.IsPrivate(), a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified(), a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240):
		return Private
	}
	return Public
}

func sampleNet(a netip.Addr) bool {
	if a.Is6() {
		b := a.As16()
		return b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8
	}
	b := a.As4()
	switch [3]byte(b[:3]) {
	case [3]byte{192, 0, 2}, [3]byte{198, 51, 100}, [3]byte{203, 0, 113}:
		return true
	}
	return b[0] == 198 && b[1]&0xFE == 18
}
