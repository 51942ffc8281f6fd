package expand

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seen is a visitor that keeps what it is given.
type seen struct {
	files []string          // paths in order
	text  map[string]string // by path
	bytes int64             // of all files
	skips []string          // "path: reason"
	most  int64             // bytes read of each file; 0: all
	fail  error             // what File answers
}

func (s *seen) File(path string, _ int64, r io.Reader) error {
	if s.most > 0 {
		r = io.LimitReader(r, s.most)
	}
	var kept bytes.Buffer
	n, err := io.Copy(&kept, io.LimitReader(r, 1<<16))
	if err != nil {
		return errors.New("reader gives an error")
	}
	rest, err := io.Copy(io.Discard, r)
	if err != nil {
		return errors.New("reader gives an error")
	}
	if s.text == nil {
		s.text = map[string]string{}
	}
	s.bytes += n + rest
	s.files = append(s.files, path)
	s.text[path] = kept.String()
	return s.fail
}

func (s *seen) Table(path string, _ []string) Rows { s.files = append(s.files, path); return nil }

func (s *seen) Database(string) func() { return func() {} }

func (s *seen) Skip(path, reason string) { s.skips = append(s.skips, path+": "+reason) }

// expand opens content by its own kind.
func expand(t testing.TB, path string, content []byte, lim Limits) *seen {
	t.Helper()
	s := new(seen)
	kind := KindOf(path, content[:min(len(content), HeadBytes)], int64(len(content)))
	if err := Expand(context.Background(), kind, path, bytes.NewReader(content), int64(len(content)), lim, s); err != nil {
		t.Fatalf("Expand: %v", err)
	}
	return s
}

const hello = "first,last\nAda,Example\n"

// long is content that does not compress to nothing, of n bytes.
func long(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>28)
	}
	return b
}

