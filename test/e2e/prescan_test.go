package e2e

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// A layer is scanned when it is committed, while those above it are still being
// pulled.
func TestScanWhilePulling(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	img, err := gate.Make(images.Files{"/srv/people.txt": images.Text(gate.Patients(5))}, images.Files{"/srv/last": images.Text("last\n")})
	r.must(err)
	layers, err := img.Layers()
	r.must(err)
	last, err := layers[len(layers)-1].Digest()
	r.must(err)

	var served sync.WaitGroup
	served.Add(1)
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, last.String()) {
			served.Wait() // the last layer is held back
		}
		store.ServeHTTP(w, req)
	}))
	defer server.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://")+"/clinic/people:1", name.Insecure)
	r.must(err)
	r.must(remote.Write(ref, img))

	before := r.scans()
	pulled := make(chan error, 1)
	go func() {
		_, err := r.node.CRI().PullImage(r.ctx, &runtimeapi.PullImageRequest{Image: &runtimeapi.ImageSpec{Image: ref.String()}})
		pulled <- err
	}()
	r.eventually("two layers are scanned while the third is held back", 20*time.Second, func() bool { return r.scans() >= before+1 })
	select {
	case err := <-pulled:
		t.Fatalf("the pull ended while a layer was held back: %v", err)
	default:
	}
	served.Done()
	r.must(<-pulled)
	r.must(r.gate.Ready(r.ctx))
	r.refuse(r.pod(node.PodOptions{}), sleeps(ref.String()), "phi-table", "/srv/people.txt")
}

// A layer that several images share is scanned once, and its facts go when the
// last of them does.
func TestSharedLayersAndVanishedOnes(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	before := r.scans() // the base layer, which the pause image brought
	for i, text := range []string{"one", "two", "three"} {
		r.image("shared-"+text, images.Files{"/etc/own": images.Text(text)})
		if n := r.scans() - before; n != i+1 {
			t.Fatalf("%d layers were scanned for %d images with one layer of their own each", n, i+1)
		}
	}
	for _, text := range []string{"one", "two", "three"} {
		_, err := r.node.CRI().RemoveImage(r.ctx, &runtimeapi.RemoveImageRequest{Image: &runtimeapi.ImageSpec{Image: gate.Image("shared-" + text)}})
		r.must(err)
	}
	dropped := func() bool {
		data, err := os.ReadFile(r.gate.LogFile())
		return err == nil && strings.Contains(string(data), "dropped the facts of layers that are gone")
	}
	r.eventually("the facts of vanished layers are dropped", 20*time.Second, dropped)
}

// systemd hears that phigated is ready, and that it lives.
func TestNotify(t *testing.T) {
	r := newRig(t, node.Options{}, gate.Options{})
	r.must(r.gate.Stop())
	socket := filepath.Join(r.node.Dir, "notify.sock")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	r.must(err)
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "200000")
	r.must(r.gate.Start())
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		buf := make([]byte, 256)
		r.must(l.SetReadDeadline(time.Now().Add(10 * time.Second)))
		n, err := l.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("systemd was not told %s", want)
		}
		r.must(err)
		if got := string(buf[:n]); got != want {
			t.Errorf("systemd was told %q, want %q", got, want)
		}
	}
}
