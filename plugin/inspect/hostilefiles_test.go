package inspect

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// The files of hostile_test.go. Where a file has something to find, it stands
// before what is hostile.

const (
	patientJSON = `{"resourceType":"Patient","identifier":[{"type":{"coding":[{"code":"MR"}]},"value":"40000017"}],` +
		`"name":[{"family":"Quimby","given":["Ada"]}],"birthDate":"1980-02-01"}`
	patientXML = `<recordTarget><patientRole><id root="1.2.3" extension="40000017"/><patient><name><given>Ada</given><family>Quimby</family></name>` +
		`<birthTime value="19800201"/></patient></patientRole></recordTarget>`
	patientRows = "mrn,last_name,first_name,dob,diagnosis\n40000017,Quimby,Ada,1980-02-01,J45.909\n"
)

// packedBy is what a compressor makes of content.
func packedBy(t testing.TB, content []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := open(&buf)
	must(t, err)
	_, err = w.Write(content)
	must(t, err)
	must(t, w.Close())
	return buf.Bytes()
}

func deflated(t testing.TB, content []byte) []byte {
	return packedBy(t, content, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
}

func zstded(t testing.TB, content []byte) []byte {
	return packedBy(t, content, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
}

func xzed(t testing.TB, content []byte) []byte {
	return packedBy(t, content, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
}

// largeXz has a dictionary as "xz -9" makes it.
func largeXz(t testing.TB) []byte {
	return packedBy(t, bytes.Repeat([]byte("as long as the window\n"), 1<<16), func(w io.Writer) (io.WriteCloser, error) {
		return xz.WriterConfig{DictCap: 64 << 20}.NewWriter(w)
	})
}

// rawZip is an archive of entries that are all the same compressed bytes.
func rawZip(t testing.TB, content, compressed []byte, headers ...zip.FileHeader) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := range headers {
		h := &headers[i]
		h.CRC32, h.CompressedSize64, h.UncompressedSize64 = crc32.ChecksumIEEE(content), uint64(len(compressed)), uint64(len(content))
		f, err := w.CreateRaw(h)
		must(t, err)
		_, err = f.Write(compressed)
		must(t, err)
	}
	must(t, w.Close())
	return buf.Bytes()
}

// zipBomb is 64 MiB of zeros, some times.
func zipBomb(t testing.TB) []byte {
	content := make([]byte, 64<<20)
	var headers []zip.FileHeader
	for i := range 10 {
		headers = append(headers, zip.FileHeader{Name: fmt.Sprint(i), Method: zip.Deflate})
	}
	return rawZip(t, content, deflated(t, content), headers...)
}

// overlapping has a directory whose entries are all the same bytes of the file
// (Fifield, "A better zip bomb", 2019). The end record is of 64 bits.
func overlapping(t testing.TB, content []byte, method uint16, entries int) []byte {
	compressed := content
	if method == zip.Deflate {
		compressed = deflated(t, content)
	}
	const end = 22
	one := rawZip(t, content, compressed, zip.FileHeader{Name: "a", Method: method})
	le := binary.LittleEndian
	begin := int(le.Uint32(one[len(one)-end+16:]))
	record := one[begin : len(one)-end]
	out := append(bytes.Clone(one[:begin]), bytes.Repeat(record, entries)...)
	at, size := len(out), uint64(entries*len(record))
	out = append(out, "PK\x06\x06\x2c\x00\x00\x00\x00\x00\x00\x00\x2d\x00\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, n := range []uint64{uint64(entries), uint64(entries), size, uint64(begin)} {
		out = le.AppendUint64(out, n)
	}
	out = append(le.AppendUint64(append(out, "PK\x06\x07\x00\x00\x00\x00"...), uint64(at)), 1, 0, 0, 0)
	return append(append(append(out, "PK\x05\x06\x00\x00\x00\x00"...), bytes.Repeat([]byte{0xFF}, 12)...), 0, 0)
}

// fortyTwo is zips of zips, as 42.zip: five levels of 16 and 4 GiB at the bottom
// of each.
func fortyTwo(t testing.TB) []byte {
	content := make([]byte, 4<<20)
	packed := deflated(t, content)
	for range 5 {
		var headers []zip.FileHeader
		for i := range 16 {
			headers = append(headers, zip.FileHeader{Name: fmt.Sprintf("lib%d.zip", i), Method: zip.Deflate})
		}
		content = rawZip(t, content, packed, headers...)
		packed = deflated(t, content)
	}
	return content
}

// tarHeader is a header block with this size field.
func tarHeader(name, size string) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], size)
	copy(h[136:], "00000000000\x00        0")
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// manyEntries is a compressed tar archive with 1,024,000 empty files.
func manyEntries(t testing.TB) []byte {
	var names []byte
	for i := range 1024 {
		// Names that do not compress: the ratio must not end it first.
		names = append(names, tarHeader(fmt.Sprintf("%x", crc32.ChecksumIEEE([]byte{byte(i), byte(i >> 8)})), "00000000000\x00")...)
	}
	return bytes.Repeat(gzipped(t, names), 1000)
}

