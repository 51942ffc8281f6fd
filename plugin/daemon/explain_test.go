package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/conf"
)

// smallDisk is a file system of its own.
func smallDisk(t *testing.T, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, "size=64k"); err != nil {
		t.Fatalf("mounting a small file system (root is needed): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// phigated that cannot begin because of its disk says what to do about it.
func TestStartOnABadDisk(t *testing.T) {
	full := smallDisk(t, 0)
	if err := os.WriteFile(filepath.Join(full, "filler"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the file system: %v", err)
	}
	tests := map[string]struct {
		dir  string
		want []string
	}{
		"full":      {full, []string{"no space left on device", "is full: see with df -h", "make room"}},
		"read_only": {smallDisk(t, unix.MS_RDONLY), []string{"read-only file system", "findmnt -T", "stateDir in phigate.yaml"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			run := t.TempDir()
			d := &Daemon{Config: conf.Config{StateDir: filepath.Join(tt.dir, "phigate"), Socket: filepath.Join(run, "p.sock")}, Version: "test", Log: slog.New(slog.DiscardHandler)}
			err := d.Run(t.Context(), nil)
			if err == nil {
				t.Fatal("it ran")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q in it", err, want)
				}
			}
		})
	}
}

func TestExplainKeepsTheError(t *testing.T) {
	for _, cause := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO} {
		err := explain(fmt.Errorf("opening the decision log: %w", &fs.PathError{Op: "write", Path: "/x", Err: cause}), "/srv/state")
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), "; the ") || !strings.Contains(err.Error(), "/srv/state") {
			t.Errorf("%v: got %v", cause, err)
		}
	}
	if other := errors.New("other"); explain(other, "/srv/state") != other {
		t.Error("another error is changed")
	}
}
