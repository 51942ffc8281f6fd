// Package server is phigated's side of package ask.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/phigate/phigate/plugin/ask"
)

// Serve answers on the socket until ctx ends. A socket that nobody listens on
// any more is replaced; one that somebody does is an error.
func Serve(ctx context.Context, socket string, status func() ask.Status) (wait func() error, err error) {
	l, err := listen(socket)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ask.StatusPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status()) // the asker has gone
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return func() error {
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving %s: %w", socket, err)
		}
		return nil
	}, nil
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
