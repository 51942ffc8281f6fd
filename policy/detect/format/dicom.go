package format

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// DICOM finds images and other objects of DICOM with a patient module.
func DICOM() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-dicom",
			Aliases:  []string{"PHI-005"},
			Title:    "DICOM object with a patient",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"A DICOM object names its patient in group 0010, whatever its picture shows.",
			Fix: "Remove the objects from the image and from the layers below it; de-identify those that tests need by the profiles of DICOM PS3.15, annex E.",
		},
		Open: openDICOM,
	}
}

func openDICOM(m detect.Meta, s *detect.Sink) detect.Reader {
	start, ok := dicomStart(m.Head)
	if !ok {
		return nil
	}
	d := &dicom{sink: s, skip: start}
	d.set = newDicomSet(d.element)
	return d
}

// dicom reads one file: its header alone, as far as the picture.
type dicom struct {
	sink *detect.Sink
	set  *dicomSet
	skip int64 // bytes before the first element
	next int64
	done bool
	flat dicomInflater // for the deflated transfer syntax
	who  dicomPerson
}

func (d *dicom) Window(w detect.Window) {
	switch {
	case d.done:
		return
	case w.Off != d.next: // a hole: nobody writes zeros into a header
		d.sink.Skip("DICOM object with a hole in its header")
		d.Close()
		return
	}
	d.next = w.Off + int64(len(w.Data))
	data := w.Data
	if d.skip > 0 {
		n := min(d.skip, int64(len(data)))
		d.skip -= n
		data = data[n:]
	}
	d.feed(data, d.next-int64(len(data)))
}

// feed parses what is not deflated, and collects what is.
func (d *dicom) feed(data []byte, off int64) {
	if !d.flat.on {
		packed := d.set.parse(data, off)
		if len(packed) == 0 {
			if d.set.over {
				d.Close()
			}
			return
		}
		d.flat.on, d.flat.off, data = true, off+int64(len(data)-len(packed)), packed
	}
	if d.flat.add(data) {
		d.Close()
	}
}

// Close reports the person whom the header names.
func (d *dicom) Close() {
	if d.done {
		return
	}
	d.done = true
	if d.flat.on {
		if reason := d.inflate(); reason != "" && !d.who.some {
			d.sink.Skip(reason)
		}
	}
	if d.set.within() {
		d.sink.Skip("DICOM object ends within an element or a sequence")
	}
	d.who.report(d.sink)
}

// inflate parses what was collected; the places in it are that of its beginning.
func (d *dicom) inflate() (reason string) {
	inner := newDicomSet(d.element)
	inner.meta = false
	return d.flat.inflate(func(data []byte) bool {
		inner.parse(data, d.flat.off)
		return !inner.over
	})
}

// Idle: nothing of interest follows the picture.
func (d *dicom) Idle() bool { return d.done }

// element takes the value of an element that was asked for.
func (d *dicom) element(tag uint32, value []byte, off int64) {
	if tag == tagRecordType { // in a DICOMDIR, each patient has a record
		if string(trimDicom(value)) == "PATIENT" {
			d.who.report(d.sink)
		}
		return
	}
	d.who.take(tag, value, off)
}
