package pkgdb

import (
	"strings"

	"github.com/phigate/phigate/policy/detect"
)

// text is how a database of text names what is read of it.
type text struct {
	name, version, status, source string // what the lines begin with
	kind                          detect.PackageKind
}

var (
	dpkg = text{name: "Package: ", version: "Version: ", status: "Status: ", source: "Source: ", kind: detect.DpkgSource}
	apk  = text{name: "P:", version: "V:", status: "\x00", source: "o:", kind: detect.APKOrigin}
)

// records reads such a database, one package in each paragraph.
type records struct {
	text
	sink    *detect.Sink
	lines   *detect.Lines
	current struct{ name, version, status, source string }
	at      int64
}

// maxLine bounds a line of such a database; names and versions are short.
const maxLine = 1024

func newRecords(s *detect.Sink, t text) *records {
	r := &records{text: t, sink: s}
	r.lines = detect.NewLines(maxLine, r.line)
	return r
}

func (r *records) Window(w detect.Window) { r.lines.Window(w) }

func (r *records) Close() {
	r.lines.Close()
	r.end()
}

func (r *records) line(l detect.Line) {
	line := string(l.Text)
	switch {
	case line == "":
		r.end()
	case strings.HasPrefix(line, r.name):
		r.end()
		r.current.name, r.at = strings.TrimSpace(line[len(r.name):]), l.Off
	case strings.HasPrefix(line, r.version):
		r.current.version = strings.TrimSpace(line[len(r.version):])
	case strings.HasPrefix(line, r.status):
		r.current.status = line[len(r.status):]
	case strings.HasPrefix(line, r.source):
		r.current.source = strings.TrimSpace(line[len(r.source):])
	}
}

// end judges the package that was read; one that dpkg has removed and keeps the
// settings of is none. Advisories are about sources, of which dpkg names the
// version where it is another: "openssl (3.0.11-1)".
func (r *records) end() {
	c := r.current
	r.current.name, r.current.version, r.current.status, r.current.source = "", "", "", ""
	if c.name == "" || c.version == "" || c.status != "" && !strings.Contains(c.status, " installed") {
		return
	}
	judge(systemPackage, c.name, c.version, r.at, r.sink)
	source, version := c.name, c.version
	if c.source != "" {
		var other string
		source, other, _ = strings.Cut(c.source, " (")
		if other != "" {
			version = strings.TrimSuffix(other, ")")
		}
	}
	r.sink.Package(r.kind, source, version)
}
