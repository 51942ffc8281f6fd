package target

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/phigate/phigate/test/images"
)

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }

// other is an architecture that this program does not run on.
func other() string {
	if runtime.GOARCH == "s390x" {
		return "amd64"
	}
	return "s390x"
}

// index is an index of images by platform.
func index(t *testing.T, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	var idx v1.ImageIndex = empty.Index
	for i, p := range platforms {
		img := image(t, images.Files{"/platform": images.Text(p.String() + strings.Repeat(".", i))})
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	return idx
}

func TestPlatforms(t *testing.T) {
	here, there := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, v1.Platform{OS: "linux", Architecture: other()}
	attestation := v1.Platform{OS: "unknown", Architecture: "unknown"}
	tests := []struct {
		name   string
		index  v1.ImageIndex
		isDeep bool
		want   string // of the error
	}{
		{"ours_among_others", index(t, there, here, attestation), false, ""},
		{"ours_among_others_one_index_below", index(t, there, here, attestation), true, ""},
		{"none_for_us", index(t, there, attestation), false, "is not for linux/" + runtime.GOARCH + " but for linux/" + other()},
		{"none_for_us_one_index_below", index(t, there), true, "is not for linux/" + runtime.GOARCH},
		{"two_for_us", index(t, here, here), false, "several images: sha256:"},
		{"two_for_us_one_index_below", index(t, here, here), true, ""}, // as the runtime does: the first
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			idx := tt.index
			if tt.isDeep {
				idx = mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: tt.index})
			}
			dir := t.TempDir()
			_, err := layout.Write(dir, idx)
			must(t, err)
			_, got, err := scan(t, dir)
			if tt.want != "" {
				if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got error %v; want one of the input with %q", err, tt.want)
				}
				return
			}
			if err != nil || len(got.files) != 3 {
				t.Errorf("got error %v; want the image's three files", err)
			}
		})
	}
}

// An image for another platform is scanned where it is asked for by its digest.
func TestOtherPlatformByDigest(t *testing.T) {
	idx := index(t, v1.Platform{OS: "linux", Architecture: other()})
	dir := t.TempDir()
	_, err := layout.Write(dir, idx)
	must(t, err)
	list, err := idx.IndexManifest()
	must(t, err)
	_, got, err := scan(t, "oci:"+dir+"@"+list.Manifests[0].Digest.String())
	if err != nil || len(got.files) != 3 {
		t.Errorf("got error %v; want the image's three files", err)
	}
}

// rewrite changes one entry of a tar; nil leaves it out.
func rewrite(t *testing.T, path string, change func(h *tar.Header, body []byte) []byte) string {
	t.Helper()
	old, err := os.Open(path)
	must(t, err)
	defer old.Close()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for r := tar.NewReader(old); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		body, err := io.ReadAll(r)
		must(t, err)
		if body = change(h, body); body == nil {
			continue
		}
		h.Size = int64(len(body))
		must(t, w.WriteHeader(h))
		_, err = w.Write(body)
		must(t, err)
	}
	must(t, w.Close())
	changed := filepath.Join(t.TempDir(), "changed.tar")
	must(t, os.WriteFile(changed, out.Bytes(), 0o644))
	return changed
}

