// Package redact takes out of a decision what identifies a person. Rules and
// detectors never put a matched value into a finding, but names are the
// clinic's: a path, a pod or an image can be called after a patient. So the whole
// record is scanned before it is written or shown, and each hit is replaced by
// its class and a keyed fingerprint, "[phone:1f2e3d4c5b6a]", which is the same for
// the same number and tells nobody what it is.
//
// What is recognised in a name, of the identifiers of 45 CFR 164.514(b)(2)(i):
//
//	social    social security numbers, 123-45-6789, and nine digits after ssn or social
//	medicare  Medicare beneficiary numbers (MBI)
//	record    a number after mrn, medrec, chart, patient, member, account or policy
//	date      a date after dob, born or birth
//	phone     numbers with separators or a plus
//	email     addresses
//
// What is not, and cannot be: a person's bare name, a bare number, a date
// without a label. They look like any other name. The container's ID is left as it
// is, because records are joined by it; the kubelet's are random, and whoever calls
// a container of ctr or Docker after a patient has told the node already.
package redact

import (
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/phigate/phigate/policy"
)

// Redactor replaces identifiers. Its zero value does nothing.
type Redactor struct {
	// Keyed is a keyed HMAC, so that a fingerprint cannot be made by trying all
	// numbers.
	Keyed func(identity []byte) [16]byte
}

// Decision redacts all of a record that came from outside, in place. Twice is as
// once.
func (r Redactor) Decision(d *policy.Decision) {
	if r.Keyed == nil {
		return
	}
	for _, s := range []*string{&d.Target, &d.Namespace, &d.Pod, &d.Image, &d.Message} {
		*s = r.Text(*s)
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		f.Path, f.Field, f.Message = r.Text(f.Path), r.Text(f.Field), r.Text(f.Message)
	}
	for i := range d.Skipped {
		s := &d.Skipped[i]
		s.Where, s.Reason = r.Text(s.Where), r.Text(s.Reason)
	}
	d.Notes = r.all(d.Notes)
	d.PolicyVersion = r.Text(d.PolicyVersion)
	d.Requester.Name = r.except("email", d.Requester.Name) // an account's name, which must stay
	for i := range d.Exceptions {                          // who asked and who approved must stay
		d.Exceptions[i].Reason = r.Text(d.Exceptions[i].Reason)
	}
}

// all redacts a list; the caller's may be another record's, too.
func (r Redactor) all(list []string) []string {
	for i, s := range list {
		if text := r.Text(s); text != s {
			list = append([]string{}, list...)
			list[i] = text
		}
	}
	return list
}

// class is a kind of identifier and how it is told.
type class struct {
	name string
	form *regexp.Regexp // the value is its last group
	// hints are lower-case words, one of which a text must hold to be asked.
	hints []string
	valid func(value []byte) bool
}

// A label and its value may be parted by what names part words with.
const apart = `[-_.:=# ]{0,3}`

// A value begins and ends where no letter and no digit goes on.
const begins, ends = `(?:^|[^0-9A-Za-z])`, `(?:[^0-9A-Za-z]|$)`

const anyDate = `(?:[0-9]{4}[-_./]?[0-9]{1,2}[-_./]?[0-9]{1,2}|[0-9]{1,2}[-_./][0-9]{1,2}[-_./][0-9]{4}|[0-9]{8})`

// What an MBI is made of: no S, L, O, I, B, Z (CMS, MBI format).
const mbiLetter, mbiEither = `[AC-HJKMNP-RT-Y]`, `[0-9AC-HJKMNP-RT-Y]`