func TestFormats(t *testing.T) {
	tests := []struct {
		name, path string
		content    []byte
		files      []string
	}{
		{"gzip", "/a.csv.gz", gz(hello), []string{"/a.csv.gz!a.csv"}},
		{"gzip_without_a_name", "/data/blob", gz(hello), []string{"/data/blob!blob"}},
		{"gzip_members", "/a.gz", join(gz(hello[:5]), gz(""), gz(hello[5:])), []string{"/a.gz!a"}},
		{"gzip_padded", "/a.gz", join(gz(hello), make([]byte, 3000)), []string{"/a.gz!a"}},
		{"gzip_trailing_garbage", "/a.gz", join(gz(hello), []byte(hello)), []string{"/a.gz!a", "/a.gz!(after the end)"}},
		{"zstd", "/a.csv.zst", zst(hello), []string{"/a.csv.zst!a.csv"}},
		{"zstd_frames", "/a.zst", join([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), zst(hello[:5]), zst(hello[5:])), []string{"/a.zst!a"}},
		{"xz", "/a.csv.xz", xzip(hello), []string{"/a.csv.xz!a.csv"}},
		{"xz_streams", "/a.xz", join(xzip(hello[:5]), make([]byte, 8), xzip(hello[5:])), []string{"/a.xz!a"}},
		{"xz_trailing_garbage", "/a.xz", join(xzip(hello), []byte(hello)), []string{"/a.xz!a", "/a.xz!(after the end)"}},
		{"lzma", "/a.lzma", lzmaAlone(hello), []string{"/a.lzma!a"}},
		{"bzip2", "/a.bz2", bz2Hello(), []string{"/a.bz2!a"}},
		{"snappy", "/a.sz", snappy(hello), []string{"/a.sz!a"}},
		{"lz4", "/a.csv.lz4", lz4Of(hello), []string{"/a.csv.lz4!a.csv"}},
		{"lz4_frames", "/a.lz4", join(lz4Of(hello[:5]), lz4Of(hello[5:])), []string{"/a.lz4!a"}},
		{"tar", "/a.tar", tarOf("d/", "", "d/b.csv", hello), []string{"/a.tar!d/b.csv"}},
		{"tar_v7", "/a", tarV7("b.csv", hello), []string{"/a!b.csv"}},
		{"tar_concatenated", "/a.tar", join(tarOf("b", hello), tarOf("c", hello)), []string{"/a.tar!b", "/a.tar!(after the end)!c"}},
		{"tar_not_ended", "/a.tar", tarOf("b", hello)[:1024], []string{"/a.tar!b"}},
		{"tar_gz", "/a.tar.gz", gz(string(tarOf("b", hello))), []string{"/a.tar.gz!b"}},
		{"tar_zst", "/a.tar.zst", zst(string(tarOf("b", hello))), []string{"/a.tar.zst!b"}},
		{"tar_xz", "/a.txz", xzip(string(tarOf("b", hello))), []string{"/a.txz!b"}},
		{"zip", "/a.zip", zipOf(8, "b/", "", "b/c", hello), []string{"/a.zip!b/c"}},
		{"zip_stored", "/a.zip", zipOf(0, "b", hello), []string{"/a.zip!b"}},
		{"zip_bzip2", "/a.zip", zipRaw(12, "b", bz2Hello(), hello), []string{"/a.zip!b"}},
		{"zip_zstd", "/a.zip", zipRaw(93, "b", zst(hello), hello), []string{"/a.zip!b"}},
		{"zip_xz", "/a.zip", zipRaw(95, "b", xzip(hello), hello), []string{"/a.zip!b"}},
		{"zip_lzma", "/a.zip", zipRaw(14, "b", zipLzmaOf(hello), hello), []string{"/a.zip!b"}},
		{"zip_duplicate_names", "/a.zip", zipOf(8, "b", hello, "b", hello), []string{"/a.zip!b", "/a.zip!b"}},
		{"zip_empty", "/a.zip", zipOf(8), nil},
		{"zip_with_a_program", "/a.pyz", join([]byte("#!/usr/bin/python3\n"), zipOf(8, "b", hello)), []string{"/a.pyz!b"}},
		{"zip_with_a_comment", "/a.zip", zipComment(zipOf(8, "b", hello), "PK\x05\x06 is not the end"), []string{"/a.zip!b"}},
		{"zip64", "/a.zip", zip64(zipOf(8, "b", hello)), []string{"/a.zip!b"}},
		{"jar", "/a.jar", zipOf(8, "b.class", javaClass+string(long(9000)), "c.class", hello, "d", hello), []string{"/a.jar!c.class", "/a.jar!d"}},
		{"deb", "/a.deb", arOf("debian-binary", "2.0\n", "data.tar.gz", string(gz(string(tarOf("./b", hello))))),
			[]string{"/a.deb!debian-binary", "/a.deb!data.tar.gz!./b"}},
		{"cpio", "/a.cpio", cpioOf("b", hello), []string{"/a.cpio!b"}},
		{"cpio_old", "/a.cpio", cpioOld("b", hello), []string{"/a.cpio!b"}},
		{"rpm", "/a.rpm", rpmOf(xzip(string(cpioOf("./b", hello)))), []string{"/a.rpm!payload!./b"}},
		{"mix", "/a.tar.zst", zst(string(tarOf("b.zip", string(zipOf(8, "c.tar.gz", string(gz(string(tarOf("d", hello))))))))),
			[]string{"/a.tar.zst!b.zip!c.tar.gz!d"}},
		{"names_are_text", "/a.tar", tarOf("../../etc/passwd", hello, "/abs\n", hello), []string{"/a.tar!../../etc/passwd", "/a.tar!/abs\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := expand(t, tt.path, tt.content, Defaults())
			if diff := cmp.Diff(tt.files, got.files); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if len(got.skips) > 0 {
				t.Errorf("skips %v", got.skips)
			}
			for path, text := range got.text {
				if text != hello && !strings.HasSuffix(path, "debian-binary") {
					t.Errorf("%s has %d bytes, want %d others", path, len(text), len(hello))
				}
			}
			forward := new(seen)
			err := New(Defaults()).Stream(t.Context(), KindOf(tt.path, tt.content, -1), tt.path, bytes.NewReader(tt.content), -1, forward)
			if diff := cmp.Diff(got.files, forward.files); err != nil || diff != "" {
				t.Errorf("Stream: %v, files (-Expand +Stream):\n%s", err, diff)
			}
		})
	}
}

