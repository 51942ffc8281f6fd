package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/ask/judge"
)

// serve answers with fn on a socket of the test's own.
func serve(t *testing.T, fn Judge) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate-") // short: a socket's path ends at 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	socket := filepath.Join(dir, judge.SocketName)
	l, err := Sockets{}.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	wait := ServeGate(ctx, l, fn, slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(func() {
		cancel()
		wait()
		os.RemoveAll(dir)
	})
	return socket
}

func TestGate(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("root alone may ask")
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "here"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := serve(t, func(ctx context.Context, q judge.Question, config []byte, root *os.File) judge.Answer {
		defer root.Close()
		if q.ID == "hangs" {
			<-ctx.Done()
			return judge.Answer{Line: "late"}
		}
		var st unix.Stat_t
		if err := unix.Fstatat(int(root.Fd()), "here", &st, 0); err != nil || len(config) != 1<<20 {
			return judge.Answer{Line: "the root filesystem or config.json has not arrived"}
		}
		return judge.Answer{Allow: true, Seq: 9}
	})
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (error %v), want 0600", info.Mode(), err)
	}
	fd, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	config := []byte(strings.Repeat("x", 1<<20))
	for range 20 {
		a, err := judge.Ask(socket, judge.Question{ID: "c1", Within: 20 * time.Second}, config, fd)
		if err != nil || !a.Allow || a.Seq != 9 {
			t.Fatalf("got %+v, %v", a, err)
		}
	}
	a, err := judge.Ask(socket, judge.Question{ID: "hangs", Within: 2 * time.Second}, config, fd)
	if err != nil || a.Line != "late" {
		t.Errorf("at the last moment: got %+v, %v; want it to arrive", a, err)
	}
}

// Nonsense is no question, whoever sends it, and the next one is answered.
func TestGateNonsense(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("root alone may ask")
	}
	asked := 0
	socket := serve(t, func(_ context.Context, _ judge.Question, _ []byte, root *os.File) judge.Answer {
		root.Close()
		asked++
		return judge.Answer{Line: "no"}
	})
	for name, sent := range map[string]string{
		"http":          "GET /v1/status HTTP/1.1\r\nHost: phigated\r\n\r\n",
		"nothing":       "",
		"no_descriptor": "PHGQ1\r\n\x00\x00\x00\x00\x02\x00\x00\x00\x00{}",
		"too_long":      "PHGQ1\r\n\x00\xff\xff\xff\xff\x00\x00\x00\x00{}",
	} {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(sent))
		_ = c.(*net.UnixConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if data, _ := io.ReadAll(c); len(data) > 0 {
			t.Errorf("%s was answered", name)
		}
		c.Close()
	}
	if asked != 0 {
		t.Errorf("%d of them were judged", asked)
	}
}
