package journald

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// setupKeys runs in a mount namespace. $1 is the folder of the journal, $2 how
// long one sealing key is used.
const setupKeys = `set -e
mkdir -p /var/log/journal
mount --bind "$1/log" /var/log/journal
exec journalctl --setup-keys --force --interval="$2"`

// Seal makes the keys of Forward Secure Sealing, before Run, and returns the one
// to verify with. The error is journalctl's where this machine's systemd cannot.
func (j *Journal) Seal(t testing.TB, interval time.Duration) (verifyKey string, err error) {
	t.Helper()
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", setupKeys, "sh", j.dir, interval.String())
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}

// SealingKey is the file with the key that is used now and makes all later ones.
func (j *Journal) SealingKey(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(j.Logs, "*", "fss"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d sealing keys, %v", len(found), err)
	}
	return found[0]
}

// Folder is where journald keeps its files, in Logs.
func (j *Journal) Folder(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(j.Logs, "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d folders of journals, %v", len(found), err)
	}
	return found[0]
}

// Rotate makes journald begin another file.
func (j *Journal) Rotate(t testing.TB) {
	t.Helper()
	before := j.files(t)
	j.signal(t, syscall.SIGUSR2)
	for range 500 {
		if j.files(t) > before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("journald did not rotate its file")
}

func (j *Journal) files(t testing.TB) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(j.Folder(t), "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// Stop ends the journald as systemd does, and returns when its files are closed.
func (j *Journal) Stop(t testing.TB) {
	t.Helper()
	j.signal(t, syscall.SIGTERM)
	if err := j.cmd.Wait(); err != nil {
		t.Fatalf("stopping journald: %v", err)
	}
	j.cmd = nil
	os.Remove(j.Socket)
}

// Verify asks journalctl whether the files in a folder are whole, with the key
// that Seal gave or without; said is what it wrote.
func Verify(t testing.TB, folder, key string) (whole bool, said string) {
	t.Helper()
	args := []string{"--verify", "--directory", folder}
	if key != "" {
		args = append(args, "--verify-key", key)
	}
	out, err := exec.Command("journalctl", args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err == nil, string(out)
}

// Version is "systemd" and its number, without what the distribution adds.
func Version(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("journalctl", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out))
	return strings.Join(fields[:min(2, len(fields))], " ")
}
