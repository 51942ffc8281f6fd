package format

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
	"github.com/phigate/phigate/policy/hipaa"
)

// Mumps finds the patients of VistA and RPMS in exports of MUMPS globals.
func Mumps() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-mumps",
			Aliases:  []string{"PHI-009"},
			Title:    "MUMPS global export with VistA patients",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.EncryptionAtRest},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "Access to electronic protected health information must be allowed only to those who have been granted access rights " +
				"(164.312(a)(1)), and it should be encrypted at rest (164.312(a)(2)(iv)). The global ^DPT is VistA's patient file: names, " +
				"birth dates and social security numbers, in plain text in an export.",
			Fix: "Remove the export from the image and from the layers below it; load globals at run time from storage with access control.",
		},
		Anchors: []string{`\^DPT\(\d`, `\^DPT\("`, `\^AUPNPAT\(\d`},
		Near:    nearMumps,
	}
}

// nearMumps reads one node: ^DPT(1,0)="value" as ZWRITE has it, or the
// reference and the value on two lines as %GO has them.
func nearMumps(h detect.Hit, s *detect.Sink) {
	n, ok := mumpsNodeOf(h.Text[h.At:])
	if !ok {
		return
	}
	n.begins = h.At == 0 || h.Text[h.At-1] == '\n' || h.Text[h.At-1] == '\r'
	r := detect.Record{Off: h.Off, Has: detect.HealthFormat}
	if n.patient(&r, []byte(h.Meta.Path)) {
		s.Record(r)
	}
}

// mumpsNode is one node of a global.
type mumpsNode struct {
	global []byte
	subs   [4][]byte // subscripts, without quotes
	n      int
	value  []byte
	quoted bool // reference and value are on one line
	begins bool // the reference is the line's beginning
}

// mumpsNodeOf reads a reference and its value. What follows is cut at 2 KiB,
// which is beyond the length of the nodes that are looked at.
func mumpsNodeOf(text []byte) (n mumpsNode, ok bool) {
	open := bytes.IndexByte(text, '(')
	n.global, text = text[1:open], text[open+1:]
	for n.n < len(n.subs) {
		sub, rest, ok := mumpsSubscript(text)
		if !ok {
			return n, false
		}
		n.subs[n.n] = sub
		n.n++
		if text = rest[1:]; rest[0] == ')' {
			return n, n.valueOf(text)
		}
	}
	return n, false
}

// mumpsSubscript reads one subscript; rest begins with what ends it.
func mumpsSubscript(text []byte) (sub, rest []byte, ok bool) {
	const longest = 100
	text = text[:min(len(text), longest)]
	var end int
	if len(text) > 0 && text[0] == '"' {
		if end = bytes.IndexByte(text[1:], '"'); end < 0 {
			return nil, nil, false
		}
		sub, rest = text[1:1+end], text[2+end:]
	} else {
		if end = bytes.IndexAny(text, ",)\r\n"); end < 0 {
			return nil, nil, false
		}
		sub, rest = text[:end], text[end:]
	}
	return sub, rest, len(rest) > 1 && (rest[0] == ',' || rest[0] == ')')
}

// valueOf takes the value behind a reference.
func (n *mumpsNode) valueOf(text []byte) bool {
	switch {
	case bytes.HasPrefix(text, []byte(`="`)):
		n.quoted = true
		value, _, found := bytes.Cut(text[2:], []byte{'"'})
		n.value = value
		return found
	case bytes.HasPrefix(text, []byte("\r\n")):
		text = text[2:]
	case len(text) > 0 && (text[0] == '\n' || text[0] == '\r'):
		text = text[1:]
	default:
		return false
	}
	end := bytes.IndexAny(text, "\r\n")
	if end < 0 {
		end = len(text)
	}
	n.value = text[:end]
	return true
}