func TestNotLookedInto(t *testing.T) {
	tests := []struct{ name, path, content, want string }{
		{"7z", "/a.7z", "7z\xbc\xaf\x27\x1c\x00\x04", "7z archive is not looked into"},
		{"rar", "/a.rar", "Rar!\x1a\x07\x01\x00", "RAR archive is not looked into"},
		{"lzip", "/a.lz", "LZIP\x01\x0c", "lzip stream is not looked into"},
		{"cabinet", "/a.cab", "MSCF\x00\x00\x00\x00", "cabinet archive is not looked into"},
		{"compress", "/a.Z", "\x1f\x9d\x90", "compress stream is not looked into"},
		{"encrypted", "/a.age", "age-encryption.org/v1\n", "age encrypted file is not looked into"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := expand(t, tt.path, []byte(tt.content), Defaults()).skips, []string{tt.path + ": " + tt.want}; !cmp.Equal(got, want) {
				t.Errorf("skips %q, want %q", got, want)
			}
		})
	}
}

func TestLeavesAreNoContainers(t *testing.T) {
	for name, head := range map[string]string{
		"empty": "", "text": hello, "png": "\x89PNG\r\n\x1a\n", "jpeg": "\xff\xd8\xff\xe0", "elf": "\x7fELF\x02\x01\x01",
		"zeros": string(make([]byte, 4096)), "bzip2_in_words": "BZh9 is the magic", "archive_of_objects": "!<arch>\n/               ",
		"text_of_70701": "070701 is the magic of cpio", "compress_without_a_name": "\x1f\x9d\x90",
	} {
		t.Run(name, func(t *testing.T) {
			if got := KindOf("/a", []byte(head), int64(len(head))); got != None {
				t.Errorf("KindOf = %v", got)
			}
		})
	}
}

func TestVisitorEndsTheExpansion(t *testing.T) {
	stop := errors.New("stop")
	v := &seen{fail: stop}
	content := tarOf("b", hello, "c", hello)
	err := Expand(t.Context(), Tar, "/a.tar", bytes.NewReader(content), int64(len(content)), Defaults(), v)
	if !errors.Is(err, stop) || len(v.files) != 1 {
		t.Errorf("error %v after %d files", err, len(v.files))
	}
}

func TestVisitorNeedNotReadAll(t *testing.T) {
	for name, content := range map[string][]byte{
		"/a.tar.gz": gz(string(tarOf("b", string(long(1<<17)), "c", hello))),
		"/a.zip":    zipOf(8, "b", string(long(1<<17)), "c", hello),
		"/cut.zip":  zipOf(8, "b", string(long(1<<17)), "c", hello, "d", hello)[:90000],
		"/a.cpio":   cpioOf("b", string(long(1<<17)), "c", hello),
	} {
		v := &seen{most: 10}
		kind := KindOf(name, content, -1)
		if err := Expand(t.Context(), kind, name, bytes.NewReader(content), int64(len(content)), Defaults(), v); err != nil {
			t.Fatal(err)
		}
		if len(v.files) < 1 || v.text[name+"!c"] != hello[:10] && name != "/cut.zip" {
			t.Errorf("%s: %d files", name, len(v.files))
		}
	}
}

type panics struct{ seen }

func (*panics) File(string, int64, io.Reader) error { panic("the visitor's") }

func TestVisitorsPanicIsItsOwn(t *testing.T) {
	defer func() {
		if got := recover(); got != "the visitor's" {
			t.Errorf("panic %v was swallowed", got)
		}
	}()
	content := gz(string(tarOf("b", hello)))
	_ = Expand(t.Context(), Gzip, "/a", bytes.NewReader(content), int64(len(content)), Defaults(), new(panics))
}

