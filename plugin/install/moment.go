package install

import (
	"fmt"
	"net"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the moment on the running machine.
func Now() (Moment, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Moment{}, fmt.Errorf("asking when this is: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return Moment{}, fmt.Errorf("asking when this is: %w", err)
	}
	return Moment{Boot: strings.TrimSpace(string(boot)), Seconds: float64(ts.Sec) + float64(ts.Nsec)/1e9}, nil
}

// After says whether this is later. What belongs to another boot than the
// machine's present one is earlier, so a live moment counts as later than it.
func (m Moment) After(o Moment) bool { return m.Boot != o.Boot || m.Seconds > o.Seconds }

// Listener is the process behind a unix socket: who called listen(2) on it, by SO_PEERCRED.
func Listener(socket string) (pid int, err error) {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return 0, fmt.Errorf("asking who listens at %s: %w", socket, err)
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("asking who listens at %s: %w", socket, err)
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || failed != nil || cred.Pid <= 0 {
		return 0, fmt.Errorf("asking who listens at %s: it is not to be seen", socket)
	}
	return int(cred.Pid), nil
}

// PIDFile is the process that a file notes, where that runs.
func PIDFile(file string) (pid int, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("asking which process runs: %w", err)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("asking which process runs: %s holds no number of a process", file)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		return 0, fmt.Errorf("asking which process runs: %w", err)
	}
	return pid, nil
}

// PathOf is the PATH of a running process, or "".
func PathOf(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return ""
	}
	for v := range strings.SplitSeq(string(data), "\x00") {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			return value
		}
	}
	return ""
}

// ticks per second of /proc/PID/stat: USER_HZ, 100 on every architecture that Go runs on.
const ticks = 100

// Started is when a process of this machine began.
func Started(pid int) (Moment, error) {
	now, err := Now()
	if err != nil {
		return Moment{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Moment{}, fmt.Errorf("asking when process %d began: %w", pid, err)
	}
	// Behind the name, which may hold anything: the 22nd field of proc(5) is the 20th.
	_, rest, _ := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return Moment{}, fmt.Errorf("asking when process %d began: /proc says nothing", pid)
	}
	began, err := strconv.ParseFloat(fields[19], 64)
	if err != nil {
		return Moment{}, fmt.Errorf("asking when process %d began: %w", pid, err)
	}
	return Moment{Boot: now.Boot, Seconds: began / ticks}, nil
}

// modified is when a file of the running machine last changed, as far as the clock was not set since.
func (t *Tree) modified(name string) (time.Time, bool) {
	info, err := t.root.Stat(in(name))
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime(), true
}

// Time is the moment by the clock as it goes now.
func (m Moment) Time(now Moment, clock time.Time) time.Time {
	return clock.Add(-time.Duration((now.Seconds - m.Seconds) * float64(time.Second)))
}

// Stale says whether the containerd behind the socket began before its
// configuration was last written. One that does not answer is not known to be up to date.
func (t *Tree) Stale(socket string) bool {
	pid, err := Listener(socket)
	if err != nil {
		return true
	}
	began, err := Started(pid)
	if err != nil {
		return false
	}
	now, err := Now()
	if err != nil {
		return false
	}
	since := began.Time(now, time.Now())
	for _, name := range []string{ContainerdConfig, DropIn, WrapperHandlers, path.Join("/etc/systemd/system/containerd.service.d", WrapperDropIn)} {
		if at, there := t.modified(name); there && at.After(since) {
			return true
		}
	}
	return false
}
