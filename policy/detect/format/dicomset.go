package format

import "encoding/binary"

// Tags of the elements that are kept (DICOM PS3.6): those that identify, and
// those that say how the rest is to be read.
const (
	tagSyntax      = 0x0002_0010
	tagRecordType  = 0x0004_1430
	tagSOPClass    = 0x0008_0016
	tagAccession   = 0x0008_0050
	tagModality    = 0x0008_0060
	tagName        = 0x0010_0010
	tagID          = 0x0010_0020
	tagIssuer      = 0x0010_0021
	tagBirth       = 0x0010_0030
	tagInsurance   = 0x0010_0050
	tagOtherIDs    = 0x0010_1000
	tagOtherNames  = 0x0010_1001
	tagBirthName   = 0x0010_1005
	tagAddress     = 0x0010_1040
	tagPhone       = 0x0010_2154
	tagTelecom     = 0x0010_2155
	tagRemoved     = 0x0012_0062
	tagItem        = 0xFFFE_E000
	tagItemEnd     = 0xFFFE_E00D
	tagSequenceEnd = 0xFFFE_E0DD
	tagPixels      = 0x7FE0_0010
	tagPixelsFloat = 0x7FE0_0008
	tagPixels64    = 0x7FE0_0009
)

func dicomWanted(tag uint32) bool {
	switch tag {
	case tagSyntax, tagRecordType, tagSOPClass, tagAccession, tagModality, tagName, tagID, tagIssuer, tagBirth, tagInsurance, tagOtherIDs, tagOtherNames,
		tagBirthName, tagAddress, tagPhone, tagTelecom, tagRemoved:
		return true
	}
	return false
}

// dicomSyntax is how elements are written (PS3.5, annex A).
type dicomSyntax uint8

const (
	unknownSyntax dicomSyntax = iota
	explicitLE
	implicitLE
	explicitBE
	deflated
)

func syntaxOf(uid []byte) dicomSyntax {
	switch string(trimDicom(uid)) {
	case "1.2.840.10008.1.2":
		return implicitLE
	case "1.2.840.10008.1.2.2":
		return explicitBE
	case "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.8.1":
		return deflated
	}
	return explicitLE
}

const (
	undefinedLength = 0xFFFF_FFFF
	maxDicomValue   = 1 << 10 // bytes of a value that are kept
)

// dicomSet reads the elements of a data set in one pass. Sequences are not
// walked into and out of: their items are elements among the others, so that
// depth costs nothing and an undefined length needs no end.
type dicomSet struct {
	emit   func(tag uint32, value []byte, off int64)
	meta   bool // within group 0002, which is explicit, little endian
	syntax dicomSyntax
	seen   bool   // an element of the data set
	over   bool   // nothing of interest follows
	carry  []byte // a header that is not complete
	joined []byte // it with what follows

	tag   uint32
	off   int64
	need  int64 // bytes of the value that are missing
	keep  bool
	value []byte
	open  int // sequences of undefined length
}

func newDicomSet(emit func(tag uint32, value []byte, off int64)) *dicomSet {
	return &dicomSet{emit: emit, meta: true}
}

// parse takes the next bytes, the first of which lies at off. It returns those
// that are deflated, which follow the meta information.
func (s *dicomSet) parse(data []byte, off int64) (packed []byte) {
	if len(s.carry) > 0 {
		off -= int64(len(s.carry))
		s.joined = append(append(s.joined[:0], s.carry...), data...)
		data, s.carry = s.joined, s.carry[:0]
	}
	for i := 0; i < len(data) && !s.over; {
		if s.need > 0 {
			i += s.fill(data[i:])
			continue
		}
		if s.leaves(data[i:]) {
			return data[i:]
		}
		h := s.header(data[i:])
		if h.missing {
			s.carry = append(s.carry, data[i:]...)
			return nil
		}
		s.begin(h, off+int64(i))
		i += h.size
	}
	return nil
}

// leaves says that the meta information ends here and what follows is deflated.
func (s *dicomSet) leaves(b []byte) bool {
	if s.meta && len(b) >= 2 && binary.LittleEndian.Uint16(b) != 2 {
		s.meta = false
	}
	return !s.meta && s.syntax == deflated
}

// begin takes an element by its header.
func (s *dicomSet) begin(h dicomHeader, off int64) {
	switch h.tag {
	case tagPixels, tagPixelsFloat, tagPixels64, 0:
		s.over = true
		return
	}
	switch {
	case h.endless:
		s.open++
	case h.tag == tagSequenceEnd:
		s.open = max(0, s.open-1)
	}
	s.tag, s.off, s.need = h.tag, off, int64(h.length)
	if s.keep = dicomWanted(h.tag); s.keep && s.need == 0 {
		s.emit(h.tag, nil, off)
	}
}

