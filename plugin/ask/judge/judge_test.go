package judge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuestionTravels(t *testing.T) {
	want := Question{Door: "wrapper", Command: "run", ID: "c1", Bundle: "/b", Root: "/b/rootfs", Mount: "1 2 0:3 / /b/rootfs", Within: time.Minute,
		BreakGlass: &BreakGlass{File: "/g", Until: time.Unix(5, 0).UTC(), Reason: "why"}}
	config := bytes.Repeat([]byte("x"), 100_000)
	frame, err := want.frame(config)
	if err != nil {
		t.Fatal(err)
	}
	all := append(frame, config...)
	got, gotConfig, err := ReadQuestion(all[:HeadSize], bytes.NewReader(all[HeadSize:]))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || !bytes.Equal(config, gotConfig) {
		t.Errorf("it arrives changed: %s", diff)
	}
	for _, n := range []int{HeadSize, HeadSize + 1, len(frame), len(all) - 1} {
		if _, _, err := ReadQuestion(all[:HeadSize], bytes.NewReader(all[HeadSize:n])); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errNonsense) {
			t.Errorf("cut at %d: got error %v", n, err)
		}
	}
	if _, err := want.frame(make([]byte, MaxConfig+1)); err == nil {
		t.Error("a config.json that is too large was taken")
	}
}

func TestAnswer(t *testing.T) {
	frame := func(magic, text string) string {
		return magic + string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
	}
	tests := map[string]struct {
		sent string
		want Answer
		fine bool
	}{
		"allowed":             {frame(answerMagic, `{"allow":true,"seq":7}`), Answer{Allow: true, Seq: 7}, true},
		"refused":             {frame(answerMagic, `{"line":"no"}`), Answer{Line: "no"}, true},
		"allowed_unrecorded":  {frame(answerMagic, `{"allow":true}`), Answer{}, false},
		"refused_without_why": {frame(answerMagic, `{"seq":7}`), Answer{}, false},
		"nothing":             {"", Answer{}, false},
		"half":                {frame(answerMagic, `{"allow":true,"seq":7}`)[:20], Answer{}, false},
		"other_magic":         {frame(askMagic, `{"allow":true,"seq":7}`), Answer{}, false},
		"http":                {"HTTP/1.1 200 OK\r\n\r\n", Answer{}, false},
		"too_long":            {answerMagic + "\xff\xff\xff\xff{}", Answer{}, false},
		"no_json":             {frame(answerMagic, "allow"), Answer{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := readAnswer(strings.NewReader(test.sent))
			if (err == nil) != test.fine || err == nil && got != test.want || err != nil && got.Allow {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

// An answer allows only where phigated wrote exactly that.
func FuzzReadAnswer(f *testing.F) {
	var b bytes.Buffer
	if err := WriteAnswer(&b, Answer{Allow: true, Seq: 1}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("PHGA1\r\n\x00\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := readAnswer(bytes.NewReader(data))
		if a.Allow && (err != nil || a.Seq == 0) {
			t.Error("nonsense allows")
		}
	})
}

func FuzzReadQuestion(f *testing.F) {
	q := Question{ID: "c1"}
	frame, err := q.frame([]byte("{}"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(frame, "{}"...))
	f.Add([]byte(askMagic + "\x00\x00\x00\x02\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := min(len(data), HeadSize)
		_, config, err := ReadQuestion(data[:n], bytes.NewReader(data[n:]))
		if err == nil && len(config) > len(data) {
			t.Error("more came out than went in")
		}
	})
}

// listen answers each who connects with fn.
func listen(t *testing.T, fn func(c net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "judge-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, SocketName)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go fn(c)
		}
	}()
	return socket
}

func ask(t *testing.T, socket string, within time.Duration) (Answer, error) {
	t.Helper()
	root, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return Ask(socket, Question{ID: "c1", Within: within}, []byte(`{}`), root)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be, or pretend not to be, root")
	}
}

func TestAsk(t *testing.T) {
	needRoot(t)
	silent := listen(t, func(net.Conn) {})
	closing := listen(t, func(c net.Conn) { c.Close() })
	drip := listen(t, func(c net.Conn) { // a byte now and then must not win time
		for {
			if _, err := c.Write([]byte("P")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	good := listen(t, func(c net.Conn) { _ = WriteAnswer(c, Answer{Allow: true, Seq: 1}) })
	foreign := listen(t, func(net.Conn) {})
	if err := os.Chown(foreign, 12345, 0); err != nil {
		t.Fatal(err)
	}
	open := listen(t, func(net.Conn) {})
	if err := os.Chmod(filepath.Dir(open), 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ socket, want string }{
		"answers":         {good, ""},
		"hangs":           {silent, "gave no answer within 300ms"},
		"drips":           {drip, "phigate's language"},
		"ends":            {closing, "ended before it answered"},
		"not_there":       {"/nonexistent/gate.sock", "does not answer at /nonexistent/gate.sock: is it running?"},
		"another_owner":   {foreign, "belongs to user 12345, not to root"},
		"writable_folder": {open, "others than root may write"},
		"no_socket":       {file, "it is no socket"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			a, err := ask(t, test.socket, 300*time.Millisecond)
			if test.want == "" {
				if err != nil || !a.Allow {
					t.Fatalf("got %+v, %v", a, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || a.Allow {
				t.Errorf("got %+v, %v; want an error with %q", a, err, test.want)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// The peer is asked for its user, since a socket's owner can be changed back.
func TestListenerOfAnotherUser(t *testing.T) {
	if socket := os.Getenv("PHIGATE_TEST_LISTEN"); socket != "" {
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = l.Accept()
		return
	}
	needRoot(t)
	dir, err := os.MkdirTemp("", "judge-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, SocketName)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "test") // where another user may run it
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, data, 0o755); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(other, "-test.run=^TestListenerOfAnotherUser$")
	child.Dir, child.Env = "/", []string{"PHIGATE_TEST_LISTEN=" + socket}
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the other user does not listen")
		}
	}
	for _, path := range []string{socket, dir} {
		if err := os.Chown(path, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ask(t, socket, time.Second); err == nil || !strings.Contains(err.Error(), "user 12345 listens there, not root") {
		t.Errorf("got %v; want it refused for who listens", err)
	}
}
