package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// walked is what a walk gave, within a minute.
type walked struct {
	entries    map[string]Entry
	order      []string
	unreadable map[string]error
	err        error
}

func walk(t *testing.T, tree Tree, each func(Entry) error) walked {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan walked, 1)
	go func() {
		w := walked{entries: map[string]Entry{}, unreadable: map[string]error{}}
		w.err = tree.Walk(ctx, func(e Entry) error {
			w.entries[e.Path] = e
			w.order = append(w.order, e.Path)
			if each != nil {
				return each(e)
			}
			return nil
		}, func(path string, err error) { w.unreadable[path] = err })
		done <- w
	}()
	select {
	case w := <-done:
		return w
	case <-time.After(90 * time.Second):
		t.Fatal("walk is blocked")
		panic("unreachable")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

func content(e Entry) (string, error) {
	f, err := e.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	return string(all), err
}

func TestKindsAreRecordedAndNothingIsFollowed(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "outside")
	d := t.TempDir()
	write(t, filepath.Join(d, "etc/passwd"), "root")
	must(t, os.Chmod(filepath.Join(d, "etc/passwd"), 0o4755|os.ModeSetuid))
	links := map[string]string{
		"absolute": filepath.Join(outside, "secret"), "dots": "../../../../../../../etc/passwd", "folder": outside,
		"loop-a": "loop-b", "loop-b": "loop-a", "self": "self", "inside": "/etc/passwd",
	}
	for name, target := range links {
		must(t, os.Symlink(target, filepath.Join(d, name)))
	}
	must(t, os.Link(filepath.Join(d, "etc/passwd"), filepath.Join(d, "hard")))
	must(t, unix.Mkfifo(filepath.Join(d, "fifo"), 0o644))
	must(t, unix.Mknod(filepath.Join(d, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(filepath.Join(d, "block"), unix.S_IFBLK|0o666, int(unix.Mkdev(7, 200))))
	must(t, unix.Mknod(filepath.Join(d, "zero"), unix.S_IFCHR, 0))
	socket, err := net.Listen("unix", filepath.Join(d, "socket"))
	must(t, err)
	defer socket.Close()

	w := walk(t, Dir(d), func(e Entry) error {
		if (e.Open != nil) != (e.Kind == Regular) {
			t.Errorf("%s can be opened: %v", e.Path, e.Open != nil)
		}
		return nil
	})
	must(t, w.err)
	got := map[string]Kind{}
	for path, e := range w.entries {
		got[path] = e.Kind
	}
	want := map[string]Kind{
		"/etc": Directory, "/etc/passwd": Regular, "/hard": Regular,
		"/fifo": Special, "/null": Special, "/block": Special, "/zero": Special, "/socket": Special,
	}
	for name, target := range links {
		want["/"+name] = Symlink
		if w.entries["/"+name].Link != target {
			t.Errorf("target of %s: %s", name, w.entries["/"+name].Link)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if a, b := w.entries["/hard"].Inode, w.entries["/etc/passwd"].Inode; a != b || a.Links != 2 {
		t.Errorf("hard links: %+v and %+v", a, b)
	}
	if mode := w.entries["/etc/passwd"].Mode; mode != 0o4755 {
		t.Errorf("mode: %o", mode)
	}
	if len(w.unreadable) > 0 {
		t.Errorf("unreadable: %v", w.unreadable)
	}
	layer := walk(t, Layer(d), nil)
	if layer.entries["/zero"].Kind != Whiteout || layer.entries["/null"].Kind != Special {
		t.Error("in a layer the device 0:0 alone is a whiteout")
	}
}

func TestOrderHasTheSlashLowest(t *testing.T) {
	d := t.TempDir()
	for _, name := range []string{"a/b", "a.b", "a-b/x", "a", "b\xff\xfe", "a/!", "ab"} {
		if name != "a" {
			write(t, filepath.Join(d, name), "")
		}
	}
	w := walk(t, Dir(d), nil)
	want := []string{"/a", "/a/!", "/a/b", "/a-b", "/a-b/x", "/a.b", "/ab", "/b\xff\xfe"}
	if diff := cmp.Diff(want, w.order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestOverlayAttributes(t *testing.T) {
	t.Run("of_the_overlay", func(t *testing.T) {
		d := t.TempDir()
		for _, name := range []string{"opaque/f", "moved/f", "marks/gone", "marks/empty", "plain/f", "meta"} {
			write(t, filepath.Join(d, name), "")
		}
		set := func(name, attr, value string) {
			t.Helper()
			must(t, unix.Setxattr(filepath.Join(d, name), "trusted.overlay."+attr, []byte(value), 0))
		}
		set("opaque", "opaque", "y")
		set("marks", "opaque", "x")
		set("marks/gone", "whiteout", "")
		set("moved", "redirect", "/elsewhere")
		set("meta", "metacopy", "")
		opened := map[string]error{}
		w := walk(t, Layer(d), func(e Entry) error {
			if e.Kind == Regular {
				_, opened[e.Path] = content(e)
			}
			return nil
		})
		must(t, w.err)
		if !w.entries["/opaque"].Opaque || w.entries["/plain"].Opaque || w.entries["/marks"].Opaque {
			t.Error("opaque folders are not told apart")
		}
		if w.entries["/marks/gone"].Kind != Whiteout || w.entries["/marks/empty"].Kind != Regular {
			t.Error("whiteouts by attribute are not told apart")
		}
		if w.unreadable["/moved"] == nil || w.entries["/moved/f"].Path == "" {
			t.Error("a redirected folder is walked and reported")
		}
		if opened["/meta"] == nil || opened["/plain/f"] != nil {
			t.Errorf("metadata alone is unreadable: %v", opened)
		}
		plain := walk(t, Dir(d), nil)
		if plain.entries["/opaque"].Opaque || len(plain.unreadable) > 0 {
			t.Error("a plain directory has no overlay attributes")
		}
	})
	t.Run("user_attributes_of_an_image_author_are_not_honoured", func(t *testing.T) {
		d := t.TempDir()
		write(t, filepath.Join(d, "a/f"), "")
		must(t, unix.Setxattr(filepath.Join(d, "a"), "user.overlay.opaque", []byte("y"), 0))
		if walk(t, Layer(d), nil).entries["/a"].Opaque {
			t.Error("opaque by a user attribute")
		}
	})
}

// deep makes n nested folders and calls fn in the last.
func deep(t *testing.T, root string, name string, n int, fn func(fd int)) {
	t.Helper()
	fd, err := unix.Open(root, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	must(t, err)
	for range n {
		must(t, unix.Mkdirat(fd, name, 0o755))
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY|unix.O_RDONLY, 0)
		must(t, err)
		unix.Close(fd)
		fd = next
	}
	fn(fd)
	unix.Close(fd)
}

func TestPathsLongerThanTheKernelResolves(t *testing.T) {
	d := t.TempDir()
	const levels = 300
	name := strings.Repeat("d", 40)
	deep(t, d, name, levels, func(fd int) {
		f, err := unix.Openat(fd, "file", unix.O_CREAT|unix.O_WRONLY, 0o644)
		must(t, err)
		_, err = unix.Write(f, []byte("deep"))
		must(t, err)
		unix.Close(f)
	})
	write(t, filepath.Join(d, name, "z"), "after")
	var got string
	w := walk(t, Layer(d), func(e Entry) error {
		if strings.HasSuffix(e.Path, "/file") {
			var err error
			if got, err = content(e); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, w.err)
	if got != "deep" || len(w.entries) != levels+2 || len(w.unreadable) > 0 {
		t.Errorf("read %d bytes; %d entries, %d unreadable", len(got), len(w.entries), len(w.unreadable))
	}
	if _, ok := w.entries["/"+name+"/z"]; !ok {
		t.Error("what comes after the way back is missing")
	}
}

func TestDepthAndLengthAreBounded(t *testing.T) {
	t.Run("depth", func(t *testing.T) {
		d := t.TempDir()
		deep(t, d, "d", MaxDepth+10, func(int) {})
		before := openFiles(t)
		most := 0
		w := walk(t, Dir(d), func(Entry) error { most = max(most, openFiles(t)); return nil })
		must(t, w.err)
		if len(w.entries) != MaxDepth || len(w.unreadable) != 1 {
			t.Errorf("%d entries, %d unreadable", len(w.entries), len(w.unreadable))
		}
		if most > before+keepOpen+20 || openFiles(t) > before {
			t.Errorf("open files: %d before, %d at most, %d after", before, most, openFiles(t))
		}
	})
	t.Run("length", func(t *testing.T) {
		d := t.TempDir()
		deep(t, d, strings.Repeat("x", 255), 100, func(int) {})
		w := walk(t, Dir(d), nil)
		must(t, w.err)
		if len(w.entries) != MaxPath/256 || len(w.unreadable) != 1 {
			t.Errorf("%d entries, %d unreadable", len(w.entries), len(w.unreadable))
		}
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(names)
}

func TestManyNamesInOneFolder(t *testing.T) {
	d := t.TempDir()
	const n = 100_000
	fd, err := unix.Open(d, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	must(t, err)
	defer unix.Close(fd)
	for i := range n {
		must(t, unix.Mknodat(fd, fmt.Sprintf("some-ordinary-name-%06d", (i*7919)%n), unix.S_IFREG|0o644, 0))
	}
	t.Run("memory", func(t *testing.T) {
		var before, during runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		seen, last := 0, ""
		err := Layer(d).Walk(t.Context(), func(e Entry) error {
			if e.Path <= last {
				t.Fatal("not in order")
			}
			last = e.Path
			if seen++; seen == n/2 {
				runtime.GC()
				runtime.ReadMemStats(&during)
			}
			return nil
		}, func(string, error) { t.Error("unreadable") })
		must(t, err)
		if seen != n {
			t.Errorf("%d names of %d", seen, n)
		}
		// 1,000,000 names may take 100 MB; so 100,000 may take 10.
		if used := int64(during.HeapAlloc) - int64(before.HeapAlloc); used > 10<<20 {
			t.Errorf("%d bytes of heap", used)
		}
	})
	t.Run("in_passes", func(t *testing.T) {
		var l listing
		var got []string
		passes := 0
		for more := true; more; more = l.more {
			must(t, l.fill(fd, 200<<10, make([]byte, 64<<10)))
			passes++
			for name := l.name(); name != nil; name = l.name() {
				got = append(got, string(name))
			}
		}
		if len(got) != n || !slices.IsSorted(got) || len(slices.Compact(got)) != n || passes < 10 {
			t.Errorf("%d names in %d passes, sorted %v", len(got), passes, slices.IsSorted(got))
		}
	})
	t.Run("too_many_for_their_share", func(t *testing.T) {
		var l listing
		var err error
		for more := true; more && err == nil; more = l.more {
			err = l.fill(fd, 1<<10, make([]byte, 64<<10))
		}
		if !errors.Is(err, errTooManyNames) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMountsAreNotCrossed(t *testing.T) {
	d := t.TempDir()
	for _, name := range []string{"tmpfs", "bind"} {
		must(t, os.Mkdir(filepath.Join(d, name), 0o755))
	}
	write(t, filepath.Join(d, "file"), "below the mount")
	write(t, filepath.Join(d, "other/inner"), "")
	must(t, unix.Mount("none", filepath.Join(d, "tmpfs"), "tmpfs", 0, ""))
	defer unix.Unmount(filepath.Join(d, "tmpfs"), unix.MNT_DETACH)
	must(t, unix.Mount(filepath.Join(d, "other"), filepath.Join(d, "bind"), "", unix.MS_BIND, ""))
	defer unix.Unmount(filepath.Join(d, "bind"), unix.MNT_DETACH)
	must(t, unix.Mount("/dev/null", filepath.Join(d, "file"), "", unix.MS_BIND, ""))
	defer unix.Unmount(filepath.Join(d, "file"), unix.MNT_DETACH)
	write(t, filepath.Join(d, "tmpfs/hidden"), "")
	for name, tree := range map[string]Tree{"dir": Dir(d), "layer": Layer(d)} {
		t.Run(name, func(t *testing.T) {
			w := walk(t, tree, nil)
			must(t, w.err)
			for _, path := range []string{"/tmpfs", "/bind"} {
				if err := w.unreadable[path]; err == nil || errors.Is(err, ErrMount) != (name == "dir") {
					t.Errorf("%s: %v", path, err)
				}
			}
			if _, ok := w.entries["/tmpfs/hidden"]; ok {
				t.Error("the mount was walked")
			}
		})
	}
}

func TestMergedOverlayOverTwoFileSystems(t *testing.T) {
	lower, upper, merged := t.TempDir(), t.TempDir(), t.TempDir()
	must(t, unix.Mount("none", lower, "tmpfs", 0, ""))
	defer unix.Unmount(lower, unix.MNT_DETACH)
	write(t, filepath.Join(lower, "a/low"), "low")
	write(t, filepath.Join(upper, "a/high"), "high")
	must(t, unix.Mount("overlay", merged, "overlay", unix.MS_RDONLY, "lowerdir="+upper+":"+lower))
	defer unix.Unmount(merged, unix.MNT_DETACH)
	got := map[string]string{}
	w := walk(t, Dir(merged), func(e Entry) error {
		if e.Kind != Regular {
			return nil
		}
		text, err := content(e)
		got[e.Path] = text
		return err
	})
	must(t, w.err)
	if diff := cmp.Diff(map[string]string{"/a/low": "low", "/a/high": "high"}, got); diff != "" || len(w.unreadable) > 0 {
		t.Errorf("files (-want +got):\n%s\n%d unreadable", diff, len(w.unreadable))
	}
}
