package expand

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"
)

var errPackage = errors.New("package format")

// openDeb opens a Debian package: an ar archive (deb(5)). Other ar archives are
// leaves, since nothing in them is compressed.
func openDeb(x *expansion, path string, in input) error {
	const magic = "!<arch>\n"
	buf := x.tools.buffer(in)
	defer x.tools.unbuffer(buf)
	if _, err := buf.Discard(len(magic)); err != nil {
		return cut(err)
	}
	data := false
	for {
		var h [60]byte // ar(5)
		if _, err := io.ReadFull(buf, h[:]); err != nil {
			if data {
				return endless(err)
			}
			return cut(err)
		}
		size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
		if err != nil || size < 0 || string(h[58:]) != "`\n" {
			return errPackage
		}
		name := strings.TrimRight(strings.TrimRight(string(h[:16]), " "), "/")
		data = data || strings.HasPrefix(name, "data.tar")
		if err := x.member(Deb, path, name, size, buf); err != nil {
			return err
		}
		if _, err := buf.Discard(int(size & 1)); err != nil {
			return endless(err)
		}
	}
}

// member visits one file of an archive without compression, to its end.
func (x *expansion) member(k Kind, path, name string, size int64, r io.Reader) error {
	rest := &io.LimitedReader{R: r, N: size}
	s := &stage{x: x, path: path, name: x.formats.of(k).name, r: whole{rest}}
	if err := x.file(inside(path, name), size, s); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, s)
	return err
}

// whole is a reader that must give all that it was limited to.
type whole struct{ rest *io.LimitedReader }

func (w whole) Read(p []byte) (int, error) {
	n, err := w.rest.Read(p)
	if err == io.EOF && w.rest.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// The formats of cpio with numbers in text: cpio(5), "New ASCII" and "Portable ASCII".
func isCpio(_ string, head []byte) bool {
	if !begins("070701", "070702", "070707")("", head) {
		return false
	}
	var c cpioEntry
	return c.parse(head)
}

type cpioEntry struct {
	mode, size, names int64
	header            int
	align             int64
}

// parse reads a header.
func (c *cpioEntry) parse(h []byte) bool {
	field := func(at, n, base int) int64 {
		v, err := strconv.ParseUint(string(h[at:at+n]), base, 63)
		if err != nil {
			return -1
		}
		return int64(v)
	}
	switch {
	case len(h) >= 110 && begins("070701", "070702")("", h):
		*c = cpioEntry{mode: field(14, 8, 16), size: field(54, 8, 16), names: field(94, 8, 16), header: 110, align: 4}
	case len(h) >= 76 && begins("070707")("", h):
		*c = cpioEntry{mode: field(18, 6, 8), names: field(59, 6, 8), size: field(65, 11, 8), header: 76, align: 1}
	default:
		return false
	}
	return c.mode >= 0 && c.size >= 0 && c.names > 0 && c.names <= maxPath
}

func openCpio(x *expansion, path string, in input) error {
	buf := x.tools.buffer(in)
	defer x.tools.unbuffer(buf)
	for {
		var c cpioEntry
		h, err := buf.Peek(110)
		if !c.parse(h) {
			if err != nil {
				return cut(err)
			}
			return errPackage
		}
		record := make([]byte, padded(int64(c.header)+c.names, c.align))
		if _, err := io.ReadFull(buf, record); err != nil {
			return cut(err)
		}
		name := string(bytes.TrimRight(record[c.header:int64(c.header)+c.names], "\x00"))
		if name == "TRAILER!!!" && c.size == 0 {
			return x.tail(path, buf)
		}
		if err := x.cpioFile(path, name, c, buf); err != nil {
			return err
		}
		if _, err := buf.Discard(int(padded(c.size, c.align) - c.size)); err != nil {
			return cut(err)
		}
	}
}

// cpioFile visits a regular file, and reads over other entries.
func (x *expansion) cpioFile(path, name string, c cpioEntry, buf *bufio.Reader) error {
	const typeBits, regular = 0o170000, 0o100000
	if c.mode&typeBits == regular {
		return x.member(Cpio, path, name, c.size, buf)
	}
	if err := x.entry(inside(path, name)); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, buf, c.size)
	return cut(err)
}

func padded(n, align int64) int64 { return (n + align - 1) / align * align }

// openRPM opens the payload of an RPM package: a lead, a signature, a header
// (rpm.org, "Package format"), and then a compressed cpio archive.
func openRPM(x *expansion, path string, in input) error {
	const lead = 96
	buf := x.tools.buffer(in)
	defer x.tools.unbuffer(buf)
	if _, err := buf.Discard(lead); err != nil {
		return cut(err)
	}
	size, err := rpmHeader(buf)
	if err != nil {
		return err
	}
	if _, err := buf.Discard(int(padded(size, 8) - size)); err != nil {
		return cut(err)
	}
	if _, err := rpmHeader(buf); err != nil {
		return err
	}
	head, _ := buf.Peek(HeadBytes)
	if x.formats.kindOf("", head) == None {
		return reason("RPM package with a payload of a format that is not known")
	}
	return x.file(inside(path, "payload"), -1, buf)
}

// rpmHeader reads over a header and gives its size.
func rpmHeader(r *bufio.Reader) (int64, error) {
	const most = 256 << 20 // RPM's own limit
	var h [16]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, cut(err)
	}
	count, size := int64(binary.BigEndian.Uint32(h[8:])), int64(binary.BigEndian.Uint32(h[12:]))
	if string(h[:4]) != "\x8e\xad\xe8\x01" || count*16 > most || size > most {
		return 0, errPackage
	}
	_, err := io.CopyN(io.Discard, r, count*16+size)
	return size, cut(err)
}
