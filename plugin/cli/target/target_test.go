package target

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/test/images"
)

// seen is what a walk over all layers of a target gave.
type seen struct {
	files      []string
	unreadable []string
	read       int64
}

// scan opens a target and walks it.
func scan(t *testing.T, text string) (*Target, *seen, error) {
	t.Helper()
	target, err := Open(t.Context(), text, Options{Containerd: filepath.Join(t.TempDir(), "none.sock"), Mounts: t.TempDir()})
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	got := &seen{}
	target.OnRead = func(n int64) { got.read += n }
	for _, l := range target.Layers {
		err := l.Tree.Walk(t.Context(), func(e rootfs.Entry) error {
			if e.Kind == rootfs.Regular {
				got.files = append(got.files, e.Path)
			}
			return nil
		}, func(path string, _ error) { got.unreadable = append(got.unreadable, path) })
		if err != nil {
			return target, got, err
		}
	}
	return target, got, nil
}

// image is one of two layers, with something in its config.
func image(t *testing.T, changes ...images.Change) v1.Image {
	t.Helper()
	img, err := images.With(empty.Image, append([]images.Change{images.Platform("linux", "amd64"), images.Ports{"21/tcp"},
		images.Files{"/etc/motd": images.Text("hello")}, images.Files{"/srv/app": images.Text("app")}}, changes...)...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	img := image(t)
	saved, layout, packed := filepath.Join(dir, "app.tar"), filepath.Join(dir, "layout"), filepath.Join(dir, "layout.tar")
	must(t, images.Archive(saved, "localhost/app:1", img))
	must(t, images.Layout(layout, "localhost/app:1", img))
	must(t, images.LayoutArchive(packed, "localhost/app:1", img))
	tree := filepath.Join(dir, "tree")
	must(t, os.MkdirAll(filepath.Join(tree, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(tree, "etc/motd"), []byte("hello"), 0o644))
	must(t, os.Symlink(tree, filepath.Join(dir, "link")))
	must(t, os.Rename(saved, filepath.Join(dir, "a:b.tar")))
	saved = filepath.Join(dir, "a:b.tar")
	digest, err := img.Digest()
	must(t, err)

	both := []string{"/etc/motd", "/srv/app"}
	one := []string{"/etc/motd"}
	tests := []struct {
		name, target string
		ref          string
		files        []string
	}{
		{"folder", tree, "", one},
		{"folder_by_prefix", "dir:" + tree, "", one},
		{"link_to_a_folder", filepath.Join(dir, "link"), "", one},
		{"layout", layout, "localhost/app:1", both},
		{"layout_by_name", "oci:" + layout + ":localhost/app:1", "localhost/app:1", both},
		{"layout_by_digest", "oci:" + layout + "@" + digest.String(), "localhost/app:1", both},
		{"layout_as_a_folder", "dir:" + layout, "", nil},
		{"docker_save", saved, "localhost/app:1", both},
		{"docker_save_by_name", "docker-archive:" + saved + ":localhost/app:1", "localhost/app:1", both},
		{"layout_in_a_tar", packed, "localhost/app:1", both},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target, got, err := scan(t, tt.target)
			if err != nil {
				t.Fatal(err)
			}
			if target.Image.Ref != tt.ref {
				t.Errorf("image is called %q; want %q", target.Image.Ref, tt.ref)
			}
			if (target.Config != nil) != (tt.ref != "") {
				t.Error("an image has a config, and a folder has none")
			}
			if target.Size != 0 && got.read != target.Size {
				t.Errorf("told of %d bytes of %d", got.read, target.Size)
			}
			if len(got.unreadable) > 0 {
				t.Errorf("%d things could not be read", len(got.unreadable))
			}
			if tt.files == nil { // blobs are named by digest
				return
			}
			if diff := cmp.Diff(tt.files, got.files); diff != "" {
				t.Errorf("files (-want +got)\n%s", diff)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o644))
		return path
	}
	write("no-index/oci-layout", `{"imageLayoutVersion":"1.0.0"}`)
	write("empty-index/oci-layout", "{}")
	write("empty-index/index.json", `{"schemaVersion":2,"manifests":[]}`)
	write("not-json/oci-layout", "{}")
	write("not-json/index.json", `{"manifests":`)
	write("no-blob/oci-layout", "{}")
	write("no-blob/index.json", `{"manifests":[{"digest":"sha256:`+strings.Repeat("0", 64)+`","size":2}]}`)
	write("ambiguous/oci-layout", "{}")
	write("ambiguous/index.json", `{"manifests":[],"config":{},"layers":[]}`)
	write("outside/oci-layout", "{}")
	must(t, os.Symlink("/etc/hostname", filepath.Join(dir, "outside/index.json")))

	tests := []struct{ name, target, want string }{
		{"missing_path", filepath.Join(dir, "gone"), "is not there"},
		{"missing_archive", "gone.tar", "is not there"},
		{"empty", "", "is not there"},
		{"missing_folder_by_prefix", "dir:" + dir + "/gone", "no such file"},
		{"file_as_folder", "dir:" + write("file", "x"), "is not a folder"},
		{"no_reference", "NOT A REFERENCE", "is no reference"},
		{"reference_with_credentials", "user:hunter2@localhost:1/app", "docker login"},
		{"not_a_tar", write("text", "this is no archive, it is a text of more than one block"+strings.Repeat(".", 600)), "no tar"},
		{"empty_file", write("empty", ""), "holds no image"},
		{"compressed", write("gz", "\x1f\x8b\x08\x00"), "decompress it"},
		{"layout_without_index", filepath.Join(dir, "no-index"), "holds no image"},
		{"layout_without_images", filepath.Join(dir, "empty-index"), "holds no image"},
		{"layout_not_json", filepath.Join(dir, "not-json"), "not the index"},
		{"layout_without_blob", filepath.Join(dir, "no-blob"), "is not complete"},
		{"layout_of_two_meanings", filepath.Join(dir, "ambiguous"), "not the index"},
		{"layout_that_leads_outside", filepath.Join(dir, "outside"), "cannot be opened"},
		{"containerd_is_not_there", "containerd://docker.io/library/busybox:latest", "is containerd running"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := scan(t, tt.target)
			if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got error %v; want one of the input with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows a password")
			}
		})
	}
}

