package expand

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// samples are small files of each format and of some mixes, by their paths.
func samples() map[string][]byte {
	return map[string][]byte{
		"/a.gz":     gz(hello),
		"/a.zst":    zst(hello),
		"/a.xz":     xzip(hello),
		"/a.lzma":   lzmaAlone(hello),
		"/a.bz2":    bz2Hello(),
		"/a.lz4":    lz4Of(hello),
		"/a.sz":     snappy(hello),
		"/a.tar":    tarOf("b", hello),
		"/a.tar.gz": gz(string(tarOf("b", hello, "c.gz", string(gz(hello))))),
		"/a.zip":    zipOf(8, "b", hello, "c", hello),
		"/b.zip":    zipOf(0, "b/c", hello, "d", hello),
		"/c.zip":    zipRaw(8, "b", deflated(hello), hello),
		"/d.zip":    zipRaw(93, "b", zst(hello), hello),
		"/e.zip":    zipRaw(95, "b", xzip(hello), hello),
		"/f.zip":    zipRaw(14, "b", zipLzmaOf(hello), hello),
		"/g.zip":    zip64(zipOf(8, "b", hello)),
		"/a.tgz":    gz(string(tarOf("b.zip", string(zipOf(8, "c", hello))))),
		"/a.deb":    arOf("debian-binary", "2.0\n", "data.tar.gz", string(gz(string(tarOf("b", hello))))),
		"/a.cpio":   cpioOf("b", hello, "c", hello),
		"/a.rpm":    rpmOf(gz(string(cpioOf("b", hello)))),
	}
}

func deflated(s string) []byte {
	z := zipOf(8, "", s)
	rest := z[zipLocalLen:]
	return rest[:bytes.Index(rest, []byte("PK\x07\x08"))]
}

// A cut file is visited whole, or what is missing is told.
func TestTruncated(t *testing.T) {
	for path, content := range samples() {
		t.Run(path[1:], func(t *testing.T) {
			kind := KindOf(path, content, -1)
			whole := expand(t, path, content, Defaults())
			if len(whole.skips) > 0 || len(whole.files) == 0 {
				t.Fatalf("%d files, skips %v", len(whole.files), whole.skips)
			}
			for n := range content {
				got := new(seen)
				if err := Expand(t.Context(), kind, path, bytes.NewReader(content[:n]), int64(n), Defaults(), got); err != nil {
					t.Fatalf("at %d: %v", n, err)
				}
				// A cut that leaves no head of the kind is never opened, and a
				// snappy stream of a header alone is whole.
				if KindOf(path, content[:n], -1) != kind || kind == Snappy && n == 10 {
					continue
				}
				if len(got.skips) == 0 && !cmp.Equal(whole.text, got.text) {
					t.Errorf("cut at %d of %d: nothing is told, %d of %d files", n, len(content), len(got.files), len(whole.files))
				}
			}
		})
	}
}

// What lies before the cut has been visited.
func TestBeforeTheCut(t *testing.T) {
	content := tarOf("b", hello, "c", string(long(1<<20)))
	for path, content := range map[string][]byte{
		"/a.tar.gz": gz(string(content)), "/a.tar.xz": xzip(string(content)), "/a.tar.zst": zst(string(content)),
		"/a.zip": zipOf(8, "b", hello, "c", string(long(1<<20))), "/a.cpio": cpioOf("b", hello, "c", string(long(1<<20))),
	} {
		got := expand(t, path, content[:len(content)*3/4], Defaults())
		if got.text[path+"!b"] != hello || got.bytes < 100<<10 || len(got.skips) == 0 {
			t.Errorf("%s: %d files of %d bytes, skips %v", path, len(got.files), got.bytes, got.skips)
		}
	}
}

// Damage of any byte never ends the program, and never takes long.
func TestFlipped(t *testing.T) {
	for path, content := range samples() {
		kind := KindOf(path, content, -1)
		e := New(Defaults()) // decoders are used again after damage
		for n := range content {
			for _, bit := range []byte{0x01, 0x80, 0xFF} {
				bad := bytes.Clone(content)
				bad[n] ^= bit
				begun := time.Now()
				if err := e.Expand(t.Context(), kind, path, bytes.NewReader(bad), int64(len(bad)), new(seen)); err != nil {
					t.Errorf("%s, byte %d: %v", path, n, err)
				}
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("%s, byte %d: took %v", path, n, took)
				}
			}
		}
		got := new(seen)
		if err := e.Expand(t.Context(), kind, path, bytes.NewReader(content), int64(len(content)), got); err != nil || len(got.skips) > 0 {
			t.Errorf("%s, undamaged: error %v, skips %v", path, err, got.skips)
		}
	}
}

// patched is content with one byte sequence, which must be there, replaced.
func patched(t *testing.T, content []byte, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(content, []byte(old)) {
		t.Fatal("nothing to replace")
	}
	return bytes.Replace(content, []byte(old), []byte(new), 1)
}

