package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// makeBundle writes a bundle with the config.json.
func makeBundle(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs/here"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpen(t *testing.T) {
	outside := t.TempDir()
	absolute := makeBundle(t, "")
	tests := map[string]struct {
		config string
		change func(dir string) error
		failed string // part of the error
	}{
		"relative_root":      {config: `{"root":{"path":"rootfs"}}`},
		"absolute_root":      {config: `{"root":{"path":"` + absolute + `/rootfs"}}`},
		"root_of_dots":       {config: `{"root":{"path":"../outside"}}`, failed: "leads out of the bundle"},
		"no_config":          {failed: "the bundle has no config.json"},
		"no_json":            {config: "runc", failed: "not JSON of its kind"},
		"no_root":            {config: `{"process":{}}`, failed: "no root.path"},
		"root_is_not_there":  {config: `{"root":{"path":"other"}}`, failed: "no such file"},
		"root_is_a_file":     {config: `{"root":{"path":"rootfs/here"}}`, failed: "not a directory"},
		"root_links_out":     {config: `{"root":{"path":"out"}}`, change: func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "out")) }, failed: "leads out of the bundle"},
		"root_links_inside":  {config: `{"root":{"path":"in"}}`, change: func(dir string) error { return os.Symlink("rootfs", filepath.Join(dir, "in")) }},
		"root_below_a_link":  {config: `{"root":{"path":"out/x"}}`, change: func(dir string) error { return os.Symlink("/", filepath.Join(dir, "out")) }, failed: "leads out of the bundle"},
		"config_is_a_fifo":   {change: func(dir string) error { return unix.Mkfifo(filepath.Join(dir, "config.json"), 0o600) }, failed: "no regular file"},
		"config_is_a_folder": {change: func(dir string) error { return os.Mkdir(filepath.Join(dir, "config.json"), 0o700) }, failed: "no regular file"},
		"config_of_50_MB": {config: `{"root":{"path":"rootfs"}}`, change: func(dir string) error { return os.Truncate(filepath.Join(dir, "config.json"), 50<<20) },
			failed: "it has 52428800 bytes, more than 16777216"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := makeBundle(t, test.config)
			if test.change != nil {
				if err := test.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			b, err := Open(dir)
			if test.failed != "" {
				if err == nil || !strings.Contains(err.Error(), test.failed) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("got error %v, want one line with %q", err, test.failed)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			var st unix.Stat_t
			if err := unix.Fstatat(int(b.Root.Fd()), "here", &st, 0); err != nil {
				t.Errorf("what was opened is not the root filesystem: %v", err)
			}
			if b.Dir != dir || !strings.HasSuffix(b.Path, "/rootfs") || string(b.Config) != test.config {
				t.Errorf("got bundle %s, root %s", b.Dir, b.Path)
			}
		})
	}
}

func TestOpenWorkingFolder(t *testing.T) {
	dir := makeBundle(t, `{"root":{"path":"rootfs"}}`)
	t.Chdir(filepath.Dir(dir))
	for _, name := range []string{dir, filepath.Base(dir), "./" + filepath.Base(dir) + "/"} {
		b, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if b.Dir != dir || b.Path != dir+"/rootfs" || b.Mount != "" {
			t.Errorf("%s: got %s, %s, mount %q", name, b.Dir, b.Path, b.Mount)
		}
		b.Close()
	}
	t.Chdir(dir)
	b, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Dir != dir {
		t.Errorf("the default bundle is %s, want the working folder", b.Dir)
	}
}

// A root filesystem that is mounted is told with its mount, and holding it does not keep
// the client from unmounting it.
func TestMountedRoot(t *testing.T) {
	dir := makeBundle(t, `{"root":{"path":"rootfs"}}`)
	root := filepath.Join(dir, "rootfs")
	if err := unix.Mount("none", root, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if !strings.Contains(b.Mount, " / "+root+" ") || !strings.Contains(b.Mount, " - tmpfs none ") {
		t.Errorf("got mount %q", b.Mount)
	}
	if err := unix.Unmount(root, 0); err != nil {
		t.Errorf("the client cannot unmount it: %v", err)
	}
	if err := unix.Fstatat(int(b.Root.Fd()), ".", &unix.Stat_t{}, 0); err != nil {
		t.Errorf("it cannot be read any more: %v", err)
	}
}
