package osv

import (
	"encoding/binary"
	"slices"

	"github.com/phigate/phigate/policy/osv/version"
)

// record is what one advisory says about one package in one release.
type record struct {
	id       int // index of the advisory
	release  string
	spans    []span
	versions []string // that are affected besides
}

// span is the versions from one on up to an end.
type span struct {
	from string // "0": from the first
	end  end
	to   string
}

// end says how a span ends.
type end byte

const (
	endless      end = iota
	fixed            // before the version
	lastAffected     // with the version
	limit            // before the version, which is not known to be mended
	introduced       // of events alone
)

// affects says whether a version is affected, and by which version it is mended.
func (r *record) affects(order version.Compare, v string) (affected bool, mended string) {
	for _, s := range r.spans {
		if s.from != "0" && order(v, s.from) < 0 {
			continue
		}
		switch s.end {
		case endless:
			return true, ""
		case lastAffected:
			if order(v, s.to) <= 0 {
				return true, ""
			}
		case fixed:
			if order(v, s.to) < 0 {
				return true, s.to
			}
		default:
			if order(v, s.to) < 0 {
				return true, ""
			}
		}
	}
	return slices.Contains(r.versions, v), ""
}

// leastRecord is how many bytes a record has at least: an index, no release, no
// span, one version without a text.
const leastRecord = 5

// append writes the record: numbers as varints, texts behind their length.
func (r *record) append(out []byte) []byte {
	text := func(s string) { out = append(binary.AppendUvarint(out, uint64(len(s))), s...) }
	out = binary.AppendUvarint(out, uint64(r.id))
	text(r.release)
	out = binary.AppendUvarint(out, uint64(len(r.spans)))
	for _, s := range r.spans {
		out = append(out, byte(s.end))
		text(s.from)
		text(s.to)
	}
	out = binary.AppendUvarint(out, uint64(len(r.versions)))
	for _, v := range r.versions {
		text(v)
	}
	return out
}

// decodeRecord reads what append wrote.
func decodeRecord(in []byte) (r record, rest []byte) {
	number := func() int {
		n, size := binary.Uvarint(in)
		in = in[size:]
		return int(n)
	}
	text := func() string {
		n := number()
		s := string(in[:n])
		in = in[n:]
		return s
	}
	r.id, r.release = number(), text()
	r.spans = make([]span, number())
	for i := range r.spans {
		r.spans[i].end, in = end(in[0]), in[1:]
		r.spans[i].from, r.spans[i].to = text(), text()
	}
	if n := number(); n > 0 {
		r.versions = make([]string, n)
		for i := range r.versions {
			r.versions[i] = text()
		}
	}
	return r, in
}
