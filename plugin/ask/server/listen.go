package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
)

// Sockets are those that phigated was handed when it was started, by path: on a
// node systemd listens at gate.sock (deploy/systemd/phigated.socket), so that who
// asks while phigated is not there, at boot or between a crash and the next start, waits for it.
type Sockets map[string]net.Listener

// Inherited takes over what systemd has passed (sd_listen_fds(3)); without it there are none.
func Inherited() (Sockets, error) {
	passed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("taking over systemd's sockets: %w", err)
	}
	out := Sockets{}
	for _, l := range passed {
		if u, ok := l.(*net.UnixListener); ok {
			out[u.Addr().String()] = u
		}
	}
	return out, nil
}

// Listen is the socket at the path: the one that was handed over, which stays when
// phigated ends, or else a new one. There a socket that nobody listens on
// any more is replaced; one that somebody does is an error.
func (s Sockets) Listen(path string) (net.Listener, error) {
	if l, ok := s[path]; ok {
		delete(s, path)
		return l, nil
	}
	return listen(path)
}

// Drop closes what nobody has listened at. Who asks there would wait in vain.
func (s Sockets) Drop(log *slog.Logger) {
	for path, l := range s {
		log.Warn("systemd listens at a socket that phigate.yaml does not name: set the path right in one of them", "socket", path)
		_ = l.Close() // systemd has its own copy
	}
}

func listen(socket string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("making the socket's folder: %w", err)
	}
	if c, err := net.DialTimeout("unix", socket, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("somebody listens at %s already: is another phigated running?", socket)
	}
	if info, err := os.Lstat(socket); err == nil && info.Mode().Type() != os.ModeSocket {
		return nil, fmt.Errorf("listening at %s: something else than a socket is there: move it away, or name another in the configuration", socket)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replacing the socket: %w", err)
	}
	old := syscall.Umask(0o177) // the socket is never there with another mode than 0600
	defer syscall.Umask(old)
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", socket, err)
	}
	return l, nil
}
