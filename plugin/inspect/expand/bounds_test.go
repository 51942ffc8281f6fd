package expand

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

func zeros(n int) string { return string(make([]byte, n)) }

// nestedZips is what 42.zip is made like: zips of zips, each of width zips.
func nestedZips(levels, width int) []byte {
	content := zeros(1 << 20)
	for range levels {
		var pairs []string
		for i := range width {
			pairs = append(pairs, fmt.Sprintf("lib%d.zip", i), content)
		}
		content = string(zipOf(8, pairs...))
	}
	return []byte(content)
}

// overlapping is a zip bomb whose entries are all the same bytes of the file.
func overlapping(method uint16, body []byte, content string, entries int) []byte {
	one := zipRaw(method, "a", body, content)
	end := len(one) - zipEndLen
	dir := int(binary.LittleEndian.Uint32(one[end+16:]))
	record := one[dir:end]
	out := join(one[:dir], bytes.Repeat(record, entries), one[end:])
	end = len(out) - zipEndLen
	binary.LittleEndian.PutUint16(out[end+8:], uint16(entries))
	binary.LittleEndian.PutUint16(out[end+10:], uint16(entries))
	binary.LittleEndian.PutUint32(out[end+12:], uint32(entries*len(record)))
	return out
}

// sparseTar is an archive with a file of the old GNU sparse format that claims size bytes, none stored.
func sparseTar(size int64) []byte {
	h := tarHeader("hole", "00000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], fmt.Sprintf("%011o\x00%011o\x00", size, 0))
	copy(h[483:], fmt.Sprintf("%011o\x00", size))
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return join(h, tarOf("after", hello))
}

// bigDictionary says in an xz stream's first block that it needs 4 GiB.
func bigDictionary() []byte {
	z := bytes.Clone(xzip(hello))
	head := z[12 : 12+4*(int(z[12])+1)]
	at := bytes.Index(head, []byte{0x21, 1})
	head[at+2] = 40
	binary.LittleEndian.PutUint32(head[len(head)-4:], crc32.ChecksumIEEE(head[:len(head)-4]))
	return z
}

func TestBounds(t *testing.T) {
	few, brief, small, shallow := Defaults(), Defaults(), Defaults(), Defaults()
	few.Entries, brief.Time, small.Bytes, shallow.Depth = 10, 0, 1<<20, 2
	deep := []byte(hello)
	for range 10 {
		deep = gz(string(deep))
	}
	deflated := packed(zeros(8<<20), func(w io.Writer) io.WriteCloser { return must(flate.NewWriter(w, 9)) })
	stored := long(1 << 20)
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprint(i), "")
	}
	tests := []struct {
		name, path string
		content    []byte
		lim        Limits
		skips      []string
		bytes      int64 // at most handed out
		files      int   // handed out
	}{
		{"gzip_bomb", "/a.gz", gz(zeros(64 << 20)), Defaults(), []string{"/a.gz: beyond 200 times its compressed size"}, 16 << 20, 1},
		{"zstd_bomb", "/a.zst", zst(zeros(64 << 20)), Defaults(), []string{"/a.zst: beyond 200 times its compressed size"}, 16 << 20, 1},
		{"tar_gz_bomb", "/a.tgz", gz(string(tarOf("b", hello, "c", zeros(64<<20)))), Defaults(),
			[]string{"/a.tgz: beyond 200 times its compressed size"}, 16 << 20, 2},
		{"zip_of_one_bomb", "/a.zip", zipOf(8, "b", zeros(8<<20), "c", string(long(1<<20))), Defaults(),
			[]string{"/a.zip!b: beyond 200 times its compressed size"}, 6 << 20, 2},
		{"zip_of_overlapping_entries", "/a.zip", overlapping(8, deflated, zeros(8<<20), 1000), Defaults(), nil, 80 << 20, -1},
		{"stored_entries_overlap", "/a.zip", overlapping(0, stored, string(stored), 20000), Defaults(), []string{"/a.zip!a: beyond 200 times its compressed size"}, 500 << 20, -1},
		{"quantity_of_bytes", "/a.gz", gz(string(long(3 << 20))), small, []string{"/a.gz: more than 1 MiB inflated"}, 2 << 20, 1},
		{"quantity_of_entries", "/a.tar", tarOf(many...), few, []string{"/a.tar!10: more than 10 nested files"}, 0, 10},
		{"quantity_of_folders", "/a.tar", tarOf(strings.Split(strings.Repeat("d/,,", 20), ",")[:40]...), few, []string{"/a.tar!d/: more than 10 nested files"}, 0, 0},
		{"time", "/a.tar", tarOf("b", hello), brief, []string{"/a.tar: not done within 0s"}, 0, 0},
		{"depth", "/a", deep, Defaults(), []string{"/a!a!a!a!a: nested more than 4 deep"}, 0, 0},
		{"compressed_tar_is_one", "/a.tgz", gz(string(tarOf("b.tgz", string(gz(string(tarOf("c", hello, "d.gz", string(gz(hello))))))))), shallow,
			[]string{"/a.tgz!b.tgz!d.gz: nested more than 2 deep"}, 100, 1},
		{"zips_of_zips", "/a.zip", nestedZips(6, 3), Defaults(), nil, 0, 0},
		{"sparse_tar", "/a.tar", sparseTar(1 << 32), Defaults(), []string{"/a.tar!hole: beyond 200 times its compressed size"}, 2 << 20, -1},
		{"zstd_window", "/a.zst", []byte("\x28\xb5\x2f\xfd\x00\x88\x29\x00\x00hello"), Defaults(),
			[]string{"/a.zst: compressed with a window of more than 32 MiB"}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := expand(t, tt.path, tt.content, tt.lim)
			if diff := cmp.Diff(tt.skips, got.skips); tt.skips != nil && diff != "" || len(got.skips) == 0 {
				t.Errorf("skips (-want +got):\n%s", diff)
			}
			if got.bytes > tt.bytes || tt.files >= 0 && len(got.files) != tt.files {
				t.Errorf("%d files of %d bytes, want %d of at most %d", len(got.files), got.bytes, tt.files, tt.bytes)
			}
		})
	}
}

