package journald

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// hierarchies are those by which journald tells a sender's unit: systemd's own,
// and the unified one.
var hierarchies = []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"}

// InUnit moves this process into a unit's control group until the test ends, so
// that journald takes what it sends for a unit's and limits its rate. No systemd
// is needed: journald goes by /proc/PID/cgroup.
func InUnit(t testing.TB) {
	t.Helper()
	unit, moved := fmt.Sprintf("system.slice/phigate-test-%d.service", os.Getpid()), 0
	for _, root := range hierarchies {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue
		}
		group := filepath.Join(root, unit)
		if err := errors.Join(os.MkdirAll(group, 0o755), move(group)); err != nil {
			t.Fatalf("making a unit's control group: %v", err)
		}
		moved++
		t.Cleanup(func() {
			if err := move(root); err != nil {
				t.Error(err)
			}
			for range 100 { // it empties a moment after the last process has left
				if os.Remove(group) == nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	if moved == 0 {
		t.Fatal("no control group hierarchy is mounted by which journald tells units")
	}
}

func move(group string) error {
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
}
