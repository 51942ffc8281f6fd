package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

type entry struct {
	Name, Link string
	Type       byte
	Mode       int64
	Body       string
}

func TestFiles(t *testing.T) {
	layer, err := Files{
		"/data/phi/patients.csv": Text("id\n"),
		"/data/empty":            {Dir: true, Mode: 0o700},
		"/bin/tool":              {Body: []byte("x"), Mode: 0o4755},
		"/a/hard":                {Hard: "/bin/tool"},
		"/bin/link":              {Link: "/bin/tool"},
		"/dev/fifo":              {Type: tar.TypeFifo},
		Whiteout("/etc/gone"):    {},
		Opaque("/srv"):           {},
	}.Layer()
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{"a/", "", tar.TypeDir, 0o755, ""},
		{"bin/", "", tar.TypeDir, 0o755, ""},
		{"bin/link", "/bin/tool", tar.TypeSymlink, 0o644, ""},
		{"bin/tool", "", tar.TypeReg, 0o4755, "x"},
		{"data/", "", tar.TypeDir, 0o755, ""},
		{"data/empty/", "", tar.TypeDir, 0o700, ""},
		{"data/phi/", "", tar.TypeDir, 0o755, ""},
		{"data/phi/patients.csv", "", tar.TypeReg, 0o644, "id\n"},
		{"dev/", "", tar.TypeDir, 0o755, ""},
		{"dev/fifo", "", tar.TypeFifo, 0o644, ""},
		{"etc/", "", tar.TypeDir, 0o755, ""},
		{"etc/.wh.gone", "", tar.TypeReg, 0o644, ""},
		{"srv/", "", tar.TypeDir, 0o755, ""},
		{"srv/.wh..wh..opq", "", tar.TypeReg, 0o644, ""},
		{"a/hard", "bin/tool", tar.TypeLink, 0o644, ""},
	}
	if diff := cmp.Diff(want, entries(t, layer)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// A test may compare digests, and a cache may count on them, so the same image is the same bytes.
func TestBaseIsDeterministic(t *testing.T) {
	first, second := digest(t, base(t)), digest(t, base(t))
	if first != second {
		t.Errorf("two base images have the digests %s and %s", first, second)
	}
	pause, err := Pause()
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, pause) == first {
		t.Error("the pause image has the configuration of the base image")
	}
}

func TestWith(t *testing.T) {
	img, err := With(base(t), Files{"/srv/x": Text("x")}, Ports{"21/tcp", "53/udp"}, Env{"A=b"},
		Config(func(c *v1.Config) { c.User = "1000" }))
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		ExposedPorts: map[string]struct{}{"21/tcp": {}, "53/udp": {}},
		Env:          []string{"PATH=/bin", "A=b"},
		Cmd:          []string{"/bin/sh"},
		User:         "1000",
	}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if got := len(file.RootFS.DiffIDs); got != 2 {
		t.Errorf("the image has %d layers, want 2", got)
	}
}

// A large layer passes through without being held in memory.
func TestRandom(t *testing.T) {
	const size = 256 << 20
	layer, err := Random("/srv/noise", size, 1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Random("/srv/noise", 1<<20, 2)
	if err != nil {
		t.Fatal(err)
	}
	if layer.Layer.(*streamed).digest == other.Layer.(*streamed).digest {
		t.Error("two seeds give the same layer")
	}
	img, err := With(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var written counter
	if err := Write(&written, "localhost/noise:1", img); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if written < size {
		t.Errorf("the archive has %d bytes, want over %d", written, size)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > size/4 {
		t.Errorf("writing the archive allocated %d bytes in all, want less than %d", grown, size/4)
	}
}

func TestMany(t *testing.T) {
	layer, err := Many("/srv/many", 2001, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	got := entries(t, layer)
	if len(got) != 2001 || got[2000].Name != "srv/many/002/000.txt" {
		t.Errorf("got %d files, the last %q; want 2001 and srv/many/002/000.txt", len(got), got[len(got)-1].Name)
	}
}

// What Raw packs and Tar takes comes out byte for byte, even what Files would not write.
func TestTarKeepsBytes(t *testing.T) {
	raw, err := Raw(Entry{Header: tar.Header{Name: "../../etc/x", Typeflag: tar.TypeReg, Mode: 0o644}, Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	layer, err := Tar(raw)
	if err != nil {
		t.Fatal(err)
	}
	r, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("the layer has %d bytes (%v), want the %d given", len(got), err, len(raw))
	}
}

// Archives and layouts are what go-containerregistry, and so `phigate scan`, reads.
func TestForms(t *testing.T) {
	img, dir := base(t), t.TempDir()
	want := config(t, img)
	archive, folder, packed := filepath.Join(dir, "a.tar"), filepath.Join(dir, "layout"), filepath.Join(dir, "l.tar")
	if err := errors.Join(Archive(archive, "localhost/x:1", img), Layout(folder, "localhost/x:1", img),
		LayoutArchive(packed, "localhost/x:1", img)); err != nil {
		t.Fatal(err)
	}
	fromArchive, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := config(t, fromArchive); got != want {
		t.Errorf("the archive's configuration is %s, want %s", got, want)
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	fromLayout, err := index.Image(digest(t, img))
	if err != nil {
		t.Fatal(err)
	}
	if got := config(t, fromLayout); got != want {
		t.Errorf("the layout's configuration is %s, want %s", got, want)
	}
	layers, err := fromLayout.Layers()
	if err != nil || len(layers) != 1 || len(entries(t, layers[0])) < 100 {
		t.Errorf("the layout's image has %d layers (%v), want one with busybox and its links", len(layers), err)
	}
	f, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names := map[string]bool{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names[h.Name] = true
	}
	if !names["oci-layout"] || !names["index.json"] {
		t.Errorf("the packed layout has %d entries and lacks oci-layout or index.json", len(names))
	}
}

func base(t *testing.T) v1.Image {
	t.Helper()
	img, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digest(t *testing.T, img v1.Image) v1.Hash {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func config(t *testing.T, img v1.Image) v1.Hash {
	t.Helper()
	c, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func entries(t *testing.T, l v1.Layer) []entry {
	t.Helper()
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []entry
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry{h.Name, h.Linkname, h.Typeflag, h.Mode, string(body)})
	}
}
