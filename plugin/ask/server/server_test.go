package server

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/ask"
)

func TestServe(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "run", "p.sock")
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Sockets{}.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	wait := Serve(ctx, l, Answers{
		Status: func() ask.Status { return ask.Status{Version: "v1", Scan: ask.ScanStatus{Waiting: 3}} },
		Image: func(_ context.Context, name, digest string) ask.Image {
			return ask.Image{Refused: true, Line: name + " " + digest}
		},
	})
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v (error %v), want 0600", info.Mode(), err)
	}
	got, err := ask.GetStatus(t.Context(), socket)
	if err != nil || got.Version != "v1" || got.Scan.Waiting != 3 {
		t.Errorf("got %+v, error %v", got, err)
	}
	if got, err := ask.GetImage(t.Context(), socket, "a/b:1&x", "sha256:1"); err != nil || !got.Refused || got.Line != "a/b:1&x sha256:1" {
		t.Errorf("got %+v, error %v", got, err)
	}
	if _, err := (Sockets{}).Listen(socket); err == nil || !strings.Contains(err.Error(), "another phigated") {
		t.Errorf("a socket in use was taken: %v", err)
	}
	cancel()
	if err := wait(); err != nil {
		t.Error(err)
	}
	if _, err := ask.GetStatus(t.Context(), socket); err == nil || !strings.Contains(err.Error(), "is it running?") {
		t.Errorf("got %v, want the next step", err)
	}
}

// What a phigated that was killed left behind is replaced.
func TestServeReplacesADeadSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "p.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	again, err := Sockets{}.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	wait := Serve(ctx, again, Answers{})
	cancel()
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// Something else may listen at the socket; its answer is bounded and not believed.
func TestGetStatusFromSomethingElse(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "p.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno!"))
			_ = c.Close()
		}
	}()
	if _, err := ask.GetStatus(t.Context(), socket); err == nil || !strings.Contains(err.Error(), "not one") {
		t.Errorf("got %v, want an error that says what it is not", err)
	}
}
