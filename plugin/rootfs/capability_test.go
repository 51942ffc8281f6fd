package rootfs

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// capable walks a tree and returns the paths with file capabilities.
func capable(t *testing.T, tree Tree) (paths []string) {
	t.Helper()
	err := tree.Walk(t.Context(), func(e Entry) error {
		if e.Capabilities {
			paths = append(paths, e.Path)
		}
		return nil
	}, func(path string, err error) { t.Errorf("%s: %v", path, err) })
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestCapabilitiesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	// Version 2 with CAP_NET_RAW permitted and the effective bit: struct vfs_cap_data.
	netRaw := append([]byte{1, 0, 0, 2, 0, 0x20, 0, 0}, make([]byte, 12)...)
	for name, mode := range map[string]os.FileMode{"dumper": 0o755, "data": 0o644, "plain": 0o755} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
		if name == "plain" {
			continue
		}
		if err := unix.Setxattr(filepath.Join(dir, name), "security.capability", netRaw, 0); err != nil {
			t.Fatalf("setting file capabilities: %v; run as root on a file system that has them", err)
		}
	}
	for _, tree := range []Tree{Dir(dir), Layer(dir)} {
		if got := capable(t, tree); len(got) != 1 || got[0] != "/dumper" {
			t.Errorf("got %v, want /dumper alone", got)
		}
	}
}

func TestCapabilitiesOfAnArchive(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, mode := range map[string]int64{"dumper": 0o755, "data": 0o644} {
		h := &tar.Header{Name: name, Mode: mode, Typeflag: tar.TypeReg, Format: tar.FormatPAX,
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02x"}}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := capable(t, Tar(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })); len(got) != 1 || got[0] != "/dumper" {
		t.Errorf("got %v, want /dumper alone", got)
	}
}