// laughs declares an entity of a thousand million.
func laughs(root, space, patient, after string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><!DOCTYPE ` + root + ` [<!ENTITY lol0 "lol">`)
	for i := range 9 {
		fmt.Fprintf(&b, `<!ENTITY lol%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&lol%d;", i), 10))
	}
	return b.String() + `]><` + root + ` xmlns="` + space + `">` + patient + after + `</` + root + `>`
}

// cyclicDatabase has a table whose tree has its root among its children, and
// a schema with a row of it.
func cyclicDatabase() []byte {
	const page = 4096
	db := make([]byte, 2*page)
	copy(db, "SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20")
	be := binary.BigEndian
	be.PutUint32(db[28:], 2) // pages
	be.PutUint32(db[44:], 4) // the schema's format
	be.PutUint32(db[56:], 1) // UTF-8
	sql := "CREATE TABLE patients(mrn, last_name, dob)"
	record := append([]byte{6, 23, 29, 29, 1, byte(13 + 2*len(sql))}, "tablepatientspatients\x02"+sql...)
	cell := append([]byte{byte(len(record)), 1}, record...)
	at := page - len(cell)
	copy(db[at:], cell)
	db[100] = 0x0D // a leaf
	be.PutUint16(db[103:], 1)
	be.PutUint16(db[105:], uint16(at))
	be.PutUint16(db[108:], uint16(at))
	tree := db[page:]
	const cells = 100
	tree[0] = 0x05 // an interior page
	be.PutUint16(tree[3:], cells)
	be.PutUint32(tree[8:], 2)
	for i := range cells {
		be.PutUint16(tree[12+2*i:], uint16(3000+5*i))
		copy(tree[3000+5*i:], "\x00\x00\x00\x02\x01")
	}
	return db
}

// dicomElement is one of explicit type, little endian.
func dicomElement(group, element uint16, kind, value string) []byte {
	b := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, group), element)
	return append(append(binary.LittleEndian.AppendUint16(append(b, kind...), uint16(len(value))), value...), ""...)
}

// endlessDICOM has sequences of undefined length in items of undefined length,
// to the end; the patient stands before.
func endlessDICOM() []byte {
	out := append(make([]byte, 128), "DICM"...)
	for _, e := range [][]byte{
		dicomElement(2, 0x10, "UI", "1.2.840.10008.1.2.1\x00"), dicomElement(8, 0x60, "CS", "CT"),
		dicomElement(0x10, 0x10, "PN", "QUIMBY^ADA"), dicomElement(0x10, 0x20, "LO", "40000017"), dicomElement(0x10, 0x30, "DA", "19800201"),
	} {
		out = append(out, e...)
	}
	return append(out, bytes.Repeat([]byte("\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"), 100_000)...)
}

// pdfOf is a file of objects, numbered from 1.
func pdfOf(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("trailer <</Root 1 0 R>>\n%%EOF\n")
	return b.Bytes()
}

// loopingPDF has pages that are each other's parents, a form that draws itself
// and an object stream whose length is within it.
func loopingPDF() []byte {
	return pdfOf("<</Type/Page/Parent 2 0 R/Contents 3 0 R/Resources<</XObject<</X 4 0 R>>>>>>", "<</Type/Page/Parent 1 0 R/Contents[2 0 R 1 0 R]>>",
		"<</Length 5>>\nstream\n/X Do\nendstream", "<</Subtype/Form/Length 5/Resources<</XObject<</X 4 0 R>>>>>>\nstream\n/X Do\nendstream",
		"<</Type/ObjStm/N 2/First 10/Length 6 0 R/Filter 5 0 R>>\nstream\n6 0 7 2  30\nendstream")
}

// parquetOf claims a footer of so many bytes.
func parquetOf(footer uint32) []byte {
	return append(binary.LittleEndian.AppendUint32(append([]byte("PAR1"), make([]byte, 64)...), footer), "PAR1"...)
}

// encryptedOffice is the wrapping of an encrypted document ([MS-OFFCRYPTO] 2.3.4).
func encryptedOffice() []byte {
	out := make([]byte, 4096)
	copy(out, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	out[30] = 9
	for i, c := range "EncryptedPackage" {
		out[512+2*i] = byte(c)
	}
	return out
}
