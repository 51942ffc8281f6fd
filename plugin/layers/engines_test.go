package layers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(h[:])
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// docker makes a data root with an image of two layers, in the folders aa and bb.
func docker(t *testing.T) (root, image string, diffs [2]string) {
	t.Helper()
	root = tree(t, "overlay2/aa/diff", "overlay2/bb/diff")
	diffs = [2]string{sum("first"), sum("second")}
	config := fmt.Sprintf(`{"config":{"ExposedPorts":{"21/tcp":{}}},"rootfs":{"type":"layers","diff_ids":[%q,%q]}}`, diffs[0], diffs[1])
	image = sum(config)
	write(t, filepath.Join(root, "image/overlay2/imagedb/content/sha256", strings.TrimPrefix(image, "sha256:")), config)
	for chain, folder := range map[string]string{diffs[0]: "aa", sum(diffs[0] + " " + diffs[1]): "bb"} {
		write(t, filepath.Join(root, "image/overlay2/layerdb/sha256", strings.TrimPrefix(chain, "sha256:"), "cache-id"), folder)
	}
	return root, image, diffs
}

func TestDocker(t *testing.T) {
	root, image, diffs := docker(t)
	got, err := Docker(root, image)
	if err != nil {
		t.Fatal(err)
	}
	want := Names{filepath.Join(root, "overlay2/aa/diff"): diffs[0], filepath.Join(root, "overlay2/bb/diff"): diffs[1]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDockerDamaged(t *testing.T) {
	tests := map[string]struct {
		damage func(root, image string) (other string, err error)
		want   string
	}{
		"other_image": {func(_, _ string) (string, error) { return sum("other"), nil }, "no such file"},
		"no_image":    {func(_, _ string) (string, error) { return "latest", nil }, "no valid ID"},
		"path":        {func(_, _ string) (string, error) { return "sha256:../../../../etc/passwd", nil }, "no valid ID"},
		"changed_config": {func(root, image string) (string, error) {
			return image, os.WriteFile(filepath.Join(root, "image/overlay2/imagedb/content/sha256", image[7:]), []byte(`{}`), 0o600)
		}, "another digest"},
		"cache_id_outside": {func(root, image string) (string, error) {
			files, _ := filepath.Glob(filepath.Join(root, "image/overlay2/layerdb/sha256/*/cache-id"))
			return image, os.WriteFile(files[0], []byte("../../etc"), 0o600)
		}, "outside"},
		"no_folder": {func(root, image string) (string, error) {
			return image, os.RemoveAll(filepath.Join(root, "overlay2/aa"))
		}, "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root, image, _ := docker(t)
			image, err := test.damage(root, image)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Docker(root, image); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

func TestStorage(t *testing.T) {
	root := tree(t, "overlay/aa/diff", "overlay/bb/diff", "overlay/cc/diff", "elsewhere/diff")
	write(t, filepath.Join(root, "overlay-layers/layers.json"), fmt.Sprintf(
		`[{"id":"aa","diff-digest":%q},{"id":"bb","diff-digest":%q,"flags":{"incomplete":true}},{"id":"cc","diff-digest":"md5:1"}]`, sum("a"), sum("b")))
	var folders []string
	for _, name := range []string{"overlay/aa/diff", "overlay/bb/diff", "overlay/cc/diff", "overlay/dd/diff", "elsewhere/diff"} {
		folders = append(folders, filepath.Join(root, name))
	}
	got, err := Storage(folders)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Names{folders[0]: sum("a")}, got); diff != "" {
		t.Error(diff)
	}
	write(t, filepath.Join(root, "overlay-layers/layers.json"), "no JSON")
	if _, err := Storage(folders); err == nil {
		t.Error("a damaged layers.json was taken")
	}
	if got, err := Storage([]string{"/nonexistent/overlay/aa/diff"}); err != nil || len(got) > 0 {
		t.Errorf("without layers.json: got %v, %v", got, err)
	}
}