type brokenDisk struct{ from int64 }

var errDisk = errors.New("input/output error")

func (b brokenDisk) ReadAt(p []byte, off int64) (int, error) {
	content := zipOf(8, "b", hello)
	if off+int64(len(p)) > b.from {
		return 0, errDisk
	}
	return bytes.NewReader(content).ReadAt(p, off)
}

func TestSourceErrorIsReturned(t *testing.T) {
	v := new(seen)
	err := Expand(t.Context(), Zip, "/a.zip", brokenDisk{10}, 200, Defaults(), v)
	if !errors.Is(err, errDisk) || len(v.skips) > 0 {
		t.Errorf("error %v, skips %v", err, v.skips)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Expand(gone, Zip, "/a.zip", brokenDisk{10}, 200, Defaults(), v); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a context that has ended", err)
	}
}

// A nested file of a raw kind is handed out as it is before it is opened.
func TestRaw(t *testing.T) {
	database := sqliteMagic + string(make([]byte, 600))
	content := zipOf(8, "b.db", database)
	got := expand(t, "/a.zip", content, Defaults())
	if got.text["/a.zip!b.db"] != database || !cmp.Equal(got.skips, []string{"/a.zip!b.db: damaged SQLite database"}) {
		t.Errorf("files %q, skips %q", got.files, got.skips)
	}
	got = new(seen)
	err := New(Defaults()).Stream(t.Context(), SQLite, "/b.db", strings.NewReader(database), -1, got)
	if err != nil || got.text["/b.db"] != database || !cmp.Equal(got.skips, []string{"/b.db: damaged SQLite database"}) {
		t.Errorf("Stream: %v, files %q, skips %q", err, got.files, got.skips)
	}
	content = tarOf("b.db", database+string(long(20<<20)), "c", hello)
	got = expand(t, "/a.tar", content, Defaults())
	if got.bytes != int64(len(database)+len(hello)+20<<20) || !cmp.Equal(got.skips, []string{"/a.tar!b.db: " + tooLarge}) {
		t.Errorf("too large: %d bytes, skips %q", got.bytes, got.skips)
	}
}

func BenchmarkKindOf(b *testing.B) {
	head := long(HeadBytes)
	for b.Loop() {
		if KindOf("/usr/lib/a.so", head, 10000) != None {
			b.Fatal("a leaf is a container")
		}
	}
}

// BenchmarkExpand is how fast archives of 8 MiB are passed over.
func BenchmarkExpand(b *testing.B) {
	text := string(long(8 << 20))
	var classes, small []string
	for range 4000 {
		classes = append(classes, "org/example/A.class", javaClass+text[:2000])
		small = append(small, "org/example/a.txt", text[:2000])
	}
	for path, content := range map[string][]byte{
		"/a.tar": tarOf("b", text), "/a.tar.gz": gz(string(tarOf("b", text))), "/a.tar.zst": zst(string(tarOf("b", text))),
		"/a.tar.xz": xzip(string(tarOf("b", text))), "/a.zip": zipOf(8, "b", text),
		"/classes.jar": zipOf(8, classes...), "/small.zip": zipOf(8, small...), "/small.tar": tarOf(small...),
	} {
		b.Run(path[1:], func(b *testing.B) {
			b.SetBytes(8 << 20)
			b.ReportAllocs()
			e := New(Defaults())
			kind := KindOf(path, content[:HeadBytes], -1)
			for b.Loop() {
				if err := e.Expand(b.Context(), kind, path, bytes.NewReader(content), int64(len(content)), ignores{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// ignores is a visitor that reads all and keeps nothing.
type ignores struct{}

func (ignores) File(_ string, _ int64, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
func (ignores) Table(string, []string) Rows { return nil }
func (ignores) Skip(string, string)         {}

func (*seen) Held() *Held { return nil }

func (ignores) Held() *Held { return nil }

func (ignores) Database(string) func() { return func() {} }
