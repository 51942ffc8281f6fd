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

// Answers are what phigated says to the commands.
type Answers struct {
	Status func() ask.Status
	Image  func(ctx context.Context, name, digest string) ask.Image
}

// Serve answers on the socket until ctx ends, or says that it cannot.
func Serve(ctx context.Context, l net.Listener, answers Answers) (wait func() error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ask.StatusPath, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, answers.Status())
	})
	mux.HandleFunc("GET "+ask.ImagePath, func(w http.ResponseWriter, r *http.Request) {
		reply(w, answers.Image(r.Context(), r.FormValue("name"), r.FormValue("digest")))
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

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the asker has gone
}
