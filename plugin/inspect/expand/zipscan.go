package expand

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// zipScan reads an archive forward, by the headers of its entries, where it has
// no directory or cannot be read at random.
type zipScan struct {
	x    *expansion
	path string
	in   *counted
	buf  *bufio.Reader
	dir  bool // a directory was met: the archive is not cut
	lost bool // bytes were met that are no record
}

// scanZip visits what can be found. It reads on behind a directory: what is
// there is in the file, too.
func scanZip(x *expansion, path string, r io.Reader) error {
	s := &zipScan{x: x, path: path, in: &counted{r: r}}
	s.buf = x.tools.buffer(s.in)
	defer x.tools.unbuffer(s.buf)
	for {
		if err := x.check(); err != nil {
			return err
		}
		sig, err := s.buf.Peek(4)
		if len(sig) < 4 {
			return s.end(err)
		}
		switch binary.LittleEndian.Uint32(sig) {
		case zipLocal:
			err = s.entry()
		case zipCentral, zipEnd, zipEnd64, zipExtra:
			s.dir = true
			err = s.search()
		default:
			s.lost = s.lost || !s.dir
			err = s.search()
		}
		if err != nil {
			return s.end(err)
		}
	}
}

func (s *zipScan) end(err error) error {
	switch {
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	case !s.dir:
		return io.ErrUnexpectedEOF
	case s.lost:
		return errZip
	}
	return nil
}

// search goes to the next header of an entry.
func (s *zipScan) search() error {
	s.buf.Discard(4)
	for {
		if err := s.x.check(); err != nil {
			return err
		}
		block, err := s.buf.Peek(bufferBytes)
		if i := bytes.Index(block, []byte("PK\x03\x04")); i >= 0 {
			_, err := s.buf.Discard(i)
			return err
		}
		if err != nil {
			s.dir = s.dir || bytes.Contains(block, []byte("PK\x05\x06"))
			return err
		}
		s.buf.Discard(len(block) - 3)
	}
}

// entry visits the entry whose header is next.
func (s *zipScan) entry() error {
	var e zipEntry
	if err := e.readLocal(s.buf); err != nil {
		return err
	}
	path := inside(s.path, e.name)
	if !e.later {
		return s.sized(path, &e)
	}
	if e.method == zipDeflate && e.flags&(zipEncrypted|zipMasked) == 0 {
		return s.unsized(path, &e)
	}
	if e.method != zipStore || len(e.name) == 0 || e.name[len(e.name)-1] != '/' {
		s.x.skip(path, "archive entry without a size")
	}
	return nil // the next record is searched
}

// readLocal reads an entry's own header: 4.3.7.
func (e *zipEntry) readLocal(r *bufio.Reader) error {
	var h [zipLocalLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return cut(err)
	}
	le := binary.LittleEndian
	e.flags, e.method, e.crc = le.Uint16(h[6:]), le.Uint16(h[8:]), le.Uint32(h[14:])
	e.compressed, e.size = int64(le.Uint32(h[18:])), int64(le.Uint32(h[22:]))
	names := int(le.Uint16(h[26:]))
	text := make([]byte, names+int(le.Uint16(h[28:])))
	if _, err := io.ReadFull(r, text); err != nil {
		return cut(err)
	}
	e.name = string(text[:names])
	e.widen(text[names:])
	e.later = e.flags&zipStreamed != 0 && e.compressed <= 0
	return nil
}

// sized visits an entry whose header says where it ends.
func (s *zipScan) sized(path string, e *zipEntry) error {
	if e.compressed < 0 {
		return errZip
	}
	rest := &io.LimitedReader{R: s.buf, N: e.compressed}
	in := &counted{r: rest}
	buf := s.x.tools.buffer(in)
	defer s.x.tools.unbuffer(buf)
	if c, _ := s.x.zipEntry(path, e, in, buf); c != nil {
		c.free()
	}
	if err := s.x.check(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, rest); err != nil {
		return err
	}
	if rest.N > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// unsized visits a deflated entry, whose own end tells where it ends, and reads
// the sizes behind it: 4.3.9.
func (s *zipScan) unsized(path string, e *zipEntry) error {
	from := s.at()
	c, content := s.x.zipEntry(path, e, s.in, s.buf)
	if c == nil {
		return s.x.check()
	}
	defer c.free()
	if _, err := io.Copy(io.Discard, content); err != nil {
		s.x.trouble(zipPart, path, err)
		return s.x.check() // the next header is searched
	}
	e.compressed = s.at() - from
	if !e.described(s.buf, c) {
		s.x.skip(path, inWords(zipPart, errChecksum))
	}
	return s.x.check()
}

// at is the offset of the next byte.
func (s *zipScan) at() int64 { return s.in.n - int64(s.buf.Buffered()) }

// described reads the descriptor behind an entry, whose signature and whose
// width nothing else tells.
func (e *zipEntry) described(r *bufio.Reader, c *zipContent) bool {
	const longest = 4 + 4 + 8 + 8
	le := binary.LittleEndian
	block, _ := r.Peek(longest)
	d := append(make([]byte, 0, longest), block...)
	begin := 0
	if len(d) >= 4 && le.Uint32(d) == zipDescriptor {
		begin = 4
	}
	d = append(d[begin:], make([]byte, longest)...)
	sums := le.Uint32(d) == c.sum
	switch {
	case sums && le.Uint64(d[4:]) == uint64(e.compressed) && le.Uint64(d[12:]) == uint64(c.size):
		r.Discard(begin + 20)
	case sums && le.Uint32(d[4:]) == uint32(e.compressed) && le.Uint32(d[8:]) == uint32(c.size):
		r.Discard(begin + 12)
	default:
		return false
	}
	return true
}
