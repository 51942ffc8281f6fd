package expand

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// packed writes s through a compressor.
func packed(s string, open func(io.Writer) io.WriteCloser) []byte {
	var b bytes.Buffer
	w := open(&b)
	must(io.WriteString(w, s))
	must(0, w.Close())
	return b.Bytes()
}

func gz(s string) []byte {
	return packed(s, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func zst(s string) []byte {
	return packed(s, func(w io.Writer) io.WriteCloser { return must(zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))) })
}

func xzip(s string) []byte {
	return packed(s, func(w io.Writer) io.WriteCloser { return must(xz.WriterConfig{DictCap: 1 << 16}.NewWriter(w)) })
}

func lzmaAlone(s string) []byte {
	return packed(s, func(w io.Writer) io.WriteCloser { return must(lzma.WriterConfig{DictCap: 1 << 16}.NewWriter(w)) })
}

func snappy(s string) []byte {
	return packed(s, func(w io.Writer) io.WriteCloser { return s2.NewWriter(w, s2.WriterSnappyCompat()) })
}

func lz4Of(s string) []byte {
	return packed(s, func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) })
}

// bz2Hello is hello, compressed by bzip2 1.0.8: there is no writer for it.
func bz2Hello() []byte { return must(hex.DecodeString(bz2HelloHex)) }

// tarOf makes a tar archive of names and contents, in turn.
func tarOf(pairs ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		h := &tar.Header{Name: pairs[i], Mode: 0o644, Size: int64(len(pairs[i+1])), Typeflag: tar.TypeReg}
		if pairs[i][len(pairs[i])-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		must(0, w.WriteHeader(h))
		must(io.WriteString(w, pairs[i+1]))
	}
	must(0, w.Close())
	return b.Bytes()
}

// tarHeader is a header block as the seventh edition of Unix had it, with this size field.
func tarHeader(name, size string) []byte {
	h := make([]byte, tarBlock)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], size)
	copy(h[136:], "00000000000\x00        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

func tarV7(name, content string) []byte {
	body := make([]byte, padded(int64(len(content)), tarBlock))
	copy(body, content)
	return join(tarHeader(name, fmt.Sprintf("%011o\x00", len(content))), body, make([]byte, 2*tarBlock))
}

// zipOf makes a zip archive of names and contents, in turn, as a stream: sizes follow the content.
func zipOf(method uint16, pairs ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		f := must(w.CreateHeader(&zip.FileHeader{Name: pairs[i], Method: method}))
		must(io.WriteString(f, pairs[i+1]))
	}
	must(0, w.Close())
	return b.Bytes()
}

// zipRaw makes a zip archive of one entry that is compressed already.
func zipRaw(method uint16, name string, compressed []byte, content string) []byte {
	return zipHeaders(compressed, &zip.FileHeader{Name: name, Method: method, CRC32: crc32.ChecksumIEEE([]byte(content)),
		CompressedSize64: uint64(len(compressed)), UncompressedSize64: uint64(len(content))})
}

// zipHeaders writes the same compressed bytes below each header.
func zipHeaders(compressed []byte, headers ...*zip.FileHeader) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, h := range headers {
		must(must(w.CreateRaw(h)).Write(compressed))
	}
	must(0, w.Close())
	return b.Bytes()
}

func zipComment(archive []byte, comment string) []byte {
	archive = bytes.Clone(archive)
	binary.LittleEndian.PutUint16(archive[len(archive)-2:], uint16(len(comment)))
	return append(archive, comment...)
}

// zip64 gives an archive the end records of a large one.
func zip64(archive []byte) []byte {
	le := binary.LittleEndian
	end := archive[len(archive)-zipEndLen:]
	rec := make([]byte, zipEnd64Len+zipLocatorLen+zipEndLen)
	le.PutUint32(rec, zipEnd64)
	le.PutUint64(rec[4:], zipEnd64Len-12)
	le.PutUint64(rec[24:], uint64(le.Uint16(end[8:])))
	le.PutUint64(rec[32:], uint64(le.Uint16(end[10:])))
	le.PutUint64(rec[40:], uint64(le.Uint32(end[12:])))
	le.PutUint64(rec[48:], uint64(le.Uint32(end[16:])))
	locator := rec[zipEnd64Len:]
	le.PutUint32(locator, zipLocator64)
	le.PutUint64(locator[8:], uint64(len(archive)-zipEndLen))
	le.PutUint32(locator[16:], 1)
	copy(locator[zipLocatorLen:], end)
	copy(locator[zipLocatorLen+8:], bytes.Repeat([]byte{0xFF}, 12))
	return join(archive[:len(archive)-zipEndLen], rec)
}

// zipLzmaOf is content as method 14 has it.
func zipLzmaOf(s string) []byte {
	alone := lzmaAlone(s)
	return join([]byte{9, 20, 5, 0}, alone[:5], alone[13:])
}

func arOf(pairs ...string) []byte {
	b := bytes.NewBufferString("!<arch>\n")
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", pairs[i], 0, 0, 0, "100644", len(pairs[i+1]), pairs[i+1])
		if b.Len()%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func cpioOf(pairs ...string) []byte {
	var b bytes.Buffer
	for i := 0; i < len(pairs)+2; i += 2 {
		name, content, mode := "TRAILER!!!", "", 0
		if i < len(pairs) {
			name, content, mode = pairs[i], pairs[i+1], 0o100644
		}
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", 0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
		b.Write(make([]byte, -b.Len()&3))
		b.WriteString(content)
		b.Write(make([]byte, -b.Len()&3))
	}
	return b.Bytes()
}

func cpioOld(name, content string) []byte {
	one := func(name, content string, mode int) string {
		return fmt.Sprintf("070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o%s\x00%s", 0, 0, mode, 0, 0, 1, 0, 0, len(name)+1, len(content), name, content)
	}
	return []byte(one(name, content, 0o100644) + one("TRAILER!!!", "", 0))
}

func rpmOf(payload []byte) []byte {
	header := func(data int) []byte {
		h := make([]byte, 16+16+data)
		copy(h, "\x8e\xad\xe8\x01")
		h[11], h[15] = 1, byte(data)
		return h
	}
	lead := make([]byte, 96)
	copy(lead, "\xed\xab\xee\xdb\x03")
	return join(lead, header(5), make([]byte, 3), header(7), payload)
}

const bz2HelloHex = "425a6839314159265359e3f2770f000005d58000100004220027265c402000229934c8c9e9a8530004d2e1d74d06b89b971d016ce0fc5dc914e142438fc9dc3c"