var classes = []class{
	{"email", regexp.MustCompile(`(?:^|[^0-9A-Za-z._%+-])([0-9A-Za-z._%+-]{1,64}@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*\.[A-Za-z]{2,24})` + ends), []string{"@"}, nil},
	{"social", regexp.MustCompile(`(?:^|[^0-9A-Za-z.]|[^0-9]\.)([0-9]{3}[-_. ][0-9]{2}[-_. ][0-9]{4})` + ends), nil, func(v []byte) bool {
		return v[3] == v[6] && string(v[:3]) != "000"
	}},
	{"social", regexp.MustCompile(`(?i)(?:ssn|social)` + apart + `([0-9]{9})` + ends), []string{"ssn", "social"}, nil},
	{"medicare", regexp.MustCompile(`(?i)` + begins + `([1-9]` + mbiLetter + mbiEither + `[0-9]-?` + mbiLetter + mbiEither + `[0-9]-?` + mbiLetter + mbiLetter + `[0-9]{2})` + ends), nil, nil},
	{"date", regexp.MustCompile(`(?i)(?:dob|born|birth(?:date|day)?|date[-_ ]?of[-_ ]?birth)` + apart + `(` + anyDate + `)` + ends), []string{"dob", "born", "birth"}, nil},
	{"record", regexp.MustCompile(`(?i)(?:mrn|med(?:ical)?[-_ ]?rec(?:ord)?|chart|patients?|pt|member|account|acct|policy|encounter)` +
		`(?:[-_. ]?(?:id|no|nr|num|number))?` + apart + `([A-Za-z]{0,3}[-_]?[0-9]{4,12})` + ends),
		[]string{"mrn", "med", "chart", "pt", "patient", "member", "acc", "policy", "encounter"}, nil},
	{"phone", regexp.MustCompile(`(?:^|[^0-9A-Za-z.+-])(\+?(?:1[-. ])?\(?[2-9][0-9]{2}\)?[-. ][2-9][0-9]{2}[-. ][0-9]{4}|\+[1-9][0-9]{7,14})` + ends), nil, nil},
}

// Text redacts one text.
func (r Redactor) Text(s string) string { return r.except("", s) }

// except redacts a text, one class left as it is.
func (r Redactor) except(kept, s string) string {
	if r.Keyed == nil || !suspect(s) {
		return s
	}
	for range passes {
		before, lower := s, strings.ToLower(s)
		for _, c := range classes {
			if c.name != kept && c.hinted(lower) {
				s = r.replace(c, s)
			}
		}
		if s == before { // a mark can uncover what the value in its place kept from being seen
			break
		}
	}
	return s
}

// passes bounds how often the classes are asked of a text: a mark is none's value, so
// that a text has as many at most as values side by side that hide each other.
const passes = 8

// fewest is the number of digits of the shortest identifier: a date's is six, a
// record number's four.
const fewest = 4

// suspect says whether a text can hold an identifier at all: most names do not,
// and cost one look at each byte.
func suspect(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '@':
			return true
		case c >= '0' && c <= '9':
			if digits++; digits >= fewest {
				return true
			}
		}
	}
	return false
}

func (c class) hinted(lower string) bool {
	for _, h := range c.hints {
		if strings.Contains(lower, h) {
			return true
		}
	}
	return len(c.hints) == 0
}

// replace puts the fingerprint in place of each value. Values may share what
// parts them, so each search begins behind the last value.
func (r Redactor) replace(c class, s string) string {
	var out strings.Builder
	for {
		at := c.form.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		from, to := at[2], at[3]
		value := []byte(s[from:to])
		out.WriteString(s[:from])
		if c.valid == nil || c.valid(value) {
			out.WriteString(r.mark(c.name, value))
		} else {
			out.Write(value)
		}
		s = s[to:]
	}
	return out.String() + s
}

// mark is what stands in place of a value, whatever its length.
func (r Redactor) mark(class string, value []byte) string {
	sum := r.Keyed(append([]byte(class+":"), normal(class, value)...))
	return "[" + class + ":x" + hex.EncodeToString(sum[:6]) + "]"
}

// normal is a value without what people part it with, so that one number has one
// fingerprint.
func normal(class string, value []byte) []byte {
	out := make([]byte, 0, len(value))
	for _, c := range value {
		switch {
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', class == "email":
			out = append(out, c)
		}
	}
	return out
}
