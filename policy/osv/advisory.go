package osv

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/phigate/phigate/policy/osv/version"
)

// advisory is what is read of the format; all else is passed over.
type advisory struct {
	ID        string     `json:"id"`
	Modified  string     `json:"modified"`
	Withdrawn string     `json:"withdrawn"`
	Affected  []affected `json:"affected"`
}

type affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges   []versions `json:"ranges"`
	Versions []string   `json:"versions"`
}

type versions struct {
	Type   string  `json:"type"`
	Events []event `json:"events"`
}

// event is one of these; the others are empty.
type event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
	Limit        string `json:"limit"`
}

// Bounds of what an advisory says; real IDs, names and versions are far shorter.
const (
	maxID   = 128
	maxText = 512
)

// Add takes one advisory. An error says why it is none; of the advisory nothing
// is kept then, and its text is not in the error. After [ErrTooLarge] the
// database is of no use.
func (d *Database) Add(data []byte) error {
	a, err := decode(data)
	if err != nil {
		return err
	}
	d.sum.Write(data)
	var about []affected
	for _, of := range a.Affected {
		if e, _ := parseEcosystem(of.Package.Ecosystem); e != Unknown && of.Package.Name != "" && a.Withdrawn == "" {
			about = append(about, of)
		}
	}
	if modified, err := time.Parse(time.RFC3339, a.Modified); err == nil && modified.After(d.newest) {
		d.newest = modified
	}
	if len(about) == 0 {
		d.ignored++
		return nil
	}
	d.ids = append(d.ids, a.ID)
	if err := d.grow(len(a.ID) + 16); err != nil {
		return err
	}
	for _, of := range about {
		if err := d.keep(of); err != nil {
			return err
		}
	}
	return nil
}

// decode reads an advisory and checks what is kept of it.
func decode(data []byte) (*advisory, error) {
	if len(data) > MaxAdvisory {
		return nil, invalid("it has more than 8 MiB")
	}
	var a advisory
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\uFEFF")), &a); err != nil {
		return nil, invalid("%w", plain(err))
	}
	switch {
	case a.ID == "":
		return nil, invalid("it has no id")
	case len(a.ID) > maxID || !printable(a.ID):
		return nil, invalid("its id is too long, or holds what is no letter, digit or punctuation")
	}
	for _, of := range a.Affected {
		texts := append(slices.Clone(of.Versions), of.Package.Name)
		for _, r := range of.Ranges {
			for _, e := range r.Events {
				texts = append(texts, e.Introduced, e.Fixed, e.LastAffected, e.Limit)
			}
		}
		if slices.ContainsFunc(texts, func(s string) bool { return len(s) > maxText || !printable(s) }) {
			return nil, invalid("a name or a version is too long, or holds what is no letter, digit or punctuation")
		}
	}
	return &a, nil
}

// plain is an error of encoding/json without what it quotes of the text.
func plain(err error) error {
	var typed *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typed):
		return fmt.Errorf("%s has the wrong type, %s", cmp.Or(typed.Field, "the whole"), firstWord(typed.Value))
	case errors.As(err, &syntax):
		return fmt.Errorf("the JSON is wrong or ends at byte %d", syntax.Offset)
	}
	return errors.New("it is not JSON")
}

func firstWord(s string) string {
	word, _, _ := bytes.Cut([]byte(s), []byte(" "))
	return string(word)
}

// printable: visible ASCII characters, and blanks between them.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// keep adds what an advisory says about one package.
func (d *Database) keep(of affected) error {
	e, releaseVersion := parseEcosystem(of.Package.Ecosystem)
	r := record{id: len(d.ids) - 1, release: releaseVersion}
	order := e.order()
	for _, ranges := range of.Ranges {
		if ranges.Type != "GIT" { // commits are not versions
			r.spans = append(r.spans, spans(ranges.Events, order)...)
		}
	}
	for _, v := range of.Versions {
		if within, _ := r.affects(order, v); !within {
			r.versions = append(r.versions, v)
		}
	}
	if len(r.spans) == 0 && len(r.versions) == 0 {
		return nil
	}
	key := name{e, of.Package.Name}
	before := d.names[key]
	after := r.append(before)
	if before == nil {
		if err := d.grow(len(key.name) + 64); err != nil {
			return err
		}
	}
	d.names[key] = after
	d.covered[release{e, releaseVersion}]++
	return d.grow(len(after) - len(before))
}

// spans turns events into ranges from one introduction to its end, as the
// format's algorithm does: events are sorted by version, and the first end after
// an introduction counts.
func spans(events []event, order version.Compare) []span {
	type at struct {
		version string
		what    end
	}
	var sorted []at
	for _, e := range events {
		switch {
		case e.Introduced != "":
			sorted = append(sorted, at{e.Introduced, introduced})
		case e.Fixed != "":
			sorted = append(sorted, at{e.Fixed, fixed})
		case e.LastAffected != "":
			sorted = append(sorted, at{e.LastAffected, lastAffected})
		case e.Limit != "" && e.Limit != "*":
			sorted = append(sorted, at{e.Limit, limit})
		}
	}
	slices.SortStableFunc(sorted, func(a, b at) int {
		switch {
		case a.version == "0" && a.what == introduced: // before all others
			return -boolean(b.version != "0" || b.what != introduced)
		case b.version == "0" && b.what == introduced:
			return 1
		}
		return order(a.version, b.version)
	})
	var out []span
	open := false
	for _, e := range sorted {
		switch {
		case e.what == introduced && !open:
			out, open = append(out, span{from: e.version}), true
		case e.what != introduced && open:
			out[len(out)-1].end, out[len(out)-1].to, open = e.what, e.version, false
		}
	}
	return out
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
