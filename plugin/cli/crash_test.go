package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	gate "github.com/phigate/phigate/plugin/ask/judge"
)

// victim is a phigated of its own that is asked about the container of a leakTree.
type victim struct {
	cmd    *exec.Cmd
	folder string // its working directory, state and configuration
	stderr *bytes.Buffer
}

// startPhigated starts the real program, which may write core files of any size
// and is told to write one when it crashes.
func startPhigated(t *testing.T, binary string) *victim {
	t.Helper()
	v := &victim{folder: t.TempDir(), stderr: new(bytes.Buffer)}
	at := func(name string) string { return filepath.Join(v.folder, name) }
	config := fmt.Sprintf("containerd: %s\nnri: {socket: %s, name: phigate, index: \"99\"}\nstateDir: %s\nsocket: %s\npolicies: [%s]\njournal: \"\"\n",
		at("containerd.sock"), at("nri.sock"), at("state"), at("p.sock"), at("policies.d"))
	if err := errors.Join(os.Mkdir(at("policies.d"), 0o700), os.WriteFile(at("phigate.yaml"), []byte(config), 0o600)); err != nil {
		t.Fatal(err)
	}
	v.cmd = exec.Command("sh", "-c", `ulimit -c unlimited; exec "$0" --debug --config "$1"`, binary, at("phigate.yaml"))
	v.cmd.Dir, v.cmd.Stderr, v.cmd.Env = v.folder, v.stderr, append(os.Environ(), "GOTRACEBACK=crash")
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.cmd.Process.Kill() })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := ask.GetStatus(t.Context(), at("p.sock")); err == nil {
			return v
		} else if time.Now().After(end) {
			t.Fatalf("phigated does not answer: %v; %s", err, v.stderr)
		}
	}
}

// ask hands the container over; the answer is not waited for.
func (v *victim) ask(t *testing.T, root, spec string) {
	t.Helper()
	config, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	q := gate.Question{Door: "wrapper", Command: "create", ID: "c1", Bundle: filepath.Dir(spec), Root: root, Within: time.Minute}
	go func() { _, _ = gate.Ask(filepath.Join(v.folder, gate.SocketName), q, config, folder) }()
}

// crashHolding sends the signal at a moment when values are in phigated's memory,
// and returns how many.
func (v *victim) crashHolding(t *testing.T, sig syscall.Signal, values needles) (held int) {
	t.Helper()
	p := v.cmd.Process
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		held = values.in(memoryOf(t, p.Pid))
		if held >= 3000 {
			if err := errors.Join(p.Signal(sig), p.Signal(syscall.SIGCONT)); err != nil {
				t.Fatal(err)
			}
			_ = v.cmd.Wait()
			return held
		}
		if err := p.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("phigated held %d values, too few to try it", held)
	return 0
}

// memoryOf is what a process has written to its own memory, as root may read it.
func memoryOf(t *testing.T, pid int) (all []byte) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatalf("reading phigated's memory (root is needed): %v", err)
	}
	defer memory.Close()
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		part := make([]byte, to-from)
		n, _ := memory.ReadAt(part, from) // [vvar] and the like cannot be read
		all = append(all, part[:n]...)
	}
	return all
}

// phigated itself crashes while its memory holds thousands of planted values: there
// is no core file, and neither the trace of all goroutines nor anything else that
// it leaves holds one, in any form.
func TestCrashOfPhigatedLeaksNothing(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "phigated")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../cmd/phigated").CombinedOutput(); err != nil {
		t.Fatalf("building phigated: %v: %s", err, out)
	}
	root, spec, all := leakTree(t)
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT, syscall.SIGSEGV} {
		t.Run(sig.String(), func(t *testing.T) {
			v := startPhigated(t, binary)
			v.ask(t, root, spec)
			held := v.crashHolding(t, sig, all)
			status := v.cmd.ProcessState.Sys().(syscall.WaitStatus)
			trace := v.stderr.Bytes()
			t.Logf("%d values in memory; ended by %v, core dumped: %v; %d bytes of trace", held, status.Signal(), status.CoreDump(), len(trace))
			if !status.Signaled() || status.CoreDump() {
				t.Errorf("it ended with %v, and a core: %v; want by a signal without one", status, status.CoreDump())
			}
			if !bytes.Contains(trace, []byte("goroutine ")) || !bytes.Contains(trace, []byte("handover.(*Door)")) {
				t.Error("it printed no trace of what it was doing")
			}
			if n := all.in(trace); n > 0 {
				t.Errorf("standard error holds %d planted values", n)
			}
			v.left(t, all)
		})
	}
}

// left looks through every file that is left.
func (v *victim) left(t *testing.T, all needles) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(v.folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if n := all.in(data); n > 0 {
			t.Errorf("%s holds %d planted values", e.Name(), n)
		}
		if strings.Contains(e.Name(), "core") || bytes.HasPrefix(data, []byte("\x7fELF")) {
			t.Errorf("a core file %s was written", e.Name())
		}
		return err
	})
	if err != nil || files < 5 { // configuration, keys, log, facts
		t.Fatalf("%d files, %v", files, err)
	}
}