// TestWindows: what a dictionary of xz or lzma claims costs nothing; only what is
// farther back than the window is not read.
func TestWindows(t *testing.T) {
	lim := Defaults()
	lim.Ratio = 1 << 20
	far := string(long(64<<10)) + zeros(maxWindow) + string(long(64<<10))
	large := packed(far, func(w io.Writer) io.WriteCloser { return must(xz.WriterConfig{DictCap: 2 * maxWindow}.NewWriter(w)) })
	largeLzma := packed(far, func(w io.Writer) io.WriteCloser { return must(lzma.WriterConfig{DictCap: 2 * maxWindow}.NewWriter(w)) })
	zstdOf := func(s string) []byte {
		return must(zstd.NewWriter(nil, zstd.WithSingleSegment(true), zstd.WithEncoderConcurrency(1))).EncodeAll([]byte(s), nil)
	}
	for _, tt := range []struct {
		name, path string
		content    []byte
		skips      []string
	}{
		{"claim_of_xz", "/a.xz", bigDictionary(), nil},
		{"claim_of_lzma", "/a.lzma", join([]byte{0x5D, 0, 0, 0, 0x0C}, lzmaAlone(hello)[5:]), nil},
		{"zstd_of_a_single_segment", "/a.zst", zstdOf(string(long(20 << 20))), nil},
		{"zstd_of_too_large_a_segment", "/a.zst", zstdOf(zeros(maxWindow + 1)), []string{"/a.zst: compressed with a window of more than 32 MiB"}},
		{"reach_of_xz", "/a.xz", large, []string{"/a.xz: compressed with a window of more than 32 MiB"}},
		{"reach_of_lzma", "/a.lzma", largeLzma, []string{"/a.lzma: compressed with a window of more than 32 MiB"}},
		{"within_another", "/a.xz", xzip(string(large)), []string{"/a.xz!a: compressed with a window of more than 32 MiB"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := expand(t, tt.path, tt.content, lim)
			if diff := cmp.Diff(tt.skips, got.skips); diff != "" || len(got.files) > 1 || len(got.files) == 0 && tt.skips == nil {
				t.Errorf("%d files, skips (-want +got):\n%s", len(got.files), diff)
			}
		})
	}
}

func TestSkipsAreBounded(t *testing.T) {
	var headers []*zip.FileHeader
	for i := range 5000 {
		headers = append(headers, &zip.FileHeader{Name: fmt.Sprint(i), Flags: zipEncrypted, CompressedSize64: 5, UncompressedSize64: 5})
	}
	got := expand(t, "/a.zip", zipHeaders([]byte("abcde"), headers...), Defaults())
	if len(got.skips) != maxSkips+1 || !strings.HasPrefix(got.skips[0], "/a.zip!0: encrypted archive entry") {
		t.Errorf("%d skips", len(got.skips))
	}
}

func TestPathsAreBounded(t *testing.T) {
	name := strings.Repeat("n", 5000)
	got := expand(t, "/a.tar", tarOf(name, string(tarOf(name, hello))), Defaults())
	if len(got.files) != 1 || len(got.files[0]) != maxPath {
		t.Errorf("%d files", len(got.files))
	}
}

