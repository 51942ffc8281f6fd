package format

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
)

// hl7Fields are the fields of a segment, its name the field 0. Those after
// PID-20 say nothing that PHI would depend on.
type hl7Fields [21][]byte

func fieldsOf(segment []byte, sep delimiters) (f hl7Fields) {
	segment = unquoted(segment)
	for i := range f {
		end := bytes.IndexByte(segment, sep.field)
		if end < 0 {
			f[i] = segment
			break
		}
		f[i], segment = segment[:end], segment[end+1:]
	}
	return f
}

// unquoted cuts a segment that is part of a string in a program, in JSON or in
// SQL at the string's end.
func unquoted(segment []byte) []byte {
	for i, c := range segment {
		if c != '"' && c != '\'' || i == 0 || segment[i-1] == c || segment[i-1] == '\\' {
			continue
		}
		if i+1 == len(segment) || bytes.IndexByte([]byte(",;+)]}"), segment[i+1]) >= 0 {
			return segment[:i]
		}
	}
	return segment
}

// patient reports a PID that has a name or an identifier. A record number is
// that of PID-3, else of PID-2 and PID-4, which older versions have instead.
func (h *hl7v2) patient(f hl7Fields, sep delimiters, off int64) {
	r := detect.Record{Off: off, Has: detect.HealthFormat}
	for _, list := range [][]byte{f[3], f[2], f[4]} {
		if id, assigner := sep.number(list); id != nil {
			r.Has |= detect.MRN
			r.Keys = append(r.Keys, detect.MRNKey(id, assigner))
			break
		}
	}
	sep.social(&r, f)
	last, first := sep.name(f[5])
	if last != nil || first != nil {
		r.Has |= detect.Name
	}
	if r.Has == detect.HealthFormat {
		return
	}
	if birth := birthDigits(f[7]); birth != nil {
		r.Has |= detect.BirthDate
		r.Keys = append(r.Keys, detect.NameBirthKey(last, first, birth))
	} else {
		r.Keys = append(r.Keys, detect.NameKey(last, first))
	}
	h.sink.Record(r)
}

// social looks for a social security number: PID-19, or the type SS in PID-3.
func (d delimiters) social(r *detect.Record, f hl7Fields) {
	number := d.typed(f[3], "SS")
	if filled(f[19]) != nil {
		number = d.first(f[19])
	}
	digits, valid := identifier.SSN(bytes.TrimSpace(number))
	if !valid.OK() {
		return
	}
	r.Has |= detect.SSN
	r.Synthetic = valid == identifier.Synthetic
	r.Keys = append(r.Keys, detect.SSNKey(digits[:]))
}

// number is the identifier of a list (CX), that of type MR before the others.
func (d delimiters) number(list []byte) (id, assigner []byte) {
	for len(list) > 0 {
		var one []byte
		one, list, _ = bytes.Cut(list, []byte{d.repetition})
		parts := bytes.SplitN(one, []byte{d.component}, 6)
		found := filled(parts[0])
		kind := ""
		if len(parts) > 4 {
			kind = string(parts[4])
		}
		if found == nil || id != nil && kind != "MR" || kind == "SS" {
			continue
		}
		id, assigner = found, nil
		if len(parts) > 3 {
			assigner, _, _ = bytes.Cut(parts[3], []byte{d.sub})
		}
		if kind == "MR" {
			break
		}
	}
	return id, assigner
}

// typed is the identifier of a list that has the type.
func (d delimiters) typed(list []byte, kind string) []byte {
	for len(list) > 0 {
		var one []byte
		one, list, _ = bytes.Cut(list, []byte{d.repetition})
		parts := bytes.SplitN(one, []byte{d.component}, 6)
		if len(parts) > 4 && string(parts[4]) == kind {
			return parts[0]
		}
	}
	return nil
}

// first is the first component of a field's first repetition.
func (d delimiters) first(field []byte) []byte {
	field, _, _ = bytes.Cut(field, []byte{d.repetition})
	field, _, _ = bytes.Cut(field, []byte{d.component})
	return field
}

// name is family and given name of XPN's first repetition, nil what says nothing.
func (d delimiters) name(field []byte) (last, first []byte) {
	field, _, _ = bytes.Cut(field, []byte{d.repetition})
	family, rest, _ := bytes.Cut(field, []byte{d.component})
	family, _, _ = bytes.Cut(family, []byte{d.sub})
	given, _, _ := bytes.Cut(rest, []byte{d.component})
	return filled(family), filled(given)
}

// birthDigits is a birth date as yyyymmdd, nil where there is none to the day. A
// time may follow it.
func birthDigits(v []byte) []byte {
	v = bytes.TrimSpace(v)
	n := 0
	for n < len(v) && v[n] >= '0' && v[n] <= '9' {
		n++
	}
	if n >= 8 {
		v = v[:8]
	}
	date, ok := identifier.BirthDate(v)
	if !ok {
		return nil
	}
	return date.Append(nil)
}

// orphan says whether a segment can only be a PID, though its message's header
// is missing: it has a name of parts, a birth date and a sex (table 0001).
func orphan(f hl7Fields) bool {
	return string(f[0]) == "PID" && (len(f[1]) == 0 || string(f[1]) == "1") && bytes.IndexByte(f[5], '^') > 0 &&
		filled(f[5]) != nil && birthDigits(f[7]) != nil && len(f[8]) == 1 && bytes.Contains([]byte("MFOUAN"), f[8])
}

// query reports a question about a named patient: QRD-8 in version 2.3, the
// parameters of QPD since 2.4.
func (h *hl7v2) query(segment []byte, off int64) {
	f := fieldsOf(segment, h.sep)
	var last, first []byte
	if string(f[0]) == "QRD" {
		parts := bytes.SplitN(f[8], []byte{h.sep.component}, 4)
		if len(parts) > 1 {
			last = filled(parts[1])
		}
		if len(parts) > 2 {
			first = filled(parts[2])
		}
	} else {
		last, first = h.parameter(segment, "@PID.5.1"), h.parameter(segment, "@PID.5.2")
		if last == nil {
			last = h.parameter(segment, "@PID.5")
		}
	}
	if last == nil {
		return
	}
	h.sink.Record(detect.Record{Off: off, Has: detect.HealthFormat | detect.Name, Keys: []detect.Key{detect.NameKey(last, first)}})
}

// parameter is the value of one of QPD's parameters: @PID.5.1^Doe~@PID.5.2^Jane.
func (h *hl7v2) parameter(segment []byte, name string) []byte {
	i := bytes.Index(segment, []byte(name))
	if i < 0 {
		return nil
	}
	v, _, _ := bytes.Cut(segment[i+len(name):], []byte{h.sep.field})
	v, _, _ = bytes.Cut(v, []byte{h.sep.repetition})
	if i = bytes.IndexByte(v, h.sep.component); i < 0 {
		return nil
	}
	return filled(v[i+1:])
}

// filled is a value that says something: neither blank nor HL7's null "" nor the
// place of a value in a template nor zeros alone.
func filled(v []byte) []byte {
	v = bytes.TrimSpace(v)
	for _, mark := range []string{"{{", "${", "<%", "%s", "%d", "$(", "#{"} {
		if bytes.Contains(v, []byte(mark)) {
			return nil
		}
	}
	for _, c := range v {
		if c >= '1' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 {
			return v
		}
	}
	return nil
}
