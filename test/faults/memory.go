package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Memory is a control group whose memory is limited.
type Memory struct{ dir string }

// NewMemory makes a group with so many bytes. The name is unused.
func NewMemory(name string, bytes int64) (*Memory, error) {
	m := &Memory{filepath.Join("/sys/fs/cgroup/memory", name)}
	limit := "memory.limit_in_bytes"
	if _, err := os.Stat(filepath.Dir(m.dir)); err != nil { // cgroup v2
		m.dir, limit = filepath.Join("/sys/fs/cgroup", name), "memory.max"
	}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a control group: %w", err)
	}
	return m, os.WriteFile(filepath.Join(m.dir, limit), []byte(strconv.FormatInt(bytes, 10)), 0o600)
}

// Take puts a process into the group, as the one that the kernel ends first.
func (m *Memory) Take(pid int) error {
	err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0o600)
	return errors.Join(err, os.WriteFile(filepath.Join(m.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o600))
}

// Exhaust asks for more memory than the group has, in a process of its own. The kernel ends
// those that were taken first, and that process with them where it must.
func (m *Memory) Exhaust() error {
	cmd := exec.Command("/bin/sh", "-c", `echo $$ > "$1"/cgroup.procs && exec dd if=/dev/zero of=/dev/null bs=128M count=1 status=none`, "sh", m.dir)
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) { // it was ended too
		return nil
	}
	return err
}

// Killed is how often the kernel has ended a process of the group for want of memory.
func (m *Memory) Killed() (n int, err error) {
	for _, name := range []string{"memory.oom_control", "memory.events"} {
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if err == nil {
			return field(string(text), "oom_kill")
		}
	}
	return 0, fmt.Errorf("the control group %s does not count what was killed", m.dir)
}

// Remove removes the group, from which all processes have gone.
func (m *Memory) Remove() error {
	var err error
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = unix.Rmdir(m.dir); err == nil {
			return nil
		}
	}
	return fmt.Errorf("removing a control group: %w", err)
}
