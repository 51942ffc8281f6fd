package pkgdb

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/phigate/phigate/policy/detect"
)

// What Go's linker writes around the list of modules (cmd/go/internal/modload,
// build.go), as an expression and as bytes, and before it since Go 1.18: a mark,
// the size of a pointer, flags, and from byte 32 on Go's version and the list,
// each behind its length (debug/buildinfo).
const (
	goInfoStart = `\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6`

	goInfoBegins = "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6"
	goInfoEnds   = "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2"
	goMark       = "\xff Go buildinf:"
)

// Bounds of the list of modules, and of what stands before it.
const (
	maxGoInfo   = 1 << 20
	maxGoHeader = 256
)

// goProgram reads the list of modules of a program, in whatever file it is. The
// list can stand there twice.
type goProgram struct {
	sink  *detect.Sink
	held  []byte // the list so far, or else what may be its header
	at    int64  // where held begins
	next  int64  // where the next window begins unless there is a gap
	lists bool   // held is the list
}

// Idle: outside a list only the next match matters.
func (p *goProgram) Idle() bool { return !p.lists }

func (p *goProgram) Window(w detect.Window) {
	if w.Off != p.next {
		p.held, p.lists, p.at = p.held[:0], false, w.Off
	}
	p.next = w.Off + int64(len(w.Data))
	p.held = append(p.held, w.Data...)
	for p.step() {
	}
}

func (p *goProgram) Close() {
	if p.lists {
		p.sink.Skip("list of a Go program's modules without an end")
	}
}

// step begins or ends a list in what is held; false: more bytes are needed.
func (p *goProgram) step() bool {
	if !p.lists {
		i := bytes.Index(p.held, []byte(goInfoBegins))
		if i < 0 {
			p.drop(len(p.held) - maxGoHeader)
			return false
		}
		if version := goVersion(p.held[max(0, i-maxGoHeader):i]); version != "" {
			p.module("stdlib", version, p.at+int64(i))
		}
		p.lists = true
		p.drop(i + len(goInfoBegins))
	}
	i := bytes.Index(p.held, []byte(goInfoEnds))
	if i < 0 && len(p.held) <= maxGoInfo {
		return false
	}
	if i < 0 {
		p.sink.Skip("list of a Go program's modules of more than 1 MiB")
		i = len(p.held)
	} else {
		p.modules(p.held[:i])
	}
	p.lists = false
	p.drop(i)
	return true
}

func (p *goProgram) drop(n int) {
	if n > 0 {
		p.held = p.held[:copy(p.held, p.held[n:])]
		p.at += int64(n)
	}
}

// modules reads the lines of a list: "dep", path, version and checksum with tabs
// between them; "=>" is what takes the place of the one before.
func (p *goProgram) modules(list []byte) {
	var path, version string
	var at int64
	keep := func() {
		if path != "" {
			p.module(path, version, at)
		}
		path = ""
	}
	off := p.at
	for line := range bytes.Lines(list) {
		fields := strings.Split(strings.TrimSuffix(string(line[:min(len(line), maxLine)]), "\n"), "\t")
		if len(fields) >= 3 {
			switch fields[0] {
			case "mod", "dep":
				keep()
				path, version, at = fields[1], fields[2], off
			case "=>":
				path, version = fields[1], fields[2]
			}
		}
		off += int64(len(line))
	}
	keep()
}

// module takes one; that which is built in its own folder has no version.
func (p *goProgram) module(path, version string, at int64) {
	if version == "" || version == "(devel)" {
		return
	}
	judge(goModule, path, strings.TrimPrefix(version, "v"), at, p.sink)
	p.sink.Package(detect.GoModule, path, version)
}

// goVersion is the version of Go in what stands before a list, as semver has it:
// "1.22.3" of "go1.22.3", "1.23.0-rc.1" of "go1.23rc1"; empty: it does not stand there.
func goVersion(before []byte) string {
	const inline, header = 2, 32
	i := bytes.LastIndex(before, []byte(goMark))
	if i < 0 || len(before) < i+header || before[i+len(goMark)+1]&inline == 0 {
		return ""
	}
	rest := before[i+header:]
	length, n := binary.Uvarint(rest)
	if n <= 0 || length > uint64(len(rest)-n) {
		return ""
	}
	word, _, _ := strings.Cut(string(rest[n:n+int(length)]), " ")
	version, ok := strings.CutPrefix(word, "go")
	if !ok {
		return "" // a build of Go itself, "devel go1.23-..."
	}
	for _, pre := range []string{"beta", "rc"} {
		if release, number, ok := strings.Cut(version, pre); ok {
			return release + strings.Repeat(".0", max(0, 2-strings.Count(release, "."))) + "-" + pre + "." + number
		}
	}
	return version
}
