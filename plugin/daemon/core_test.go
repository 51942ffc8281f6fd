package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// crashEnv tells the test binary to crash: "kept" with its memory kept, "open" without.
const crashEnv = "PHIGATE_TEST_CRASH"

// secretOf is made, so that it is in the process's memory and not in its program.
func secretOf(i int) string { return fmt.Sprintf("%03d-%02d-%04d", 200+i%500, 10+i%89, 1000+i) }

// read stands for what has read a patient's data when something goes wrong.
//
//go:noinline
func read(first string, rows []string, row []byte, at int) byte {
	if len(first) == 0 {
		return 0
	}
	return row[at] + rows[at%len(rows)][0] // beyond the end
}

// TestCrash is the process that crashes.
func TestCrash(t *testing.T) {
	how := os.Getenv(crashEnv)
	if how == "" {
		return
	}
	if how == "kept" {
		if err := keepMemory(); err != nil {
			t.Fatal(err)
		}
		var core unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core != (unix.Rlimit{}) {
			t.Fatalf("the limit of core files is %+v (error %v)", core, err)
		}
		if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
			t.Fatalf("dumpable is %d (error %v)", dumpable, err)
		}
	}
	var rows []string
	for i := range 1000 {
		rows = append(rows, secretOf(i))
	}
	go func() { read(rows[0], rows, []byte(rows[1]), len(rows)) }()
	select {}
}

// crash runs the test binary, whose core file may be of any size, and returns what
// it printed and whether the kernel wrote a core.
func crash(t *testing.T, how string) (printed []byte, core bool) {
	t.Helper()
	dir := t.TempDir()
	// sh raises the limit, which the test's own runner may have lowered.
	cmd := exec.Command("sh", "-c", `ulimit -c unlimited; exec "$0" -test.run '^TestCrash$'`, os.Args[0])
	cmd.Dir, cmd.Env = dir, append(os.Environ(), crashEnv+"="+how, "GOTRACEBACK=crash")
	printed, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("it did not crash: %v", err)
	}
	status := exit.Sys().(syscall.WaitStatus)
	if status.Signal() != syscall.SIGABRT {
		t.Fatalf("it ended by %v, not by a crash; it printed %d bytes", status.Signal(), len(printed))
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return printed, status.CoreDump() || len(left) > 0
}

// A phigated that crashes in the midst of what it has read leaves none of it: no
// core, and in the trace of all goroutines no value, although GOTRACEBACK asks for both.
func TestCrashLeavesNothing(t *testing.T) {
	if _, core := crash(t, "open"); !core {
		t.Log("the kernel writes no core files here, of any process: that phigated's is not written is told by its limit alone")
	}
	printed, core := crash(t, "kept")
	if core {
		t.Error("a core file was written")
	}
	if !bytes.Contains(printed, []byte("daemon.read(")) || !bytes.Contains(printed, []byte("goroutine ")) {
		t.Fatalf("it printed no trace of the crash, but %d bytes", len(printed))
	}
	found := 0
	for i := range 1000 {
		for _, form := range []string{secretOf(i), fmt.Sprintf("%x", secretOf(i)), reversed(secretOf(i))} {
			found += strings.Count(strings.ToLower(string(printed)), form)
		}
	}
	if found > 0 {
		t.Errorf("the trace holds %d values", found)
	}
}

// reversed is how a value's first eight bytes look as a number in a trace.
func reversed(s string) string {
	n := uint64(0)
	for i := range 8 {
		n |= uint64(s[i]) << (8 * i)
	}
	return fmt.Sprintf("%x", n)
}