// patient says whether the node is about a patient, and fills the record. The
// number of the entry joins a patient's nodes within one file: another file may
// be another site's.
func (n *mumpsNode) patient(r *detect.Record, file []byte) bool {
	if !n.quoted && !n.begins {
		return false
	}
	entry := n.subs[0]
	switch {
	case string(n.global) == "DPT" && n.n == 2 && string(n.subs[1]) == "0":
		if !n.demographics(r) {
			return false
		}
	case string(n.global) == "DPT" && n.n == 3 && n.begins:
		entry = n.subs[2]
		if !n.index(r) {
			return false
		}
	case string(n.global) == "AUPNPAT" && n.n == 4 && string(n.subs[1]) == "41" && n.begins:
		number := mumpsPiece(n.value, 2)
		if filled(number) == nil {
			return false
		}
		r.Has |= detect.MRN
		r.Keys = append(r.Keys, detect.MRNKey(number, append([]byte("facility"), n.subs[2]...)))
	default:
		return false
	}
	r.Keys = append([]detect.Key{detect.MRNKey(entry, append([]byte("DPT"), file...))}, r.Keys...)
	return true
}

// demographics reads the node 0 of the patient file (2): name, sex, date of
// birth, and the social security number as the ninth piece.
func (n *mumpsNode) demographics(r *detect.Record) bool {
	last, first, ok := mumpsName(mumpsPiece(n.value, 1))
	if !ok {
		return false
	}
	r.Has |= detect.Name
	if birth := fileManDate(mumpsPiece(n.value, 3)); birth != nil {
		r.Has |= detect.BirthDate
		r.Keys = append(r.Keys, detect.NameBirthKey(last, first, birth))
	}
	mumpsSSN(r, mumpsPiece(n.value, 9))
	return r.Has.Has(detect.BirthDate) || r.Has.Has(detect.SSN)
}

// index reads the cross references: ^DPT("B",name,entry), ^DPT("SSN",number,entry).
func (n *mumpsNode) index(r *detect.Record) bool {
	switch string(n.subs[0]) {
	case "B":
		last, first, ok := mumpsName(n.subs[1])
		if ok {
			r.Has |= detect.Name
			r.Keys = append(r.Keys, detect.NameKey(last, first))
		}
		return ok
	case "SSN":
		mumpsSSN(r, n.subs[1])
		return r.Has.Has(detect.SSN)
	}
	return false
}

// mumpsPiece is $PIECE(value,"^",i).
func mumpsPiece(value []byte, i int) []byte {
	for ; i > 1; i-- {
		_, rest, found := bytes.Cut(value, []byte{'^'})
		if !found {
			return nil
		}
		value = rest
	}
	value, _, _ = bytes.Cut(value, []byte{'^'})
	return value
}

// mumpsName reads LAST,FIRST MIDDLE.
func mumpsName(v []byte) (last, first []byte, ok bool) {
	last, given, found := bytes.Cut(v, []byte{','})
	first, _, _ = bytes.Cut(given, []byte{' '})
	return last, first, found && len(v) <= 60 && filled(last) != nil && filled(first) != nil && identifier.Name(v)
}

func mumpsSSN(r *detect.Record, v []byte) {
	digits, valid := identifier.SSN(v)
	if !valid.OK() {
		return
	}
	r.Has |= detect.SSN
	r.Synthetic = valid == identifier.Synthetic
	r.Keys = append(r.Keys, detect.SSNKey(digits[:]))
}

// fileManDate is a date as yyyymmdd: FileMan counts years from 1700, as yyymmdd.
// Some systems write the year in full.
func fileManDate(v []byte) []byte {
	v, _, _ = bytes.Cut(v, []byte{'.'})
	if len(v) == 8 {
		return birthDigits(v)
	}
	if len(v) != 7 {
		return nil
	}
	n := 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return nil
		}
		n = n*10 + int(c-'0')
	}
	d := identifier.Date{Year: 1700 + n/10000, Month: n / 100 % 100, Day: n % 100}
	if !d.OK() {
		return nil
	}
	return d.Append(nil)
}
