package inspect

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/policy/detect"
)

// named is the software that one file names.
type named struct {
	path, inside string // see [policy.Where]
	packages     []detect.Package
}

// Bounds of what one layer's facts keep of software: an image of a whole
// distribution names 3,000 packages. Compressed, they take about 10 bytes each.
const (
	maxSoftware      = 50_000
	maxSoftwareBytes = 4 << 20
)

// software collects what the files of a layer name, as facts have it: of each
// file its path, what is inside of it, the number of packages, and of each its
// kind, name and version. Numbers are varints, texts stand behind their length.
type software struct {
	raw      []byte
	packages int
}

// add takes what a file names; false: there is no room for it.
func (s *software) add(n named) bool {
	raw := s.raw
	text := func(t string) { raw = append(binary.AppendUvarint(raw, uint64(len(t))), t...) }
	text(n.path)
	text(n.inside)
	raw = binary.AppendUvarint(raw, uint64(len(n.packages)))
	for _, p := range n.packages {
		raw = append(raw, byte(p.Kind))
		text(p.Name)
		text(p.Version)
	}
	if s.packages+len(n.packages) > maxSoftware || len(raw) > maxSoftwareBytes {
		return false
	}
	s.raw, s.packages = raw, s.packages+len(n.packages)
	return true
}

// encode compresses what was added; nil: nothing was.
func (s *software) encode() []byte {
	if len(s.raw) == 0 {
		return nil
	}
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		panic(err) // there is no such level
	}
	_, _ = w.Write(s.raw) // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

var errSoftware = errors.New("list of software is damaged")

// decodeSoftware reads what encode wrote.
func decodeSoftware(facts *cache.Facts) (files []named, err error) {
	if len(facts.Software) == 0 {
		return nil, nil
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(facts.Software)), maxSoftwareBytes+1))
	if err != nil || len(raw) > maxSoftwareBytes {
		return nil, fmt.Errorf("%w: %w", cache.ErrCorrupt, errSoftware)
	}
	d := softwareDecoder{rest: raw}
	for len(d.rest) > 0 && !d.damaged {
		n := named{path: d.text(), inside: d.text()}
		for count := d.number(); count > 0 && !d.damaged; count-- {
			n.packages = append(n.packages, detect.Package{Kind: detect.PackageKind(d.byte()), Name: d.text(), Version: d.text()})
		}
		files = append(files, n)
	}
	if d.damaged {
		return nil, fmt.Errorf("%w: %w", cache.ErrCorrupt, errSoftware)
	}
	return files, nil
}

// softwareDecoder reads values one after the other.
type softwareDecoder struct {
	rest    []byte
	damaged bool
}

func (d *softwareDecoder) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > maxSoftwareBytes {
		d.damaged, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *softwareDecoder) text() string {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.damaged, d.rest = true, nil
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *softwareDecoder) byte() byte {
	if len(d.rest) == 0 || d.rest[0] >= byte(detect.PackageKinds) {
		d.damaged, d.rest = true, nil
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}
