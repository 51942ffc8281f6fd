package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sample is what one run cost, with all processes that it started.
type sample struct {
	wall, cpu time.Duration
	peak      int64 // bytes that the largest of the processes had in memory
	read      int64 // bytes that read() gave them
}

// machine runs contestants, one at a time.
type machine struct {
	dir string // for what they write
}

// warm runs a contestant without measuring it.
func (m *machine) warm(ctx context.Context, c *contestant) error {
	argv := c.warmUp
	if argv == nil {
		argv = c.argv
	}
	_, err := m.run(ctx, c, argv)
	c.result = "" // what was measured tells it
	return err
}

// round measures each contestant once. Each round begins with another, so that
// none always comes after the same one.
func (m *machine) round(ctx context.Context, all []*contestant, n int) error {
	for i := range all {
		c := all[(i+n)%len(all)]
		if c.rounds >= 0 && n >= c.rounds {
			continue
		}
		s, err := m.run(ctx, c, c.argv)
		if err != nil {
			return err
		}
		c.samples = append(c.samples, s)
	}
	return nil
}

// run starts the program, waits and keeps what it found. Its output goes to a
// file and costs this program no memory.
func (m *machine) run(ctx context.Context, c *contestant, argv []string) (sample, error) {
	out, err := os.Create(filepath.Join(m.dir, "output"))
	if err != nil {
		return sample{}, fmt.Errorf("creating a file for the output: %w", err)
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if c.logs {
		cmd.Stderr = out
	}
	s, code, err := measure(cmd)
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	if err != nil {
		return s, fmt.Errorf("running %s: %w", c.name, err)
	}
	if code != 0 && !slices.Contains(c.fine, code) {
		return s, fmt.Errorf("running %s: it ended with %d: %s", c.name, code, strings.Join(argv, " "))
	}
	if c.found != nil {
		if c.result, err = c.found(out); err != nil {
			return s, fmt.Errorf("reading what %s wrote: %w", c.name, err)
		}
	}
	return s, nil
}

// measure runs a command to its end, and gives its exit code.
func measure(cmd *exec.Cmd) (s sample, code int, err error) {
	// A group of its own, so that all of a pipeline end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return s, 0, err
	}
	err = ended(cmd.Process.Pid)
	s.wall = time.Since(began)
	// It has ended and is not reaped: the kernel still has its account, to which
	// it has added those of the processes that it waited for.
	if err == nil {
		s.read, err = readBytes(cmd.Process.Pid)
	}
	var exit *exec.ExitError
	if werr := cmd.Wait(); werr != nil && !errors.As(werr, &exit) {
		err = errors.Join(err, werr)
	}
	state := cmd.ProcessState
	if err == nil && !state.Exited() {
		err = errors.New(state.String())
	}
	s.cpu = state.UserTime() + state.SystemTime()
	s.peak = int64(state.SysUsage().(*syscall.Rusage).Maxrss) << 10
	return s, state.ExitCode(), err
}

// ended waits for the end of a child and leaves it to be reaped.
func ended(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func readBytes(pid int) (int64, error) {
	account, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, fmt.Errorf("asking how much was read: %w", err)
	}
	return parseRead(string(account))
}

// parseRead gives rchar of an account (proc_pid_io(5)).
func parseRead(account string) (int64, error) {
	for line := range strings.Lines(account) {
		if n, ok := strings.CutPrefix(line, "rchar: "); ok {
			return strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, errors.New("asking how much was read: the kernel's account has no rchar")
}
