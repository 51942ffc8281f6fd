package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/pkgdb"
	"github.com/phigate/phigate/policy/osv"
)

// known is what software is compared with.
type known struct {
	database *osv.Database // nil: there is none
	trouble  string        // what of it cannot be read; empty: nothing
}

// SetAdvisories changes what the software of images is compared with, from the
// next answer on; no layer is read again. A nil database compares nothing. What
// of it cannot be read is part of each answer.
func (f *Files) SetAdvisories(d *osv.Database, trouble string) {
	f.known.Store(&known{database: d, trouble: trouble})
}

func (k *known) digest() string {
	switch {
	case k == nil:
		return ""
	case k.database == nil:
		return k.trouble
	}
	return k.database.Digest() + k.trouble
}

// release is the distribution whose packages an image has.
type release struct {
	ecosystem osv.Ecosystem
	version   string
}

// advisedKey names what advisories say about a layer under a release.
type advisedKey struct {
	layer, digest string
	release       release
}

// advised is what advisories say about the software of one layer.
type advised struct {
	findings []policy.Finding
	skipped  []policy.Skipped
}

// maxComparisons bounds the versions that are compared for one layer: about a
// second. A whole distribution needs a tenth of it.
const maxComparisons = 2_000_000

// software compares what the layers' files name with the advisories.
func (m *merging) software() error {
	if slices.ContainsFunc(m.view.layers, func(l *cache.Layer) bool { return l != nil && len(l.Facts().Software) > 0 }) {
		m.report.Software.Table = pkgdb.TableDate
	}
	if m.known == nil {
		return nil
	}
	if m.known.trouble != "" {
		m.report.Skipped = append(m.report.Skipped, policy.Skipped{Where: "advisories", Rule: pkgdb.Rule, Reason: m.known.trouble, Kind: policy.Unscannable})
	}
	if m.known.database == nil {
		return nil
	}
	if m.report.Software.Table != "" {
		m.report.Software.Advisories = m.known.database.Day()
	}
	release, err := m.release()
	if err != nil {
		return err
	}
	var t tally
	err = m.each(func(i int, l *cache.Layer) error {
		found, err := m.advise(l, m.known.database, release)
		if err != nil {
			return err
		}
		for _, finding := range found.findings {
			finding.Where.Layer = m.keys[i]
			if err := m.finding(&t, i, finding); err != nil {
				return err
			}
		}
		for _, k := range found.skipped {
			if hidden, err := m.view.hidden(i, k.Where); err != nil || hidden {
				return err
			}
			t.skip(k)
		}
		return nil
	})
	all := t.facts()
	m.report.Findings = append(m.report.Findings, all.Findings...)
	m.report.Skipped = append(m.report.Skipped, all.Skipped...)
	return err
}

// release is what the os-release says that the image shows.
func (m *merging) release() (found release, err error) {
	done := errors.New("found")
	err = m.each(func(i int, l *cache.Layer) error {
		files, err := decodeSoftware(l.Facts())
		if err != nil {
			return err
		}
		r, path := releaseOf(files)
		if path == "" {
			return nil
		}
		if hidden, err := m.view.hidden(i, path); err != nil || hidden {
			return err
		}
		found = r
		return done
	})
	if errors.Is(err, done) {
		err = nil
	}
	return found, err
}

// releaseOf is the release that files name, and the one that does; of one that
// no advisories are about the release is empty.
func releaseOf(files []named) (r release, path string) {
	for _, f := range files {
		for _, p := range f.packages {
			if p.Kind == detect.Distribution {
				r.ecosystem, r.version, _ = osv.OfDistribution(p.Name, p.Version)
				return r, f.path
			}
		}
	}
	return release{}, ""
}

// warmAdvised computes what answers will ask about layers that hold their own
// os-release.
func (f *Files) warmAdvised(keys []string) error {
	known := f.known.Load()
	if known == nil || known.database == nil {
		return nil
	}
	for _, key := range keys {
		l, ok, err := f.Store.Get(key)
		if err != nil || !ok {
			return err
		}
		files, err := decodeSoftware(l.Facts())
		if err != nil {
			return err
		}
		r, _ := releaseOf(files)
		if _, err := f.advise(l, known.database, r); err != nil {
			return err
		}
	}
	return nil
}

