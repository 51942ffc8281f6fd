package expand

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
)

const tarBlock = 512

// isTar recognises a header block of any tar format by its checksum alone: the
// oldest has no magic.
func isTar(_ string, head []byte) bool {
	if len(head) < tarBlock {
		return false
	}
	want, ok := octal(head[148:156])
	if !ok || want == 0 || head[0] == 0 && !bytes.HasPrefix(head[257:], []byte("ustar")) {
		return false
	}
	var unsigned, signed int64
	for i, b := range head[:tarBlock] {
		if i >= 148 && i < 156 {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	return want == unsigned || want == signed
}

// octal reads a number between spaces and zeros.
func octal(field []byte) (n int64, ok bool) {
	field = bytes.Trim(field, " \x00")
	for _, c := range field {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int64(c-'0')
	}
	return n, len(field) > 0
}

func openTar(x *expansion, path string, in input) error {
	buf := x.tools.buffer(in)
	defer x.tools.unbuffer(buf)
	from := &counted{r: buf}
	archive := tar.NewReader(from)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return x.tail(path, buf)
		}
		if h == nil {
			return err
		}
		if err := x.tarEntry(path, h, archive, from); err != nil {
			return err
		}
	}
}

func (x *expansion) tarEntry(path string, h *tar.Header, r io.Reader, from *counted) error {
	name := inside(path, h.Name)
	switch h.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeDir, tar.TypeChar, tar.TypeBlock, tar.TypeFifo, tar.TypeXGlobalHeader:
		return x.entry(name) // they have no content
	}
	s := &stage{x: x, path: path, name: x.formats.of(Tar).name, r: r}
	if isSparse(h) { // a header can claim 8 EiB of zeros
		s.path, s.in, s.begun = name, from, from.n
	}
	err := x.file(name, h.Size, s)
	if s.fault != nil && s.path == name && s.fault.path == name {
		x.trouble(s.name, name, s.fault)
		return x.check()
	}
	return err
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}
