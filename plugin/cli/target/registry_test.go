package target

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// serve runs a registry; alter, where it is not nil, changes what it answers.
func serve(t *testing.T, alter func(w http.ResponseWriter, r *http.Request, next http.Handler)) (host string) {
	t.Helper()
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if alter == nil || r.Method != http.MethodGet {
			real.ServeHTTP(w, r)
			return
		}
		alter(w, r, real)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func push(t *testing.T, ref string, img v1.Image) {
	t.Helper()
	tag, err := name.ParseReference(ref)
	must(t, err)
	must(t, remote.Write(tag, img))
}

func TestRegistry(t *testing.T) {
	host := serve(t, nil)
	img := image(t)
	push(t, host+"/clinic/app:1", img)
	digest, err := img.Digest()
	must(t, err)
	both := []string{"/etc/motd", "/srv/app"}

	multi, err := name.ParseReference(host + "/clinic/multi:1")
	must(t, err)
	must(t, remote.WriteIndex(multi, index(t, v1.Platform{OS: "linux", Architecture: other()}, v1.Platform{OS: "linux", Architecture: runtime.GOARCH})))
	foreign, err := name.ParseReference(host + "/clinic/foreign:1")
	must(t, err)
	must(t, remote.WriteIndex(foreign, index(t, v1.Platform{OS: "linux", Architecture: other()})))

	tests := []struct {
		name, target string
		files        []string
		want         string // of the error
	}{
		{"tag", host + "/clinic/app:1", both, ""},
		{"scheme", "registry://" + host + "/clinic/app:1", both, ""},
		{"digest", host + "/clinic/app@" + digest.String(), both, ""},
		{"several_platforms", host + "/clinic/multi:1", append([]string{}, append(both, "/platform")...), ""},
		{"no_platform_of_ours", host + "/clinic/foreign:1", nil, "is not for linux/" + runtime.GOARCH},
		{"missing_tag", host + "/clinic/app:2", nil, "check name and tag"},
		{"missing_image", host + "/clinic/none:1", nil, "check name and tag"},
		{"nobody_there", "127.0.0.1:1/clinic/app:1", nil, "connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target, got, err := scan(t, tt.target)
			if tt.want != "" {
				if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got error %v; want one of the input with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.files, got.files); diff != "" {
				t.Errorf("files (-want +got)\n%s", diff)
			}
			if got.read != target.Size {
				t.Errorf("told of %d bytes of %d", got.read, target.Size)
			}
		})
	}
}

func TestRegistryThatLies(t *testing.T) {
	layer := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }
	tests := []struct {
		name  string
		alter func(w http.ResponseWriter, r *http.Request, next http.Handler)
		want  string
	}{
		{"other_bytes", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			if layer(r) {
				body = bytes.Replace(body, []byte("hello"), []byte("hallo"), 1)
			}
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			w.WriteHeader(rec.Code)
			_, _ = w.Write(body)
		}, "layer"},
		{"ends_early", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			body := rec.Body.Bytes()
			if layer(r) && bytes.Contains(body, []byte("hello")) {
				body = body[:700]
			}
			_, _ = w.Write(body)
		}, "verifying sha256"},
		{"asks_for_credentials", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		}, "log in with `docker login"},
		{"has_lost_a_layer", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if layer(r) {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
		}, "is not in the registry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := serve(t, tt.alter)
			push(t, host+"/clinic/app:1", image(t))
			_, _, err := scan(t, host+"/clinic/app:1")
			if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v; want one of the input with %q", err, tt.want)
			}
		})
	}
}

// A registry that stops in the middle of a layer is given up.
func TestRegistryThatStalls(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("first bytes"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	must(t, err)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	stream := &lively{ctx: ctx, stream: resp.Body, cancel: cancel, patience: 50 * time.Millisecond}
	defer stream.Close()
	data, err := io.ReadAll(stream)
	if string(data) != "first bytes" || !errors.Is(err, errSilent) {
		t.Errorf("got %d bytes and error %v; want 11 and %v", len(data), err, errSilent)
	}
}
