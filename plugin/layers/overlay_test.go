package layers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes folders and links (link->target) below a new folder.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		name, target, link := strings.Cut(name, "->")
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(target, path)
		default:
			err = os.MkdirAll(path, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOverlay(t *testing.T) {
	d := tree(t, "s/1/fs", "s/2/fs", "s/9/fs", "o/aa/diff", "o/bb/diff", "o/l/AA->../aa/diff", "o/l/BB->../bb/diff", "o/cc/diff", "o/cc/merged",
		"odd/a:b", "odd/c,d", "odd/e f", `odd/g\h`)
	under := func(names ...string) (out []string) {
		for _, name := range names {
			out = append(out, filepath.Join(d, name))
		}
		return out
	}
	line := func(point, options string) string {
		return "94 30 0:59 / " + point + " rw,relatime shared:3 - overlay overlay rw," + strings.ReplaceAll(options, "D/", d+"/")
	}
	tests := map[string]struct {
		line   string
		want   Overlay
		failed bool
	}{
		"containerd": {line("/m", "lowerdir=D/s/2/fs:D/s/1/fs,upperdir=D/s/9/fs,workdir=D/s/9/work,uuid=on"),
			Overlay{under("s/1/fs", "s/2/fs"), d + "/s/9/fs"}, false},
		"containerd_shortened": {line("/m", "lowerdir=2/fs:1/fs,upperdir=D/s/9/fs,workdir=D/s/9/work"),
			Overlay{under("s/1/fs", "s/2/fs"), d + "/s/9/fs"}, false},
		"docker_links": {line(d+"/o/cc/merged", "lowerdir=D/o/l/BB:D/o/l/AA,upperdir=D/o/cc/diff,workdir=D/o/cc/work"),
			Overlay{under("o/aa/diff", "o/bb/diff"), d + "/o/cc/diff"}, false},
		"docker_relative": {line(d+"/o/cc/merged", "lowerdir=l/BB:l/AA,upperdir=cc/diff,workdir=cc/work"),
			Overlay{under("o/aa/diff", "o/bb/diff"), d + "/o/cc/diff"}, false},
		"one_by_one": {line("/m", "lowerdir+=D/s/2/fs,lowerdir+=D/s/1/fs,upperdir=D/s/9/fs"),
			Overlay{under("s/1/fs", "s/2/fs"), d + "/s/9/fs"}, false},
		"read_only": {line("/m", "lowerdir=D/s/2/fs:D/s/1/fs"), Overlay{under("s/1/fs", "s/2/fs"), ""}, false},
		"protected_characters": {line("/m", `lowerdir=D/odd/a\134:b:D/odd/c\134,d:D/odd/e\040f,upperdir=D/s/9/fs`),
			Overlay{under("odd/e f", "odd/c,d", "odd/a:b"), d + "/s/9/fs"}, false},

		"gone":          {line("/m", "lowerdir=D/s/3/fs,upperdir=D/s/9/fs"), Overlay{}, true},
		"nowhere":       {line("/m", "lowerdir=7/fs,upperdir=D/s/9/fs"), Overlay{}, true},
		"data_alone":    {line("/m", "lowerdir=D/s/1/fs::D/s/2/fs,upperdir=D/s/9/fs"), Overlay{}, true},
		"data_one":      {line("/m", "lowerdir+=D/s/1/fs,datadir+=D/s/2/fs"), Overlay{}, true},
		"no_lower":      {line("/m", "upperdir=D/s/9/fs"), Overlay{}, true},
		"part_of_it":    {"94 30 0:59 /srv /m rw - overlay overlay rw,lowerdir=" + d + "/s/1/fs", Overlay{}, true},
		"another_type":  {"94 30 8:1 / /m rw - ext4 /dev/sda1 rw", Overlay{}, true},
		"many_folders":  {line("/m", "lowerdir="+strings.Repeat("D/s/1/fs:", 600)+"D/s/1/fs"), Overlay{}, true},
		"lower_is_file": {line("/m", "lowerdir=/proc/self/status"), Overlay{}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMount(test.line)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Overlay()
			if test.failed != errors.Is(err, ErrNotOverlay) || !test.failed && err != nil {
				t.Fatalf("got error %v; want one: %v", err, test.failed)
			}
			if diff := cmp.Diff(test.want, got); diff != "" && !test.failed {
				t.Error(diff)
			}
		})
	}
}

func TestParseMount(t *testing.T) {
	got, err := ParseMount(`36 35 98:0 /a\040b /mnt\134x rw,noatime master:1 - ext3 /dev/root rw,errors=continue`)
	if err != nil || got.Device != "98:0" || got.Root != "/a b" || got.Point != `/mnt\x` || got.Type != "ext3" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, line := range []string{"", "36 35 98:0", "36 35 98:0 / / rw ext3 a b", " - ", "1 2 3 4 5 6 - overlay"} {
		if _, err := ParseMount(line); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}

func FuzzParseMount(f *testing.F) {
	f.Add(`94 30 0:59 / /m rw - overlay overlay rw,lowerdir=a\134:b:c\054,upperdir=/u,workdir=/w`)
	f.Add("1 2 3:4 / / rw - overlay o lowerdir+=/proc,datadir+=/x")
	f.Fuzz(func(t *testing.T, line string) {
		m, err := ParseMount(line)
		if err != nil {
			return
		}
		o, err := m.Overlay()
		if err == nil && len(o.Lower) == 0 {
			t.Error("an overlay without folders was taken")
		}
		for _, folder := range o.Lower {
			if err == nil && !filepath.IsAbs(folder) {
				t.Error("a relative folder came out")
			}
		}
	})
}
