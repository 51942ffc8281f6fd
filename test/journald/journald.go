// Package journald runs a real systemd-journald for tests, in a mount
// namespace of its own: nothing of the machine's journal is touched. It needs
// root and Debian's package systemd.
package journald

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is where Debian puts it.
const binary = "/lib/systemd/systemd-journald"

// script runs inside the new mount namespace. $1 is the folder that both sides
// see, $2 more settings.
const script = `set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log /var/log/journal
printf '[Journal]\nStorage=persistent\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\nForwardToWall=no\nRateLimitIntervalSec=0\nSystemMaxUse=64M\n' \
  > /run/systemd/journald.conf.d/test.conf
printf '%s\n' '[Journal]' "$2" > /run/systemd/journald.conf.d/test2.conf
mount --bind "$1/run" /run/systemd/journal
mount --bind "$1/log" /var/log/journal
mkdir -p "$1/volatile" && mount --bind "$1/volatile" /run/log
touch /run/systemd/journal/flushed
exec ` + binary

// Journal is a journald and what it stores.
type Journal struct {
	Socket string // of the native protocol; there from Start on
	Logs   string // for journalctl --directory: what is kept on the disk
	// Volatile is where journald writes what it cannot keep on the disk.
	Volatile string
	// Settings are lines of journald.conf's section Journal, over those for tests.
	Settings string
	dir      string
	cmd      *exec.Cmd
}

// New prepares a journal whose journald does not run yet, so Socket does not
// exist.
func New(t testing.TB) *Journal {
	t.Helper()
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v: apt-get install systemd", err)
	}
	dir, err := os.MkdirTemp("", "jd") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{Socket: filepath.Join(dir, "run", "socket"), Logs: filepath.Join(dir, "log"), Volatile: filepath.Join(dir, "volatile"), dir: dir}
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"run", filepath.Join("log", strings.TrimSpace(string(machine)))} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		j.Kill(t)
		os.RemoveAll(dir)
	})
	return j
}

// ReadAll is a command that reads what is on the disk and what is not, as
// journalctl does on a node; journalctl's arguments follow.
func (j *Journal) ReadAll() []string {
	return []string{"sh", "-c", `exec journalctl $(printf -- '--file=%s ' $(ls "$0"/log/*/*.journal "$0"/volatile/journal/*/*.journal 2>/dev/null)) "$@"`, j.dir}
}

// Start runs a journald until the test ends.
func Start(t testing.TB) *Journal {
	t.Helper()
	j := New(t)
	j.Run(t)
	return j
}

// Run starts the journald and returns when it can be sent to.
func (j *Journal) Run(t testing.TB) {
	t.Helper()
	os.Remove(j.Socket)
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", j.dir, j.Settings)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting journald: %v", err)
	}
	j.cmd = cmd
	for range 500 {
		if _, err := os.Stat(j.Socket); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	j.Kill(t)
	t.Fatalf("journald did not open its socket: %s", out)
}

// Pause stops the journald from reading, as one that hangs; Continue ends it.
func (j *Journal) Pause(t testing.TB)    { j.signal(t, syscall.SIGSTOP) }
func (j *Journal) Continue(t testing.TB) { j.signal(t, syscall.SIGCONT) }

func (j *Journal) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := j.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signalling journald: %v", err)
	}
}

// Kill ends the journald at once. Run may start it again on the same files.
func (j *Journal) Kill(t testing.TB) {
	t.Helper()
	if j.cmd == nil {
		return
	}
	j.cmd.Process.Kill()
	j.cmd.Wait()
	j.cmd = nil
	os.Remove(j.Socket)
}

// Entries returns the stored entries that journalctl's matches select
// ("PHIGATE_SEQ=1"), oldest first. A value is a string, or a slice of them
// where a field comes more than once.
func (j *Journal) Entries(t testing.TB, matches ...string) []map[string]any {
	t.Helper()
	args := append([]string{"--directory", j.Logs, "--output", "json", "--all", "--quiet", "--no-pager"}, matches...)
	out, err := exec.Command("journalctl", args...).Output()
	if err != nil {
		t.Fatalf("reading the journal: %v", err)
	}
	var entries []map[string]any
	for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		entry := map[string]any{}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("reading the journal: %v", err)
		}
		entries = append(entries, entry)
	}
	return entries
}

// Await returns the selected entries once there are n, and fails after a while.
func (j *Journal) Await(t testing.TB, n int, matches ...string) []map[string]any {
	t.Helper()
	for range 200 {
		if entries := j.Entries(t, matches...); len(entries) >= n {
			return entries
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the journal holds %d entries, want %d", len(j.Entries(t, matches...)), n)
	return nil
}
