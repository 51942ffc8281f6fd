// Package pkgdb finds software that is known to be insecure or that nobody mends
// any more, in what an image says of itself: the databases of dpkg, apk and rpm,
// os-release, what Go's linker writes into programs, and the names and the
// pom.properties of Java archives. It judges by the table in this folder, whose
// date stands in each message; it asks no server. What it reads it also gives as
// packages, for a comparison with advisories that come later.
package pkgdb

import (
	"cmp"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Rule is what all of it is reported under, advisories too.
const Rule = "insecure-software"

// Insecure reads the databases.
//
// A release that will end is reported with the day of its end: before it there
// is no violation (see From of [policy.Finding]), so that a layer that was
// scanned once is judged anew each day. A Go program that was packed (upx) or
// stripped of its build information, and a Java archive without a version in its
// name and without pom.properties, say nothing.
func Insecure() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       Rule,
			Aliases:  []string{"SEC-019"},
			Title:    "Software that is known to be insecure or no longer mended",
			Cites:    []hipaa.Citation{hipaa.RiskAnalysis},
			Relation: policy.Evidences,
			Controls: []policy.Control{{Benchmark: "CIS Docker Benchmark", Version: "1.6.0", ID: "4.4"}},
			Proposed: []hipaa.Proposal{hipaa.ProposedVulnerability},
			Severity: policy.Medium,
			Default:  policy.Warn,
			Visible:  true,
			Rationale: "Risks to ePHI must be assessed (164.308(a)(1)(ii)(A)). A release past its end gets no more mends, and these versions have " +
				"flaws that everybody knows how to use. The table is small and dated: that nothing is found proves nothing.",
			Fix: "Build the image anew on a supported release, and scan it with a scanner of vulnerabilities as well.",
		},
		Anchors: []string{goInfoStart},
		Eager:   true,
		Open:    open,
		Table:   table,
	}
}

// open chooses by the file's name, and takes what Go's linker has written in any.
func open(m detect.Meta, s *detect.Sink) detect.Reader {
	switch {
	case m.Hit != nil:
		return &goProgram{sink: s}
	case m.Path == "/etc/os-release" || m.Path == "/usr/lib/os-release":
		return detect.Whole(s, osRelease)
	case strings.HasSuffix(m.Path, ".jar"):
		jar(m.Path, s)
	case strings.HasSuffix(m.Path, "/pom.properties") && strings.Contains(m.Path, "META-INF/maven/"):
		path := m.Path
		return detect.Whole(s, func(content []byte, s *detect.Sink) { pom(path, content, s) })
	}
	if t, ok := databaseOf(m.Path); ok {
		return newRecords(t, func(p entry, off int64) {
			judge(systemPackage, p.name, p.version, off, s)
			source, version := p.origin()
			s.Package(t.kind, source, version)
		})
	}
	return nil
}

// osRelease judges os-release(5). Where there is no VERSION_ID, as in what will
// be Debian's next release, it is "-".
func osRelease(content []byte, s *detect.Sink) {
	values := properties(content)
	s.Package(detect.Distribution, values["ID"], cmp.Or(values["VERSION_ID"], "-"))
	if r, ok := releaseOf(values["ID"], values["VERSION_ID"]); ok {
		s.FoundFrom("Release of "+r.name+" "+r.version+" that ended on "+r.ends.Format("2006-01-02")+tableNote, 0, r.ends)
	}
}

// properties are lines of a name, an equal sign and a value, which may be quoted.
func properties(content []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[name] = strings.Trim(value, `"'`)
		}
	}
	return values
}

// jar judges the name of a Java archive, "log4j-core-2.14.1.jar".
func jar(path string, s *detect.Sink) {
	if artifact, version, ok := jarName(path); ok {
		judge(javaArchive, artifact, version, 0, s)
	}
}

// jarName takes the name of an archive apart; false: it has no version.
func jarName(path string) (artifact, version string, ok bool) {
	name := strings.TrimSuffix(path[strings.LastIndexAny(path, "/!")+1:], ".jar")
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || i+1 >= len(name) || name[i+1] < '0' || name[i+1] > '9' {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// pom judges what Maven writes into an archive about it, and about those that
// were packed into it. What the archive's own name has said is not said again.
func pom(path string, content []byte, s *detect.Sink) {
	values := properties(content)
	group, artifact, version := values["groupId"], values["artifactId"], values["version"]
	if group == "" || artifact == "" || version == "" {
		return
	}
	s.Package(detect.MavenArtifact, group+":"+artifact, version)
	archive, _, _ := strings.Cut(path, "!META-INF/")
	if named, _, ok := jarName(archive); !ok || named != artifact {
		judge(javaArchive, artifact, version, 0, s)
	}
}
