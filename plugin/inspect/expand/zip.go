package expand

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// The zip format is read here and not with archive/zip, which keeps all of the
// directory in memory. Sections are those of PKWARE's APPNOTE.TXT 6.3.10.

// The signatures of records.
const (
	zipLocal      = 0x04034b50 // 4.3.7
	zipDescriptor = 0x08074b50 // 4.3.9
	zipCentral    = 0x02014b50 // 4.3.12
	zipEnd64      = 0x06064b50 // 4.3.14
	zipLocator64  = 0x07064b50 // 4.3.15
	zipEnd        = 0x06054b50 // 4.3.16
	zipExtra      = 0x08064b50 // 4.3.11
)

// Their lengths, without names and the like.
const (
	zipLocalLen   = 30
	zipCentralLen = 46
	zipEndLen     = 22
	zipEnd64Len   = 56
	zipLocatorLen = 20
	zipMaxComment = 1<<16 - 1
)

const zipPart = "zip entry"

var errZip = errors.New("zip format")

// zipArchive is an archive that can be read at random.
type zipArchive struct {
	x    *expansion
	path string
	at   io.ReaderAt
	size int64
	base int64 // what lies before the archive: a program
	dir  int64 // where the directory begins, base included
	end  int64 // and where it ends
	want int64 // entries, as the end record has it; of a 32-bit record, its low 16 bits
	wide bool  // it is a 64-bit record
}

// openZip visits the entries that the directory names. Where the directory
// cannot be trusted, the archive is read from its beginning.
func openZip(x *expansion, path string, in input) error {
	z := &zipArchive{x: x, path: path, at: in.At, size: in.Size}
	if z.locate() != nil || z.verify() != nil {
		if err := x.check(); err != nil {
			return err
		}
		err := scanZip(x, path, io.NewSectionReader(in.At, 0, in.Size))
		return cmp.Or(x.ended, err, errZip)
	}
	return z.each(z.visit)
}

// locate finds the directory: 4.3.16, and 4.3.14 for 64-bit sizes.
func (z *zipArchive) locate() error {
	tail := make([]byte, min(z.size, zipEndLen+zipMaxComment))
	if _, err := z.at.ReadAt(tail, z.size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	i := lastZipEnd(tail)
	if i < 0 {
		return errZip
	}
	le, rec := binary.LittleEndian, tail[i:]
	pos := z.size - int64(len(tail)) + int64(i)
	z.want = int64(le.Uint16(rec[10:]))
	size, offset := int64(le.Uint32(rec[12:])), int64(le.Uint32(rec[16:]))
	if z.want == 0xFFFF || size == 0xFFFFFFFF || offset == 0xFFFFFFFF {
		if p, err := z.locate64(pos, &size, &offset); err == nil {
			pos, z.wide = p, true
		}
	}
	z.end = pos
	z.dir = pos - size
	z.base = z.dir - offset
	if size < 0 || offset < 0 || z.dir < 0 || z.base < 0 {
		return errZip
	}
	return nil
}

// lastZipEnd is the index of the end record: the last whose comment fits.
func lastZipEnd(tail []byte) int {
	for i := len(tail) - zipEndLen; i >= 0; i-- {
		if tail[i] != 'P' || binary.LittleEndian.Uint32(tail[i:]) != zipEnd {
			continue
		}
		if int(binary.LittleEndian.Uint16(tail[i+20:])) <= len(tail)-i-zipEndLen {
			return i
		}
	}
	return -1
}

// locate64 reads the 64-bit end record, which lies before the one at pos.
func (z *zipArchive) locate64(pos int64, size, offset *int64) (int64, error) {
	var locator [zipLocatorLen]byte
	if pos < zipLocatorLen {
		return 0, errZip
	}
	if _, err := z.at.ReadAt(locator[:], pos-zipLocatorLen); err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	if le.Uint32(locator[:]) != zipLocator64 {
		return 0, errZip
	}
	var rec [zipEnd64Len]byte
	// The offset is wrong where a program lies before the archive; then the
	// record stands right before its locator.
	for _, at := range []int64{int64(le.Uint64(locator[8:])), pos - zipLocatorLen - zipEnd64Len} {
		if at < 0 || at > pos-zipEnd64Len {
			continue
		}
		if _, err := z.at.ReadAt(rec[:], at); err != nil {
			return 0, err
		}
		if le.Uint32(rec[:]) == zipEnd64 {
			z.want, *size, *offset = int64(le.Uint64(rec[32:])), int64(le.Uint64(rec[40:])), int64(le.Uint64(rec[48:]))
			return at, nil
		}
	}
	return 0, errZip
}

// zipEntry is one entry, as the directory or its own header has it.
type zipEntry struct {
	name       string
	flags      uint16
	method     uint16
	crc        uint32
	compressed int64
	size       int64
	offset     int64 // of its header, without base
	record     int64 // bytes of its header
	later      bool  // sum and sizes follow the content
}

// The bits of the flags: 4.4.4.
const (
	zipEncrypted = 1 << 0
	zipStreamed  = 1 << 3 // sizes and checksum follow the content
	zipMasked    = 1 << 13
)

// each reads the directory with little memory, since it can have millions of entries.
func (z *zipArchive) each(visit func(e *zipEntry) error) error {
	buf := z.x.tools.buffer(io.NewSectionReader(z.at, z.dir, z.end-z.dir))
	defer z.x.tools.unbuffer(buf)
	var e zipEntry
	for {
		sig, err := buf.Peek(4)
		if err == io.EOF && len(sig) == 0 {
			return nil
		}
		if err != nil {
			return cut(err)
		}
		if binary.LittleEndian.Uint32(sig) != zipCentral {
			return nil // a signature of the directory (4.3.13)
		}
		if err := e.readCentral(buf); err != nil {
			return err
		}
		if err := visit(&e); err != nil {
			return err
		}
	}
}

func (e *zipEntry) readCentral(r *bufio.Reader) error {
	var h [zipCentralLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return cut(err)
	}
	le := binary.LittleEndian
	e.flags, e.method, e.crc = le.Uint16(h[8:]), le.Uint16(h[10:]), le.Uint32(h[16:])
	e.compressed, e.size, e.offset = int64(le.Uint32(h[20:])), int64(le.Uint32(h[24:])), int64(le.Uint32(h[42:]))
	text := make([]byte, int(le.Uint16(h[28:]))+int(le.Uint16(h[30:])))
	if _, err := io.ReadFull(r, text); err != nil {
		return cut(err)
	}
	names := int(le.Uint16(h[28:]))
	e.name = string(text[:names])
	e.record = int64(zipLocalLen + len(text))
	e.widen(text[names:])
	_, err := r.Discard(int(le.Uint16(h[32:])))
	return cut(err)
}

// widen takes the 64-bit sizes of an extra field: 4.5.3.
func (e *zipEntry) widen(extra []byte) {
	le := binary.LittleEndian
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			return
		}
		if id == 1 {
			field := extra[:n]
			for _, v := range []*int64{&e.size, &e.compressed, &e.offset} {
				if *v == 0xFFFFFFFF && len(field) >= 8 {
					*v, field = int64(le.Uint64(field)), field[8:]
				}
			}
			return
		}
		extra = extra[n:]
	}
}