// A named pipe in place of a blob must not be waited for.
func TestLayoutOfPipes(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "oci-layout"), []byte("{}"), 0o644))
	must(t, mkfifo(filepath.Join(dir, "index.json")))
	_, _, err := scan(t, dir)
	if !errors.Is(err, ErrInput) {
		t.Errorf("got error %v; want one of the input", err)
	}
}

// Who walks a tree is not blamed on the tree, and the end of the context neither.
func TestOthersErrorsAreNotTheInputs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.tar")
	must(t, images.Archive(path, "localhost/app:1", image(t)))
	target, _, err := scan(t, path)
	must(t, err)
	disk := errors.New("disk full")
	err = target.Layers[0].Tree.Walk(t.Context(), func(rootfs.Entry) error { return disk }, func(string, error) {})
	if !errors.Is(err, disk) || errors.Is(err, ErrInput) {
		t.Errorf("got %v; want the visitor's error and no error of the input", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = target.Layers[0].Tree.Walk(ctx, func(rootfs.Entry) error { return nil }, func(string, error) {})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrInput) {
		t.Errorf("got %v; want the context's error and no error of the input", err)
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"busybox:1":                          "busybox:1",
		"user:secret@host/app:1":             "host/app:1",
		"https://user:secret@host:5000/app":  "https://host:5000/app",
		"registry://u:s@cret@host/app":       "registry://host/app",
		"busybox@sha256:00":                  "busybox@sha256:00",
		"host/app@sha256:00":                 "host/app@sha256:00",
		"oci:/srv/layout@sha256:00":          "oci:/srv/layout@sha256:00",
		"containerd://docker.io/app@sha256:": "containerd://docker.io/app@sha256:",
		"user:secret@host":                   "host",
		"":                                   "",
	} {
		if got := Redact(text); got != want {
			t.Errorf("Redact(%q) is %q; want %q", text, got, want)
		}
	}
}
