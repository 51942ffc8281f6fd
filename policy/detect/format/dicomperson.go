package format

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/identifier"
	"github.com/phigate/phigate/policy/hipaa"
)

// dicomMetadata is the rule about a form of DICOM without pictures.
func dicomMetadata(id, title string) policy.Info {
	return policy.Info{
		ID:       id,
		Title:    title,
		Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
		Severity: policy.Critical,
		Default:  policy.Block,
		Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
			"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
			"The metadata of a study name the patient as the pictures do.",
		Fix: "Remove the files from the image and from the layers below it, or de-identify them by PS3.15, annex E.",
	}
}

// dicomPerson is what the patient module says. The first value of each counts.
type dicomPerson struct {
	off                     int64 // of the first of them
	some                    bool
	name, id, issuer, birth []byte
	support                 detect.Trait
	removed                 bool // the file says that it was de-identified
}

// trimDicom takes off what pads values to an even length.
func trimDicom(v []byte) []byte { return bytes.Trim(v, " \x00") }

// The SOP class VL Photographic Image: a picture of the patient from outside.
const dicomPhoto = "1.2.840.10008.5.1.4.1.1.77.1.4"

func (p *dicomPerson) take(tag uint32, value []byte, off int64) {
	value = trimDicom(value)
	switch tag {
	case tagName, tagBirthName:
		p.first(&p.name, value, off)
	case tagID:
		p.first(&p.id, value, off)
	case tagIssuer:
		p.first(&p.issuer, value, off)
	case tagBirth:
		p.first(&p.birth, value, off)
	case tagRemoved:
		p.removed = p.removed || string(value) == "YES"
	case tagModality:
		p.supports(detect.Photo, string(value) == "XC")
	case tagSOPClass:
		p.supports(detect.Photo, string(value) == dicomPhoto)
	case tagAddress:
		p.supports(detect.Address, said(value) != nil)
	case tagPhone, tagTelecom:
		p.supports(detect.Phone, said(value) != nil)
	case tagAccession, tagInsurance, tagOtherIDs, tagOtherNames:
		p.supports(detect.Account, said(value) != nil)
	}
}

func (p *dicomPerson) first(to *[]byte, value []byte, off int64) {
	if len(*to) > 0 || len(value) == 0 {
		return
	}
	*to = append(*to, value...)
	if !p.some {
		p.some, p.off = true, off
	}
}

func (p *dicomPerson) supports(t detect.Trait, yes bool) {
	if yes {
		p.support |= t
	}
}

// report gives the record to the sink and forgets the person.
func (p *dicomPerson) report(s *detect.Sink) {
	r := detect.Record{Off: p.off, Has: detect.HealthFormat | p.support}
	last, first := dicomName(p.name)
	birth, born := identifier.BirthDate(p.birth)
	id := said(p.id)
	if p.removed && last == nil {
		id, born = nil, false // what stands in their places is made up
	}
	if id != nil {
		r.Has |= detect.MRN
		r.Keys = append(r.Keys, detect.MRNKey(id, p.issuer))
	}
	if born {
		r.Has |= detect.BirthDate
	}
	if last != nil {
		r.Has |= detect.Name
		if born {
			r.Keys = append(r.Keys, detect.NameBirthKey(last, first, birth.Append(nil)))
		}
		r.Keys = append(r.Keys, detect.NameKey(last, first))
	}
	s.Record(r)
	*p = dicomPerson{removed: p.removed}
}

// dicomName parts a PN (PS3.5, 6.2.1): Last^First^Middle^Prefix^Suffix, with up
// to three ways of writing it between equals signs.
func dicomName(v []byte) (last, first []byte) {
	v, _, _ = bytes.Cut(v, []byte("="))
	last, first, _ = bytes.Cut(v, []byte("^"))
	first, _, _ = bytes.Cut(first, []byte("^"))
	last, first = said(last), said(first)
	for _, c := range last {
		if initial(c) {
			return last, first
		}
	}
	return nil, nil
}

// Bounds of the deflated transfer syntax: the patient module is at the
// beginning.
const (
	maxDeflated = 1 << 20
	maxInflated = 4 << 20
)

// dicomInflater holds the deflated part of a file, since the standard library
// inflates from a reader.
type dicomInflater struct {
	on     bool
	off    int64
	packed []byte
}

// add takes more; true: it is enough.
func (f *dicomInflater) add(data []byte) bool {
	f.packed = append(f.packed, data[:min(len(data), maxDeflated-len(f.packed))]...)
	return len(f.packed) == maxDeflated
}

// inflate gives what was deflated to take until that returns false. It says why
// not all of it was given: a bound, or damage.
func (f *dicomInflater) inflate(take func([]byte) bool) (reason string) {
	const beyond = "deflated DICOM object beyond a bound"
	z := flate.NewReader(bytes.NewReader(f.packed))
	var buf [16 << 10]byte
	for total := 0; total < maxInflated; {
		n, err := z.Read(buf[:])
		if total += n; n > 0 && !take(buf[:n]) {
			return ""
		}
		switch {
		case errors.Is(err, io.EOF):
			return ""
		case err != nil && len(f.packed) == maxDeflated && errors.Is(err, io.ErrUnexpectedEOF):
			return beyond
		case err != nil:
			return "damaged deflated DICOM object"
		}
	}
	return beyond
}