// fill takes bytes of a value and says how many.
func (s *dicomSet) fill(data []byte) int {
	n := min(s.need, int64(len(data)))
	s.need -= n
	if !s.keep {
		return int(n)
	}
	s.value = append(s.value, data[:min(n, int64(maxDicomValue-len(s.value)))]...)
	if s.need == 0 {
		if s.tag == tagSyntax {
			s.syntax = syntaxOf(s.value)
		}
		s.emit(s.tag, s.value, s.off)
		s.value = s.value[:0]
	}
	return int(n)
}

// dicomHeader is the beginning of an element; of a sequence or item it is all,
// so that the elements within follow.
type dicomHeader struct {
	missing bool // more bytes are needed
	tag     uint32
	size    int
	length  uint32
	endless bool // a sequence of undefined length
}

// header reads the header that b begins with.
func (s *dicomSet) header(b []byte) dicomHeader {
	if len(b) < 8 {
		return dicomHeader{missing: true}
	}
	if !s.meta && !s.seen {
		s.seen = true
		s.guess(b)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if s.syntax == explicitBE && !s.meta {
		order = binary.BigEndian
	}
	h := dicomHeader{tag: uint32(order.Uint16(b))<<16 | uint32(order.Uint16(b[2:])), size: 8, length: order.Uint32(b[4:])}
	switch h.tag {
	case tagItem, tagItemEnd, tagSequenceEnd:
		h.length = 0
		return h
	}
	opaque := true // what is in it shows by its first bytes alone
	if s.meta || s.syntax != implicitLE {
		switch typ := dicomType(b[4:6]); {
		case typ == longValue || typ == sequence:
			if len(b) < 12 {
				return dicomHeader{missing: true}
			}
			h.size, h.length = 12, order.Uint32(b[8:])
			opaque = string(b[4:6]) == "UN"
			if typ == sequence {
				h.endless, h.length = h.length == undefinedLength, 0
			}
		case typ == shortValue:
			h.length, opaque = uint32(order.Uint16(b[6:])), false
		}
	}
	return s.nested(h, b, order, opaque)
}

// within says that the bytes so far end within an element or a sequence.
func (s *dicomSet) within() bool { return !s.over && (s.need > 0 || len(s.carry) > 0 || s.open > 0) }

// nested makes a header all of its element where elements follow in it.
func (s *dicomSet) nested(h dicomHeader, b []byte, order binary.ByteOrder, opaque bool) dicomHeader {
	switch {
	case h.length == undefinedLength:
		h.endless, h.length = true, 0
	case opaque && h.length >= 8 && !dicomWanted(h.tag):
		if len(b) < h.size+4 {
			return dicomHeader{missing: true}
		}
		if uint32(order.Uint16(b[h.size:]))<<16|uint32(order.Uint16(b[h.size+2:])) == tagItem {
			h.length = 0
		}
	}
	return h
}

// guess sees from the first element how the data set is written: the meta
// information is missing in some files and wrong in others.
func (s *dicomSet) guess(b []byte) {
	big := b[0] == 0 && b[1] != 0
	explicit := dicomType(b[4:6]) != noType
	switch {
	case big:
		s.syntax = explicitBE
	case explicit:
		s.syntax = explicitLE
	default:
		s.syntax = implicitLE
	}
}

// dicomForm is how a value representation is written (PS3.5, 7.1.2).
type dicomForm uint8

const (
	noType dicomForm = iota
	shortValue
	longValue
	sequence
)

func dicomType(vr []byte) dicomForm {
	switch string(vr) {
	case "SQ":
		return sequence
	case "OB", "OD", "OF", "OL", "OV", "OW", "SV", "UC", "UN", "UR", "UT", "UV":
		return longValue
	case "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US":
		return shortValue
	}
	return noType
}

// dicomMagic stands behind a preamble of 128 bytes (PS3.10, 7.1).
const dicomPreamble, dicomMagic = 128, "DICM"

// dicomStart says where the first element of a DICOM file is. Without preamble
// and magic the file's beginning must read as elements.
func dicomStart(head []byte) (int64, bool) {
	const magicEnd = dicomPreamble + len(dicomMagic)
	switch {
	case len(head) >= magicEnd && string(head[dicomPreamble:magicEnd]) == dicomMagic:
		return int64(magicEnd), true
	case len(head) > len(dicomMagic) && string(head[:len(dicomMagic)]) == dicomMagic:
		return int64(len(dicomMagic)), true
	case len(head) < 8 || head[0]^head[1] != 8 && head[0]^head[1] != 2 || head[0] != 0 && head[1] != 0:
		return 0, false
	}
	return 0, dicomLike(head)
}

// dicomLike says whether the first elements ascend and have lengths as those of
// a header do.
func dicomLike(head []byte) bool {
	const enough, longest = 4, 1 << 10
	s := newDicomSet(nil)
	last := uint32(0)
	for n := 0; n < enough; n++ {
		s.leaves(head)
		h := s.header(head)
		if h.missing || h.tag <= last || h.tag>>16 > 0x20 || h.length > longest || h.size+int(h.length) > len(head) {
			return false
		}
		last, head = h.tag, head[h.size+int(h.length):]
	}
	return true
}
