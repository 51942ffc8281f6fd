package format_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

// dicomFile writes a DICOM file; the zero value is explicit and little endian.
type dicomFile struct {
	implicit, big, deflate, bare, lies bool
	set                                bytes.Buffer
}

func (f *dicomFile) order() binary.AppendByteOrder {
	if f.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// add writes an element.
func (f *dicomFile) add(tag uint32, vr, value string) *dicomFile {
	if len(value)%2 != 0 {
		value += " "
	}
	return f.raw(tag, vr, uint32(len(value)), value)
}

// raw writes an element whose length may be another.
func (f *dicomFile) raw(tag uint32, vr string, length uint32, value string) *dicomFile {
	f.set.Write(dicomElement(f.order(), f.implicit, tag, vr, length, value))
	return f
}

func dicomElement(order binary.AppendByteOrder, implicit bool, tag uint32, vr string, length uint32, value string) []byte {
	b := order.AppendUint16(order.AppendUint16(nil, uint16(tag>>16)), uint16(tag))
	switch {
	case implicit || tag>>16 == 0xFFFE:
		b = order.AppendUint32(b, length)
	case strings.Contains("OB OW SQ UN UT", vr):
		b = order.AppendUint32(append(append(b, vr...), 0, 0), length)
	default:
		b = order.AppendUint16(append(b, vr...), uint16(length))
	}
	return append(b, value...)
}

// bytes is the file.
func (f *dicomFile) bytes() []byte {
	set := f.set.Bytes()
	syntax := "1.2.840.10008.1.2.1"
	switch {
	case f.deflate:
		syntax = "1.2.840.10008.1.2.1.99"
		var packed bytes.Buffer
		z, _ := flate.NewWriter(&packed, 6)
		z.Write(set)
		z.Close()
		set = packed.Bytes()
	case f.lies:
	case f.big:
		syntax = "1.2.840.10008.1.2.2"
	case f.implicit:
		syntax = "1.2.840.10008.1.2\x00"
	}
	if f.bare {
		return set
	}
	if len(syntax)%2 != 0 {
		syntax += "\x00"
	}
	out := append(make([]byte, 128), "DICM"...)
	meta := dicomElement(binary.LittleEndian, false, 0x00020010, "UI", uint32(len(syntax)), syntax)
	out = append(out, dicomElement(binary.LittleEndian, false, 0x00020000, "UL", 4, string(binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))))...)
	return append(append(out, meta...), set...)
}

const undefined = 0xFFFFFFFF