func TestDamage(t *testing.T) {
	wrongSum := gz(hello)
	wrongSum[len(wrongSum)-8] ^= 1
	sum := string(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(hello))))
	xzSummed := xzip(hello)
	index := bytes.LastIndex(xzSummed, []byte{0, 1}) // the block's check is right before the index
	xzSummed[index-1] ^= 1
	stored := &zip.FileHeader{Name: "b", Flags: zipEncrypted, CompressedSize64: 23, UncompressedSize64: 23}
	plain := zipRaw(0, "b", []byte(hello), hello)
	two := zipOf(8, "b", hello, "c", hello)
	hidden := join(zipOf(8, "b", hello)[:len(zipOf(8, "b", hello))-zipEndLen], zipOf(8))
	tests := []struct {
		name, path string
		content    []byte
		files      []string
		skips      []string
	}{
		{"gzip_sum", "/a.gz", wrongSum, []string{"/a.gz!a"}, []string{"/a.gz: damaged gzip stream"}},
		{"xz_sum", "/a.xz", xzSummed, []string{"/a.xz!a"}, []string{"/a.xz: damaged xz stream"}},
		{"zip_sum", "/a.zip", bytes.ReplaceAll(plain, []byte(sum), []byte("abcd")), []string{"/a.zip!b"}, []string{"/a.zip!b: damaged zip entry"}},
		{"zip_encrypted", "/a.zip", zipHeaders([]byte(hello), stored, &zip.FileHeader{Name: "c", CompressedSize64: 23, UncompressedSize64: 23,
			CRC32: crc32.ChecksumIEEE([]byte(hello))}), []string{"/a.zip!c"}, []string{"/a.zip!b: encrypted archive entry"}},
		{"zip_aes", "/a.zip", zipRaw(99, "b", []byte(hello), hello), nil, []string{"/a.zip!b: encrypted archive entry"}},
		{"zip_deflate64", "/a.zip", zipRaw(9, "b", []byte(hello), hello), nil,
			[]string{"/a.zip!b: archive entry of a compression method that is not known"}},
		{"zip_directory", "/a.zip", patched(t, two, "PK\x01\x02", "PK\x01\x00"), []string{"/a.zip!b", "/a.zip!c"}, []string{"/a.zip: damaged zip archive"}},
		{"zip_entry_header", "/a.zip",
			join(two[:10], patched(t, two[10:], "PK\x03\x04", "PK\x03\x00")), []string{"/a.zip!b"}, []string{"/a.zip!c: damaged zip entry"}},
		{"zip_hidden_entry", "/a.zip", hidden, []string{"/a.zip!b"}, []string{"/a.zip: damaged zip archive"}},
		{"tar_negative_size", "/a.tar", join(tarOf("b", hello)[:1024], tarHeader("c", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
			[]string{"/a.tar!b"}, []string{"/a.tar: damaged tar archive"}},
		{"tar_size_beyond_the_end", "/a.tar", tarHeader("b", "77777777777\x00"), []string{}, []string{"/a.tar: truncated tar archive"}},
		{"tar_header", "/a.tar", join(tarOf("b", hello)[:1024], long(2048)), []string{"/a.tar!b"}, []string{"/a.tar: damaged tar archive"}},
		{"cpio", "/a.cpio", patched(t, cpioOf("b", hello, "c", hello), "070701", "070702"), []string{"/a.cpio!b", "/a.cpio!c"}, nil},
		{"rpm_header", "/a.rpm", patched(t, rpmOf(gz(hello)), "\x8e\xad", "\x8e\xae"), nil, []string{"/a.rpm: damaged RPM package"}},
		{"inner", "/a.tar", tarOf("b.gz", string(gz(hello)[:30]), "c", hello), []string{"/a.tar!b.gz!b", "/a.tar!c"},
			[]string{"/a.tar!b.gz: truncated gzip stream"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := expand(t, tt.path, tt.content, Defaults())
			if len(tt.files) != len(got.files) || len(tt.files) > 0 && !cmp.Equal(tt.files, got.files) {
				t.Errorf("files %q, want %q", got.files, tt.files)
			}
			if diff := cmp.Diff(tt.skips, got.skips); diff != "" {
				t.Errorf("skips (-want +got):\n%s", diff)
			}
		})
	}
}

// An archive without a directory is read to its end, entry by entry.
func TestZipWithoutDirectory(t *testing.T) {
	var pairs []string
	for i := range 300 {
		pairs = append(pairs, fmt.Sprint(i), string(long(i*10)))
	}
	for _, method := range []uint16{0, 8} {
		content := zipOf(method, pairs...)
		got := expand(t, "/a.zip", content[:bytes.Index(content, []byte("PK\x01\x02"))], Defaults())
		if want := map[uint16]int{0: 0, 8: 300}[method]; len(got.files) != want {
			t.Errorf("method %d: %d files, want %d", method, len(got.files), want)
		}
	}
}
