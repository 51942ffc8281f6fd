// Package pkgdb finds software that is known to be insecure or that nobody mends
// any more, in what an image says of itself: the databases of dpkg, apk and rpm,
// os-release, and the names of Java archives. It judges by the table in this
// folder, whose date stands in each message; it asks no server.
package pkgdb

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Insecure reads the databases.
//
// A release that will end is reported with the day of its end: before it there
// is no violation (see From of [policy.Finding]), so that a layer that was
// scanned once is judged anew each day. Databases of rpm before SQLite (Berkeley
// DB and ndb) are not read, and that is said.
func Insecure() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "insecure-software",
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
		Open:  open,
		Table: table,
	}
}

// open chooses by the file's name.
func open(m detect.Meta, s *detect.Sink) detect.Reader {
	switch {
	case m.Path == "/etc/os-release" || m.Path == "/usr/lib/os-release":
		return detect.Whole(s, osRelease)
	case m.Path == "/var/lib/dpkg/status", strings.HasPrefix(m.Path, "/var/lib/dpkg/status.d/") && !strings.HasSuffix(m.Path, ".md5sums"):
		return newRecords(s, "Package: ", "Version: ", "Status: ")
	case m.Path == "/lib/apk/db/installed", m.Path == "/usr/lib/apk/db/installed":
		return newRecords(s, "P:", "V:", "\x00")
	case m.Path == "/var/lib/rpm/Packages", m.Path == "/var/lib/rpm/Packages.db", m.Path == "/usr/lib/sysimage/rpm/Packages.db":
		s.Skip("rpm database of a format that is not read")
	case strings.HasSuffix(m.Path, ".jar"):
		jar(m.Path, s)
	}
	return nil
}

// osRelease judges os-release(5).
func osRelease(content []byte, s *detect.Sink) {
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[name] = strings.Trim(value, `"'`)
		}
	}
	if r, ok := releaseOf(values["ID"], values["VERSION_ID"]); ok {
		s.FoundFrom("Release of "+r.name+" "+r.version+" that ended on "+r.ends.Format("2006-01-02")+tableNote, 0, r.ends)
	}
}

// jar judges the name of a Java archive, "log4j-core-2.14.1.jar".
func jar(path string, s *detect.Sink) {
	name := strings.TrimSuffix(path[strings.LastIndexAny(path, "/!")+1:], ".jar")
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || i+1 >= len(name) || name[i+1] < '0' || name[i+1] > '9' {
		return
	}
	judge(javaArchive, name[:i], name[i+1:], 0, s)
}

// records reads a database of text, one package in each paragraph.
type records struct {
	sink                  *detect.Sink
	lines                 *detect.Lines
	name, version, status string // what the lines begin with
	current               [3]string
	at                    int64
}

// maxLine bounds a line of such a database; names and versions are short.
const maxLine = 1024

func newRecords(s *detect.Sink, name, version, status string) *records {
	r := &records{sink: s, name: name, version: version, status: status}
	r.lines = detect.NewLines(maxLine, r.line)
	return r
}

func (r *records) Window(w detect.Window) { r.lines.Window(w) }

func (r *records) Close() {
	r.lines.Close()
	r.end()
}

func (r *records) line(l detect.Line) {
	text := string(l.Text)
	switch {
	case text == "":
		r.end()
	case strings.HasPrefix(text, r.name):
		r.end()
		r.current[0], r.at = strings.TrimSpace(text[len(r.name):]), l.Off
	case strings.HasPrefix(text, r.version):
		r.current[1] = strings.TrimSpace(text[len(r.version):])
	case strings.HasPrefix(text, r.status):
		r.current[2] = text[len(r.status):]
	}
}

// end judges the package that was read; one that dpkg has removed and keeps the
// settings of is none.
func (r *records) end() {
	if name, version := r.current[0], r.current[1]; name != "" && version != "" &&
		(r.current[2] == "" || strings.Contains(r.current[2], " installed")) {
		judge(systemPackage, name, version, r.at, r.sink)
	}
	r.current = [3]string{}
}