func TestDamagedArchives(t *testing.T) {
	img := image(t)
	dir := t.TempDir()
	saved, packed := filepath.Join(dir, "app.tar"), filepath.Join(dir, "layout.tar")
	must(t, images.Archive(saved, "localhost/app:1", img))
	must(t, images.LayoutArchive(packed, "localhost/app:1", img))
	whole, err := os.ReadFile(saved)
	must(t, err)
	isLayer := func(name string) bool { return strings.Contains(name, ".tar") }
	config, err := img.ConfigName()
	must(t, err)

	tests := []struct {
		name, from string
		change     func(h *tar.Header, body []byte) []byte
		want       string
	}{
		{"a_byte_of_a_layer", saved, func(h *tar.Header, body []byte) []byte {
			if isLayer(h.Name) {
				body = bytes.Replace(body, []byte("hello"), []byte("hallo"), 1)
			}
			return body
		}, "the layer is damaged"},
		{"a_layer_is_cut", saved, func(h *tar.Header, body []byte) []byte {
			if isLayer(h.Name) {
				body = body[:len(body)-600]
			}
			return body
		}, "unexpected EOF"},
		{"a_layer_is_missing", saved, func(h *tar.Header, body []byte) []byte {
			if isLayer(h.Name) {
				return nil
			}
			return body
		}, "the archive is not complete"},
		{"a_layer_is_a_link_to_itself", saved, func(h *tar.Header, body []byte) []byte {
			if isLayer(h.Name) {
				h.Typeflag, h.Linkname = tar.TypeSymlink, h.Name
				return []byte{}
			}
			return body
		}, "leads nowhere"},
		{"the_config_is_missing", saved, func(h *tar.Header, body []byte) []byte {
			if h.Name == config.String() {
				return nil
			}
			return body
		}, "the archive is not complete"},
		{"the_config_names_fewer_layers", saved, func(h *tar.Header, body []byte) []byte {
			if h.Name == config.String() {
				body = []byte(`{"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
			}
			return body
		}, "its config names 0"},
		{"the_config_is_huge", saved, func(h *tar.Header, body []byte) []byte {
			if h.Name == config.String() {
				body = bytes.Repeat([]byte(" "), maxManifest+1)
			}
			return body
		}, "more than"},
		{"the_manifest_is_no_json", saved, func(h *tar.Header, body []byte) []byte {
			if h.Name == manifestFile {
				body = []byte("[{")
			}
			return body
		}, "not what `docker save` writes"},
		{"a_blob_of_a_layout", packed, func(h *tar.Header, body []byte) []byte {
			return bytes.Replace(body, []byte("hello"), []byte("hallo"), 1)
		}, "the layer is damaged"},
		{"the_config_of_a_layout", packed, func(h *tar.Header, body []byte) []byte {
			return bytes.Replace(body, []byte("ExposedPorts"), []byte("EXPOSEDPORTS"), 1)
		}, "the image config is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := scan(t, rewrite(t, tt.from, tt.change))
			if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v; want one of the input with %q", err, tt.want)
			}
		})
	}
	t.Run("cut_anywhere", func(t *testing.T) {
		for cut := 512; cut < len(whole)-1024; cut += 512 { // the last two blocks only end it
			path := filepath.Join(t.TempDir(), "cut.tar")
			must(t, os.WriteFile(path, whole[:cut], 0o644))
			if _, _, err := scan(t, path); !errors.Is(err, ErrInput) {
				t.Fatalf("cut at %d of %d: got error %v; want one of the input", cut, len(whole), err)
			}
		}
	})
}

// Docker loads by manifest.json and containerd by index.json.
func TestTwoImagesInOneArchive(t *testing.T) {
	dir := t.TempDir()
	packed, saved := filepath.Join(dir, "layout.tar"), filepath.Join(dir, "app.tar")
	must(t, images.LayoutArchive(packed, "localhost/app:1", image(t)))
	must(t, images.Archive(saved, "localhost/app:1", image(t, images.Env{"OTHER=1"})))
	join := func(second string) string {
		var all []images.Entry
		for _, path := range []string{packed, second} {
			rewrite(t, path, func(h *tar.Header, body []byte) []byte {
				all = append(all, images.Entry{Header: *h, Body: body})
				return body
			})
		}
		raw, err := images.Raw(all...)
		must(t, err)
		path := filepath.Join(t.TempDir(), "both.tar")
		must(t, os.WriteFile(path, raw, 0o644))
		return path
	}
	if _, _, err := scan(t, join(saved)); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "name different images") {
		t.Errorf("got error %v; want one about different images", err)
	}
	must(t, images.Archive(saved, "localhost/app:1", image(t)))
	if _, got, err := scan(t, join(saved)); err != nil || len(got.files) != 2 {
		t.Errorf("an archive that says the same in both ways: got error %v", err)
	}
}

func TestCompressions(t *testing.T) {
	layer, err := images.Files{"/etc/motd": images.Text("hello")}.Layer()
	must(t, err)
	r, err := layer.Uncompressed()
	must(t, err)
	plain, err := io.ReadAll(r)
	must(t, err)
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, err = g.Write(plain)
	must(t, errors.Join(err, g.Close()))
	z, err := zstd.NewWriter(nil)
	must(t, err)

	tests := []struct {
		name       string
		blob       []byte
		want       string
		unreadable int
	}{
		{"none", plain, "", 0},
		{"gzip", gz.Bytes(), "", 0},
		{"zstd", z.EncodeAll(plain, nil), "", 0},
		{"gzip_cut", gz.Bytes()[:gz.Len()-4], "unexpected EOF", 0},
		{"xz", []byte("\xfd7zXZ\x00............"), "xz are not supported", 0},
		{"zeros_after_the_end", append(bytes.Clone(plain), make([]byte, 5000)...), "", 0},
		{"bytes_after_the_end", append(append(bytes.Clone(plain), make([]byte, 5000)...), 'x'), "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content := plain
			if tt.unreadable > 0 || strings.HasPrefix(tt.name, "zeros") {
				content = tt.blob
			}
			diffID, _, err := v1.SHA256(bytes.NewReader(content))
			must(t, err)
			_, got, err := scan(t, handmade(t, tt.blob, diffID))
			if tt.want != "" {
				if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got error %v; want one of the input with %q", err, tt.want)
				}
				return
			}
			if err != nil || len(got.files) != 1 || len(got.unreadable) != tt.unreadable {
				t.Errorf("got error %v; want one file and %d unreadable things", err, tt.unreadable)
			}
		})
	}
}

// handmade is a docker save of one layer with exactly these bytes.
func handmade(t *testing.T, blob []byte, diffID v1.Hash) string {
	t.Helper()
	config, err := json.Marshal(v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}}})
	must(t, err)
	regular := func(name string, body []byte) images.Entry {
		return images.Entry{Header: tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg}, Body: body}
	}
	raw, err := images.Raw(regular("config.json", config), regular("layer", blob),
		regular(manifestFile, []byte(`[{"Config":"config.json","Layers":["layer"]}]`)))
	must(t, err)
	path := filepath.Join(t.TempDir(), "handmade.tar")
	must(t, os.WriteFile(path, raw, 0o644))
	return path
}

// What is no image at all is refused by its config.
func TestArtifactIsNoImage(t *testing.T) {
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer([]byte("{}"), types.MediaType("application/spdx+json"))})
	must(t, err)
	dir := t.TempDir()
	must(t, images.Layout(dir, "localhost/sbom:1", mutate.ConfigMediaType(img, "application/vnd.example.sbom")))
	if _, _, err := scan(t, dir); !errors.Is(err, ErrInput) {
		t.Errorf("got error %v; want one of the input", err)
	}
}

func TestWindowsImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.tar")
	must(t, images.Archive(path, "localhost/app:1", image(t, images.Platform("windows", "amd64"))))
	if _, _, err := scan(t, path); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "is for windows") {
		t.Errorf("got error %v; want one about the platform", err)
	}
}
