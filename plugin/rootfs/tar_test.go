package rootfs

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func packed(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		body := strings.Repeat("x", int(h.Size))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func tarOf(data []byte) Tree {
	return Tar(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
}

func TestTarNamesAndKinds(t *testing.T) {
	data := packed(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "etc/passwd", Size: 3, Mode: 0o644},
		tar.Header{Name: "../../escape", Size: 1, Mode: 0o644},
		tar.Header{Name: "/absolute//./x", Size: 1},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "./etc/passwd"},
		tar.Header{Name: "soft", Typeflag: tar.TypeSymlink, Linkname: "../etc/passwd"},
		tar.Header{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
		tar.Header{Name: "fifo", Typeflag: tar.TypeFifo},
		tar.Header{Name: "a/.wh.gone"},
		tar.Header{Name: "b/.wh..wh..opq"},
		tar.Header{Name: "c/.wh.full", Size: 5},
		tar.Header{Name: "d/.wh.."},
		tar.Header{Name: "d/.wh..."},
		tar.Header{Name: "bytes\xff", Size: 1, Format: tar.FormatGNU},
	)
	type row struct {
		Path, Link string
		Kind       Kind
		Opaque     bool
	}
	var got []row
	var late File
	w := walk(t, tarOf(data), func(e Entry) error {
		got = append(got, row{e.Path, e.Link, e.Kind, e.Opaque})
		if e.Open != nil {
			late, _ = e.Open()
		}
		if e.Path == "/etc/passwd" {
			if text, err := content(e); err != nil || len(text) != 3 {
				t.Errorf("read %d bytes: %v", len(text), err)
			}
		}
		return nil
	})
	if w.err != nil {
		t.Fatal(w.err)
	}
	want := []row{
		{"/etc", "", Directory, false},
		{"/etc/passwd", "", Regular, false},
		{"/escape", "", Regular, false},
		{"/absolute/x", "", Regular, false},
		{"/hard", "/etc/passwd", Regular, false},
		{"/soft", "../etc/passwd", Symlink, false},
		{"/null", "", Special, false},
		{"/fifo", "", Special, false},
		{"/a/gone", "", Whiteout, false},
		{"/b", "", Directory, true},
		{"/c/full", "", Whiteout, false},
		{"/c/.wh.full", "", Regular, false},
		{"/d/.wh..", "", Regular, false},
		{"/d/.wh...", "", Regular, false},
		{"/bytes\xff", "", Regular, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if _, err := late.Read(make([]byte, 1)); err == nil {
		t.Error("a file can be read after its visit")
	}
}

func TestHostileTars(t *testing.T) {
	whole := packed(t, tar.Header{Name: "f", Size: 5000})
	tests := map[string]struct {
		data    []byte
		fails   bool
		entries int
		refused int
	}{
		"truncated":    {data: whole[:2000], fails: true, entries: 1},
		"garbage":      {data: bytes.Repeat([]byte("garbage"), 1000), fails: true},
		"empty":        {data: nil},
		"long_path":    {data: packed(t, tar.Header{Name: strings.Repeat("n/", MaxPath) + "f", Size: 1}), refused: 1},
		"deep_path":    {data: packed(t, tar.Header{Name: strings.Repeat("n/", MaxDepth+1) + "f", Size: 1}), refused: 1},
		"long_link":    {data: packed(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x", MaxLink+1)}), refused: 1},
		"unknown_type": {data: packed(t, tar.Header{Name: "odd", Typeflag: 'Z'}), refused: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := walk(t, tarOf(test.data), nil)
			if (w.err != nil) != test.fails || len(w.entries) != test.entries || len(w.unreadable) != test.refused {
				t.Errorf("error %v, %d entries, %d unreadable", w.err, len(w.entries), len(w.unreadable))
			}
		})
	}
}

// gnuSparse is an archive with one old GNU sparse file of the given size and no data.
func gnuSparse(size int64) []byte {
	h := make([]byte, 512)
	copy(h, "sparse")
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], "00000000000\x00") // bytes in the archive
	copy(h[136:], "00000000000\x00")
	h[156] = tar.TypeGNUSparse
	copy(h[257:], "ustar  \x00")
	big := func(at int, v int64) { // base-256
		h[at] = 0x80
		for i := range 8 {
			h[at+11-i] = byte(v >> (8 * i))
		}
	}
	big(386, size) // one fragment of no bytes at the end
	copy(h[398:], "00000000000\x00")
	big(483, size)
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return append(h, make([]byte, 1024)...)
}

func TestSparseFileOfAnArchive(t *testing.T) {
	tests := map[string]struct {
		size    int64
		refused bool
	}{
		"modest": {size: 1 << 20},
		"huge":   {size: 1 << 50, refused: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			w := walk(t, tarOf(gnuSparse(test.size)), func(e Entry) error {
				text, err := content(e)
				if (err != nil) != test.refused || !test.refused && int64(len(text)) != test.size {
					t.Errorf("read %d bytes: %v", len(text), err)
				}
				return nil
			})
			if w.err != nil || len(w.entries) != 1 || time.Since(began) > 10*time.Second {
				t.Errorf("error %v, %d entries after %s", w.err, len(w.entries), time.Since(began))
			}
		})
	}
}

func FuzzTar(f *testing.F) {
	f.Add(packed(f, tar.Header{Name: "../a/.wh.b"}, tar.Header{Name: "x", Size: 600}, tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "x"}))
	f.Add(gnuSparse(1 << 20))
	f.Add(gnuSparse(1 << 60))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := tarOf(data).Walk(t.Context(), func(e Entry) error {
			if !strings.HasPrefix(e.Path, "/") || strings.Contains(e.Path+"/", "/../") || len(e.Path) > MaxPath || len(e.Link) > MaxPath {
				t.Errorf("entry out of bounds: %d bytes of path, %d of link", len(e.Path), len(e.Link))
			}
			if e.Open == nil {
				return nil
			}
			file, err := e.Open()
			if err != nil {
				return nil
			}
			defer file.Close()
			buf := make([]byte, 4096)
			for off := int64(0); off < 1<<22; {
				n, err := file.ReadAt(buf, off)
				if off += int64(n); err != nil || n == 0 {
					break
				}
			}
			return nil
		}, func(string, error) {})
		_ = err // any archive may be refused; none may crash or hang
	})
}
