// Package server is phigated's side of package ask.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/phigate/phigate/plugin/ask"
)

// Serve answers on the socket until ctx ends, or says that it cannot.
func Serve(ctx context.Context, l net.Listener, status func() ask.Status) (wait func() error) {
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
			return fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
		return nil
	}
}
