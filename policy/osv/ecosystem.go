package osv

import (
	"strings"

	"github.com/phigate/phigate/policy/osv/version"
)

// Ecosystem is who gives names and versions to packages.
type Ecosystem uint8

const (
	Unknown Ecosystem = iota
	Debian
	Ubuntu
	Alpine
	Wolfi
	Chainguard
	RedHat
	RockyLinux
	AlmaLinux
	Go
	Maven
)

var ecosystems = [...]struct {
	name  string // as the format has it
	order version.Compare
}{
	Unknown: {"", strings.Compare}, Debian: {"Debian", version.Dpkg}, Ubuntu: {"Ubuntu", version.Dpkg}, Alpine: {"Alpine", version.APK},
	Wolfi: {"Wolfi", version.APK}, Chainguard: {"Chainguard", version.APK}, RedHat: {"Red Hat", version.RPM}, RockyLinux: {"Rocky Linux", version.RPM},
	AlmaLinux: {"AlmaLinux", version.RPM}, Go: {"Go", version.Semantic}, Maven: {"Maven", version.Maven},
}

func (e Ecosystem) String() string { return ecosystems[e].name }

func (e Ecosystem) order() version.Compare { return ecosystems[e].order }

// OfDistribution is the ecosystem of a distribution's packages and the release as
// advisories name it, by ID and VERSION_ID of os-release(5). False: no
// advisories are known to be about it.
func OfDistribution(id, versionID string) (e Ecosystem, releaseVersion string, ok bool) {
	if strings.Trim(versionID, "0123456789.") != "" || len(versionID) > 16 {
		return Unknown, "", false
	}
	switch id {
	case "debian":
		return Debian, parts(versionID, 1), versionID != ""
	case "ubuntu":
		return Ubuntu, parts(versionID, 2), versionID != ""
	case "alpine":
		return Alpine, parts(versionID, 2), versionID != ""
	case "rhel", "centos":
		return RedHat, parts(versionID, 1), versionID != ""
	case "rocky":
		return RockyLinux, parts(versionID, 1), versionID != ""
	case "almalinux":
		return AlmaLinux, parts(versionID, 1), versionID != ""
	case "wolfi":
		return Wolfi, "", true
	case "chainguard":
		return Chainguard, "", true
	}
	return Unknown, "", false
}

// parts are the first n numbers of a version.
func parts(v string, n int) string {
	all := strings.Split(v, ".")
	return strings.Join(all[:min(n, len(all))], ".")
}

// parseEcosystem reads a name with what stands behind its colon: "Debian:12",
// "Ubuntu:22.04:LTS", "Alpine:v3.19", "Red Hat:enterprise_linux:9::baseos". What
// is about extended or paid support is none: its versions are of other builds.
func parseEcosystem(text string) (e Ecosystem, releaseVersion string) {
	base, suffix, _ := strings.Cut(text, ":")
	for i := range ecosystems {
		if i > 0 && ecosystems[i].name == base {
			e = Ecosystem(i)
		}
	}
	first, rest, _ := strings.Cut(suffix, ":")
	switch e {
	case Ubuntu:
		if first == "Pro" {
			return Unknown, ""
		}
	case Alpine:
		first = strings.TrimPrefix(first, "v")
	case RedHat:
		if suffix == "" {
			return e, ""
		}
		if first != "enterprise_linux" {
			return Unknown, ""
		}
		first, _, _ = strings.Cut(rest, ":")
		first = parts(first, 1)
	case RockyLinux, AlmaLinux:
		first = parts(first, 1)
	}
	return e, first
}
