package registry

import (
	"bytes"
	"io"
	stdlog "log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/phigate/phigate/plugin/audit"
)

func TestPushAndPull(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(stdlog.New(io.Discard, "", 0))))
	defer server.Close()
	repo := strings.TrimPrefix(server.URL, "http://") + "/clinic/checkpoints"
	log := "phigate.dev/log/00ff"
	for _, size := range []uint64{5, 9} {
		note := bytes.Repeat([]byte("x"), int(size))
		if err := Push(t.Context(), repo, log, audit.Checkpoint{Size: size, Note: note}); err != nil {
			t.Fatal(err)
		}
		got, err := Pull(t.Context(), repo, log)
		if err != nil || !bytes.Equal(got, note) {
			t.Errorf("pulled %d bytes, %v; want %d", len(got), err, size)
		}
	}
	parsed, err := name.NewRepository(repo)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(parsed)
	if err != nil || strings.Join(tags, " ") != "log-00ff log-00ff-5 log-00ff-9" {
		t.Errorf("tags %v, %v", tags, err)
	}
	if _, err := Pull(t.Context(), repo, "phigate.dev/log/other"); err == nil {
		t.Error("a log that nobody pushed was pulled")
	}
	server.Close()
	if err := Push(t.Context(), repo, log, audit.Checkpoint{Size: 10}); err == nil {
		t.Error("a registry that is gone took a checkpoint")
	}
}
