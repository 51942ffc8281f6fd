package cli

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/phigate/phigate/test/images"
)

// Ctrl-C in the middle of a layer ends the scan, without a verdict and without
// anything left behind.
func TestScanInterrupted(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, interrupt := context.WithCancel(t.Context())
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	layer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || layer == "" || !strings.HasSuffix(r.URL.Path, layer) {
			real.ServeHTTP(w, r)
			return
		}
		_, _ = w.Write([]byte("first bytes of"))
		w.(http.Flusher).Flush()
		interrupt()
		<-r.Context().Done()
	}))
	defer server.Close()
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/clinic/app:1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := images.With(empty.Image, images.Files{"/etc/motd": images.Text("hello")})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	layer = digest.String()

	var stdout, stderr bytes.Buffer
	root := NewRoot("v0.0.0-test")
	root.SetArgs([]string{"scan", tag.String()})
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	code := exitCode(root.ExecuteContext(ctx), &stderr)
	if code != ExitInternal || stdout.Len() > 0 || stderr.String() != "phigate: interrupted: nothing was decided\n" {
		t.Errorf("exit code %d, %d bytes of report, and %q", code, stdout.Len(), stderr.String())
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("%d things were left behind (error %v)", len(left), err)
	}
}
