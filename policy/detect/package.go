package detect

// Package is software that a file says is there, for a comparison with
// advisories that are not known when the file is read.
type Package struct {
	Kind    PackageKind
	Name    string
	Version string
}

// PackageKind says whose name and version they are.
type PackageKind uint8

const (
	Distribution  PackageKind = iota // ID and VERSION_ID of os-release(5)
	DpkgSource                       // a source package
	APKOrigin                        // the package that others are split off from
	RPMPackage                       // a package, with epoch and release
	RPMSource                        // what it was built from, with its version
	GoModule                         // a module's path; "stdlib" is Go itself
	MavenArtifact                    // "group:artifact"

	PackageKinds
)

// Bounds of what one file says; real names and versions are far shorter.
const (
	maxPackages    = 20_000
	maxPackageText = 256
)

// Package takes software that the file names. What it names twice is kept once.
func (s *Sink) Package(kind PackageKind, name, version string) {
	s.used = true
	switch {
	case name == "" || version == "":
		return
	case len(name) > maxPackageText || len(version) > maxPackageText:
		s.Skip("package with a name or a version of more than 256 bytes")
		return
	}
	p := Package{kind, name, version}
	if _, known := s.known[p]; known {
		return
	}
	if len(s.packages) >= maxPackages {
		s.Skip("more than 20000 packages: the others cannot be compared with advisories")
		return
	}
	if s.known == nil {
		s.known = map[Package]struct{}{}
	}
	s.known[p] = struct{}{}
	s.packages = append(s.packages, p)
}
