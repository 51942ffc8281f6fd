package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/ask/judge"
)

// daemonVariable has this test program be a phigated, with the configuration that it names.
const daemonVariable = "PHIGATE_TEST_DAEMON"

func TestMain(m *testing.M) {
	config, ok := os.LookupEnv(daemonVariable)
	if !ok {
		os.Exit(m.Run())
	}
	if os.Getenv("LISTEN_FDS") != "" { // as systemd sets it, for the process that it starts alone
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	os.Exit(Main([]string{"--config", config}, "test", os.Stderr))
}

// activated is a phigated whose sockets are somebody else's.
type activated struct {
	*testing.T
	dir     string
	sockets []*os.File
}

func (a *activated) start() *exec.Cmd {
	a.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), daemonVariable+"="+filepath.Join(a.dir, "phigate.yaml"), "LISTEN_FDS="+strconv.Itoa(len(a.sockets)))
	cmd.ExtraFiles = a.sockets
	log, err := os.OpenFile(filepath.Join(a.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		a.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended where the test went well
		_, _ = cmd.Process.Wait()
	})
	return cmd
}

// ask asks about a container as phigate-runc does, and says what the answer was.
func (a *activated) ask(id string) <-chan string {
	a.Helper()
	root, err := os.Open(a.dir)
	if err != nil {
		a.Fatal(err)
	}
	out := make(chan string, 1)
	go func() {
		defer root.Close()
		answer, err := judge.Ask(filepath.Join(a.dir, judge.SocketName), judge.Question{Door: "wrapper", Command: "create", ID: id, Bundle: a.dir, Within: 30 * time.Second}, []byte("{}"), root)
		out <- fmt.Sprintf("%t %s %v", answer.Seq > 0, answer.Line, err)
	}()
	return out
}

func (a *activated) answered(out <-chan string) {
	a.Helper()
	select {
	case got := <-out:
		// The baseline refuses a container whose spec is empty, with a record.
		if !strings.HasPrefix(got, "true phigate: ") || !strings.HasSuffix(got, "<nil>") {
			log, _ := os.ReadFile(filepath.Join(a.dir, "log"))
			a.Fatalf("got %q, want a verdict; phigated's log:\n%s", got, log)
		}
	case <-time.After(40 * time.Second):
		a.Fatal("no answer")
	}
}

// silent fails where there is an answer from nobody.
func (a *activated) silent(out <-chan string) {
	a.Helper()
	select {
	case got := <-out:
		a.Fatalf("without phigated there is an answer: %s", got)
	case <-time.After(200 * time.Millisecond):
	}
}

// At a socket that systemd holds, who asks while phigated is not there waits for
// it: before its first start, and after it was killed.
func TestSocketsOfSystemd(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: root alone may ask phigated")
	}
	dir, err := os.MkdirTemp("", "gate-") // short: a socket's path ends at 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := &activated{T: t, dir: dir}
	config := fmt.Sprintf("containerd: %[1]s/c.sock\nnri: {socket: %[1]s/nri.sock}\nstateDir: %[1]s/state\nsocket: %[1]s/p.sock\npolicies: [%[1]s/policies.d]\njournal: ''\n", dir)
	must(t, os.Mkdir(filepath.Join(dir, "policies.d"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "phigate.yaml"), []byte(config), 0o600))
	for _, name := range []string{judge.SocketName, "other.sock"} { // the second is named by nobody
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
		must(t, err)
		l.SetUnlinkOnClose(false)
		f, err := l.File()
		must(t, err)
		must(t, l.Close())
		t.Cleanup(func() { f.Close() })
		a.sockets = append(a.sockets, f)
	}

	early := a.ask("early")
	a.silent(early)
	first := a.start()
	a.answered(early)
	must(t, first.Process.Kill())
	_, _ = first.Process.Wait()

	between := a.ask("between")
	a.silent(between)
	second := a.start()
	a.answered(between)
	must(t, second.Process.Signal(syscall.SIGTERM))
	if state, err := second.Process.Wait(); err != nil || state.ExitCode() != 0 {
		t.Errorf("phigated ended with %v, %v", state, err)
	}
	if _, err := os.Stat(filepath.Join(dir, judge.SocketName)); err != nil {
		t.Errorf("phigated took systemd's socket away: %v", err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	must(t, err)
	if !strings.Contains(string(log), "systemd listens at a socket that phigate.yaml does not name") {
		t.Errorf("the socket that nobody names is not spoken of:\n%s", log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if c, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "p.sock")); err == nil {
		c.Close()
		t.Error("the commands' own socket is still there")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