// A nested zip archive too large for memory is copied to a temporary file, or
// read forward where there is none.
func TestSpool(t *testing.T) {
	content := tarOf("b.zip", string(zipOf(0, "c", string(long(20<<20)), "d", hello)), "e", hello)
	spooled := Defaults()
	spooled.Spool = t.TempDir()
	want := []string{"/a.tar!b.zip!d", "/a.tar!e"}
	got := expand(t, "/a.tar", content, spooled)
	if len(got.files) != 3 || !cmp.Equal(got.files[1:], want) || len(got.skips) > 0 {
		t.Errorf("with a spool: files %q, skips %q", got.files, got.skips)
	}
	content = tarOf("b.zip", string(zipOf(8, "c", string(long(60<<20)), "d", hello)), "e", hello)
	got = expand(t, "/a.tar", content, Defaults())
	if len(got.files) != 3 || !cmp.Equal(got.files[1:], want) || len(got.skips) > 0 {
		t.Errorf("without: files %q, skips %q", got.files, got.skips)
	}
}

// peak is a visitor that looks at the heap as it reads.
type peak struct {
	seen
	heap uint64
}

func (p *peak) File(_ string, _ int64, r io.Reader) error {
	buf := make([]byte, 64<<10)
	for i := 0; ; i++ {
		_, err := r.Read(buf)
		if i%64 == 0 || err != nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			p.heap = max(p.heap, m.HeapAlloc)
		}
		if err != nil {
			return nil
		}
	}
}

func TestMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	text := string(long(32 << 20))
	for name, content := range map[string][]byte{
		"/a.tar.gz":  gz(string(tarOf("b", text))),
		"/a.tar.zst": zst(string(tarOf("b", text))),
		"/a.zip":     zipOf(8, "b", text),
		"/b.tar":     tarOf("b.zip", string(zipOf(8, "c", text))),
		"/c.tar":     tarOf(strings.Split(strings.Repeat("b,,", 50000), ",")[:100000]...),
		"/c.zip":     zipOf(0, strings.Split(strings.Repeat("b,,", 50000), ",")[:100000]...),
	} {
		t.Run(name[1:], func(t *testing.T) {
			var before runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			p := new(peak)
			kind := KindOf(name, content[:HeadBytes], -1)
			if err := Expand(t.Context(), kind, name, bytes.NewReader(content), int64(len(content)), Defaults(), p); err != nil {
				t.Fatal(err)
			}
			if grown := int64(p.heap) - int64(before.HeapAlloc); p.heap == 0 || grown > 48<<20 {
				t.Errorf("heap grew by %d MiB", grown>>20)
			}
		})
	}
}

func TestTimeEndsAReading(t *testing.T) {
	lim := Defaults()
	lim.Time = 50 * time.Millisecond
	content := gz(string(long(64 << 20)))
	begun := time.Now()
	got := expand(t, "/a.gz", content, lim)
	if took := time.Since(begun); took > 5*time.Second || len(got.skips) != 1 {
		t.Errorf("took %v, skips %v", took, got.skips)
	}
}

// waiting is a visitor that does nothing for a while before it reads.
type waiting struct {
	pause time.Duration
	skips []string
}

func (w *waiting) File(_ string, _ int64, r io.Reader) error {
	time.Sleep(w.pause)
	_, _ = io.Copy(io.Discard, r)
	return nil
}

func (*waiting) Table(string, []string) Rows { return nil }
func (*waiting) Held() *Held                 { return nil }
func (*waiting) Database(string) func()      { return func() {} }
func (w *waiting) Skip(path, reason string)  { w.skips = append(w.skips, path+": "+reason) }

// TestWaitingIsNoWork: what an expansion waits for does not count as its time, up
// to a bound.
func TestWaitingIsNoWork(t *testing.T) {
	content := gz(string(long(1 << 20)))
	for name, c := range map[string]struct {
		wall time.Duration
		want int
	}{"patient": {time.Minute, 0}, "beyond_the_wall": {100 * time.Millisecond, 1}} {
		t.Run(name, func(t *testing.T) {
			lim := Defaults()
			lim.Time, lim.Wall = 200*time.Millisecond, c.wall
			v := &waiting{pause: 400 * time.Millisecond}
			err := Expand(t.Context(), Gzip, "/a.gz", bytes.NewReader(content), int64(len(content)), lim, v)
			if err != nil || len(v.skips) != c.want {
				t.Errorf("error %v, skipped %q, want %d", err, v.skips, c.want)
			}
		})
	}
}

func (*peak) Held() *Held { return nil }

func (*peak) Database(string) func() { return func() {} }