// scan writes the header of a picture: what stands before the patient, then
// the patient.
func (f *dicomFile) scan(name, id, birth string) *dicomFile {
	f.add(0x00080005, "CS", "ISO_IR 100").add(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2").add(0x00080018, "UI", "1.2.3.4")
	f.add(0x00080060, "CS", "CT").add(0x00080090, "PN", "Brandt^Ada")
	return f.add(0x00100010, "PN", name).add(0x00100020, "LO", id).add(0x00100030, "DA", birth)
}

func (f *dicomFile) pixels(n int) *dicomFile {
	return f.add(0x7FE00010, "OW", strings.Repeat("\x01\x02", n))
}

func vandersloot(f dicomFile) *dicomFile {
	return f.scan("Vandersloot^Ottilie", "M8842107", "19610430")
}

func TestDICOM_accept(t *testing.T) {
	for name, f := range map[string]dicomFile{"explicit": {}, "implicit": {implicit: true}, "deflated": {deflate: true}, "bare": {bare: true}} {
		t.Run(name, func(t *testing.T) {
			secrets := []string{"Vandersloot", "Ottilie", "M8842107", "19610430"}
			if f.deflate {
				secrets = nil // they are not in the bytes
			}
			detecttest.Accept(t, format.DICOM(), vandersloot(f).pixels(20).bytes(), "/srv/1.dcm", detecttest.Secrets(secrets...), detecttest.People(1))
		})
	}
}

func TestDICOM(t *testing.T) {
	v := func(f dicomFile) []byte { return vandersloot(f).pixels(100).bytes() }
	with := func(name, id, birth string) []byte { return new(dicomFile).scan(name, id, birth).pixels(10).bytes() }
	removed := func(name, id, birth string) []byte {
		return new(dicomFile).scan(name, id, birth).add(0x00120062, "CS", "YES").pixels(10).bytes()
	}
	sequence := func(f dicomFile, length uint32) []byte {
		item := string(dicomElement(f.order(), f.implicit, 0x00081150, "UI", 4, "1.2\x00"))
		if length != undefined {
			length = uint32(8 + len(item))
			f.raw(0x00081110, "SQ", length, "").raw(0xFFFEE000, "", length-8, item)
		} else {
			f.raw(0x00081110, "SQ", length, "").raw(0xFFFEE000, "", length, item).raw(0xFFFEE00D, "", 0, "").raw(0xFFFEE0DD, "", 0, "")
		}
		return vandersloot(f).pixels(1).bytes()
	}
	directory := new(dicomFile).raw(0x00041220, "SQ", undefined, "")
	for i := range 3 {
		directory.raw(0xFFFEE000, "", undefined, "").add(0x00041430, "CS", "PATIENT").add(0x00100010, "PN", fmt.Sprintf("Vander%c^Ottilie", 'a'+i)).
			add(0x00100020, "LO", fmt.Sprint("M884210", i)).raw(0xFFFEE00D, "", 0, "")
		directory.raw(0xFFFEE000, "", undefined, "").add(0x00041430, "CS", "IMAGE").raw(0xFFFEE00D, "", 0, "")
	}
	for name, c := range map[string]struct {
		content     []byte
		phi, people int
	}{
		"explicit":           {v(dicomFile{}), 1, 1},
		"implicit":           {v(dicomFile{implicit: true}), 1, 1},
		"big_endian":         {v(dicomFile{big: true}), 1, 1},
		"deflated":           {v(dicomFile{deflate: true}), 1, 1},
		"bare":               {v(dicomFile{bare: true}), 1, 1},
		"bare_implicit":      {v(dicomFile{bare: true, implicit: true}), 1, 1},
		"bare_big_endian":    {v(dicomFile{bare: true, big: true}), 1, 1},
		"meta_without_magic": {v(dicomFile{})[132:], 1, 1},
		"magic_alone":        {v(dicomFile{})[128:], 1, 1},
		"wrong_syntax":       {v(dicomFile{implicit: true, lies: true}), 1, 1},
		"wrong_order":        {v(dicomFile{big: true, lies: true}), 1, 1},
		"sequence":           {sequence(dicomFile{}, 0), 1, 1},
		"sequence_undefined": {sequence(dicomFile{}, undefined), 1, 1},
		"implicit_sequence":  {sequence(dicomFile{implicit: true}, 0), 1, 1},
		"implicit_undefined": {sequence(dicomFile{implicit: true}, undefined), 1, 1},
		"unknown_types":      {new(dicomFile).add(0x00080060, "UN", "CT").add(0x00100010, "UN", "Vandersloot^Ottilie").bytes(), 1, 1},
		"private":            {vandersloot(*new(dicomFile).raw(0x00091001, "UN", 70_000, strings.Repeat("x", 70_000))).bytes(), 1, 1},
		"directory":          {directory.bytes(), 3, 3},
		"name_alone":         {with("Vandersloot^Ottilie", "", ""), 1, 1},
		"id_alone":           {with("", "M8842107", ""), 1, 1},
		"birth_alone":        {with("", "", "19610430"), 1, 1},
		"ideographs":         {with("\x1b$B;3ED\x1b(B^\x1b$BB@O:=Yamada^Tarou", "", ""), 1, 1},
		"pseudonym":          {removed("TRIAL-CT-310", "TRIAL-CT-310", ""), 1, 1},
		"cut_in_the_picture": {v(dicomFile{})[:len(v(dicomFile{}))-50], 1, 1},
		"after_the_picture":  {append(new(dicomFile).add(0x00080060, "CS", "CT").pixels(10).bytes(), v(dicomFile{})[132:]...), 0, 0},
		"empty":              {with("", "", ""), 0, 0},
		"anonymous":          {with("Anonymous", "", ""), 0, 0},
		"masked":             {with("XXXX^XXXX", "0000", "00010101"), 0, 0},
		"removed":            {removed("", "TRIAL-CT-310", "19000101"), 0, 0},
		"palette":            {new(dicomFile).add(0x00080016, "UI", "1.2.840.10008.5.1.4.39.1").add(0x00280010, "US", "ab").bytes(), 0, 0},
		"operators_alone":    {new(dicomFile).add(0x00080090, "PN", "Brandt^Ada").add(0x00081070, "PN", "Kowalczyk^Hugo").bytes(), 0, 0},
		"other_file":         {append([]byte{8, 0}, bytes.Repeat([]byte("some text "), 100)...), 0, 0},
		"text":               {[]byte(strings.Repeat("DICM is the magic. ", 20)), 0, 0},
		"zeros":              {make([]byte, 5000), 0, 0},
		"meta_then_zeros":    {append(new(dicomFile).bytes(), make([]byte, 5000)...), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 100, 1} {
				if phi, people, _, _ := counts(t, format.DICOM(), "/a", string(c.content), size); phi != c.phi || people != c.people {
					t.Errorf("windows of %d: %d records of %d people, want %d of %d", size, phi, people, c.phi, c.people)
				}
			}
		})
	}
}

