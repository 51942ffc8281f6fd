package pkgdb

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/phigate/phigate/policy/detect"
)

// table reads rpm's database where it is SQLite: one header in each row.
func table(m detect.TableMeta, s *detect.Sink) detect.RowReader {
	if !strings.HasSuffix(m.Path, "/rpmdb.sqlite!Packages") {
		return nil
	}
	return &rpmRows{sink: s}
}

type rpmRows struct{ sink *detect.Sink }

func (r *rpmRows) Row(n int64, cells [][]byte) bool {
	for _, cell := range cells {
		if name, version, ok := rpmHeader(cell); ok {
			judge(systemPackage, name, version, n, r.sink)
		}
	}
	return true
}

func (r *rpmRows) Close() {}

// The tags and the type that are read of a header, lib/rpmtag.h of rpm.
const (
	tagName    = 1000
	tagVersion = 1001
	typeString = 6

	maxTags = 4096 // real headers have about a hundred
)

// rpmHeader reads name and version of a header as the database has it: the
// number of index entries, the length of the data, the entries of four numbers
// each, the data; big-endian (rpm's docs/manual/format_header.md).
func rpmHeader(header []byte) (name, version string, ok bool) {
	const preamble, entry = 8, 16
	if len(header) < preamble {
		return "", "", false
	}
	count := int64(binary.BigEndian.Uint32(header))
	data := preamble + count*entry
	if count == 0 || count > maxTags || data > int64(len(header)) {
		return "", "", false
	}
	for i := range count {
		e := header[preamble+i*entry:]
		tag, kind, off := binary.BigEndian.Uint32(e), binary.BigEndian.Uint32(e[4:]), int64(binary.BigEndian.Uint32(e[8:]))
		if kind != typeString || tag != tagName && tag != tagVersion || data+off >= int64(len(header)) {
			continue
		}
		text, _, ended := bytes.Cut(header[data+off:], []byte{0})
		if !ended || len(text) > maxLine {
			continue
		}
		if tag == tagName {
			name = string(text)
		} else {
			version = string(text)
		}
	}
	return name, version, name != "" && version != ""
}
