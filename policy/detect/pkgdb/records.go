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

// databaseOf chooses by the file's name.
func databaseOf(path string) (text, bool) {
	switch {
	case path == "/var/lib/dpkg/status", strings.HasPrefix(path, "/var/lib/dpkg/status.d/") && !strings.HasSuffix(path, ".md5sums"):
		return dpkg, true
	case path == "/lib/apk/db/installed", path == "/usr/lib/apk/db/installed":
		return apk, true
	}
	return text{}, false
}

// entry is what such a database says of a package.
type entry struct{ name, version, status, source string }

// origin is the source of a package, which advisories are about, and its
// version, which dpkg names where it is another: "openssl (3.0.11-1)".
func (e entry) origin() (source, version string) {
	if e.source == "" {
		return e.name, e.version
	}
	source, version, _ = strings.Cut(e.source, " (")
	if version = strings.TrimSuffix(version, ")"); version == "" {
		version = e.version
	}
	return source, version
}

// records reads such a database, one package in each paragraph.
type records struct {
	text
	lines   *detect.Lines
	current entry
	at      int64
	yield   func(p entry, off int64)
}

// maxLine bounds a line of such a database; names and versions are short.
const maxLine = 1024

func newRecords(t text, yield func(p entry, off int64)) *records {
	r := &records{text: t, yield: yield}
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

// end gives the package that was read; one that dpkg has removed and keeps the
// settings of is none.
func (r *records) end() {
	p := r.current
	r.current = entry{}
	if p.name != "" && p.version != "" && (p.status == "" || strings.Contains(p.status, " installed")) {
		r.yield(p, r.at)
	}
}