// advise is what advisories say about a layer, remembered.
func (f *Files) advise(l *cache.Layer, d *osv.Database, r release) (*advised, error) {
	if len(l.Facts().Software) == 0 {
		return &advised{}, nil
	}
	key := advisedKey{l.ID(), d.Digest(), r}
	if found, ok := f.advised.get(key); ok {
		return found, nil
	}
	files, err := decodeSoftware(l.Facts())
	if err != nil {
		return nil, err
	}
	c := comparison{database: d, release: r, left: maxComparisons}
	for _, n := range files {
		c.file(n)
	}
	slices.SortFunc(c.findings, func(a, b policy.Finding) int {
		return cmp.Or(strings.Compare(a.Where.Full(), b.Where.Full()), strings.Compare(a.Message, b.Message))
	})
	slices.SortFunc(c.skipped, func(a, b policy.Skipped) int {
		return cmp.Or(strings.Compare(a.Where, b.Where), strings.Compare(a.Reason, b.Reason))
	})
	f.advised.put(key, &c.advised, 1+len(c.findings)+len(c.skipped))
	return &c.advised, nil
}

// comparison is one layer being compared.
type comparison struct {
	advised
	database *osv.Database
	release  release
	left     int // comparisons that may still be made
}

// file compares what one file names. Packages of one name are one finding.
func (c *comparison) file(n named) {
	matches := map[string][]osv.Match{}
	reasons := map[string]policy.SkipKind{}
	for _, p := range n.packages {
		e, version, reason := c.of(p.Kind)
		if reason != "" {
			reasons[reason] = policy.OutOfScope
		}
		if e == osv.Unknown {
			continue
		}
		if c.left -= c.database.Candidates(e, p.Name); c.left < 0 {
			reasons["more software than can be compared with the advisories"] = policy.Unscannable
			break
		}
		matches[p.Name] = append(matches[p.Name], c.database.Match(e, version, p.Name, p.Version)...)
	}
	for name, found := range matches {
		if len(found) > 0 {
			c.findings = append(c.findings, policy.Finding{Rule: pkgdb.Rule, Message: sentence(name, found) + c.database.Note(), Count: len(found),
				Package: name, Advisories: idsOf(found), Where: policy.Where{Path: n.path, Inside: n.inside}})
		}
	}
	for reason, kind := range reasons {
		c.skipped = append(c.skipped, policy.Skipped{Where: n.path, Rule: pkgdb.Rule, Reason: reason, Kind: kind})
	}
}

// of is the ecosystem that a kind of packages is compared in, and what is to be
// said where there is none, or no advisory about it.
func (c *comparison) of(kind detect.PackageKind) (e osv.Ecosystem, version, reason string) {
	switch kind {
	case detect.Distribution:
		return osv.Unknown, "", ""
	case detect.GoModule:
		e = osv.Go
	case detect.MavenArtifact:
		e = osv.Maven
	default:
		if e, version = c.release.ecosystem, c.release.version; !ofKind(e, kind) {
			return osv.Unknown, "", "packages of a distribution that is not known, which advisories cannot be told for"
		}
		if (e == osv.RockyLinux) != (kind == detect.RPMSource) && kind != detect.DpkgSource && kind != detect.APKOrigin {
			return osv.Unknown, "", "" // Rocky's advisories are about sources, the others' about packages
		}
	}
	if !c.database.Covers(e, version) {
		return osv.Unknown, "", strings.TrimSpace(fmt.Sprintf("no advisories were given for %s %s", e, version))
	}
	return e, version, ""
}

// ofKind says whether a distribution's packages are of a kind.
func ofKind(e osv.Ecosystem, kind detect.PackageKind) bool {
	switch e {
	case osv.Debian, osv.Ubuntu:
		return kind == detect.DpkgSource
	case osv.Alpine, osv.Wolfi, osv.Chainguard:
		return kind == detect.APKOrigin
	case osv.RedHat, osv.RockyLinux, osv.AlmaLinux:
		return kind == detect.RPMPackage || kind == detect.RPMSource
	}
	return false
}

// idsOf are the IDs of advisories, each once, with a blank between.
func idsOf(found []osv.Match) string {
	var ids []string
	for _, m := range found {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " ")
}

// named in a message are so many advisories.
const namedAdvisories = 3

// sentence says which advisories a package is affected by, and what mends it. Its
// words are the advisories' own.
func sentence(name string, found []osv.Match) string {
	var ids []string
	mended := ""
	for _, m := range found[:min(len(found), namedAdvisories)] {
		ids = append(ids, m.ID)
	}
	if i := slices.IndexFunc(found, func(m osv.Match) bool { return m.Fixed == "" }); i < 0 {
		mended = ", mended by newer versions"
	}
	if len(found) == 1 && found[0].Fixed != "" {
		mended = ", mended by " + found[0].Fixed
	}
	text := name + ": " + strings.Join(ids, ", ")
	if more := len(found) - namedAdvisories; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return policy.Printable(text + mended)
}
