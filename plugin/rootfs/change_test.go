package rootfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestVanishedFolder(t *testing.T) {
	t.Run("root_renamed", func(t *testing.T) {
		d := filepath.Join(t.TempDir(), "layer")
		write(t, filepath.Join(d, "a/b"), "")
		w := walk(t, Layer(d), func(Entry) error { os.Rename(d, d+"-gone"); return nil })
		if !errors.Is(w.err, ErrVanished) {
			t.Errorf("got %v", w.err)
		}
	})
	t.Run("root_missing", func(t *testing.T) {
		if w := walk(t, Layer(filepath.Join(t.TempDir(), "none")), nil); !errors.Is(w.err, os.ErrNotExist) {
			t.Errorf("got %v", w.err)
		}
	})
	t.Run("folder_removed", func(t *testing.T) {
		d := t.TempDir()
		write(t, filepath.Join(d, "a/x"), "")
		write(t, filepath.Join(d, "b/x"), "")
		w := walk(t, Layer(d), func(e Entry) error { os.RemoveAll(filepath.Join(d, "b")); return nil })
		must(t, w.err)
		if !errors.Is(w.unreadable["/b"], os.ErrNotExist) {
			t.Errorf("unreadable: %v", w.unreadable)
		}
	})
	t.Run("deep_folder_moved_away", func(t *testing.T) {
		d := t.TempDir()
		deep(t, d, "d", keepOpen+20, func(fd int) {
			must(t, unix.Mkdirat(fd, "a", 0o755))
			must(t, unix.Mkdirat(fd, "b", 0o755))
		})
		w := walk(t, Layer(d), func(e Entry) error {
			if strings.HasSuffix(e.Path, "/a") { // its folder is closed by now, or will be
				must(t, os.Rename(filepath.Join(d, strings.Repeat("d/", keepOpen+20)), filepath.Join(d, "moved")))
			}
			return nil
		})
		must(t, w.err)
		if len(w.unreadable) == 0 {
			t.Error("the way back is lost without a word")
		}
	})
	t.Run("context_ends", func(t *testing.T) {
		d := t.TempDir()
		write(t, filepath.Join(d, "a"), "")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := Dir(d).Walk(ctx, func(Entry) error { return nil }, func(string, error) {})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFileThatIsSwappedForAFIFO(t *testing.T) {
	d := t.TempDir()
	name, fifo, regular := filepath.Join(d, "f"), filepath.Join(d, ".fifo"), filepath.Join(d, ".regular")
	write(t, name, "x")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			unix.Mkfifo(fifo, 0o644)
			os.Rename(fifo, name)
			os.WriteFile(regular, []byte("x"), 0o644)
			os.Rename(regular, name)
		}
	}()
	opened, refused := 0, 0
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
		walk(t, Dir(d), func(e Entry) error {
			if e.Kind != Regular {
				return nil
			}
			if _, err := content(e); err == nil {
				opened++
			} else {
				refused++
			}
			return nil
		})
	}
	close(stop)
	<-stopped
	if opened == 0 || refused == 0 {
		t.Errorf("opened %d times, refused %d times: the race was not met", opened, refused)
	}
}

func TestReadingAFile(t *testing.T) {
	d := t.TempDir()
	path := filepath.Join(d, "sparse")
	f, err := os.Create(path)
	must(t, err)
	const size, at = 1 << 40, 1 << 39
	must(t, f.Truncate(size))
	_, err = f.WriteAt([]byte("needle"), at)
	must(t, err)
	must(t, f.Close())
	old := time.Unix(1_000_000_000, 0)
	must(t, os.Chtimes(path, old, old))

	w := walk(t, Dir(d), func(e Entry) error {
		f, err := e.Open()
		if err != nil {
			return err
		}
		start, end, err := f.NextData(0)
		if err != nil || start > at || end <= at || end-start > 1<<20 {
			t.Errorf("data from %d to %d: %v", start, end, err)
		}
		buf := make([]byte, 6)
		if _, err := f.ReadAt(buf, at); err != nil || !bytes.Equal(buf, []byte("needle")) {
			t.Errorf("reading at %d: %v", int64(at), err)
		}
		if _, _, err := f.NextData(end); err != io.EOF {
			t.Errorf("after the data: %v", err)
		}
		must(t, f.Close())
		if _, err := f.ReadAt(buf, 0); err == nil {
			t.Error("a closed file can be read")
		}
		return nil
	})
	must(t, w.err)
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	if st.Atim.Sec != old.Unix() {
		t.Errorf("the access time was changed")
	}
}