// verify reads the directory once without visiting anything: it must have as
// many entries as its end says, and these must make up most of the archive.
func (z *zipArchive) verify() error {
	var count, listed int64
	err := z.each(func(e *zipEntry) error {
		count++
		if e.compressed < 0 || e.compressed > z.size || e.offset < 0 || e.offset > z.dir {
			return nil // told when it is visited
		}
		listed = min(listed+e.record+e.compressed, z.size)
		return z.x.check()
	})
	if err != nil {
		return err
	}
	if count != z.want && (z.wide || count&0xFFFF != z.want) {
		return errZip
	}
	// Deleted entries and what a directory hides lie in between.
	const usual = 64 << 10
	if hidden := z.dir - z.start() - listed; count == 0 && hidden > 0 || hidden > usual && hidden > z.size/2 {
		return errZip
	}
	return nil
}

// start is where the first entry can be: behind a program, unless the file
// begins with an entry.
func (z *zipArchive) start() int64 {
	var sig [4]byte
	if _, err := z.at.ReadAt(sig[:], 0); err == nil && binary.LittleEndian.Uint32(sig[:]) == zipLocal {
		return 0
	}
	return z.base
}

// visit visits an entry, whose content is where its own header says.
func (z *zipArchive) visit(e *zipEntry) error {
	path := inside(z.path, e.name)
	at, err := z.content(e)
	if err != nil {
		z.x.trouble(zipPart, path, err)
		return z.x.check()
	}
	if e.method == zipDeflate && strings.HasSuffix(e.name, ".class") && z.isClass(e, at) {
		return z.x.entry(path)
	}
	in := &counted{r: io.NewSectionReader(z.at, at, e.compressed)}
	buf := z.x.tools.buffer(in)
	defer z.x.tools.unbuffer(buf)
	if c, _ := z.x.zipEntry(path, e, in, buf); c != nil {
		c.free()
	}
	return z.x.check()
}

// content is where an entry's content begins.
func (z *zipArchive) content(e *zipEntry) (int64, error) {
	at := z.base + e.offset
	if e.offset < 0 || e.compressed < 0 || at < 0 || at > z.dir-zipLocalLen {
		return 0, errZip
	}
	var h [zipLocalLen]byte
	if _, err := z.at.ReadAt(h[:], at); err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	at += zipLocalLen + int64(le.Uint16(h[26:])) + int64(le.Uint16(h[28:]))
	if le.Uint32(h[:]) != zipLocal || e.compressed > z.size-at {
		return 0, errZip
	}
	return at, nil
}

// isClass says whether an entry is a Java class: code, of which a program has
// thousands. Its first bytes tell, and only these are inflated.
func (z *zipArchive) isClass(e *zipEntry, at int64) bool {
	const enough = 512 // the tables of deflate take up to 300
	buf := z.x.tools.buffer(io.NewSectionReader(z.at, at, min(e.compressed, enough)))
	defer z.x.tools.unbuffer(buf)
	d := z.x.tools.inflater(buf)
	defer z.x.tools.flates.put(d)
	var magic [4]byte
	_, err := io.ReadFull(d, magic[:])
	return err == nil && string(magic[:]) == javaClass && e.flags&zipEncrypted == 0
}
