package pkgdb

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy/detect"
)

// table reads rpm's database, whichever of its three formats it has: one header
// in each row.
func table(m detect.TableMeta, s *detect.Sink) detect.RowReader {
	return rowsOf(m, func(p *rpmPackage, n int64) {
		judge(systemPackage, p.name, p.version, n, s)
		s.Package(detect.RPMPackage, p.name, p.full())
		if source := p.sourceName(); source != "" {
			s.Package(detect.RPMSource, source, p.full())
		}
	})
}

func rowsOf(m detect.TableMeta, yield func(p *rpmPackage, n int64)) detect.RowReader {
	for _, name := range []string{"/rpmdb.sqlite!Packages", "/rpm/Packages!Packages", "/rpm/Packages.db!Packages"} {
		if strings.HasSuffix(m.Path, name) {
			return rpmRows(yield)
		}
	}
	return nil
}

type rpmRows func(p *rpmPackage, n int64)

func (yield rpmRows) Row(n int64, cells [][]byte) bool {
	for _, cell := range cells {
		if p, ok := readHeader(cell); ok {
			yield(&p, n)
		}
	}
	return true
}

func (rpmRows) Close() {}

// The tags and the types that are read of a header, lib/rpmtag.h of rpm.
const (
	tagName      = 1000
	tagVersion   = 1001
	tagRelease   = 1002
	tagEpoch     = 1003
	tagSourceRPM = 1044

	typeInt32  = 4
	typeString = 6

	maxTags = 4096 // real headers have about a hundred
)

// rpmPackage is what is read of a header.
type rpmPackage struct {
	name, version, release, source string
	epoch                          uint32
}

// full is the version as advisories have it: "1:3.0.7-24.el9".
func (p *rpmPackage) full() string {
	full := p.version
	if p.release != "" {
		full += "-" + p.release
	}
	if p.epoch > 0 {
		full = strconv.FormatUint(uint64(p.epoch), 10) + ":" + full
	}
	return full
}

// sourceName is the source package's: "openssl" of "openssl-3.0.7-24.el9.src.rpm".
func (p *rpmPackage) sourceName() string {
	name := p.source
	for range 2 {
		name = name[:max(strings.LastIndexByte(name, '-'), 0)]
	}
	return name
}

// readHeader reads a header as the database has it: the number of index entries,
// the length of the data, the entries of four numbers each, the data; big-endian
// (rpm's docs/manual/format_header.md). False: it is none, or names no package.
func readHeader(header []byte) (p rpmPackage, ok bool) {
	const preamble, entry = 8, 16
	if len(header) < preamble {
		return p, false
	}
	count := int64(binary.BigEndian.Uint32(header))
	data := preamble + count*entry
	if count == 0 || count > maxTags || data > int64(len(header)) {
		return p, false
	}
	for i := range count {
		e := header[preamble+i*entry:]
		tag, kind, off := binary.BigEndian.Uint32(e), binary.BigEndian.Uint32(e[4:]), int64(binary.BigEndian.Uint32(e[8:]))
		if data+off < int64(len(header)) {
			p.take(tag, kind, header[data+off:])
		}
	}
	return p, p.name != "" && p.version != ""
}

// take reads one value.
func (p *rpmPackage) take(tag, kind uint32, value []byte) {
	if tag == tagEpoch && kind == typeInt32 && len(value) >= 4 {
		p.epoch = binary.BigEndian.Uint32(value)
	}
	field := map[uint32]*string{tagName: &p.name, tagVersion: &p.version, tagRelease: &p.release, tagSourceRPM: &p.source}[tag]
	if field == nil || kind != typeString {
		return
	}
	if text, _, ended := bytes.Cut(value[:min(len(value), maxLine+1)], []byte{0}); ended {
		*field = string(text)
	}
}