// TestDICOM_deflated: bounds and damage of the deflated syntax.
func TestDICOM_deflated(t *testing.T) {
	f := dicomFile{deflate: true}
	f.add(0x00080060, "CS", "CT").add(0x00090010, "OB", strings.Repeat("x", 64<<20)).add(0x00100010, "PN", "Vandersloot^Ottilie")
	bomb := f.bytes()
	got := detecttest.Run(format.DICOM(), "/a", bomb)
	if len(got.Findings) > 0 || len(got.Skipped) != 1 {
		t.Errorf("behind the bound %d findings, %d skipped, want 0 and 1", len(got.Findings), len(got.Skipped))
	}
	damaged := vandersloot(dicomFile{deflate: true}).pixels(1000).bytes()
	damaged = append(damaged[:len(damaged)-60], bytes.Repeat([]byte{0xFF}, 200)...)
	if got = detecttest.Run(format.DICOM(), "/a", damaged); len(got.Skipped)+len(got.Findings) == 0 {
		t.Error("a damaged file is neither found nor skipped")
	}
	garbage := append(dicomFileMeta(), bytes.Repeat([]byte{0xFF}, 200)...)
	if got = detecttest.Run(format.DICOM(), "/a", garbage); len(got.Skipped) != 1 {
		t.Errorf("a file that cannot be inflated: %d skipped, want 1", len(got.Skipped))
	}
}

// dicomFileMeta is the beginning of a deflated file.
func dicomFileMeta() []byte {
	f := dicomFile{deflate: true}
	empty := len(f.bytes())
	var packed bytes.Buffer
	z, _ := flate.NewWriter(&packed, 6)
	z.Close()
	return f.bytes()[:empty-packed.Len()]
}

func TestDICOM_hostile(t *testing.T) {
	nest := func(implicit bool) []byte {
		f := dicomFile{implicit: implicit}
		for range 200_000 {
			f.raw(0x00081110, "SQ", undefined, "").raw(0xFFFEE000, "", undefined, "")
		}
		return vandersloot(f).bytes()
	}
	huge := new(dicomFile).scan("Vandersloot^Ottilie", "", "").raw(0x00104000, "UN", 0xFFFFFFF0, strings.Repeat("x", 1<<20)).bytes()
	name := new(dicomFile).add(0x00080060, "CS", "CT").add(0x00100010, "UN", strings.Repeat("Vandersloot", 1<<20)).bytes()
	many := *new(dicomFile)
	for range 300_000 {
		many.add(0x00080050, "SH", "1")
	}
	for label, c := range map[string]struct {
		content []byte
		want    int
	}{
		"nested":          {nest(false), 1},
		"nested_implicit": {nest(true), 1},
		"huge_length":     {huge, 1},
		"huge_name":       {name, 1},
		"many_elements":   {vandersloot(many).bytes(), 1},
	} {
		t.Run(label, func(t *testing.T) {
			if phi, _, _, _ := counts(t, format.DICOM(), "/a", string(c.content), 256<<10); phi != c.want {
				t.Errorf("%d records, want %d", phi, c.want)
			}
		})
	}
}

// FuzzDICOM: no panic, and the same answer however the file is cut.
func FuzzDICOM(f *testing.F) {
	var seeds []string
	for _, file := range []dicomFile{{}, {implicit: true}, {big: true}, {deflate: true}, {bare: true}, {bare: true, implicit: true}} {
		seeds = append(seeds, string(vandersloot(file).raw(0x00400275, "SQ", undefined, "").raw(0xFFFEE000, "", undefined, "").pixels(3).bytes()))
	}
	detecttest.Fuzz(f, format.DICOM(), seeds...)
}
